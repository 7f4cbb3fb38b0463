//! What the conditions of a survey read beside the answers: hidden fields, where it was answered, and what was known of the
//! customer when the response began. Of the latter a response keeps what its survey reads, and nothing else: an answer must be
//! judged for ever as it was on the day, and no more be held of anybody than that takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rapport_conditions::{Activation, Keys, Map, Object, Program, Type, Value};
use rapport_kernel::{Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::answer::{self, Answers};
use super::response::Touch;
use super::survey::{Definition, HiddenField, Question};

/// A trait's value.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// An instant, in microseconds.
    Time(i64),
    /// Several texts.
    List(Vec<String>),
}

/// What is known of a customer.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Its traits.
    #[serde(default)]
    pub traits: BTreeMap<String, Trait>,
    /// What it is to the company.
    #[serde(default)]
    pub party: Option<String>,
    /// The segments it is in, by name.
    #[serde(default)]
    pub segments: Option<Vec<String>>,
    /// Where it stands in its life as a customer.
    #[serde(default)]
    pub lifecycle_stage: Option<String>,
    /// Its language.
    #[serde(default)]
    pub language: Option<String>,
    /// Its persona.
    #[serde(default)]
    pub persona: Option<String>,
}

impl fmt::Debug for Trait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

/// What a survey's conditions read of the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Any trait there is.
    every_trait: bool,
    traits: BTreeSet<String>,
    fields: BTreeSet<String>,
}

/// The places of the variables.
const ANSWERS: usize = 0;
const HIDDEN: usize = 1;
const CUSTOMER: usize = 2;
const TOUCH: usize = 3;

impl Reads {
    /// Notes what a program reads.
    pub fn note(&mut self, program: &Program) {
        const FIELDS: [&str; 6] = ["traits", "party", "segments", "lifecycle_stage", "language", "persona"];
        match program.keys(&["customer"]) {
            Keys::All => self.fields.extend(FIELDS.map(str::to_owned)),
            Keys::Only(fields) => self.fields.extend(fields.into_iter().map(str::to_owned)),
        }
        match program.keys(&["customer", "traits"]) {
            Keys::All => self.every_trait = true,
            Keys::Only(names) => self.traits.extend(names.into_iter().map(str::to_owned)),
        }
    }

    /// Whether they read anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// What they read of what is known; the rest is left behind.
    #[must_use]
    pub fn of(&self, known: &Known) -> Known {
        fn kept<T: Clone>(reads: &Reads, field: &str, value: &Option<T>) -> Option<T> {
            value.as_ref().filter(|_| reads.fields.contains(field)).cloned()
        }
        let traits = known.traits.iter().filter(|(name, _)| self.every_trait || self.traits.contains(*name));
        Known {
            traits: traits.map(|(name, value)| (name.clone(), value.clone())).collect(),
            party: kept(self, "party", &known.party),
            segments: kept(self, "segments", &known.segments),
            lifecycle_stage: kept(self, "lifecycle_stage", &known.lifecycle_stage),
            language: kept(self, "language", &known.language),
            persona: kept(self, "persona", &known.persona),
        }
    }
}

/// What is known beside the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The hidden fields.
    pub hidden: BTreeMap<String, Private<String>>,
    /// What is known of the customer; none of nobody.
    pub known: Option<Known>,
    /// Where and about what.
    pub touch: Touch,
}

/// What conditions read on their way through a survey: the answers to questions that were shown.
pub struct Reading<'a> {
    answers: Shown<'a>,
    hidden: Hidden<'a>,
    customer: Option<Customer<'a>>,
    touch: Where<'a>,
}

impl<'a> Reading<'a> {
    /// At the beginning.
    #[must_use]
    pub fn new(definition: &'a Definition, answers: &'a Answers, facts: &'a Facts) -> Self {
        let (questions, hidden) = (definition.questions.as_slice(), definition.hidden.as_slice());
        Self {
            answers: Shown { answers, questions, shown: vec![false; questions.len()] },
            hidden: Hidden { declared: hidden, given: &facts.hidden },
            customer: facts.known.as_ref().map(Customer::new),
            touch: Where(&facts.touch),
        }
    }

    /// Goes on past a question that is shown.
    pub fn show(&mut self, place: usize) {
        self.answers.shown[place] = true;
    }

    /// Whether a condition holds.
    #[must_use]
    pub fn holds(&self, program: &Program) -> bool {
        program.matches(self, Timestamp::MAX).value
    }
}

impl Activation for Reading<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        match index {
            ANSWERS => Some(Value::Object(&self.answers)),
            HIDDEN => Some(Value::Object(&self.hidden)),
            CUSTOMER => self.customer.as_ref().map(|customer| Value::Object(customer)),
            TOUCH => Some(Value::Object(&self.touch)),
            _ => None,
        }
    }
}

struct Shown<'a> {
    answers: &'a Answers,
    questions: &'a [Question],
    shown: Vec<bool>,
}

impl Object for Shown<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let question = self.questions.get(index).filter(|_| self.shown[index])?;
        answer::lend(&self.answers.get(&question.id)?.value)
    }
}

struct Hidden<'a> {
    declared: &'a [HiddenField],
    given: &'a BTreeMap<String, Private<String>>,
}

impl Object for Hidden<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let text = self.given.get(&self.declared.get(index)?.name)?;
        Some(Value::String(text.expose()))
    }
}

/// A customer, as conditions read it.
pub(crate) struct Customer<'a> {
    known: &'a Known,
    traits: Traits<'a>,
}

impl<'a> Customer<'a> {
    /// As far as it is known.
    pub(crate) const fn new(known: &'a Known) -> Self {
        Self { known, traits: Traits(&known.traits) }
    }
}

/// What conditions may read of a customer, in the order of [`Customer`]'s fields.
pub(crate) fn customer_fields() -> [(&'static str, Type); 6] {
    [
        ("traits", Type::map(Type::Dyn)),
        ("party", Type::String),
        ("segments", Type::list(Type::String)),
        ("lifecycle_stage", Type::String),
        ("language", Type::String),
        ("persona", Type::String),
    ]
}

impl Object for Customer<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::Map(&self.traits)),
            1 => self.known.party.as_deref().map(Value::String),
            2 => self.known.segments.as_ref().map(|names| Value::List(names)),
            3 => self.known.lifecycle_stage.as_deref().map(Value::String),
            4 => self.known.language.as_deref().map(Value::String),
            5 => self.known.persona.as_deref().map(Value::String),
            _ => None,
        }
    }
}

struct Traits<'a>(&'a BTreeMap<String, Trait>);

impl Map for Traits<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        Some(match self.0.get(key)? {
            Trait::Bool(value) => Value::Bool(*value),
            Trait::Number(value) => Value::Double(*value),
            Trait::Text(text) => Value::String(text),
            Trait::Time(at) => Value::Timestamp(Timestamp::from_column(*at)),
            Trait::List(texts) => Value::List(texts),
        })
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        key_after(self.0, key)
    }
}

struct Where<'a>(&'a Touch);

impl Object for Where<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let touch = self.0;
        let text = match index {
            0 => &touch.channel,
            1 => &touch.touchpoint,
            2 => &touch.stage,
            3 => &touch.product,
            4 => &touch.campaign,
            _ => return None,
        };
        Some(Value::String(text))
    }
}

/// The first key, or the one after it.
pub fn key_after<'a, T>(map: &'a BTreeMap<String, T>, key: Option<&str>) -> Option<&'a str> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = key.map_or(Unbounded, Excluded);
    map.range::<str, _>((from, Unbounded)).next().map(|(key, _)| key.as_str())
}
