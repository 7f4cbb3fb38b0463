//! Facts: what an aggregate contributes to the figures, a line for each thing that is counted.
//!
//! One record (`records.rs`) has as many facts as it says things: a response one for each question that measures
//! something, a ticket one for itself, each contact, its solution, each target. A fact belongs to one family, the facts
//! that are counted together; within it to one series, those that may be added to one another at all; and says one
//! thing, its slot. So each cell is a count of equal facts, each metric a function of such counts, and whatever was
//! added can be subtracted again.

use rapport_kernel::Timestamp;
use uuid::Uuid;

use super::cells::{Amount, CellKey};
use super::cuts::hour_of;

/// Which facts are counted together. What a fact's series and slot hold is said with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Family {
    /// Interactions, of any type. Series: the currency of its value; empty: it has none.
    Interactions = 1,
    /// Answers to the relational recommendation question. Series: the scale; slot: an answer.
    Nps = 2,
    /// No record's own family: counts those that were erased.
    Erased = 3,
    /// Answers to the transactional recommendation question. As `Nps`.
    Tnps = 4,
    /// Answers to how satisfied. As `Nps`; the slot tells top boxes.
    Csat = 5,
    /// Answers to how easy it was. As `Nps`.
    Ces = 6,
    /// Respondents of an index of satisfaction. Series: the survey; slot: what they answered to its items.
    Csi = 7,
    /// Answers to statements. Series: the statement and its scale; slot: an answer.
    Statements = 8,
    /// Answers to whether it was solved on first contact. Slot: an answer, 1 or 0.
    AskedFcr = 9,
    /// Answers to whether it was worse (1), as (2) or better than expected (3). Slot: an answer.
    Expectations = 10,
    /// Whatever somebody said that pleases or hurts. Slot: a feeling.
    Voices = 11,
    /// The same for each topic that it names, which is a dimension then.
    VoicesByTopic = 12,
    /// Texts in which a feeling was read. Slot: the feeling and the emotions.
    Texts = 13,
    /// The same for each topic that it names.
    TextsByTopic = 14,
    /// Texts in which none could be read.
    UnreadTexts = 15,
    /// The same for each topic that it names.
    UnreadTextsByTopic = 16,
    /// Tickets. Slot: the kind.
    Tickets = 17,
    /// Contacts about tickets. Slot: whether its ticket was transferred. Thread: the issue.
    Contacts = 18,
    /// Tickets that were solved, when they first were. Slot: a solution.
    Solutions = 19,
    /// First answers to tickets. Slot: seconds.
    FirstResponses = 20,
    /// Tickets that are solved, when they last were. Slot: seconds.
    Resolutions = 21,
    /// Targets of tickets that were met or missed. Slot: 1 or 0.
    Targets = 22,
    /// Tickets in which the customer asked something. Slot: how often, and how much of it was answered.
    Questions = 23,
    /// Tickets that began with self-service. Slot: whether it was solved without a person, 1 or 0.
    SelfServices = 24,
    /// Follow-ups. Slot: whether it was closed in time, 1 or 0.
    FollowUps = 25,
    /// Follow-ups that were closed. Slot: seconds.
    Closings = 26,
    /// Invitations that reached somebody. Slot: whether it was answered in full, 1 or 0.
    Invitations = 27,
    /// Promises that were kept or broken. Slot: 1 or 0.
    Promises = 28,
    /// Replies to mentions. Slot: seconds.
    Replies = 29,
}

impl Family {
    /// All.
    pub const ALL: [Self; 29] = [
        Self::Interactions,
        Self::Nps,
        Self::Erased,
        Self::Tnps,
        Self::Csat,
        Self::Ces,
        Self::Csi,
        Self::Statements,
        Self::AskedFcr,
        Self::Expectations,
        Self::Voices,
        Self::VoicesByTopic,
        Self::Texts,
        Self::TextsByTopic,
        Self::UnreadTexts,
        Self::UnreadTextsByTopic,
        Self::Tickets,
        Self::Contacts,
        Self::Solutions,
        Self::FirstResponses,
        Self::Resolutions,
        Self::Targets,
        Self::Questions,
        Self::SelfServices,
        Self::FollowUps,
        Self::Closings,
        Self::Invitations,
        Self::Promises,
        Self::Replies,
    ];

    /// Its number in columns.
    #[must_use]
    pub const fn column(self) -> i16 {
        self as i16
    }

    /// From a column.
    #[must_use]
    pub fn from_column(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.column() == number)
    }
}

/// A fact. The dimensions are whole where an event brought them, and named where a row did. No `Debug`: the value of a
/// trait may be personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact<D> {
    /// What it is counted with.
    pub family: Family,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it can be grouped by.
    pub dimensions: D,
    /// What it may be added to.
    pub series: String,
    /// What it says.
    pub slot: String,
    /// Its amount in millionths of the currency's unit; 0 where it has none.
    pub micros: i64,
    /// Whether it is a purchase.
    pub purchase: bool,
    /// What it is about together with facts of other records.
    pub thread: Option<Uuid>,
}

impl<D> Fact<D> {
    /// A fact that says nothing but that it happened.
    #[must_use]
    pub const fn new(family: Family, occurred_at: Timestamp, dimensions: D) -> Self {
        Self {
            family,
            occurred_at,
            dimensions,
            series: String::new(),
            slot: String::new(),
            micros: 0,
            purchase: false,
            thread: None,
        }
    }

    /// With what it says.
    #[must_use]
    pub fn saying(mut self, slot: impl ToString) -> Self {
        self.slot = slot.to_string();
        self
    }

    /// With its series.
    #[must_use]
    pub fn within(mut self, series: impl ToString) -> Self {
        self.series = series.to_string();
        self
    }

    /// With other dimensions.
    #[must_use]
    pub fn along<E>(self, change: impl FnOnce(&D) -> E) -> Fact<E> {
        Fact {
            dimensions: change(&self.dimensions),
            family: self.family,
            occurred_at: self.occurred_at,
            series: self.series,
            slot: self.slot,
            micros: self.micros,
            purchase: self.purchase,
            thread: self.thread,
        }
    }
}

impl Fact<Uuid> {
    /// The one cell it counts in, and with what.
    #[must_use]
    pub fn counts(&self) -> (CellKey, Amount) {
        let cell = CellKey {
            family: self.family,
            hour: hour_of(self.occurred_at),
            dimensions: self.dimensions,
            series: self.series.clone(),
            slot: self.slot.clone(),
        };
        (cell, Amount::one(self.micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_number_of_its_own() {
        for (place, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(usize::try_from(family.column()), Ok(place + 1));
            assert_eq!(Family::from_column(family.column()), Some(family));
        }
        assert_eq!(Family::from_column(0), None);
    }
}
