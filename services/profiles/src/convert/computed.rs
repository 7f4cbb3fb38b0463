//! Computed traits: recipes in, recipes out.

use std::time::Duration;

use rapport_api::profiles::v1 as message;
use rapport_kernel::Violations;

use super::add;
use crate::domain::computed::{Aggregate, Of, Recipe, Unit, Window};
use crate::domain::facts;

/// The words of the values of an interaction that are its own.
const OWN: [(&str, Of); 7] = [
    ("type", Of::Kind),
    ("at", Of::At),
    ("channel", Of::Channel),
    ("touchpoint", Of::Touchpoint),
    ("stage", Of::Stage),
    ("product", Of::Product),
    ("source", Of::Source),
];

/// How a trait is computed; `None` where a rule is broken. Whether it fits the trait's type is the definition's to say.
pub fn recipe(message: &message::ComputedTrait, at: &str, out: &mut Violations) -> Option<Recipe> {
    let aggregate = aggregate(message.aggregate())?;
    let mut broken = |field: &str, rule: &'static str, text: String| add(out, &format!("{at}.{field}"), rule, text);
    let of = of(message);
    if of == Of::Itself && aggregate != Aggregate::Count {
        broken("of", "of.required", "must name a value: only COUNT counts interactions themselves".to_owned());
    }
    let money = matches!(of, Of::Money(_));
    if money && message.currency.is_empty() {
        broken(
            "currency",
            "currency.required",
            "must be set: amounts in several currencies are never summed".to_owned(),
        );
    }
    if !money && !message.currency.is_empty() {
        broken("currency", "currency.of", "must be empty unless `of` is value".to_owned());
    }
    if !message.condition.is_empty()
        && let Err(errors) = facts::compile_event(&message.condition)
    {
        errors.note(&format!("{at}.condition"), out);
    }
    let window = window(message, at, out)?;
    let (kind, condition) = (message.interaction_type.clone(), message.condition.clone());
    Some(Recipe { aggregate, kind, condition, of, window })
}

const fn aggregate(message: message::ComputedAggregate) -> Option<Aggregate> {
    Some(match message {
        message::ComputedAggregate::Unspecified => return None,
        message::ComputedAggregate::Count => Aggregate::Count,
        message::ComputedAggregate::Sum => Aggregate::Sum,
        message::ComputedAggregate::Min => Aggregate::Min,
        message::ComputedAggregate::Max => Aggregate::Max,
        message::ComputedAggregate::Avg => Aggregate::Avg,
        message::ComputedAggregate::First => Aggregate::First,
        message::ComputedAggregate::Last => Aggregate::Last,
        message::ComputedAggregate::Distinct => Aggregate::Distinct,
    })
}

fn of(message: &message::ComputedTrait) -> Of {
    match message.of.as_str() {
        "" => Of::Itself,
        "value" => Of::Money(message.currency.clone()),
        word => match OWN.into_iter().find(|(own, _)| *own == word) {
            Some((_, of)) => of,
            None => Of::Attribute(word.strip_prefix("attributes.").unwrap_or(word).to_owned()),
        },
    }
}

fn window(message: &message::ComputedTrait, at: &str, out: &mut Violations) -> Option<Window> {
    match &message.window {
        None => Some(Window::All),
        Some(message::computed_trait::Window::Sliding(length)) => {
            if length.nanos % 1_000 != 0 {
                add(out, &format!("{at}.sliding"), "duration.micros", "must be in whole microseconds");
            }
            let length = Duration::try_from(*length).ok()?;
            u64::try_from(length.as_micros()).ok().map(Window::Sliding)
        }
        Some(message::computed_trait::Window::Calendar(window)) => {
            let unit = match window.unit() {
                message::CalendarUnit::Unspecified => return None,
                message::CalendarUnit::Day => Unit::Day,
                message::CalendarUnit::Week => Unit::Week,
                message::CalendarUnit::Month => Unit::Month,
                message::CalendarUnit::Quarter => Unit::Quarter,
                message::CalendarUnit::Year => Unit::Year,
            };
            u32::try_from(window.back).ok().map(|back| Window::Calendar(unit, back))
        }
    }
}

/// How a trait is computed, as the contract has it.
#[must_use]
pub fn render(recipe: &Recipe) -> message::ComputedTrait {
    let aggregate = match recipe.aggregate {
        Aggregate::Count => message::ComputedAggregate::Count,
        Aggregate::Sum => message::ComputedAggregate::Sum,
        Aggregate::Min => message::ComputedAggregate::Min,
        Aggregate::Max => message::ComputedAggregate::Max,
        Aggregate::Avg => message::ComputedAggregate::Avg,
        Aggregate::First => message::ComputedAggregate::First,
        Aggregate::Last => message::ComputedAggregate::Last,
        Aggregate::Distinct => message::ComputedAggregate::Distinct,
    };
    let (of, currency) = match &recipe.of {
        Of::Itself => (String::new(), String::new()),
        Of::Money(currency) => ("value".to_owned(), currency.clone()),
        Of::Attribute(name) => (format!("attributes.{name}"), String::new()),
        own => {
            let word = OWN.into_iter().find(|(_, of)| of == own).map(|(word, _)| word);
            (word.unwrap_or_default().to_owned(), String::new())
        }
    };
    let unit = |unit: Unit| match unit {
        Unit::Day => message::CalendarUnit::Day,
        Unit::Week => message::CalendarUnit::Week,
        Unit::Month => message::CalendarUnit::Month,
        Unit::Quarter => message::CalendarUnit::Quarter,
        Unit::Year => message::CalendarUnit::Year,
    };
    let window = match recipe.window {
        Window::All => None,
        Window::Sliding(micros) => {
            let length = prost_types::Duration::try_from(Duration::from_micros(micros)).unwrap_or_default();
            Some(message::computed_trait::Window::Sliding(length))
        }
        Window::Calendar(of, back) => {
            let back = i32::try_from(back).unwrap_or(i32::MAX);
            Some(message::computed_trait::Window::Calendar(message::CalendarWindow { unit: unit(of).into(), back }))
        }
    };
    message::ComputedTrait {
        aggregate: aggregate.into(),
        interaction_type: recipe.kind.clone(),
        condition: recipe.condition.clone(),
        of,
        currency,
        window,
    }
}
