//! What happened, as conditions and computed traits read it: a customer's interactions, oldest first, by their type.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_conditions::{AsValue, Map, Object, Type, Value as Read};
use rapport_kernel::{Money, Timestamp};

use super::interaction::Interaction;
use super::value::Value;

/// How many of each type of interaction are read, the newest.
pub const MOST: usize = 10_000;

/// One interaction as conditions read it.
pub struct Event {
    /// Its type.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// By which channel; empty where unknown.
    pub channel: String,
    /// At which touchpoint; empty where unknown.
    pub touchpoint: String,
    /// At which stage; empty where unknown.
    pub stage: String,
    /// The product; empty where none.
    pub product: String,
    /// Who told of it.
    pub source: String,
    /// Anything else.
    pub attributes: BTreeMap<String, Value>,
    /// What it was worth.
    pub value: Option<Money>,
    /// The same as conditions read it: by currency.
    money: BTreeMap<String, f64>,
}

impl Event {
    /// One that was worth so much, and of which nothing else is known.
    #[must_use]
    pub fn worth(value: Option<Money>) -> Self {
        let amount = |value: Money| (value.currency.to_string(), units(i128::from(value.micros)));
        Self {
            kind: String::new(),
            at: Timestamp::MIN,
            channel: String::new(),
            touchpoint: String::new(),
            stage: String::new(),
            product: String::new(),
            source: String::new(),
            attributes: BTreeMap::new(),
            value,
            money: value.map(amount).into_iter().collect(),
        }
    }
}

/// An event, and what its source calls it.
pub struct Occurrence {
    /// Its name at its source.
    pub external_id: String,
    /// The event.
    pub event: Event,
}

impl From<&Interaction> for Occurrence {
    fn from(interaction: &Interaction) -> Self {
        Self { external_id: interaction.key.external_id.expose().clone(), event: Event::from(interaction) }
    }
}

impl From<&Interaction> for Event {
    fn from(interaction: &Interaction) -> Self {
        let content = &interaction.content;
        Self {
            kind: content.kind.clone(),
            at: content.occurred_at,
            channel: content.channel.clone(),
            touchpoint: content.touchpoint.clone(),
            stage: content.stage.clone(),
            product: content.product.clone(),
            source: interaction.key.source.clone(),
            attributes: content.attributes.clone(),
            ..Self::worth(content.value)
        }
    }
}

/// Micros of a currency as conditions and traits have them: in units.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "traits and conditions count in doubles")]
pub fn units(micros: i128) -> f64 {
    micros as f64 / 1_000_000.0
}

/// The fields of an event, in the order in which [`Event`] answers them.
#[must_use]
pub fn fields() -> [(&'static str, Type); 9] {
    [
        ("type", Type::String),
        ("at", Type::Timestamp),
        ("channel", Type::String),
        ("touchpoint", Type::String),
        ("stage", Type::String),
        ("product", Type::String),
        ("source", Type::String),
        ("attributes", Type::map(Type::Dyn)),
        ("money", Type::map(Type::Double)),
    ]
}

impl Object for Event {
    fn field(&self, index: usize) -> Option<Read<'_>> {
        match index {
            0 => Some(Read::String(&self.kind)),
            1 => Some(Read::Timestamp(self.at)),
            2 => Some(Read::String(&self.channel)),
            3 => Some(Read::String(&self.touchpoint)),
            4 => Some(Read::String(&self.stage)),
            5 => Some(Read::String(&self.product)),
            6 => Some(Read::String(&self.source)),
            7 => Some(Read::Map(&self.attributes)),
            8 => Some(Read::Map(&self.money)),
            _ => None,
        }
    }
}

impl AsValue for Value {
    fn as_value(&self) -> Read<'_> {
        match self {
            Self::Bool(value) => Read::Bool(*value),
            Self::Number(number) => Read::Double(number.get()),
            Self::Text(text) => Read::String(text),
            Self::Time(at) => Read::Timestamp(*at),
            Self::List(texts) => Read::List(texts),
        }
    }
}

/// An event among others.
#[derive(Clone)]
pub struct Shared(Arc<Event>);

impl AsValue for Shared {
    fn as_value(&self) -> Read<'_> {
        Read::Object(&*self.0)
    }
}

/// Events, oldest first.
#[derive(Clone, Default)]
pub struct Events(Vec<Shared>);

impl AsValue for Events {
    fn as_value(&self) -> Read<'_> {
        Read::List(&self.0)
    }
}

impl Events {
    /// The events, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().map(|shared| &*shared.0)
    }

    /// Keeps the newest.
    fn cut(&mut self) {
        let over = self.0.len().saturating_sub(MOST);
        self.0.drain(..over);
    }
}

/// What happened to a customer.
#[derive(Clone, Default)]
pub struct History {
    by_kind: BTreeMap<String, Events>,
    all: Events,
}

impl History {
    /// From events in any order; those of one instant stand in the order of their names at their sources, for the order in
    /// which they were told must not show.
    #[must_use]
    pub fn of(mut happened: Vec<Occurrence>) -> Self {
        let before = |a: &Occurrence, b: &Occurrence| {
            let at = a.event.at.cmp(&b.event.at);
            at.then_with(|| a.event.source.cmp(&b.event.source)).then_with(|| a.external_id.cmp(&b.external_id))
        };
        happened.sort_by(before);
        let mut history = Self::default();
        for Occurrence { event, .. } in happened {
            let shared = Shared(Arc::new(event));
            match history.by_kind.get_mut(&shared.0.kind) {
                Some(events) => events.0.push(shared.clone()),
                None => drop(history.by_kind.insert(shared.0.kind.clone(), Events(vec![shared.clone()]))),
            }
            history.all.0.push(shared);
        }
        history.by_kind.values_mut().for_each(Events::cut);
        history.all.cut();
        history
    }

    /// Those of a type; of all types where it is empty.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Event> {
        let events = if kind.is_empty() { Some(&self.all) } else { self.by_kind.get(kind) };
        events.into_iter().flat_map(Events::iter)
    }

    /// By type, as a condition reads them.
    #[must_use]
    pub fn by_kind(&self) -> &dyn Map {
        &self.by_kind
    }

    /// All of them, as a condition reads them.
    #[must_use]
    pub fn timeline(&self) -> Read<'_> {
        self.all.as_value()
    }
}
