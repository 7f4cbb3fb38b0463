//! A wave: a whole population is asked by one survey. Its members are gathered first, then asked in an order that nothing of them
//! tells, so that whom a quota leaves out is left to chance: in the order of their ids the oldest customers would fill it.

use std::time::Duration;

use rapport_kernel::{CustomerId, OperationId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Reason, Spot};
use crate::domain::SurveyId;

/// How many members are asked in one step at most.
const BITE: u32 = 64;
/// A wave that is spread over time asks so many steps in an hour: one every ten seconds.
const STEPS: u32 = 360;
const HOUR: Duration = Duration::from_secs(3_600);

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// The members of a segment of profiles.
    Segment(Uuid),
    /// All whom the survey's party and targeting let through.
    Everybody,
}

/// A population that is asked by a survey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// By which survey.
    pub survey: SurveyId,
    /// Who.
    pub population: Population,
    /// By which channel; empty: by any of the survey's.
    pub channel: String,
    /// About what; its campaign names the wave.
    pub spot: Spot,
    /// The language to be asked in; empty: each customer's.
    pub language: String,
    /// About how many are invited in an hour; 0: as fast as it goes.
    pub per_hour: u32,
}

impl Wave {
    /// How many members are asked in one step.
    #[must_use]
    pub fn bite(&self) -> u32 {
        if self.per_hour == 0 { BITE } else { (self.per_hour / STEPS).clamp(1, BITE) }
    }

    /// How long it rests after so many were invited.
    #[must_use]
    pub fn rest(&self, invited: u32) -> Duration {
        if self.per_hour == 0 { Duration::ZERO } else { HOUR.saturating_mul(invited) / self.per_hour }
    }

    /// Whether somebody who is not invited for a reason was never of it.
    #[must_use]
    pub const fn leaves_out(&self, reason: Reason) -> bool {
        matches!(self.population, Population::Everybody) && matches!(reason, Reason::OtherParty | Reason::NotTargeted)
    }
}

/// A member's place in the order in which a wave asks: drawn, and the same at every look.
#[must_use]
pub fn place(wave: OperationId, member: CustomerId) -> i64 {
    let hash = Sha256::new().chain_update(wave.uuid().as_bytes()).chain_update(member.uuid().as_bytes()).finalize();
    let mut bits = [0; 8];
    bits.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(bits)
}

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was invited.
    Invited,
    /// It was not.
    Not(Reason),
    /// It is not of the wave.
    Outside,
    /// It is no customer any more, or the same one as another member.
    Gone,
}

impl Fate {
    /// The name in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Not(reason) => reason.name(),
            Self::Outside => "outside",
            Self::Gone => "gone",
        }
    }

    /// The fate of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let others = [Self::Invited, Self::Outside, Self::Gone];
        others.into_iter().find(|fate| fate.name() == name).or_else(|| Reason::of(name).map(Self::Not))
    }
}

/// How far a wave has come. Ids and numbers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its population is still being found.
    Waits,
    /// Its members are gathered, page by page: from this place on.
    Gathers(String),
    /// They are asked, in their order, after this place; of so many in all so many were.
    Asks {
        /// After which member.
        after: Option<(i64, Uuid)>,
        /// How many were asked.
        done: u64,
        /// How many there are.
        total: u64,
    },
}

/// What a wave came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were invited.
    pub invited: u64,
    /// How many were not, by reason, the most frequent first.
    pub not_invited: Vec<(Reason, u64)>,
}

impl Tally {
    /// Of how many met each fate.
    #[must_use]
    pub fn of(fates: impl IntoIterator<Item = (Fate, u64)>) -> Self {
        let mut tally = Self::default();
        for (fate, count) in fates {
            match fate {
                Fate::Invited => tally.invited += count,
                Fate::Not(reason) => tally.not_invited.push((reason, count)),
                Fate::Outside | Fate::Gone => {}
            }
        }
        tally.not_invited.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), reason.name()));
        tally
    }

    /// Of how many customers it tells.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.invited + self.not_invited.iter().map(|(_, count)| count).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wave(per_hour: u32) -> Wave {
        Wave {
            survey: SurveyId::new(),
            population: Population::Everybody,
            channel: String::new(),
            spot: Spot::default(),
            language: String::new(),
            per_hour,
        }
    }

    proptest! {
        #[test]
        fn an_hour_invites_as_many_as_it_may_but_for_one_step(per_hour in 1_u32..100_000) {
            let wave = wave(per_hour);
            let (mut invited, mut time) = (0_u32, Duration::ZERO);
            while time < HOUR {
                invited += wave.bite();
                time += wave.rest(wave.bite());
            }
            prop_assert!((per_hour..=per_hour + wave.bite()).contains(&invited), "{}", invited);
        }

        #[test]
        fn every_fate_has_a_name_of_its_own(of in 0..22_usize) {
            let all: Vec<Fate> =
                Reason::ALL.into_iter().map(Fate::Not).chain([Fate::Invited, Fate::Outside, Fate::Gone]).collect();
            prop_assert_eq!(Fate::of(all[of].name()), Some(all[of]));
        }
    }

    #[test]
    fn members_are_asked_in_an_order_that_their_ids_do_not_tell() {
        let operation = OperationId::new();
        // Ids that grow, as those of customers do.
        let members: Vec<CustomerId> = (1..=2_000_u128).map(|at| CustomerId::from_uuid(Uuid::from_u128(at))).collect();
        let mut drawn: Vec<(i64, usize)> =
            members.iter().enumerate().map(|(at, member)| (place(operation, *member), at)).collect();
        drawn.sort_unstable();
        // Of the first half that is asked about a half is of the older half: 500 of 1,000, with a deviation of 16.
        let older = drawn.iter().take(1_000).filter(|(_, at)| *at < 1_000).count();
        assert!((400..=600).contains(&older), "{older}");
        assert_eq!(place(operation, members[0]), place(operation, members[0]));
        assert_ne!(place(OperationId::new(), members[0]), place(operation, members[0]), "another wave, another order");
    }

    #[test]
    fn a_tally_counts_whom_the_wave_was_about() {
        let fates = [
            (Fate::Invited, 5),
            (Fate::Not(Reason::Quota), 2),
            (Fate::Not(Reason::NoConsent), 7),
            (Fate::Outside, 90),
            (Fate::Gone, 3),
        ];
        let tally = Tally::of(fates);
        assert_eq!(tally.customers(), 14);
        assert_eq!(tally.not_invited, [(Reason::NoConsent, 7), (Reason::Quota, 2)]);
    }
}
