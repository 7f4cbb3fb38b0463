//! What happened between a party and the company: one interaction, and what a newer version or a deletion of it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_kernel::{Fault, Id, Money, Private, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::value::{Named, Number, Party, Value};

/// Marks the id of an interaction.
pub enum InteractionMark {}
/// The id of an interaction.
pub type InteractionId = Id<InteractionMark>;

/// What makes an interaction unique within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InteractionKey {
    /// The source.
    pub source: String,
    /// Its id there.
    pub external_id: Private<String>,
}

/// What a source says of an interaction, in one version of it.
#[derive(Clone, PartialEq)]
pub struct Telling {
    /// What makes it unique.
    pub key: InteractionKey,
    /// The source's version: the highest holds, and at one version the deletion.
    pub version: i64,
    /// What is said.
    pub said: Said,
}

/// What is said of an interaction.
#[derive(Clone, PartialEq)]
pub enum Said {
    /// That it happened.
    Recorded {
        /// Whose it is said to be: read when it is first recorded, and never again.
        named: Named,
        /// Who referred the customer.
        referrer: Option<Named>,
        /// What happened; its referrer is filled in once it is known whose record that is.
        content: Arc<Content>,
    },
    /// That it was deleted.
    Deleted,
}

/// What is told of an interaction.
#[derive(Clone, PartialEq)]
pub struct Content {
    /// What happened, as `purchase`.
    pub kind: String,
    /// By which channel; empty where unknown.
    pub channel: String,
    /// At which touchpoint; empty where unknown.
    pub touchpoint: String,
    /// At which stage; empty where unknown.
    pub stage: String,
    /// The product; empty where none.
    pub product: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it was worth.
    pub value: Option<Money>,
    /// Anything else.
    pub attributes: BTreeMap<String, Value>,
    /// How the party felt, and the circumstances.
    pub details: Details,
    /// The record of who referred the customer.
    pub referrer: Option<SubjectId>,
}

impl Content {
    /// Says who referred the customer.
    pub fn refer(content: &mut Arc<Self>, referrer: Option<SubjectId>) {
        if content.referrer != referrer {
            Arc::make_mut(content).referrer = referrer;
        }
    }
}

/// How the party felt in an interaction, and under which circumstances it happened.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// From -1 to 1; `None` where unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Number>,
    /// Each from 0 to 1, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub emotions: BTreeMap<String, Number>,
    /// The device; empty where unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// The place; empty where unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The campaign; empty where none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub campaign: String,
    /// The page's address; empty where none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// An interaction as it is held.
#[derive(Clone, PartialEq)]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// Whose it is, for ever: a newer version cannot give it to another.
    pub subject: SubjectId,
    /// What makes it unique.
    pub key: InteractionKey,
    /// The source's version held.
    pub version: i64,
    /// What is told.
    pub content: Arc<Content>,
    /// What the party was when it was recorded.
    pub party: Party,
    /// The customer's declared traits when it was recorded: a fact keeps the dimensions it had.
    pub dimensions: BTreeMap<String, String>,
    /// When it was first recorded, or recorded again after a deletion.
    pub recorded_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every version taken, deletions included.
    pub revision: u64,
}

/// A deletion as it is held: what keeps older versions away.
#[derive(Clone, PartialEq)]
pub struct Tombstone {
    /// The interaction's id.
    pub id: InteractionId,
    /// Whose it was; `None` where nobody has told yet.
    pub subject: Option<SubjectId>,
    /// What makes it unique.
    pub key: InteractionKey,
    /// The version it holds against, and every lower one.
    pub version: i64,
    /// When it had happened; `None` where it was never on the timeline.
    pub occurred_at: Option<Timestamp>,
    /// The revision of the deletion; 0 where it was never on the timeline, so that nobody was told of it.
    pub revision: u64,
}

/// What is held of a key.
#[derive(Clone, PartialEq)]
pub enum Held {
    /// It stands on the timeline.
    Live(Interaction),
    /// It was deleted.
    Deleted(Tombstone),
}

/// What recording did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was new, or came back.
    Created,
    /// It replaced an older version.
    Updated,
    /// This version, or a newer one, is held.
    Unchanged,
    /// It was deleted, or kept from being recorded.
    Deleted,
}

/// Where a new interaction attaches, and what it keeps of its customer for ever.
#[derive(Clone, PartialEq)]
pub struct Stamp {
    /// The subject.
    pub subject: SubjectId,
    /// What the party is.
    pub party: Party,
    /// The customer's dimensions of metrics.
    pub dimensions: BTreeMap<String, String>,
}

impl Held {
    /// What makes it unique.
    #[must_use]
    pub const fn key(&self) -> &InteractionKey {
        match self {
            Self::Live(interaction) => &interaction.key,
            Self::Deleted(tombstone) => &tombstone.key,
        }
    }

    /// Whose it is, where that is known.
    #[must_use]
    pub const fn subject(&self) -> Option<SubjectId> {
        match self {
            Self::Live(interaction) => Some(interaction.subject),
            Self::Deleted(tombstone) => tombstone.subject,
        }
    }

    /// What others were told of last; 0: nothing.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        match self {
            Self::Live(interaction) => interaction.revision,
            Self::Deleted(tombstone) => tombstone.revision,
        }
    }

    /// What is held after a telling. The highest version holds, and at one version the deletion: neither the order nor
    /// a repetition of tellings can show. `stamp` is where it attaches; it may be absent for a deletion, and for what
    /// stands on the timeline. `new` is the id of what was not held.
    ///
    /// # Errors
    /// Where the stamp is missing.
    pub fn hear(
        before: Option<Self>,
        telling: Telling,
        (new, stamp): (InteractionId, Option<Stamp>),
        now: Timestamp,
    ) -> Result<(Self, Outcome), Fault> {
        let Telling { key, version, said } = telling;
        let content = match said {
            Said::Deleted => return Ok(Self::delete(before, new, (key, version))),
            Said::Recorded { content, .. } => content,
        };
        let (id, revision) = match before {
            Some(Self::Live(mut held)) => {
                let outcome = held.hear(version, content, now);
                return Ok((Self::Live(held), outcome));
            }
            Some(Self::Deleted(mut tombstone)) if version <= tombstone.version => {
                // It stays deleted; from now on it is known whose it was.
                tombstone.subject = tombstone.subject.or(stamp.map(|stamp| stamp.subject));
                return Ok((Self::Deleted(tombstone), Outcome::Unchanged));
            }
            Some(Self::Deleted(tombstone)) => (tombstone.id, tombstone.revision + 1),
            None => (new, 1),
        };
        let Stamp { subject, party, dimensions } =
            stamp.ok_or_else(|| Fault::internal("what is recorded attaches somewhere"))?;
        let (recorded_at, updated_at) = (now, now);
        let live =
            Interaction { id, subject, key, version, content, party, dimensions, recorded_at, updated_at, revision };
        Ok((Self::Live(live), Outcome::Created))
    }

    fn delete(before: Option<Self>, id: InteractionId, (key, version): (InteractionKey, i64)) -> (Self, Outcome) {
        match before {
            None => {
                let tombstone = Tombstone { id, subject: None, key, version, occurred_at: None, revision: 0 };
                (Self::Deleted(tombstone), Outcome::Deleted)
            }
            Some(Self::Live(held)) if version < held.version => (Self::Live(held), Outcome::Unchanged),
            Some(Self::Live(held)) => {
                let tombstone = Tombstone {
                    id: held.id,
                    subject: Some(held.subject),
                    key,
                    version,
                    occurred_at: Some(held.content.occurred_at),
                    revision: held.revision + 1,
                };
                (Self::Deleted(tombstone), Outcome::Deleted)
            }
            Some(Self::Deleted(held)) if version <= held.version => (Self::Deleted(held), Outcome::Unchanged),
            Some(Self::Deleted(held)) => (Self::Deleted(Tombstone { version, ..held }), Outcome::Deleted),
        }
    }
}

impl Interaction {
    /// Takes a newer version: an equal or lower one changes nothing.
    fn hear(&mut self, version: i64, content: Arc<Content>, now: Timestamp) -> Outcome {
        if version <= self.version {
            return Outcome::Unchanged;
        }
        self.correct(version, content, now);
        Outcome::Updated
    }

    /// Replaces the content, whatever the version.
    pub fn correct(&mut self, version: i64, content: Arc<Content>, now: Timestamp) {
        self.version = version;
        self.content = content;
        self.updated_at = now;
        self.revision += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::value::Identifier;

    fn key() -> InteractionKey {
        InteractionKey { source: "shop".into(), external_id: Private::new("1".into()) }
    }

    /// A version of one interaction: its product is the version, `None` is a deletion.
    fn telling(version: i64, deleted: bool) -> Telling {
        let identifier = Identifier { namespace: "user_id".into(), value: Private::new("1".into()) };
        let content = Content {
            kind: "purchase".into(),
            channel: String::new(),
            touchpoint: String::new(),
            stage: String::new(),
            product: version.to_string(),
            occurred_at: Timestamp::MIN,
            value: None,
            attributes: BTreeMap::new(),
            details: Details::default(),
            referrer: None,
        };
        let recorded =
            Said::Recorded { named: Named::Identifier(identifier), referrer: None, content: Arc::new(content) };
        Telling { key: key(), version, said: if deleted { Said::Deleted } else { recorded } }
    }

    /// Tells all in an order: what is held, and the last event of it that others saw (its revision, and the product of
    /// what stands).
    fn tell(tellings: &[(i64, bool)], subject: SubjectId) -> (Option<Held>, Option<(u64, Option<String>)>) {
        let (mut held, mut told) = (None::<Held>, None);
        for (version, deleted) in tellings {
            let before = held.as_ref().map_or(0, Held::revision);
            let stamp = Stamp { subject, party: Party::Customer, dimensions: BTreeMap::new() };
            let (after, _) = Held::hear(
                held.take(),
                telling(*version, *deleted),
                (InteractionId::new(), Some(stamp)),
                Timestamp::MIN,
            )
            .expect("it is stamped");
            if after.revision() > before {
                let product = match &after {
                    Held::Live(interaction) => Some(interaction.content.product.clone()),
                    Held::Deleted(_) => None,
                };
                told = Some((after.revision(), product));
            }
            held = Some(after);
        }
        (held, told)
    }

    proptest! {
        #[test]
        fn neither_the_order_nor_a_repetition_of_versions_and_deletions_shows(
            tellings in proptest::collection::vec((0_i64..5, any::<bool>()), 1..8),
            again in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            shuffle in any::<u64>(),
        ) {
            let subject = SubjectId::new();
            let mut all: Vec<(i64, bool)> = tellings.clone();
            all.extend(again.iter().map(|index| tellings[index.index(tellings.len())]));
            let mut shuffled = all.clone();
            let mut state = shuffle | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, usize::try_from(state >> 33).expect("small") % (at + 1));
            }
            let highest = *all.iter().max().expect("not empty");
            for order in [&all, &shuffled] {
                let (held, told) = tell(order, subject);
                let (version, deleted) = highest;
                match held.expect("something is held") {
                    Held::Live(interaction) => {
                        prop_assert!(!deleted);
                        prop_assert_eq!(interaction.version, version);
                        prop_assert_eq!(&interaction.content.product, &version.to_string());
                        // The last that others heard of it is what stands.
                        prop_assert_eq!(told, Some((interaction.revision, Some(version.to_string()))));
                    }
                    Held::Deleted(tombstone) => {
                        prop_assert!(deleted);
                        prop_assert_eq!(tombstone.version, version);
                        let recorded = all.iter().any(|(_, deleted)| !deleted);
                        prop_assert_eq!(tombstone.subject, recorded.then_some(subject));
                        // Who ever heard of it heard of the deletion last.
                        prop_assert!(told.is_none_or(|(revision, product)| revision == tombstone.revision && product.is_none()));
                    }
                }
            }
        }
    }
}
