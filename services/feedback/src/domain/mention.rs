//! Mentions: what is said of the company elsewhere, and what it replied. What is said in them is private.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapport_kernel::{CustomerId, Fault, Id, Private, Reason, SubjectId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::etag;
use super::reading::{Named, Reading};
use super::response::{Party, Respondent};

/// A mention's id.
pub type MentionId = Id<Mention>;
/// A reply's id.
pub type ReplyId = Id<Reply>;

/// How many replies a mention has at most.
pub const MOST_REPLIES: usize = 100;
/// How far ahead of our clock a reply may be: clocks differ.
pub const AHEAD: Duration = Duration::from_secs(5 * 60);

/// What a mention is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A review.
    Review,
    /// A post or comment in a social network.
    SocialPost,
    /// A rating in an app store.
    AppRating,
    /// A conversation in a chat.
    Chat,
    /// Something else.
    Other,
}

impl Kind {
    /// Its name, as it is stored and published.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::SocialPost => "social_post",
            Self::AppRating => "app_rating",
            Self::Chat => "chat",
            Self::Other => "other",
        }
    }
}

/// How its source names a mention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MentionKey {
    /// The source.
    pub source: String,
    /// Its id there.
    pub external_id: Private<String>,
}

impl MentionKey {
    /// The hash under which it is held: of a mention that is gone nothing else is kept.
    #[must_use]
    pub fn hash(&self, tenant: TenantId) -> Uuid {
        let hash = Sha256::new().chain_update(tenant.uuid().as_bytes()).chain_update("mention\0");
        let hash = hash.chain_update(&self.source).chain_update([0]).chain_update(self.external_id.expose()).finalize();
        Uuid::from_slice(&hash[..16]).expect("sixteen bytes are a UUID")
    }
}

/// A rating on its scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// The figure.
    pub value: f64,
    /// The least of the scale.
    pub min: f64,
    /// The greatest of it.
    pub max: f64,
}

impl Rating {
    /// Where it stands on its scale, from 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        (self.value - self.min) / (self.max - self.min)
    }
}

/// What a source tells of a mention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its version there.
    pub version: i64,
    /// What it is.
    pub kind: Kind,
    /// Where it was said.
    pub place: String,
    /// Where it can be seen.
    pub url: Private<String>,
    /// Who said it, as they call themselves.
    pub author: Private<String>,
    /// How they rated.
    pub rating: Option<Rating>,
    /// Its title.
    pub title: Private<String>,
    /// What was said.
    pub text: Private<String>,
    /// The language; empty: not said.
    pub language: String,
    /// When it was said.
    pub said_at: Timestamp,
    /// The channel.
    pub channel: String,
    /// The touchpoint.
    pub touchpoint: String,
    /// The journey stage.
    pub stage: String,
    /// The product.
    pub product: String,
    /// The competitors that it names, as the source says.
    pub competitors: Vec<String>,
    /// Whether its author agreed that it is shown.
    pub consent: bool,
}

impl Told {
    /// Its words, by what they are.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let texts = [("title", self.title.expose().as_str()), ("text", self.text.expose().as_str())];
        texts.into_iter().filter(|(_, text)| !text.is_empty())
    }
}

/// What the company replied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Its id.
    pub id: ReplyId,
    /// What it said.
    pub text: Private<String>,
    /// Who wrote it; empty where unknown.
    pub agent: Private<String>,
    /// When.
    pub at: Timestamp,
}

/// A reply to note, or to correct.
#[derive(Clone, Debug)]
pub struct Replying {
    /// The etag of the state that it rests on; empty: any.
    pub etag: String,
    /// The reply that it corrects; none: it is new.
    pub reply: Option<ReplyId>,
    /// What was said.
    pub text: Private<String>,
    /// Who wrote it.
    pub agent: Private<String>,
    /// When; none: now, or when it was first told.
    pub at: Option<Timestamp>,
}

/// A mention as it is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention {
    /// Its id.
    pub id: MentionId,
    /// How its source names it.
    pub key: MentionKey,
    /// Whose it is.
    pub respondent: Respondent,
    /// The customer that was, when it was last said.
    pub customer: Option<CustomerId>,
    /// What its source tells of it.
    pub told: Told,
    /// What the company replied, oldest first.
    pub replies: Vec<Reply>,
    /// What was read in its words; none where it has none.
    pub reading: Option<Reading>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was first recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Mention {
    /// When the company first replied.
    #[must_use]
    pub fn replied_at(&self) -> Option<Timestamp> {
        self.replies.iter().map(|reply| reply.at).min()
    }

    /// The competitors that it names, by its source's word and by its own.
    #[must_use]
    pub fn competitors(&self) -> BTreeSet<&str> {
        let read = self.reading.iter().flat_map(|reading| &reading.competitors).map(|one| one.name.as_str());
        self.told.competitors.iter().map(String::as_str).chain(read).collect()
    }

    /// What was read in its words, as figures count it: with the competitors that its source names besides.
    #[must_use]
    pub fn counted(&self) -> Option<Reading> {
        let mut reading = self.reading.clone()?;
        for name in &self.told.competitors {
            let mut known = reading.topics.iter().chain(&reading.competitors);
            if !known.any(|read| read.name == *name) {
                let sentiment = reading.sentiment.unwrap_or(0);
                reading.competitors.push(Named { name: name.clone(), sentiment, spans: Vec::new() });
            }
        }
        Some(reading)
    }

    /// Hears another telling: the one of the higher version holds. Answers whether it was this one.
    pub fn hear(&mut self, told: Told, named: Option<(Respondent, CustomerId)>, now: Timestamp) -> bool {
        if told.version <= self.told.version {
            return false;
        }
        if let Some((respondent, customer)) = named {
            // Of one subject what it was first said to be stays.
            if respondent.subject != self.respondent.subject {
                self.respondent = respondent;
            }
            self.customer = Some(customer);
        }
        self.told = told;
        self.changed(now);
        true
    }

    /// Notes a reply, or corrects one.
    ///
    /// # Errors
    /// ABORTED for a stale etag; NOT_FOUND for a reply that it has not; INVALID_ARGUMENT for a time before it was said;
    /// FAILED_PRECONDITION where it has too many.
    pub fn reply(&mut self, replying: Replying, id: ReplyId, now: Timestamp) -> Result<(), Fault> {
        etag::check(self.revision, &replying.etag)?;
        if replying.at.is_some_and(|at| at < self.told.said_at) {
            return Err(Fault::invalid_field("time", "mention.reply", "must not be before the mention was said"));
        }
        let Replying { text, agent, at, .. } = replying;
        match replying.reply {
            Some(which) => {
                let held = self.replies.iter_mut().find(|reply| reply.id == which);
                let held = held.ok_or_else(|| Fault::not_found("reply", which.to_string()))?;
                *held = Reply { id: which, text, agent, at: at.unwrap_or(held.at) };
            }
            None if self.replies.len() >= MOST_REPLIES => {
                let text = format!("a mention has at most {MOST_REPLIES} replies");
                return Err(Fault::new(Reason::InvalidState, text).precondition("MENTION_REPLIES", self.id.to_string()));
            }
            None => self.replies.push(Reply { id, text, agent, at: at.unwrap_or_else(|| now.max(self.told.said_at)) }),
        }
        self.replies.sort_by_key(|reply| (reply.at, reply.id));
        self.changed(now);
        Ok(())
    }

    const fn changed(&mut self, now: Timestamp) {
        self.updated_at = now;
        self.revision += 1;
    }

    /// About how many bytes it is on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Ids, times, numbers and what precedes each field.
        const FRAME: usize = 600;
        let told = &self.told;
        let texts = [&told.url, &told.author, &told.title, &told.text].map(|text| text.expose().len());
        let replies = self.replies.iter().map(|reply| reply.text.expose().len() + 120);
        let competitors = told.competitors.iter().map(|name| name.len() + 4);
        FRAME
            + texts.iter().sum::<usize>()
            + replies.sum::<usize>()
            + competitors.sum::<usize>()
            + self.reading.as_ref().map_or(0, Reading::weight)
    }
}

/// What is kept of a mention that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The hash of how its source named it.
    pub key: Uuid,
    /// Its id.
    pub id: MentionId,
    /// The subject it hung on; `None` where that was erased.
    pub subject: Option<SubjectId>,
    /// The revision of its deletion.
    pub revision: u64,
    /// When it was said.
    pub said_at: Timestamp,
}

/// Whose a mention is, as it is stored beside the subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// Whether nobody is known.
    pub anonymous: bool,
    /// The customer's traits that are metric dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// What the party was.
    pub party: Party,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_column(minute * 60_000_000)
    }

    fn told(version: i64) -> Told {
        let empty = || Private::new(String::new());
        Told {
            version,
            kind: Kind::Review,
            place: String::new(),
            url: empty(),
            author: empty(),
            rating: None,
            title: empty(),
            text: Private::new(format!("words of {version}")),
            language: String::new(),
            said_at: at(10),
            channel: String::new(),
            touchpoint: String::new(),
            stage: String::new(),
            product: String::new(),
            competitors: Vec::new(),
            consent: false,
        }
    }

    fn mention() -> Mention {
        let key = MentionKey { source: "reviews".to_owned(), external_id: Private::new("1".to_owned()) };
        Mention {
            id: MentionId::new(),
            key,
            respondent: Respondent::anonymous(SubjectId::new(), Party::Customer),
            customer: None,
            told: told(2),
            replies: Vec::new(),
            reading: None,
            revision: 1,
            created_at: at(11),
            updated_at: at(11),
        }
    }

    #[test]
    fn the_higher_version_holds_and_may_name_its_author() {
        let mut held = mention();
        assert!(!held.hear(told(1), None, at(20)) && !held.hear(told(2), None, at(20)));
        assert_eq!((held.revision, held.updated_at), (1, at(11)));
        let known = Respondent { anonymous: false, ..Respondent::anonymous(SubjectId::new(), Party::Lead) };
        assert!(held.hear(told(3), Some((known.clone(), CustomerId::new())), at(20)));
        assert!(held.hear(told(4), None, at(21)), "one that names nobody leaves it whose it was");
        assert_eq!((held.revision, &held.respondent, held.customer.is_some()), (3, &known, true));
    }

    #[test]
    fn replies_are_kept_in_order_and_can_be_corrected() {
        let mut held = mention();
        let say = |text: &str, reply, at| {
            let text = Private::new(text.to_owned());
            Replying { etag: String::new(), reply, text, agent: Private::default(), at }
        };
        let (first, second) = (ReplyId::new(), ReplyId::new());
        held.reply(say("later", None, Some(at(40))), second, at(50)).expect("it is noted");
        held.reply(say("sooner", None, Some(at(30))), first, at(50)).expect("it is noted");
        assert_eq!((held.replied_at(), held.replies[0].id), (Some(at(30)), first));
        held.reply(say("corrected", Some(second), None), ReplyId::new(), at(60)).expect("it is corrected");
        assert_eq!((held.replies[1].text.expose().as_str(), held.replies[1].at), ("corrected", at(40)));
        assert!(held.reply(say("early", None, Some(at(9))), ReplyId::new(), at(60)).is_err());
        assert!(held.reply(say("whose", Some(ReplyId::new()), None), ReplyId::new(), at(60)).is_err());
        assert_eq!(held.revision, 4);
    }
}
