//! What was told of a ticket: a set that grows, in which of each field the highest word holds. Joining is commutative,
//! associative and idempotent, so neither order nor repetition shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rapport_kernel::{Fault, Private, Reason, Timestamp};
use serde::{Deserialize, Serialize};

use super::message::Said;
use super::words::Status;
use crate::domain::reading::Reading;

/// How much is kept of one ticket.
const STEPS: usize = 2_000;
const CONTACTS: usize = 2_000;
const MESSAGES: usize = 5_000;

/// By which one word outranks another: the version, then the time of the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// The source's version.
    pub version: i64,
    /// When the source changed it, in microseconds; 0 where it gave a version and no time.
    pub at: i64,
}

/// A field of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field of the contract of the same name")]
pub enum Field {
    Kind,
    Priority,
    Channel,
    Touchpoint,
    Stage,
    Product,
    Topic,
    Title,
    Agent,
    Team,
    Language,
    Tags,
    Issue,
    FollowUpOf,
    CreateTime,
    FirstResponseTime,
    Contained,
}

impl Field {
    /// Those that can be told to have no value, with their names in the contract.
    pub const NAMED: [(&'static str, Self); 16] = [
        ("kind", Self::Kind),
        ("priority", Self::Priority),
        ("channel", Self::Channel),
        ("touchpoint", Self::Touchpoint),
        ("stage", Self::Stage),
        ("product", Self::Product),
        ("topic", Self::Topic),
        ("title", Self::Title),
        ("agent", Self::Agent),
        ("team", Self::Team),
        ("language", Self::Language),
        ("tags", Self::Tags),
        ("issue", Self::Issue),
        ("follow_up_of", Self::FollowUpOf),
        ("first_response_time", Self::FirstResponseTime),
        ("contained", Self::Contained),
    ];
}

/// A field's value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Value {
    /// A text.
    Text(Private<String>),
    /// An instant.
    Time(Timestamp),
    /// Yes or no.
    Flag(bool),
    /// Texts.
    List(Vec<String>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

/// What was said of a field: `None`: that it has no value.
type Word = (Stamp, Option<Value>);

/// What one push says of status and assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Where it stood then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Who had it; empty: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Private<String>>,
    /// Which team had it; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Private<String>>,
}

impl Step {
    const fn says_nothing(&self) -> bool {
        self.status.is_none() && self.agent.is_none() && self.team.is_none()
    }

    /// At one stamp the greater word holds; one without a time of its own is as old as its first telling.
    fn join(&mut self, other: Self) {
        self.at = self.at.min(other.at);
        self.status = self.status.max(other.status);
        self.agent = self.agent.take().max(other.agent);
        self.team = self.team.take().max(other.team);
    }
}

/// A push, but for whose ticket it is and what messages say.
#[derive(Clone, Debug)]
pub struct Push {
    /// By which its words outrank others.
    pub stamp: Stamp,
    /// When the source said it, or we heard it.
    pub at: Timestamp,
    /// What it says of fields; `None`: that one has no value.
    pub fields: BTreeMap<Field, Option<Value>>,
    /// Where the ticket stands.
    pub status: Option<Status>,
    /// The whole history up to now; empty: nothing is said.
    pub history: Vec<Step>,
    /// When the customer made contact.
    pub contacts: Vec<Timestamp>,
}

/// All that was told of a ticket.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The highest version.
    pub version: i64,
    /// The latest instant as of which a push spoke.
    pub updated_at: Option<Timestamp>,
    fields: BTreeMap<Field, Word>,
    #[serde(with = "pairs")]
    steps: BTreeMap<Stamp, Step>,
    history: Option<(Stamp, Vec<Step>)>,
    contacts: BTreeSet<Timestamp>,
    messages: BTreeMap<String, Said>,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It names messages by their ids in the source.
        f.debug_struct("Told").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Told {
    /// Hears a push.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (INVALID_STATE) where more was told than is kept of one ticket.
    pub fn hear(&mut self, push: Push) -> Result<(), Fault> {
        let Push { stamp, at, fields, status, history, contacts } = push;
        self.version = self.version.max(stamp.version);
        if stamp.at != 0 {
            self.updated_at = self.updated_at.max(Some(Timestamp::from_column(stamp.at)));
        }
        let assigned = |field| match fields.get(&field) {
            Some(Some(Value::Text(name))) => Some(name.clone()),
            Some(_) => Some(Private::default()),
            None => None,
        };
        let step = Step { at, status, agent: assigned(Field::Agent), team: assigned(Field::Team) };
        if !step.says_nothing() {
            match self.steps.get_mut(&stamp) {
                Some(held) => held.join(step),
                None => drop(self.steps.insert(stamp, step)),
            }
        }
        for (field, value) in fields {
            let word = (stamp, value);
            if self.fields.get(&field).is_none_or(|held| *held < word) {
                self.fields.insert(field, word);
            }
        }
        if !history.is_empty() {
            let history = (stamp, history);
            if self.history.as_ref().is_none_or(|held| *held < history) {
                self.history = Some(history);
            }
        }
        self.contacts.extend(contacts);
        self.check()
    }

    /// Hears a message; answers whether it is the telling that holds.
    ///
    /// # Errors
    /// As [`Told::hear`].
    pub fn hear_message(&mut self, external_id: &str, said: Said) -> Result<bool, Fault> {
        if !self.would_hold(external_id, &said) {
            return Ok(false);
        }
        self.messages.insert(external_id.to_owned(), said);
        self.check().map(|()| true)
    }

    /// Whether a telling of a message would hold.
    #[must_use]
    pub fn would_hold(&self, external_id: &str, said: &Said) -> bool {
        self.messages.get(external_id).is_none_or(|held| held.yields_to(said))
    }

    /// Takes what was read in a message anew.
    pub fn read_again(&mut self, external_id: &str, reading: Option<&Reading>) {
        if let Some(said) = self.messages.get_mut(external_id) {
            said.reading = reading.map(|reading| Box::new(reading.brief()));
        }
    }

    fn check(&self) -> Result<(), Fault> {
        let (steps, contacts, messages) = (self.steps.len(), self.contacts.len(), self.messages.len());
        if steps <= STEPS && contacts <= CONTACTS && messages <= MESSAGES {
            return Ok(());
        }
        let text = format!(
            "of one ticket at most {STEPS} changes of status and assignment, {CONTACTS} contacts and {MESSAGES} messages \
             are kept"
        );
        Err(Fault::new(Reason::InvalidState, text).precondition("TICKET_SIZE", "ticket"))
    }

    /// A field that is a text; empty where it has no value.
    #[must_use]
    pub fn text(&self, field: Field) -> &str {
        match self.fields.get(&field) {
            Some((_, Some(Value::Text(text)))) => text.expose(),
            _ => "",
        }
    }

    /// Whether anything was said of a field, be it that it has no value.
    #[must_use]
    pub fn speaks_of(&self, field: Field) -> bool {
        self.fields.contains_key(&field)
    }

    /// A field that is an instant.
    #[must_use]
    pub fn time(&self, field: Field) -> Option<Timestamp> {
        match self.fields.get(&field) {
            Some((_, Some(Value::Time(at)))) => Some(*at),
            _ => None,
        }
    }

    /// A field that is yes or no.
    #[must_use]
    pub fn flag(&self, field: Field) -> Option<bool> {
        match self.fields.get(&field) {
            Some((_, Some(Value::Flag(flag)))) => Some(*flag),
            _ => None,
        }
    }

    /// The words of the contact centre's own.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        match self.fields.get(&Field::Tags) {
            Some((_, Some(Value::List(tags)))) => tags,
            _ => &[],
        }
    }

    /// When the customer made contact besides by messages.
    pub fn contacts(&self) -> impl Iterator<Item = Timestamp> {
        self.contacts.iter().copied()
    }

    /// What was written.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &Said> {
        self.messages.values()
    }

    /// Statuses and assignments in the order in which they came: the highest history, then what pushes of that version or
    /// higher ones say. What stands before another cannot be later than it: a version that came late and untimed is no
    /// younger than the one after it.
    #[must_use]
    pub fn course(&self) -> Vec<Step> {
        let mut course = Vec::new();
        let mut from = Stamp { version: i64::MIN, at: i64::MIN };
        if let Some((stamp, history)) = &self.history {
            course.extend(history.iter().cloned());
            course.sort_by_key(|step| step.at);
            from = *stamp;
        }
        course.extend(self.steps.range(from..).map(|(_, step)| step.clone()));
        let mut latest = Timestamp::MAX;
        for step in course.iter_mut().rev() {
            latest = latest.min(step.at);
            step.at = latest;
        }
        course
    }
}

/// A map with keys that are no texts, as a list of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, K: DeserializeOwned + Ord, V: DeserializeOwned>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
