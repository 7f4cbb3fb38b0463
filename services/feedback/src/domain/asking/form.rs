//! The conditions of asking, compiled: who is targeted, and which happenings ask.

use rapport_conditions::{Activation, Environment, Object, Program, Type, Value};
use rapport_kernel::{Timestamp, Violations};

use super::{AskEvent, Asking, Spot};
use crate::domain::facts::{Customer, Known, customer_fields};

/// The conditions of a survey's asking.
#[derive(Debug, Default)]
pub struct AskForm {
    targeting: Option<Program>,
    after: Vec<Option<Program>>,
}

/// Something that happened, as conditions read it. Empty where it has no such field.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// The interaction's type.
    pub kind_of_interaction: String,
    /// The ticket's kind.
    pub kind: String,
    /// The ticket's topic.
    pub topic: String,
    /// The ticket's priority.
    pub priority: String,
    /// How often the ticket was reopened.
    pub reopens: i64,
    /// The channel.
    pub channel: String,
    /// The touchpoint.
    pub touchpoint: String,
    /// The journey stage.
    pub stage: String,
    /// The product.
    pub product: String,
    /// The language.
    pub language: String,
    /// The campaign.
    pub campaign: String,
}

impl AskForm {
    /// Compiles the conditions; notes what is wrong with them. None where something is.
    #[must_use]
    pub fn compile(asking: &Asking, out: &mut Violations) -> Option<Self> {
        let mut sound = true;
        let mut compile = |environment: &Environment, source: &str, field: String| {
            if source.is_empty() {
                return None;
            }
            let compiled = environment.compile(source, Type::Bool);
            compiled
                .map_err(|errors| {
                    errors.note(&field, out);
                    sound = false;
                })
                .ok()
        };
        let targeting = compile(&of_customers(), &asking.targeting, "survey.asking.targeting".to_owned());
        let happenings = of_happenings();
        let after = asking.ask_after.iter().enumerate().map(|(place, after)| {
            compile(&happenings, &after.condition, format!("survey.asking.ask_after[{place}].condition"))
        });
        let after = after.collect();
        sound.then_some(Self { targeting, after })
    }

    /// Whether a customer is targeted.
    #[must_use]
    pub fn targets(&self, known: &Known, channel: &str, spot: &Spot) -> bool {
        let reading = Targeted { customer: Customer::new(known), touch: Touch { channel, spot } };
        self.targeting.as_ref().is_none_or(|program| program.matches(&reading, Timestamp::MAX).value)
    }

    /// The longest delay after which what happened asks; none: it does not.
    #[must_use]
    pub fn asks(&self, asking: &Asking, event: AskEvent, happened: &Happened) -> Option<std::time::Duration> {
        let holds = |program: &Option<Program>| {
            program.as_ref().is_none_or(|program| program.matches(&Reading(happened), Timestamp::MAX).value)
        };
        let rules = asking.ask_after.iter().zip(&self.after).filter(|(rule, _)| rule.event == event);
        rules.filter(|(_, program)| holds(program)).map(|(rule, _)| rule.delay).next()
    }
}

fn of_customers() -> Environment {
    let touch = ["channel", "touchpoint", "stage", "product", "campaign"].map(|name| (name, Type::String));
    Environment::builder()
        .variable("customer", Type::object("customer", customer_fields()))
        .variable("touch", Type::object("touch", touch))
        .without_now()
        .build()
}

fn of_happenings() -> Environment {
    let event = [
        ("type", Type::String),
        ("kind", Type::String),
        ("topic", Type::String),
        ("priority", Type::String),
        ("reopens", Type::Int),
        ("channel", Type::String),
        ("touchpoint", Type::String),
        ("stage", Type::String),
        ("product", Type::String),
        ("language", Type::String),
        ("campaign", Type::String),
    ];
    Environment::builder().variable("event", Type::object("event", event)).without_now().build()
}

struct Targeted<'a> {
    customer: Customer<'a>,
    touch: Touch<'a>,
}

impl Activation for Targeted<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::Object(&self.customer)),
            1 => Some(Value::Object(&self.touch)),
            _ => None,
        }
    }
}

struct Touch<'a> {
    channel: &'a str,
    spot: &'a Spot,
}

impl Object for Touch<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let spot = self.spot;
        [self.channel, &spot.touchpoint, &spot.stage, &spot.product, &spot.campaign]
            .get(index)
            .map(|text| Value::String(text))
    }
}

struct Reading<'a>(&'a Happened);

impl Activation for Reading<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        (index == 0).then_some(Value::Object(self))
    }
}

impl Object for Reading<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let it = self.0;
        if index == 4 {
            return Some(Value::Int(it.reopens));
        }
        let texts = [
            &it.kind_of_interaction,
            &it.kind,
            &it.topic,
            &it.priority,
            &it.priority,
            &it.channel,
            &it.touchpoint,
            &it.stage,
            &it.product,
            &it.language,
            &it.campaign,
        ];
        texts.get(index).map(|text| Value::String(text))
    }
}
