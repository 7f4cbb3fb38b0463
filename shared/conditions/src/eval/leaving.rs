//! Windows that slide: their events leave one after the other, the earliest first, and none comes in.
//!
//! Not every leaving changes what is made of the events. Here is what knows better: a filter changes when one that it
//! kept leaves, `exists` when the one it found does, a comparison of the count when enough have left, the last event when
//! it leaves itself. All else changes with the first.

use crate::ast::Comparison;
use crate::error::EvalErrorKind;
use crate::eval::events::Timeline;
use crate::eval::{Evaluated, Evaluator, Trouble, position, wrong_type};
use crate::program::{Fold, Node, Op};
use crate::value::Value;

/// Events of a sliding window, or those that a filter kept of them.
pub(super) struct Leaving<'a> {
    pub(super) events: Timeline<'a>,
    /// An event is in as long as it is at or after `now` plus this; `None` where what changes is noted already.
    pub(super) rest: Option<i128>,
}

impl<'a> Evaluator<'a> {
    /// The events of a window or of a filter of one, without noting when they leave; `None` for other operations, of
    /// which nothing was evaluated.
    pub(super) fn leaving(&mut self, node: Node) -> Result<Option<Leaving<'a>>, Trouble> {
        match self.code.ops[node as usize] {
            Op::Window(window) => self.window(window, node).map(Some),
            Op::Fold { how: Fold::Filter, over, .. } => {
                let Some(leaving) = self.leaving(over)? else {
                    return Ok(None);
                };
                match self.fold_over(node, leaving.events.list.clone(), false) {
                    Ok((list, _)) => Ok(Some(Leaving { events: leaving.events.with(list), rest: leaving.rest })),
                    Err(trouble) => self.troubled(&leaving, trouble),
                }
            }
            _ => Ok(None),
        }
    }

    /// All events of a window, in whatever way they are used.
    pub(super) fn whole(&mut self, leaving: Leaving<'a>) -> Evaluated<'a> {
        self.until_left(&leaving, 0)?;
        Ok(leaving.events.list)
    }

    /// A macro over a window.
    pub(super) fn fold_leaving(&mut self, node: Node, how: Fold, leaving: &Leaving<'a>) -> Evaluated<'a> {
        let backwards = matches!(how, Fold::All | Fold::Exists);
        let (value, decided) = match self.fold_over(node, leaving.events.list.clone(), backwards) {
            Ok(folded) => folded,
            Err(trouble) => return self.troubled(leaving, trouble),
        };
        match (how, decided) {
            // Looked for from the last on: the one that decides is the one that stays longest of those that would.
            (Fold::All | Fold::Exists, Some(decided)) => self.until_left(leaving, decided)?,
            (Fold::All | Fold::Exists, None) => {}
            (Fold::Filter, _) => {
                let kept = Leaving { events: leaving.events.with(value.clone()), rest: leaving.rest };
                self.until_left(&kept, 0)?;
            }
            (Fold::ExistsOne | Fold::Map, _) => self.until_left(leaving, 0)?,
        }
        Ok(value)
    }

    /// The last event, which stays so while the earlier ones leave.
    pub(super) fn last_of(&mut self, leaving: &Leaving<'a>, node: Node) -> Evaluated<'a> {
        let last = leaving.events.count.checked_sub(1);
        let last = last.ok_or(Trouble { kind: EvalErrorKind::NoSuchIndex, at: node })?;
        self.until_left(leaving, last)?;
        leaving.events.event(last)
    }

    /// Notes that something holds until an event leaves.
    fn until_left(&mut self, leaving: &Leaving<'a>, index: usize) -> Result<(), Trouble> {
        if let Some(rest) = leaving.rest
            && index < leaving.events.count
        {
            self.flips(leaving.events.at(index)? - rest + 1);
        }
        Ok(())
    }

    /// A failure that may be that of an event which leaves.
    fn troubled<T>(&mut self, leaving: &Leaving<'a>, trouble: Trouble) -> Result<T, Trouble> {
        self.until_left(leaving, 0)?;
        Err(trouble)
    }

    /// How many events there are, against a number: what counts is when enough of them have left.
    pub(super) fn compare_count(
        &mut self,
        how: Comparison,
        list: Node,
        other: Node,
        node: Node,
    ) -> Result<bool, Trouble> {
        self.charge(1, node)?;
        let Some(leaving) = self.leaving(list)? else {
            return Err(wrong_type(node));
        };
        let other = match self.operand(other) {
            Ok(other) => other,
            Err(trouble) => return self.troubled(&leaving, trouble),
        };
        let held = leaving.events.count;
        let value = self.count_compared(how, held, &other, node)?;
        if let Some(left) = self.turning(how, held, &other, value, node)? {
            self.until_left(&leaving, held - left - 1)?;
        }
        Ok(value)
    }

    fn count_compared(&mut self, how: Comparison, held: usize, other: &Value<'a>, node: Node) -> Result<bool, Trouble> {
        let held = i64::try_from(held).map_err(|_| Trouble { kind: EvalErrorKind::Overflow, at: node })?;
        self.compared(how, &Value::Int(held), other, node)
    }

    /// The greatest number below `held` with which a comparison comes out otherwise.
    fn turning(
        &mut self,
        how: Comparison,
        held: usize,
        other: &Value<'a>,
        value: bool,
        node: Node,
    ) -> Result<Option<usize>, Trouble> {
        if let Comparison::Equal | Comparison::NotEqual = how {
            let is_equal = value == (how == Comparison::Equal);
            return Ok(if is_equal { held.checked_sub(1) } else { position(other).filter(|number| *number < held) });
        }
        if held == 0 || self.count_compared(how, 0, other, node)? == value {
            return Ok(None);
        }
        // Otherwise at `low`, as now at `high`: an order turns once.
        let (mut low, mut high) = (0, held);
        while high - low > 1 {
            self.charge(1, node)?;
            let middle = low.midpoint(high);
            if self.count_compared(how, middle, other, node)? == value {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(Some(low))
    }
}
