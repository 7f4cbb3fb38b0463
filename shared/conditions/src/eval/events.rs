//! Past events: what of them a condition sees, windows over them, which follow which; and when each of that changes.
//!
//! All rests on the order of the events: what is to come stands at the end, a window is a slice found by halving, and
//! what leaves or enters it next stands at its edge. Nothing is copied from a list that is lent.

use rapport_kernel::Timestamp;

use crate::error::EvalErrorKind;
use crate::eval::leaving::Leaving;
use crate::eval::{Evaluated, Evaluator, Trouble, absent, count, element, wrong_type};
use crate::program::{Bound, Follow, Gives, Node};
use crate::value::{List, Slice, Value};

/// The events under a key that a map does not hold.
struct Nothing;

impl List for Nothing {
    fn count(&self) -> usize {
        0
    }
    fn element(&self, _: usize) -> Option<Value<'_>> {
        None
    }
}

static NO_EVENTS: Nothing = Nothing;

/// Events and the field that says when they happened.
pub(super) struct Timeline<'a> {
    pub(super) list: Value<'a>,
    pub(super) count: usize,
    field: usize,
    node: Node,
}

/// The side of a window: `sign · now + rest`, where sign is 0 for one that does not move.
#[derive(Clone, Copy)]
struct Edge {
    sign: i128,
    rest: i128,
}

/// A window that was found: its events are `start..end` of the timeline.
struct Found<'a> {
    timeline: Timeline<'a>,
    start: usize,
    end: usize,
    /// What is before the later edge, wherever the earlier one is.
    reach: usize,
    from: Option<Edge>,
    before: Option<Edge>,
}

impl<'a> Evaluator<'a> {
    /// The events that are not to come. The answer holds until the first that is.
    pub(super) fn past(&mut self, of: Node, at: u16, node: Node) -> Evaluated<'a> {
        self.charge(1, node)?;
        let list = match self.operand(of) {
            Ok(list) => list,
            // Of a kind that never happened there are no events.
            Err(trouble) if trouble.kind == EvalErrorKind::NoSuchKey && trouble.at == of => {
                return Ok(Value::List(&NO_EVENTS));
            }
            Err(trouble) => return Err(trouble),
        };
        let timeline = Timeline::new(list, at, node)?;
        let now = i128::from(self.now.micros());
        if timeline.count == 0 || timeline.at(timeline.count - 1)? <= now {
            return Ok(timeline.list);
        }
        let past = self.first_from(&timeline, now + 1)?;
        self.flips(timeline.at(past)?);
        timeline.part(0, past)
    }

    /// The events of a window. The edges are noted where they take events otherwise than from the earliest on; else
    /// the edge that does so is told, for what is made of the events to say when that matters.
    pub(super) fn window(&mut self, window: u32, node: Node) -> Result<Leaving<'a>, Trouble> {
        let found = self.find(window, node)?;
        let rest = match (found.from, found.before) {
            (Some(Edge { sign: 1, rest }), None) => Some(rest),
            _ => {
                self.note_edges(&found)?;
                None
            }
        };
        let Timeline { field, .. } = found.timeline;
        let list = found.timeline.part(found.start, found.end)?;
        Ok(Leaving { events: Timeline { list, count: found.end - found.start, field, node }, rest })
    }

    fn find(&mut self, window: u32, node: Node) -> Result<Found<'a>, Trouble> {
        let window = self.code.windows[window as usize];
        self.charge(1, node)?;
        let list = self.evaluate(window.of)?;
        let timeline = Timeline::new(list, window.at, node)?;
        let from = window.from.map(|bound| self.edge(bound, node)).transpose()?;
        let before = window.before.map(|bound| self.edge(bound, node)).transpose()?;
        let now = i128::from(self.now.micros());
        let start = match from {
            Some(edge) => self.first_from(&timeline, edge.sign * now + edge.rest)?,
            None => 0,
        };
        let reach = match before {
            Some(edge) => self.first_from(&timeline, edge.sign * now + edge.rest)?,
            None => timeline.count,
        };
        Ok(Found { timeline, start, end: reach.max(start), reach, from, before })
    }

    fn edge(&mut self, bound: Bound, node: Node) -> Result<Edge, Trouble> {
        Ok(match bound {
            Bound::Fixed(operand) => match self.fixed(operand)? {
                (at, true) => Edge { sign: 0, rest: at },
                _ => return Err(wrong_type(node)),
            },
            Bound::Moving(steps) => {
                let moving = self.moving(steps, node)?;
                if !moving.instant {
                    return Err(wrong_type(node));
                }
                Edge { sign: moving.sign, rest: moving.rest }
            }
            Bound::Within(operand) => match self.fixed(operand)? {
                // now - at < length, in whole microseconds: at >= now - length + 1.
                (length, false) => Edge { sign: 1, rest: 1 - length },
                _ => return Err(wrong_type(node)),
            },
        })
    }

    /// The place of the first event at or after an instant.
    fn first_from(&mut self, timeline: &Timeline<'a>, at: i128) -> Result<usize, Trouble> {
        let (mut low, mut high) = (0, timeline.count);
        while low < high {
            self.charge(1, timeline.node)?;
            let middle = low.midpoint(high);
            if timeline.at(middle)? < at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Notes when the next event crosses an edge that moves. One that moves with `now` takes events from the earliest
    /// on, one that moves against it from the latest back. What crosses beyond the other edge does not show; where that
    /// one moves too, it is taken to.
    fn note_edges(&mut self, found: &Found<'a>) -> Result<(), Trouble> {
        let Found { ref timeline, start, end, reach, from, before } = *found;
        let moves = |edge: Option<Edge>| edge.is_some_and(|edge| edge.sign != 0);
        if let Some(edge) = from {
            let hidden = if moves(before) { timeline.count } else { reach };
            let next = match edge.sign {
                1 => (start < hidden).then_some(start),
                -1 => start.min(hidden).checked_sub(1),
                _ => None,
            };
            self.note_crossing(timeline, edge, next)?;
        }
        if let Some(edge) = before {
            let hidden = if moves(from) { 0 } else { start };
            let next = match edge.sign {
                1 => (end < timeline.count).then_some(end),
                -1 => end.checked_sub(1).filter(|next| *next >= hidden),
                _ => None,
            };
            self.note_crossing(timeline, edge, next)?;
        }
        Ok(())
    }

    fn note_crossing(&mut self, timeline: &Timeline<'a>, edge: Edge, next: Option<usize>) -> Result<(), Trouble> {
        let Some(next) = next else {
            return Ok(());
        };
        let at = timeline.at(next)?;
        // now + rest > at from the microsecond after; rest - now <= at from the instant itself.
        self.flips(if edge.sign > 0 { at - edge.rest + 1 } else { edge.rest - at });
        Ok(())
    }

    pub(super) fn followed(&mut self, follow: u32, node: Node) -> Evaluated<'a> {
        let follow = self.code.follows[follow as usize];
        self.charge(1, node)?;
        let earlier = Timeline::new(self.evaluate(follow.earlier)?, follow.earlier_at, node)?;
        let later = Timeline::new(self.evaluate(follow.later)?, follow.later_at, node)?;
        let (within, false) = self.fixed(follow.within)? else {
            return Err(wrong_type(node));
        };
        self.charge((earlier.count + later.count) as u64, node)?;
        let Follow { gives, .. } = follow;
        let list = match gives {
            Gives::Followers => followers(&earlier, &later, within)?,
            Gives::Unfollowed => self.unfollowed(&earlier, &later, within)?,
        };
        Ok(Value::MadeList(list.into()))
    }

    /// The earlier events that none of the later came after in time, once the time has passed.
    fn unfollowed(
        &mut self,
        earlier: &Timeline<'a>,
        later: &Timeline<'a>,
        within: i128,
    ) -> Result<Vec<Value<'a>>, Trouble> {
        let now = i128::from(self.now.micros());
        let (mut list, mut next) = (Vec::new(), 0);
        for place in 0..earlier.count {
            let at = earlier.at(place)?;
            while next < later.count && later.at(next)? <= at {
                next += 1;
            }
            if next < later.count && later.at(next)? - at <= within {
                continue;
            }
            if now - at <= within {
                // It and all that are later still wait; this one is the first whose time passes.
                self.flips(at + within + 1);
                break;
            }
            list.push(earlier.event(place)?);
        }
        Ok(list)
    }
}

/// The later events that come after one of the earlier in time.
fn followers<'a>(earlier: &Timeline<'a>, later: &Timeline<'a>, within: i128) -> Result<Vec<Value<'a>>, Trouble> {
    let (mut list, mut next) = (Vec::new(), 0);
    let mut last = None;
    for place in 0..later.count {
        let at = later.at(place)?;
        while next < earlier.count {
            let before = earlier.at(next)?;
            if before >= at {
                break;
            }
            last = Some(before);
            next += 1;
        }
        if last.is_some_and(|last| at - last <= within) {
            list.push(later.event(place)?);
        }
    }
    Ok(list)
}

impl<'a> Timeline<'a> {
    fn new(list: Value<'a>, field: u16, node: Node) -> Result<Self, Trouble> {
        let count = count(&list).ok_or(wrong_type(node))?;
        Ok(Self { list, count, field: usize::from(field), node })
    }

    /// Other events of the same kind.
    pub(super) fn with(&self, list: Value<'a>) -> Self {
        Self { count: count(&list).unwrap_or_default(), list, field: self.field, node: self.node }
    }

    pub(super) fn event(&self, index: usize) -> Evaluated<'a> {
        element(&self.list, index).ok_or(absent(self.node))
    }

    /// When an event happened, in microseconds.
    pub(super) fn at(&self, index: usize) -> Result<i128, Trouble> {
        match self.event(index)? {
            Value::Object(event) => match event.field(self.field) {
                Some(Value::Timestamp(at)) => Ok(i128::from(Timestamp::micros(at))),
                Some(_) => Err(wrong_type(self.node)),
                None => Err(absent(self.node)),
            },
            _ => Err(wrong_type(self.node)),
        }
    }

    fn part(&self, start: usize, end: usize) -> Evaluated<'a> {
        if start == 0 && end == self.count {
            return Ok(self.list.clone());
        }
        let part = match &self.list {
            Value::List(list) => Slice::of(*list, start, end).map(Value::Slice),
            Value::Slice(slice) => slice.part(start, end).map(Value::Slice),
            Value::MadeList(list) => list.get(start..end).map(|part| Value::MadeList(part.into())),
            _ => None,
        };
        part.ok_or(Trouble { kind: EvalErrorKind::TooDear, at: self.node })
    }
}
