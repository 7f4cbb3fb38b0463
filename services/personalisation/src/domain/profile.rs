//! What a decision knows of a customer: the shared context, decoded once and then only borrowed from.

use std::collections::BTreeMap;
use std::fmt;

use rapport_conditions::{AsValue, Map, Object, Value};
use rapport_kernel::{CustomerId, SubjectId, Timestamp};

use super::contact::Hours;

/// A customer as a decision sees it. It holds personal data: there is no `Debug`.
pub struct Profile {
    /// The customer.
    pub customer: CustomerId,
    /// The revision of the profile.
    pub revision: u64,
    /// What the party is to the company.
    pub party: Party,
    /// The golden record's traits.
    pub traits: BTreeMap<String, Datum>,
    /// The consents in force.
    pub consents: Consents,
    /// What profiles derives of the customer.
    pub standing: Standing,
    /// The subjects of the customer, sorted: the contact ledger is counted over all of them.
    pub subjects: Vec<SubjectId>,
    /// The first instant at which something here could change without any event.
    pub valid_until: Timestamp,
}

/// Where a customer stands: what profiles derives of it, and what those who meet it must know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The names of the segments it is in.
    pub segments: Vec<String>,
    /// The stage of its life as a customer; empty where it is in none.
    pub lifecycle_stage: String,
    /// The last score of each kind of survey.
    pub scores: BTreeMap<String, f64>,
    /// How it feels, and what stands open between it and the company.
    pub feedback: BTreeMap<String, f64>,
    /// The names of its flags. One that ends by itself ends the context's validity.
    pub flags: Vec<String>,
    /// What it objected to.
    pub restrictions: Vec<String>,
    /// The last score of each kind of survey, with its time.
    pub last_scores: Vec<LastScore>,
    /// Its flags, and when each ends by itself.
    pub flag_ends: Vec<(String, Option<Timestamp>)>,
    /// Its time zone (IANA); empty: unknown.
    pub zone: String,
    /// When it wants to be left alone.
    pub quiet_hours: Option<Hours>,
}

/// A score that a customer gave last.
#[derive(Clone, Debug, PartialEq)]
pub struct LastScore {
    /// The kind of survey, as "nps".
    pub kind: String,
    /// The score, on the survey's scale.
    pub score: i32,
    /// The scale; none where it was not told: the usual one of its kind.
    pub scale: Option<Scale>,
    /// When it was given.
    pub at: Timestamp,
}

/// A survey's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The least of it.
    pub min: i32,
    /// The greatest of it.
    pub max: i32,
    /// Whether a low score is the good one.
    pub reversed: bool,
}

impl LastScore {
    /// Whether it is low: tNPS and NPS up to 6, CSAT in the lowest quarter of its scale, CES in the lowest third; where a low
    /// figure is the good one, at the other end. As metrics has it: 2 of 5, and 3 of 7.
    #[must_use]
    pub fn is_low(&self) -> bool {
        let (usual, share) = match self.kind.as_str() {
            "nps" | "tnps" => return self.score <= 6,
            "csat" => (Scale { min: 1, max: 5, reversed: false }, 4),
            "ces" => (Scale { min: 1, max: 7, reversed: false }, 3),
            _ => return false,
        };
        let Scale { min, max, reversed } = self.scale.unwrap_or(usual);
        let (score, min, max) = (i64::from(self.score), i64::from(min), i64::from(max));
        let height = if reversed { max - score } else { score - min };
        height * share <= max - min
    }
}

/// What a party is to the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Buys, or may buy, or has bought.
    Customer,
    /// Has shown interest, has not bought.
    Lead,
    /// Sells, delivers or serves together with the company.
    Partner,
    /// Works for the company.
    Employee,
}

impl Party {
    /// As conditions read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Lead => "lead",
            Self::Partner => "partner",
            Self::Employee => "employee",
        }
    }
}

/// One value of a trait or of the contact's context.
#[derive(Clone, PartialEq)]
pub enum Datum {
    /// True or false.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// A text.
    Text(String),
    /// An instant.
    Time(Timestamp),
    /// Several texts.
    Texts(Vec<String>),
}

impl AsValue for Datum {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => Value::Double(*value),
            Self::Text(text) => Value::String(text),
            Self::Time(at) => Value::Timestamp(*at),
            Self::Texts(texts) => Value::List(texts),
        }
    }
}

impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is known of a person is not printed, its kind is.
        fmt::Debug::fmt(&self.as_value(), f)
    }
}

/// Consents as conditions read them: `customer.consents["marketing"]` is the answer for all channels,
/// `customer.consents["marketing/email"]` the one for a channel, where the most restrictive of the channel's own and
/// the general one holds. Nothing said: no such key, which is no match unless `in` asks first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consents(BTreeMap<String, bool>);

impl Consents {
    /// From statements (purpose, channel or empty for all, granted). A refusal anywhere is a refusal, so their order
    /// does not matter.
    pub fn new<'a>(statements: impl IntoIterator<Item = (&'a str, &'a str, bool)>) -> Self {
        let mut consents = BTreeMap::new();
        for (purpose, channel, granted) in statements {
            let key = if channel.is_empty() { purpose.to_owned() } else { format!("{purpose}/{channel}") };
            let held = consents.entry(key).or_insert(true);
            *held = *held && granted;
        }
        let refused: Vec<String> =
            consents.iter().filter(|(_, granted)| !**granted).map(|(key, _)| key.clone()).collect();
        for (key, granted) in &mut consents {
            let general = key.split_once('/').map(|(purpose, _)| purpose);
            *granted = *granted && !general.is_some_and(|general| refused.iter().any(|key| key == general));
        }
        Self(consents)
    }

    /// What was said of a purpose on a channel: the channel's own answer, else the general one; `None`: nothing.
    #[must_use]
    pub fn granted(&self, purpose: &str, channel: &str) -> Option<bool> {
        self.0.get(&format!("{purpose}/{channel}")).or_else(|| self.0.get(purpose)).copied()
    }
}

impl Map for Consents {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        let general = || self.0.get(key.split_once('/')?.0);
        self.0.get(key).or_else(general).map(AsValue::as_value)
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        self.0.key_after(key)
    }
}

/// The fields, in the order that `eligibility` declares them.
impl Object for Profile {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::Map(&self.traits)),
            1 => Some(Value::Map(&self.consents)),
            2 => Some(Value::String(self.party.name())),
            3 => Some(Value::List(&self.standing.segments)),
            4 => Some(Value::String(&self.standing.lifecycle_stage)),
            5 => Some(Value::Map(&self.standing.scores)),
            6 => Some(Value::List(&self.standing.flags)),
            7 => Some(Value::List(&self.standing.restrictions)),
            8 => Some(Value::Map(&self.standing.feedback)),
            _ => None,
        }
    }
}
