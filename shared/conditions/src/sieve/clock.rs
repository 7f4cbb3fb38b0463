//! Comparisons with `now` in a sieve: solved for the one path that stands in them.

use rapport_kernel::Timestamp;

use super::translate::{Translator, steps_of};
use super::{Kind, Sieve};
use crate::ast::Comparison;
use crate::program::{Node, Run, Step};
use crate::value::Owned;

/// What stands beside `now` in a comparison: `path` times the value of a path, and a rest.
#[derive(Clone, Copy)]
struct Term {
    path: i128,
    rest: i128,
    instant: bool,
}

impl Translator<'_> {
    /// A comparison with `now`: solved for the one path that stands in it.
    pub(super) fn clock(&mut self, how: Comparison, steps: Run, other: Node) -> Sieve {
        let operands: Vec<_> = steps_of(self.code, steps).chain([other]).collect();
        let mut paths = operands.iter().filter_map(|operand| self.value_path(*operand));
        let solved = match (paths.next(), paths.next(), self.now) {
            (path, None, Some(now)) => match (path, self.threshold(steps, other, now)) {
                (Some(path), Some((1, at))) => Some(self.timed(path, how, at)),
                (Some(path), Some((-1, at))) => Some(self.timed(path, how.mirrored(), -at)),
                (None, Some((_, at))) => Some(if how.admits(0.cmp(&at)) { Sieve::True } else { Sieve::False }),
                _ => None,
            },
            _ => None,
        };
        let parts: Vec<_> = operands.into_iter().map(|operand| self.needs(operand)).collect();
        solved.unwrap_or_else(|| Sieve::all(parts))
    }

    /// What the path's value, if it is an instant, is multiplied with and compared with.
    fn threshold(&self, steps: Run, other: Node, now: Timestamp) -> Option<(i128, i128)> {
        let mut moving = Term { path: 0, rest: i128::from(now.micros()), instant: true };
        for step in &self.code.steps[steps.range()] {
            let (Step::Plus(node) | Step::Minus(node) | Step::From(node)) = *step;
            let term = self.term(node)?;
            moving = match step {
                Step::Plus(_) if !(moving.instant && term.instant) => Term {
                    path: moving.path + term.path,
                    rest: moving.rest + term.rest,
                    instant: moving.instant || term.instant,
                },
                Step::Minus(_) if moving.instant || !term.instant => Term {
                    path: moving.path - term.path,
                    rest: moving.rest - term.rest,
                    instant: moving.instant && !term.instant,
                },
                Step::From(_) if term.instant || !moving.instant => Term {
                    path: term.path - moving.path,
                    rest: term.rest - moving.rest,
                    instant: term.instant && !moving.instant,
                },
                _ => return None,
            };
        }
        let other = self.term(other)?;
        (moving.instant == other.instant).then_some((moving.path - other.path, other.rest - moving.rest))
    }

    fn term(&self, node: Node) -> Option<Term> {
        if self.value_path(node).is_some() {
            return Some(Term { path: 1, rest: 0, instant: true });
        }
        match self.constant(node)? {
            Owned::Timestamp(at) => Some(Term { path: 0, rest: i128::from(at.micros()), instant: true }),
            Owned::Duration(micros) => Some(Term { path: 0, rest: i128::from(*micros), instant: false }),
            _ => None,
        }
    }

    fn timed(&self, path: &[String], how: Comparison, at: i128) -> Sieve {
        match i64::try_from(at).ok().and_then(Timestamp::from_micros) {
            Some(at) => self.leaf(path, how, &Owned::Timestamp(at)),
            None if how == Comparison::NotEqual => self.has(path, None),
            // Beyond all instants: before it are all of them, or none.
            None if how.admits(0.cmp(&at)) => self.has(path, Some(Kind::Time)),
            None => Sieve::False,
        }
    }
}
