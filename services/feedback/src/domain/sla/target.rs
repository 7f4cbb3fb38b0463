//! How a ticket stands to its targets. The clock of the first answer runs from the opening on; that of the solution
//! stands still while the ticket waits for the customer, and while it is solved before it is opened again.

use std::time::Duration;

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::hours::Hours;
use super::policy::Promise;

/// What became of a ticket, as far as its clocks see it.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// When a person first answered.
    pub answered_at: Option<Timestamp>,
    /// From when until when it waited for the customer, or was solved before it was opened again; the last may not have
    /// ended. In order, and apart.
    pub pauses: Vec<(Timestamp, Option<Timestamp>)>,
    /// The same, with the time it was on hold.
    pub pauses_and_holds: Vec<(Timestamp, Option<Timestamp>)>,
    /// When it was last solved, where it is so still.
    pub solved_at: Option<Timestamp>,
}

/// How a ticket stands to its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Until a person first answered, in seconds of the hours.
    pub first_response_seconds: Option<u64>,
    /// Until it was last solved, in seconds of the hours, without pauses.
    pub resolution_seconds: Option<u64>,
    /// How the first answer stands.
    pub first_response: Option<Target>,
    /// How the solution stands.
    pub resolution: Option<Target>,
}

/// How a ticket stands to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// How many seconds of the hours there are.
    pub seconds: u64,
    /// When it is due; `None` while the clock stands still.
    pub due: Option<Timestamp>,
    /// When it was missed.
    pub breached_at: Option<Timestamp>,
    /// When it was met or could no longer be.
    pub settled_at: Option<Timestamp>,
}

impl Target {
    /// A target that is due at an instant, as of another.
    fn new(length: Duration, due: Option<Timestamp>, settled_at: Option<Timestamp>, now: Timestamp) -> Self {
        let breached_at = due.filter(|due| settled_at.map_or(*due <= now, |settled| settled > *due));
        Self { seconds: length.as_secs(), due, breached_at, settled_at }
    }

    /// When it will be missed if nothing happens meanwhile.
    #[must_use]
    pub fn looms(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.settled_at.is_none() && self.breached_at.is_none())
    }
}

impl Standing {
    /// As of an instant, with what is promised, or, where nothing is, around the clock.
    #[must_use]
    pub fn of(course: &Course, promise: Option<&Promise>, now: Timestamp) -> Self {
        let Some(opened_at) = course.opened_at else { return Self::default() };
        let hours = promise.map_or(&Hours::Always, |promise| &promise.hours);
        let pauses = match promise {
            Some(promise) if promise.pause_on_hold => &course.pauses_and_holds,
            _ => &course.pauses,
        };
        let first = promise.and_then(|promise| promise.first_response).map(|length| {
            // A ticket that was solved without an answer gets none.
            let settled_at = course.answered_at.or(course.solved_at);
            Target::new(length, hours.after(opened_at, length), settled_at, now)
        });
        let resolution = promise
            .and_then(|promise| promise.resolution)
            .map(|length| Target::new(length, due(hours, opened_at, length, pauses), course.solved_at, now));
        let running = |until| running(hours, opened_at, until, pauses).as_secs();
        Self {
            first_response_seconds: course.answered_at.map(|at| hours.between(opened_at, at).as_secs()),
            resolution_seconds: course.solved_at.map(running),
            first_response: first,
            resolution,
        }
    }

    /// The next instant at which it changes by itself.
    #[must_use]
    pub fn looms(&self) -> Option<Timestamp> {
        [&self.first_response, &self.resolution].into_iter().flatten().filter_map(Target::looms).min()
    }

    /// Whether a target was missed.
    #[must_use]
    pub fn is_breached(&self) -> bool {
        [&self.first_response, &self.resolution].into_iter().flatten().any(|target| target.breached_at.is_some())
    }
}

/// How long the clock ran until an instant.
fn running(hours: &Hours, from: Timestamp, until: Timestamp, pauses: &[(Timestamp, Option<Timestamp>)]) -> Duration {
    let (mut at, mut sum) = (from, Duration::ZERO);
    for (start, end) in pauses {
        sum += hours.between(at, (*start).min(until));
        at = at.max(end.unwrap_or(until));
    }
    sum + hours.between(at, until)
}

/// When the clock will have run for so long; `None` where it stands still before.
fn due(
    hours: &Hours,
    from: Timestamp,
    length: Duration,
    pauses: &[(Timestamp, Option<Timestamp>)],
) -> Option<Timestamp> {
    let (mut at, mut left) = (from, length);
    for (start, end) in pauses {
        let open = hours.between(at, *start);
        if open >= left {
            return hours.after(at, left);
        }
        left -= open;
        at = at.max((*end)?);
    }
    hours.after(at, left)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::sla::PolicyId;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_column(1_750_000_000 * SECOND + seconds * SECOND)
    }

    fn promise(first: u64, resolution: u64) -> Promise {
        Promise {
            policy: PolicyId::new(),
            calendar: None,
            hours: Arc::new(Hours::Always),
            first_response: Some(Duration::from_secs(first)),
            resolution: Some(Duration::from_secs(resolution)),
            pause_on_hold: false,
        }
    }

    fn course(pauses: &[(i64, Option<i64>)], answered: Option<i64>, solved: Option<i64>) -> Course {
        Course {
            opened_at: Some(at(0)),
            answered_at: answered.map(at),
            pauses: pauses.iter().map(|(start, end)| (at(*start), end.map(at))).collect(),
            pauses_and_holds: Vec::new(),
            solved_at: solved.map(at),
        }
    }

    #[test]
    fn a_target_is_missed_at_the_instant_it_is_due_and_an_answer_at_it_is_in_time() {
        let promise = promise(100, 1_000);
        let first = |answered, now| {
            Standing::of(&course(&[], answered, None), Some(&promise), at(now)).first_response.expect("a target")
        };
        assert_eq!(first(None, 99).breached_at, None);
        assert_eq!(first(None, 100).breached_at, Some(at(100)));
        assert_eq!(first(Some(100), 5_000).breached_at, None);
        assert_eq!(first(Some(101), 5_000).breached_at, Some(at(100)));
        assert_eq!(first(Some(101), 5_000).settled_at, Some(at(101)));
    }

    #[test]
    fn the_clock_stands_still_while_the_ticket_waits_for_the_customer() {
        let promise = promise(100, 1_000);
        let waiting = Standing::of(&course(&[(400, None)], None, None), Some(&promise), at(9_000));
        let target = waiting.resolution.expect("a target");
        assert_eq!((target.due, target.breached_at), (None, None));
        let back = Standing::of(&course(&[(400, Some(2_000))], None, None), Some(&promise), at(2_000));
        assert_eq!(back.resolution.expect("a target").due, Some(at(2_600)));
        let solved = Standing::of(&course(&[(400, Some(2_000))], None, Some(2_500)), Some(&promise), at(9_000));
        assert_eq!(solved.resolution_seconds, Some(900));
        assert_eq!(solved.resolution.expect("a target").breached_at, None);
    }

    proptest! {
        #[test]
        fn a_target_is_due_when_a_count_of_seconds_says(
            cuts in proptest::collection::btree_set(1_i64..300, 0..9), length in 1_u64..200
        ) {
            let cuts: Vec<i64> = cuts.into_iter().collect();
            let pauses: Vec<_> = cuts.chunks(2).map(|two| (two[0], two.get(1).copied())).collect();
            let stands = |second: i64| {
                pauses.iter().any(|(start, end)| *start <= second && end.is_none_or(|end| second < end))
            };
            let due = (0_i64..2_000).filter(|second| !stands(*second)).nth(length as usize - 1).map(|last| at(last + 1));
            let course = course(&pauses, None, None);
            prop_assert_eq!(super::due(&Hours::Always, at(0), Duration::from_secs(length), &course.pauses), due);
            let counted = (0_i64..350).filter(|second| !stands(*second)).count() as u64;
            prop_assert_eq!(running(&Hours::Always, at(0), at(350), &course.pauses).as_secs(), counted);
        }
    }
}
