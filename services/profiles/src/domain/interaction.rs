//! What happened between a party and the company: one interaction, and what a newer version of it may change.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_kernel::{Id, Money, Private, SubjectId, Timestamp};

use super::value::{Named, Party, Value};

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

/// An interaction as its source tells it.
#[derive(Clone, PartialEq)]
pub struct Telling {
    /// Whose it is said to be; a newer version cannot change that.
    pub named: Named,
    /// What makes it unique.
    pub key: InteractionKey,
    /// The source's version: a higher one replaces a lower one.
    pub version: i64,
    /// What is told.
    pub content: Arc<Content>,
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
    /// What the party was when it was first recorded.
    pub party: Party,
    /// The customer's declared traits when it was first recorded: a fact keeps the dimensions it had.
    pub dimensions: BTreeMap<String, String>,
    /// When it was first recorded.
    pub recorded_at: Timestamp,
    /// Grows with every version taken.
    pub revision: u64,
}

/// What recording did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was new.
    Created,
    /// It replaced an older version.
    Updated,
    /// This version, or a newer one, is held.
    Unchanged,
}

impl Interaction {
    /// Takes a telling of the same interaction: only a higher version changes anything.
    pub fn hear(&mut self, telling: Telling) -> Outcome {
        if telling.version <= self.version {
            return Outcome::Unchanged;
        }
        self.version = telling.version;
        self.content = telling.content;
        self.revision += 1;
        Outcome::Updated
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::value::Identifier;

    fn telling(version: i64, product: &str) -> Telling {
        let identifier = Identifier { namespace: "user_id".into(), value: Private::new("1".into()) };
        Telling {
            named: Named::Identifier(identifier),
            key: InteractionKey { source: "shop".into(), external_id: Private::new("1".into()) },
            version,
            content: Arc::new(Content {
                kind: "purchase".into(),
                channel: String::new(),
                touchpoint: String::new(),
                stage: String::new(),
                product: product.into(),
                occurred_at: Timestamp::MIN,
                value: None,
                attributes: BTreeMap::new(),
            }),
        }
    }

    proptest! {
        #[test]
        fn in_any_order_the_highest_version_is_held(versions in proptest::collection::vec(0_i64..6, 1..12)) {
            let first = telling(versions[0], &versions[0].to_string());
            let mut held = Interaction {
                id: InteractionId::new(),
                subject: SubjectId::new(),
                key: first.key.clone(),
                version: first.version,
                content: first.content,
                party: Party::Customer,
                dimensions: BTreeMap::new(),
                recorded_at: Timestamp::MIN,
                revision: 1,
            };
            for version in &versions[1..] {
                held.hear(telling(*version, &version.to_string()));
            }
            let highest = versions.iter().max().expect("not empty");
            prop_assert_eq!(held.version, *highest);
            prop_assert_eq!(&held.content.product, &highest.to_string());
        }
    }
}
