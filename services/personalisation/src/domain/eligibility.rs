//! What an eligibility condition may read, and how it reads it: borrowed from the profile and the question, so that a
//! hundred conditions are evaluated without copying anything.
//!
//! | variable | type | what it is |
//! | --- | --- | --- |
//! | `customer.traits` | map of anything | the golden record: `customer.traits.plan == "gold"` |
//! | `customer.consents` | map of bool | `customer.consents["marketing"]`, `customer.consents["marketing/email"]` |
//! | `customer.party` | string | `"customer"`, `"lead"`, `"partner"` or `"employee"` |
//! | `customer.segments` | list of strings | the names of the segments it is in: `"regulars" in customer.segments` |
//! | `customer.lifecycle_stage` | string | the stage of its life as a customer; empty: none |
//! | `customer.scores` | map of double | its last score of each kind of survey: `customer.scores.nps` |
//! | `customer.flags` | list of strings | what those who meet it must know: `"vulnerable" in customer.flags` |
//! | `customer.restrictions` | list of strings | what it objected to: `"marketing"`, `"profiling"`, `"automated_decisions"` |
//! | `customer.feedback` | map of double | how it feels and what stands open: sentiment and sentiment_trend (where known), texts, open_tickets, open_complaints, open_follow_ups, broken_promises |
//! | `context` | map of anything | what the caller said of this contact: `context.page == "pricing"` |
//! | `channel` | string | the channel asked for |
//! | `placement` | string | the placement asked for; empty: any |
//! | `now` | timestamp | the instant of the decision |

use std::collections::BTreeMap;

use rapport_conditions::{Activation, CompileErrors, Environment, Program, Type, Value};

use super::profile::{Datum, Profile};

/// Checks a condition and compiles it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    environment().compile(source, Type::Bool)
}

fn environment() -> Environment {
    let customer = Type::object(
        "customer",
        [
            ("traits", Type::map(Type::Dyn)),
            ("consents", Type::map(Type::Bool)),
            ("party", Type::String),
            ("segments", Type::list(Type::String)),
            ("lifecycle_stage", Type::String),
            ("scores", Type::map(Type::Double)),
            ("flags", Type::list(Type::String)),
            ("restrictions", Type::list(Type::String)),
            ("feedback", Type::map(Type::Double)),
        ],
    );
    Environment::builder()
        .variable("customer", customer)
        .variable("context", Type::map(Type::Dyn))
        .variable("channel", Type::String)
        .variable("placement", Type::String)
        .build()
}

/// What one evaluation reads, in the order in which [`compile`]'s environment declares it.
pub struct Facts<'a> {
    /// The customer.
    pub profile: &'a Profile,
    /// What the caller said of this contact.
    pub context: &'a BTreeMap<String, Datum>,
    /// The channel.
    pub channel: &'a str,
    /// The placement.
    pub placement: &'a str,
}

impl Activation for Facts<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::Object(self.profile)),
            1 => Some(Value::Map(self.context)),
            2 => Some(Value::String(self.channel)),
            3 => Some(Value::String(self.placement)),
            _ => None,
        }
    }
}
