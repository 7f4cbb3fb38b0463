//! Records: the newest state of each aggregate that figures are made from, as the facts it has.
//!
//! A record is a pure function of the events of its aggregate: the one of the highest revision stands, whether it came
//! early, late or three times. A deletion is a state like any other, one without facts. The records of an erased subject
//! are gone, and those that counted are counted as they go.

use rapport_kernel::{SubjectId, Timestamp};
use uuid::Uuid;

use super::cells::{Amount, CellKey, Deltas};
use super::dimensions::Dimensions;
use super::facts::Fact;

/// What kind of aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Kind {
    /// An interaction.
    Interaction = 1,
    /// A response to a survey.
    Response = 2,
    /// A ticket.
    Ticket = 3,
    /// A mention.
    Mention = 4,
    /// A follow-up.
    FollowUp = 5,
    /// An invitation to a survey.
    Invitation = 6,
    /// A promise.
    Promise = 7,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 7] = [
        Self::Interaction,
        Self::Response,
        Self::Ticket,
        Self::Mention,
        Self::FollowUp,
        Self::Invitation,
        Self::Promise,
    ];

    /// Its number in columns.
    #[must_use]
    pub const fn column(self) -> i16 {
        self as i16
    }

    /// From a column.
    #[must_use]
    pub fn from_column(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.column() == number)
    }

    /// Its name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Response => "response",
            Self::Ticket => "ticket",
            Self::Mention => "mention",
            Self::FollowUp => "follow_up",
            Self::Invitation => "invitation",
            Self::Promise => "promise",
        }
    }
}

/// Which record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// What kind of aggregate.
    pub kind: Kind,
    /// The aggregate's id.
    pub id: Uuid,
}

/// A record at a revision.
#[derive(Clone, PartialEq, Eq)]
pub struct Record<D> {
    /// The aggregate's revision.
    pub revision: i64,
    /// When our own services recorded this revision.
    pub recorded_at: Timestamp,
    /// Whose it is, for ever.
    pub subject: SubjectId,
    /// What it contributes; nothing where it was deleted, or counts nowhere.
    pub facts: Vec<Fact<D>>,
}

/// A record that an event brought.
pub type Arriving = Record<Dimensions>;
/// A record as it is kept.
pub type Kept = Record<Uuid>;

impl Arriving {
    /// As it is kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept {
            revision: self.revision,
            recorded_at: self.recorded_at,
            subject: self.subject,
            facts: self.facts.iter().map(|fact| fact.clone().along(Dimensions::id)).collect(),
        }
    }
}

/// Replaces what is kept of a record by what takes its place: what counted no longer counts, what is new does.
pub fn replace(kept: Option<&Kept>, new: &Kept, deltas: &mut Deltas) {
    for fact in kept.iter().flat_map(|kept| &kept.facts) {
        let (cell, amount) = fact.counts();
        deltas.subtract(cell, amount);
    }
    for fact in &new.facts {
        let (cell, amount) = fact.counts();
        deltas.add(cell, amount);
    }
}

/// Takes a record away because its subject was erased: where it counted, it counts among the erased ones from now on.
pub fn erase(kept: &Kept, deltas: &mut Deltas) {
    for fact in &kept.facts {
        let (cell, amount) = fact.counts();
        deltas.subtract(cell, amount);
    }
    if !kept.facts.is_empty() {
        deltas.add(CellKey::erased(), Amount::one(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::Family;
    use proptest::prelude::*;

    fn record(revision: i64, facts: &[(u8, u8, i64)]) -> Kept {
        let at = |hour: u8| Timestamp::from_column(i64::from(hour) * 3_600_000_000);
        let fact = |&(hour, slot, micros): &(u8, u8, i64)| Fact {
            micros,
            ..Fact::new(Family::Csat, at(hour), Uuid::nil()).within("1-5").saying(slot)
        };
        let subject = SubjectId::from_uuid(Uuid::nil());
        Kept { revision, recorded_at: at(0), subject, facts: facts.iter().map(fact).collect() }
    }

    fn states() -> impl Strategy<Value = Vec<Vec<(u8, u8, i64)>>> {
        prop::collection::vec(prop::collection::vec((0..3_u8, 0..3_u8, -9_000_000..9_000_000_i64), 0..4), 1..8)
    }

    proptest! {
        #[test]
        fn whatever_a_record_went_through_only_its_last_state_counts(states in states()) {
            let records: Vec<Kept> = (1_i64..).zip(&states).map(|(revision, facts)| record(revision, facts)).collect();
            let (mut walked, mut before) = (Deltas::default(), None);
            for record in &records {
                replace(before, record, &mut walked);
                before = Some(record);
            }
            let mut alone = Deltas::default();
            replace(None, records.last().expect("at least one"), &mut alone);
            prop_assert_eq!(walked.changes().collect::<Vec<_>>(), alone.changes().collect::<Vec<_>>());
            erase(records.last().expect("at least one"), &mut walked);
            let left: Vec<_> = walked.changes().map(|(cell, amount)| (cell.clone(), amount.count)).collect();
            let counted = i64::from(!states.last().expect("at least one").is_empty());
            prop_assert_eq!(left, (counted > 0).then(|| (CellKey::erased(), counted)).into_iter().collect::<Vec<_>>());
        }
    }
}
