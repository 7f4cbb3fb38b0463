//! What is derived of a customer: the segments it is in, computed traits, its stage, its last scores. A pure function of
//! its profile, of what happened and of the instant; and what changes from one derivation to the next.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::computed::Calendar;
use super::definitions::Definitions;
use super::facts::Facts;
use super::happened::History;
use super::profile::Profile;
use super::segment::SegmentId;
use super::value::Value;

/// How many turns of the clock are followed one by one, where nobody looked for a while; then it is leapt to now.
const MOST_TURNS: usize = 100;

/// A computed trait's value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    /// The value.
    pub value: Value,
    /// Since when it is that.
    pub since: Timestamp,
}

/// The last score of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The score, on the survey's scale.
    pub score: i32,
    /// When it was given.
    pub at: Timestamp,
}

/// What is derived of a customer. It is stored beside its records.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Derived {
    /// The version of the definitions it was derived by.
    #[serde(skip)]
    pub version: u64,
    /// The first instant at which it could be another though nothing happens.
    #[serde(rename = "u")]
    pub valid_until: Timestamp,
    /// The last instant at which a segment was entered or left: instants of one customer grow.
    #[serde(rename = "c")]
    pub changed_at: Timestamp,
    /// The segments it is in, and since when.
    #[serde(rename = "s", skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<SegmentId, Timestamp>,
    /// Computed traits that have a value.
    #[serde(rename = "t", skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, Computed>,
    /// Its stage; empty: none.
    #[serde(rename = "l", skip_serializing_if = "String::is_empty")]
    pub stage: String,
    /// The last score of each kind.
    #[serde(rename = "q", skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, Score>,
}

impl Default for Derived {
    fn default() -> Self {
        Self {
            version: 0,
            valid_until: Timestamp::MAX,
            changed_at: Timestamp::MIN,
            segments: BTreeMap::new(),
            traits: BTreeMap::new(),
            stage: String::new(),
            scores: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived")
            .field("version", &self.version)
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}

impl Derived {
    /// Whether a reader sees the same in both.
    #[must_use]
    pub fn looks_like(&self, other: &Self) -> bool {
        let ids = |derived: &Self| derived.segments.keys().copied().collect::<Vec<_>>();
        let values = |derived: &Self| {
            derived.traits.iter().map(|(name, held)| (name.clone(), held.value.clone())).collect::<Vec<_>>()
        };
        ids(self) == ids(other)
            && self.stage == other.stage
            && self.scores == other.scores
            && values(self) == values(other)
    }
}

/// A customer entered or left a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The segment.
    pub segment: SegmentId,
    /// Whether it entered.
    pub entered: bool,
    /// When.
    pub at: Timestamp,
    /// Whether it was there when the segment was made.
    pub founding: bool,
}

/// What a derivation looks at. The profile's own derived parts are not read.
pub struct Inputs<'a> {
    /// The profile, as folded.
    pub profile: &'a Profile,
    /// What happened.
    pub history: &'a History,
    /// The last scores.
    pub scores: &'a BTreeMap<String, Score>,
    /// Where its calendar is.
    pub calendar: Calendar,
    /// What is derived.
    pub definitions: &'a Definitions,
}

/// A derivation: the new state, and the flips that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The new state.
    pub derived: Derived,
    /// What was entered and left, in order.
    pub flips: Vec<Flip>,
}

/// Derives a customer's state as of an instant. Turns of the clock since the state before are followed one by one: a
/// segment that was entered and left meanwhile was entered and left.
#[must_use]
pub fn derive(before: &Derived, inputs: &Inputs<'_>, now: Timestamp) -> Derivation {
    let mut state = before.clone();
    let mut flips = Vec::new();
    if before.version == inputs.definitions.version {
        let mut turns = 0;
        while state.valid_until < now && turns < MOST_TURNS {
            turns += 1;
            let turn = state.valid_until;
            state = step(&state, inputs, turn, &mut flips);
            if state.valid_until <= turn {
                break;
            }
        }
    }
    let derived = step(&state, inputs, now, &mut flips);
    Derivation { derived, flips }
}

fn step(before: &Derived, inputs: &Inputs<'_>, now: Timestamp, flips: &mut Vec<Flip>) -> Derived {
    let definitions = inputs.definitions;
    let mut after = Derived { version: definitions.version, changed_at: before.changed_at, ..Derived::default() };
    after.scores.clone_from(inputs.scores);
    after.valid_until = inputs.profile.flag_ends_after(now);
    for (name, computation) in &definitions.computed {
        let (value, valid_until) = computation.value(inputs.history, inputs.calendar, now);
        after.valid_until = after.valid_until.min(valid_until);
        if let Some(value) = value {
            let since = before.traits.get(name).filter(|held| held.value == value).map_or(now, |held| held.since);
            after.traits.insert(name.clone(), Computed { value, since });
        }
    }
    let (mut valid_until, mut stage) = (after.valid_until, "");
    let facts = Facts::new(inputs.profile, now, &after.traits, inputs.scores, inputs.history);
    for (name, program) in &definitions.stages {
        let Some(program) = program else { continue };
        let answer = program.matches(&facts, now);
        valid_until = valid_until.min(answer.valid_until);
        if answer.value {
            stage = name;
            break;
        }
    }
    let facts = facts.at_stage(stage);
    // Later than all before, also where the clock stands still or another instance's is behind.
    let at = now.max(before.changed_at.plus(Duration::from_micros(1)));
    let mut segments = BTreeMap::new();
    for compiled in &definitions.segments {
        let segment = &compiled.segment;
        let Some(program) = &compiled.program else { continue };
        let answer = program.matches(&facts, now);
        valid_until = valid_until.min(answer.valid_until);
        if !answer.value {
            continue;
        }
        let entered_at = match before.segments.get(&segment.id) {
            Some(since) => *since,
            None => {
                // Found by the back-fill of a new segment, and there before it.
                let founding = before.version < segment.made_by && inputs.profile.created_at < segment.created_at;
                let at = if founding { segment.created_at } else { at };
                flips.push(Flip { segment: segment.id, entered: true, at, founding });
                at
            }
        };
        segments.insert(segment.id, entered_at);
    }
    let left = before.segments.keys().filter(|id| !segments.contains_key(id));
    flips.extend(left.map(|id| Flip { segment: *id, entered: false, at, founding: false }));
    if segments.keys().ne(before.segments.keys()) {
        after.changed_at = at;
    }
    let stage = stage.to_owned();
    Derived { segments, stage, valid_until, ..after }
}

#[cfg(test)]
mod tests;
