//! What is derived of a customer: the segments it is in, computed traits, its stage, its last scores. A pure function of
//! its profile, of what happened and of the instant; and what changes from one derivation to the next. Where only some of
//! it can have changed, only that is looked at.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::Duration;

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::computed::{Calendar, Computed};
use super::definitions::{Definitions, Parts};
use super::facts::{Facts, Heard};
use super::happened::History;
use super::memory::Memory;
use super::profile::Profile;
use super::segment::{Purpose, SegmentId};
use super::standing::Processing;

/// How many turns of the clock are followed one by one, where nobody looked for a while; then it is leapt to now.
const MOST_TURNS: usize = 100;

/// The scale of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// The least figure.
    pub min: i32,
    /// The greatest figure.
    pub max: i32,
    /// Whether a low figure is the good one.
    pub reversed: bool,
}

/// The last score of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The score, on the survey's scale.
    pub score: i32,
    /// Its scale.
    #[serde(default)]
    pub scale: Scale,
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
    /// Until when it is what it is though nothing happens: never later than the first instant at which it could be
    /// another. It may be earlier, where what had that instant has changed since; then it is looked at in vain, once.
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
    /// How it feels, and what stands open.
    #[serde(rename = "m")]
    pub memory: Memory,
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
            memory: Memory::default(),
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
        ids(self) == ids(other)
            && self.stage == other.stage
            && self.scores == other.scores
            && self.memory == other.memory
            && self.traits == other.traits
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
    /// Since when it is said to be in it: when it entered, or where a split gave it back what a merge had taken, when it
    /// had entered before the merge.
    pub since: Timestamp,
    /// Whether it leaves what a merge that is split now had brought it into.
    pub undone: bool,
}

/// The segments a customer was in when it was last made of the same records as now: since when, and whether it was there
/// when they were made.
pub type Earlier = BTreeMap<SegmentId, (Timestamp, bool)>;

/// What a derivation looks at. The profile's own derived parts are not read.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The profile, as folded.
    pub profile: &'a Profile,
    /// What happened.
    pub history: &'a History,
    /// The last scores.
    pub scores: &'a BTreeMap<String, Score>,
    /// How it feels, and what stands open.
    pub memory: &'a Memory,
    /// Where its calendar is.
    pub calendar: Calendar,
    /// What is derived.
    pub definitions: &'a Definitions,
    /// What of it is looked at; the rest stays as it was.
    pub parts: &'a Parts,
}

/// A derivation: the new state, and the flips that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The new state.
    pub derived: Derived,
    /// What was entered and left, in order.
    pub flips: Vec<Flip>,
}

impl Derivation {
    /// Gives segments that are entered now the times at which the customer had entered them before, as the same records;
    /// and marks those that are left now and in which it was not then: only as other records it came to be in them.
    pub fn resume(&mut self, earlier: &Earlier) {
        for flip in &mut self.flips {
            match (flip.entered, earlier.get(&flip.segment)) {
                (true, Some((since, founding))) => {
                    if let Some(held) = self.derived.segments.get_mut(&flip.segment) {
                        (*held, flip.since, flip.founding) = (*since, *since, *founding);
                    }
                }
                (false, None) => flip.undone = true,
                (true, None) | (false, Some(_)) => {}
            }
        }
    }
}

/// Derives a customer's state as of an instant. Turns of the clock since the state before are followed one by one: a
/// segment that was entered and left meanwhile was entered and left.
#[must_use]
pub fn derive(before: &Derived, inputs: &Inputs<'_>, now: Timestamp) -> Derivation {
    let mut state = before.clone();
    let mut flips = Vec::new();
    if inputs.parts.whole && state.valid_until < now {
        // What was declared since the state before is not followed into the past: it is looked at now.
        let steady = inputs.definitions.steady_since(before.version);
        let inputs = Inputs { parts: &steady, ..*inputs };
        let mut turns = 0;
        while state.valid_until < now && turns < MOST_TURNS {
            turns += 1;
            let turn = state.valid_until;
            state = Derived { version: before.version, ..step(&state, &inputs, turn, &mut flips) };
            if state.valid_until <= turn {
                break;
            }
        }
    }
    let derived = step(&state, inputs, now, &mut flips);
    Derivation { derived, flips }
}

fn step(before: &Derived, inputs: &Inputs<'_>, now: Timestamp, flips: &mut Vec<Flip>) -> Derived {
    let (definitions, parts) = (inputs.definitions, inputs.parts);
    // What is not looked at stays as it was, and may change when it might before.
    let valid_until = if parts.whole { Timestamp::MAX } else { before.valid_until };
    let mut after = Derived {
        version: definitions.version,
        valid_until: valid_until.min(inputs.profile.flag_ends_after(now)),
        changed_at: before.changed_at,
        scores: inputs.scores.clone(),
        memory: inputs.memory.clone(),
        ..Derived::default()
    };
    compute(before, inputs, now, &mut after);
    // Whoever objects to being profiled is at no stage, and in no segment but those that do not profile.
    let objects = inputs.profile.objections.contains_key(&Processing::Profiling);
    let heard = Heard { scores: inputs.scores, memory: inputs.memory };
    let mut facts = Facts::new(inputs.profile, now, &after.traits, heard, inputs.history);
    let mut valid_until = after.valid_until;
    let mut stage = before.stage.as_str();
    if parts.stages {
        stage = "";
        for (name, program) in definitions.stages.iter().filter(|_| !objects) {
            let Some(program) = program else { continue };
            let answer = program.matches(&facts, now);
            valid_until = valid_until.min(answer.valid_until);
            if answer.value {
                stage = name;
                break;
            }
        }
    }
    facts = facts.at_stage(stage);
    // Later than all before, also where the clock stands still or another instance's is behind.
    let at = now.max(before.changed_at.plus(Duration::from_micros(1)));
    let mut segments = before.segments.clone();
    for place in &parts.segments {
        let compiled = &definitions.segments[*place];
        let segment = &compiled.segment;
        let program = compiled.program.as_ref().filter(|_| !objects || segment.draft.purpose == Purpose::Operational);
        let answer = program.map(|program| program.matches(&facts, now));
        valid_until = answer.map_or(valid_until, |answer| valid_until.min(answer.valid_until));
        if !answer.is_some_and(|answer| answer.value) {
            segments.remove(&segment.id);
        } else if let Entry::Vacant(vacant) = segments.entry(segment.id) {
            // Found by the back-fill of a new segment, and there before it.
            let founding = before.version < segment.made_by && inputs.profile.created_at < segment.created_at;
            let at = if founding { segment.created_at } else { at };
            flips.push(Flip { segment: segment.id, entered: true, at, founding, since: at, undone: false });
            vacant.insert(at);
        }
    }
    segments.retain(|id, _| definitions.segment(*id).is_some());
    let left = before.segments.keys().filter(|id| !segments.contains_key(id));
    let leaves = |id: &SegmentId| Flip { segment: *id, entered: false, at, founding: false, since: at, undone: false };
    flips.extend(left.map(leaves));
    if segments.keys().ne(before.segments.keys()) {
        after.changed_at = at;
    }
    let stage = stage.to_owned();
    Derived { segments, stage, valid_until, ..after }
}

/// Computes the traits that are looked at, and keeps the others.
fn compute(before: &Derived, inputs: &Inputs<'_>, now: Timestamp, after: &mut Derived) {
    for (name, computation) in &inputs.definitions.computed {
        if !inputs.parts.computed.contains(name) {
            let held = before.traits.get(name);
            after.traits.extend(held.map(|held| (name.clone(), held.clone())));
            continue;
        }
        let (value, valid_until) = computation.value(inputs.history, inputs.calendar, now);
        after.valid_until = after.valid_until.min(valid_until);
        after.traits.extend(value.map(|value| (name.clone(), value)));
    }
}

#[cfg(test)]
mod tests;
