//! Facts: the newest state of each interaction and response, as metrics needs it.
//!
//! A fact is a pure function of the events of its aggregate: the one of the highest revision stands, whether it came
//! early, late or three times. A deletion is a state like any other. The facts of an erased subject are gone, and counted
//! as they go.

use rapport_kernel::{Currency, SubjectId, Timestamp};
use uuid::Uuid;

use super::cells::{Amount, CellKey, Deltas};
use super::cuts::hour_of;
use super::dimensions::Dimensions;

/// What kind of fact, and so which cells it counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Interactions, of any type.
    Interactions,
    /// Answers to relational NPS surveys. Another kind of survey will be another family: kinds never mix.
    Nps,
    /// No fact's own family: counts those that were erased.
    Erased,
}

impl Family {
    /// Its number in columns.
    #[must_use]
    pub const fn column(self) -> i16 {
        match self {
            Self::Interactions => 1,
            Self::Nps => 2,
            Self::Erased => 3,
        }
    }

    /// From a column.
    #[must_use]
    pub const fn from_column(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Interactions),
            2 => Some(Self::Nps),
            3 => Some(Self::Erased),
            _ => None,
        }
    }
}

/// Which fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    /// Its family.
    pub family: Family,
    /// The aggregate's id.
    pub id: Uuid,
}

/// What a cell is told apart by besides time and dimensions: a histogram is one cell for each score, money one for each
/// currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Nothing.
    Plain,
    /// A currency.
    Money(Currency),
    /// A score.
    Score(u8),
}

impl Slot {
    /// Its text in columns.
    #[must_use]
    pub fn column(self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Money(currency) => currency.to_string(),
            Self::Score(score) => score.to_string(),
        }
    }

    /// From a column.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Plain);
        }
        text.parse().map(Self::Score).or_else(|_| text.parse().map(Self::Money)).ok()
    }
}

/// What a fact that stands says. The dimensions are whole where an event brought them, and named where a row did.
#[derive(Clone, PartialEq, Eq)]
pub struct Content<D> {
    /// Whose it is, for ever.
    pub subject: SubjectId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it can be grouped by.
    pub dimensions: D,
    /// Its score or currency.
    pub slot: Slot,
    /// Its amount in millionths of the currency's unit; 0 where it has none.
    pub micros: i64,
    /// Whether it is a purchase.
    pub purchase: bool,
}

/// The state of a fact.
#[derive(Clone, PartialEq, Eq)]
pub enum State<D> {
    /// It stands.
    Live(Content<D>),
    /// It was deleted.
    Deleted(SubjectId),
}

/// A fact at a revision.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact<D> {
    /// The aggregate's revision.
    pub revision: i64,
    /// When our own services recorded this revision.
    pub recorded_at: Timestamp,
    /// Its state.
    pub state: State<D>,
}

/// A fact that an event brought.
pub type Arriving = Fact<Dimensions>;
/// A fact as it is kept.
pub type Kept = Fact<Uuid>;

impl<D> Fact<D> {
    /// Whose it is.
    #[must_use]
    pub const fn subject(&self) -> SubjectId {
        match &self.state {
            State::Live(content) => content.subject,
            State::Deleted(subject) => *subject,
        }
    }
}

impl Arriving {
    /// As it is kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let state = match &self.state {
            State::Live(content) => State::Live(Content {
                dimensions: content.dimensions.id(),
                subject: content.subject,
                occurred_at: content.occurred_at,
                slot: content.slot,
                micros: content.micros,
                purchase: content.purchase,
            }),
            State::Deleted(subject) => State::Deleted(*subject),
        };
        Kept { revision: self.revision, recorded_at: self.recorded_at, state }
    }
}

impl Kept {
    /// The one cell it counts in and with what; `None` where it counts nowhere.
    #[must_use]
    pub fn counts(&self, family: Family) -> Option<(CellKey, Amount)> {
        match &self.state {
            State::Live(content) => {
                let (hour, dimensions) = (hour_of(content.occurred_at), content.dimensions);
                Some((CellKey { family, hour, dimensions, slot: content.slot }, Amount::one(content.micros)))
            }
            State::Deleted(_) => None,
        }
    }
}

/// Replaces what is kept of a fact by what takes its place: what counted no longer counts, what is new does.
pub fn replace(key: FactKey, kept: Option<&Kept>, new: &Kept, deltas: &mut Deltas) {
    if let Some((cell, amount)) = kept.and_then(|kept| kept.counts(key.family)) {
        deltas.subtract(cell, amount);
    }
    if let Some((cell, amount)) = new.counts(key.family) {
        deltas.add(cell, amount);
    }
}

/// Takes a fact away because its subject was erased: where it stood, it counts among the erased ones from now on.
pub fn erase(key: FactKey, kept: &Kept, deltas: &mut Deltas) {
    if let Some((cell, amount)) = kept.counts(key.family) {
        deltas.subtract(cell, amount);
        deltas.add(CellKey::ERASED, Amount::one(0));
    }
}
