//! What a condition over interactions may read, and how it reads it: borrowed from the interaction.
//!
//! | variable | type | what it is |
//! | --- | --- | --- |
//! | `type`, `channel`, `touchpoint`, `stage`, `product`, `source`, `external_id` | string | as recorded; empty: unknown |
//! | `device`, `place`, `campaign`, `url` | string | the circumstances; empty: unknown |
//! | `at` | timestamp | when it happened |
//! | `attributes` | map of anything | `attributes.colour == "red"` |
//! | `money` | map of double | its value by currency: `money.EUR > 100.0` |
//! | `emotions` | map of double | `emotions.anger >= 0.5` |
//! | `sentiment` | double | from -1 to 1; where it is unknown, what reads it is no match |
//! | `now` | timestamp | the instant of the call |

use std::collections::BTreeMap;

use rapport_conditions::{Activation, CompileErrors, Environment, Map, Program, Type, Value};
use rapport_kernel::Timestamp;

use super::interaction::Interaction;
use super::value::{self, Number};

/// The texts, in the order in which they are declared.
const TEXTS: [&str; 11] = [
    "type",
    "channel",
    "touchpoint",
    "stage",
    "product",
    "source",
    "external_id",
    "device",
    "place",
    "campaign",
    "url",
];

/// A compiled condition over interactions.
#[derive(Clone, Debug)]
pub struct TimelineFilter(Program);

impl TimelineFilter {
    /// Checks a condition and compiles it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(source: &str) -> Result<Self, CompileErrors> {
        let texts = TEXTS.iter().fold(Environment::builder(), |builder, name| builder.variable(name, Type::String));
        let environment = texts
            .variable("at", Type::Timestamp)
            .variable("attributes", Type::map(Type::Dyn))
            .variable("money", Type::map(Type::Double))
            .variable("emotions", Type::map(Type::Double))
            .variable("sentiment", Type::Double)
            .build();
        environment.compile(source, Type::Bool).map(Self)
    }

    /// Whether the condition holds for an interaction.
    #[must_use]
    pub fn admits(&self, interaction: &Interaction, now: Timestamp) -> bool {
        let worth = interaction.content.value.iter();
        #[expect(clippy::cast_precision_loss, reason = "a condition compares amounts as doubles")]
        let money = worth.map(|value| (value.currency.to_string(), value.micros as f64 / 1e6)).collect();
        let reading = Reading {
            interaction,
            attributes: Attributes(&interaction.content.attributes),
            money,
            emotions: Emotions(&interaction.content.details.emotions),
        };
        self.0.matches(&reading, now).value
    }
}

struct Reading<'a> {
    interaction: &'a Interaction,
    attributes: Attributes<'a>,
    money: BTreeMap<String, f64>,
    emotions: Emotions<'a>,
}

impl Activation for Reading<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        let (key, content) = (&self.interaction.key, &self.interaction.content);
        let details = &content.details;
        let text = match index {
            0 => &content.kind,
            1 => &content.channel,
            2 => &content.touchpoint,
            3 => &content.stage,
            4 => &content.product,
            5 => &key.source,
            6 => key.external_id.expose(),
            7 => &details.device,
            8 => &details.place,
            9 => &details.campaign,
            10 => &details.url,
            11 => return Some(Value::Timestamp(content.occurred_at)),
            12 => return Some(Value::Map(&self.attributes)),
            13 => return Some(Value::Map(&self.money)),
            14 => return Some(Value::Map(&self.emotions)),
            15 => return details.sentiment.map(|sentiment| Value::Double(sentiment.get())),
            _ => return None,
        };
        Some(Value::String(text))
    }
}

struct Attributes<'a>(&'a BTreeMap<String, value::Value>);

impl Map for Attributes<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        Some(match self.0.get(key)? {
            value::Value::Bool(value) => Value::Bool(*value),
            value::Value::Number(number) => Value::Double(number.get()),
            value::Value::Text(text) => Value::String(text),
            value::Value::Time(at) => Value::Timestamp(*at),
            value::Value::List(texts) => Value::List(texts),
        })
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        key_after(self.0, key)
    }
}

struct Emotions<'a>(&'a BTreeMap<String, Number>);

impl Map for Emotions<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        self.0.get(key).map(|strength| Value::Double(strength.get()))
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        key_after(self.0, key)
    }
}

fn key_after<'a, T>(map: &'a BTreeMap<String, T>, key: Option<&str>) -> Option<&'a str> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = key.map_or(Unbounded, Excluded);
    map.range::<str, _>((from, Unbounded)).next().map(|(key, _)| key.as_str())
}
