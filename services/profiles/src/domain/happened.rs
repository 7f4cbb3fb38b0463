//! What happened, as conditions and computed traits read it: a customer's interactions, oldest first, by their type.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_conditions::{AsValue, List, Map, Object, Type, Value as Read};
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
pub struct Events {
    known: Vec<Shared>,
    /// How many more there are after the first of those that are known.
    between: usize,
}

impl AsValue for Events {
    fn as_value(&self) -> Read<'_> {
        Read::List(self)
    }
}

impl List for Events {
    fn count(&self) -> usize {
        self.known.len() + self.between
    }

    fn element(&self, index: usize) -> Option<Read<'_>> {
        let place = match index {
            0 => 0,
            _ => index.checked_sub(self.between).filter(|place| *place > 0)?,
        };
        self.known.get(place).map(AsValue::as_value)
    }
}

impl Events {
    /// The events, oldest first, as far as they are known.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.known.iter().map(|shared| &*shared.0)
    }

    fn add(&mut self, event: Shared) {
        self.known.push(event);
    }

    /// Keeps the newest.
    fn cut(&mut self) {
        let over = self.known.len().saturating_sub(MOST);
        self.known.drain(..over);
    }
}

/// How many events of a type there are, of several records perhaps, and what stands at the ends.
#[derive(Default)]
pub struct Ends {
    /// How many.
    pub count: usize,
    /// The first and the last of each record.
    pub edges: Vec<Occurrence>,
}

impl Ends {
    /// When the last happened.
    #[must_use]
    pub fn last_at(&self) -> Option<Timestamp> {
        self.edges.iter().map(|edge| edge.event.at).max()
    }

    /// Both together.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.edges.extend(other.edges);
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
        happened.sort_by(before);
        let mut history = Self::default();
        for Occurrence { event, .. } in happened {
            let shared = Shared(Arc::new(event));
            match history.by_kind.get_mut(&shared.0.kind) {
                Some(events) => events.add(shared.clone()),
                None => {
                    let first = Events { known: vec![shared.clone()], between: 0 };
                    history.by_kind.insert(shared.0.kind.clone(), first);
                }
            }
            history.all.add(shared);
        }
        history.by_kind.values_mut().for_each(Events::cut);
        history.all.cut();
        history
    }

    /// Adds all of a type.
    pub fn add(&mut self, kind: String, mut happened: Vec<Occurrence>) {
        happened.sort_by(before);
        let known = happened.into_iter().map(|one| Shared(Arc::new(one.event))).collect();
        let mut events = Events { known, between: 0 };
        events.cut();
        self.by_kind.insert(kind, events);
    }

    /// Adds a type of which nobody reads more than how many there are, the first and the last.
    pub fn add_ends(&mut self, kind: String, ends: Ends) {
        let Ends { count, mut edges } = ends;
        edges.sort_by(before);
        let last = (count > 1).then(|| edges.pop()).flatten();
        let known: Vec<Shared> =
            edges.into_iter().take(1).chain(last).map(|edge| Shared(Arc::new(edge.event))).collect();
        let between = count.saturating_sub(known.len());
        self.by_kind.insert(kind, Events { known, between });
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

fn before(one: &Occurrence, other: &Occurrence) -> Ordering {
    let at = one.event.at.cmp(&other.event.at);
    at.then_with(|| one.event.source.cmp(&other.event.source)).then_with(|| one.external_id.cmp(&other.external_id))
}
