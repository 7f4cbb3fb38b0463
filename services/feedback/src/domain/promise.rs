//! What customers were promised, and whether it was kept.

use std::collections::BTreeMap;

use rapport_kernel::{CustomerId, Id, Private, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Party;
use super::follow_up::cause::Place;

/// A promise's id.
pub type PromiseId = Id<Promise>;

/// Where a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is still to be kept.
    Open,
    /// It was kept in time.
    Kept,
    /// It was not.
    Broken,
    /// The customer released the company from it.
    Withdrawn,
}

impl Standing {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What somebody said became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It was done.
    Kept,
    /// It will not be.
    Broken,
    /// The customer released the company.
    Withdrawn,
}

/// What a record says of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What was promised.
    pub what: Private<String>,
    /// When it is due.
    pub due: Option<Timestamp>,
    /// When it was given.
    pub at: Timestamp,
    /// The source's version.
    pub version: i64,
    /// Where and about what.
    pub place: Place,
    /// Who gave it.
    pub agent: Private<String>,
    /// Which team gave it.
    pub team: String,
    /// The ticket it is about.
    pub ticket: Option<Uuid>,
    /// The follow-up it was given in.
    pub follow_up: Option<Uuid>,
}

/// A promise.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Its id.
    pub id: PromiseId,
    /// The subject it hangs on.
    pub subject: SubjectId,
    /// Its customer when it was recorded.
    pub customer: CustomerId,
    /// The source.
    pub source: String,
    /// Its id there; empty: it has none.
    pub external_id: Private<String>,
    /// What its record says.
    pub said: Said,
    /// What became of it, as somebody said, and when.
    pub resolution: Option<(Resolution, Timestamp)>,
    /// Whether its due passed before anybody said that it was kept.
    pub lapsed: bool,
    /// What whoever resolved it wrote.
    pub note: Private<String>,
    /// What the party was when it was recorded.
    pub party: Party,
    /// The customer's traits that are metric dimensions, as they were when it was recorded.
    pub dimensions: BTreeMap<String, String>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its dimensions may be personal.
        f.debug_struct("Promise").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Promise {
    /// Where it stands, as was last found: by what was said, or by its due having passed.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.resolution {
            Some((Resolution::Withdrawn, _)) => Standing::Withdrawn,
            Some((Resolution::Broken, _)) => Standing::Broken,
            Some((Resolution::Kept, at)) if self.said.due.is_none_or(|due| at <= due) => Standing::Kept,
            Some((Resolution::Kept, _)) => Standing::Broken,
            None if self.lapsed => Standing::Broken,
            None => Standing::Open,
        }
    }

    /// When it was resolved, or broken by itself.
    #[must_use]
    pub fn settled_at(&self) -> Option<Timestamp> {
        self.resolution.map(|(_, at)| at).or_else(|| self.said.due.filter(|_| self.lapsed))
    }

    /// When it is broken if nobody says that it was kept.
    #[must_use]
    pub fn wakes(&self) -> Option<Timestamp> {
        self.said.due.filter(|_| self.resolution.is_none() && !self.lapsed)
    }

    fn changed(&self, mut next: Self, now: Timestamp) -> Option<Self> {
        next.lapsed = next.resolution.is_none() && next.said.due.is_some_and(|due| due <= now);
        if next == *self {
            return None;
        }
        next.revision = self.revision + 1;
        next.changed_at = now;
        Some(next)
    }

    /// As of an instant; none: nothing changed.
    #[must_use]
    pub fn tick(&self, now: Timestamp) -> Option<Self> {
        self.changed(self.clone(), now)
    }

    /// Hears what its record says in a version: the higher one holds, of equal ones the later word. None: nothing changed.
    #[must_use]
    pub fn hear(&self, said: Said, now: Timestamp) -> Option<Self> {
        if said.version < self.said.version {
            return None;
        }
        self.changed(Self { said, ..self.clone() }, now)
    }

    /// Hears what became of it; none: that is known.
    #[must_use]
    pub fn resolve(&self, what: Resolution, at: Timestamp, note: Private<String>, now: Timestamp) -> Option<Self> {
        self.changed(Self { resolution: Some((what, at)), note, ..self.clone() }, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_column(1_800_000_000_000_000 + seconds * 1_000_000)
    }

    fn promise(due: Option<i64>) -> Promise {
        let said = Said {
            what: Private::new("a call back".to_owned()),
            due: due.map(at),
            at: at(0),
            version: 1,
            place: Place::default(),
            agent: Private::default(),
            team: String::new(),
            ticket: None,
            follow_up: None,
        };
        Promise {
            id: PromiseId::new(),
            subject: SubjectId::new(),
            customer: CustomerId::new(),
            source: "desk".to_owned(),
            external_id: Private::default(),
            said,
            resolution: None,
            lapsed: false,
            note: Private::default(),
            party: Party::Customer,
            dimensions: BTreeMap::new(),
            revision: 1,
            created_at: at(0),
            changed_at: at(0),
        }
    }

    fn kept(held: &Promise, when: i64, now: i64) -> Promise {
        held.resolve(Resolution::Kept, at(when), Private::default(), at(now)).expect("news")
    }

    #[test]
    fn it_is_broken_at_its_instant_and_mended_by_word_of_its_having_been_kept_before() {
        let held = promise(Some(100));
        assert_eq!((held.tick(at(99)), held.wakes()), (None, Some(at(100))));
        let broken = held.tick(at(100)).expect("due");
        assert_eq!((broken.standing(), broken.settled_at(), broken.wakes()), (Standing::Broken, Some(at(100)), None));
        assert_eq!(kept(&broken, 100, 200).standing(), Standing::Kept, "at the instant is in time");
        let late = kept(&broken, 101, 200);
        assert_eq!((late.standing(), late.settled_at()), (Standing::Broken, Some(at(101))));
    }

    #[test]
    fn a_later_due_opens_it_again_and_an_older_version_says_nothing() {
        let broken = promise(Some(100)).tick(at(100)).expect("due");
        let later = Said { due: Some(at(900)), version: 2, ..broken.said.clone() };
        let open = broken.hear(later, at(150)).expect("news");
        assert_eq!((open.standing(), open.wakes()), (Standing::Open, Some(at(900))));
        assert_eq!(open.hear(promise(Some(5)).said, at(160)), None);
        assert_eq!(kept(&promise(None), 9_999, 9_999).standing(), Standing::Kept, "at no stated time");
    }
}
