//! `now`: where it may stand, and what a comparison with it compiles to.
//!
//! The instant at which an answer flips can be computed where one side of a comparison is `now` with instants and
//! durations added to it or taken from it, and the other side does not move. All else is refused.

use crate::ast::{Comparison, Expr};
use crate::check::{Compiler, Meaning, Typed};
use crate::program::{Fold, Node, Op, Step};
use crate::types::Type;

pub(super) const MISPLACED: &str = "now may stand only on one side of a comparison, with instants and durations added \
     to it or taken from it (as now - last_seen < duration('720h')): only there can be computed when the answer changes";

const BOTH_SIDES: &str = "now stands on both sides of this comparison: bring it to one side";

impl Compiler<'_> {
    pub(super) fn comparison(&mut self, how: Comparison, left: &Expr, right: &Expr, offset: usize) -> Typed {
        let (left, right) = (self.expression(left), self.expression(right));
        if how == Comparison::Equal || how == Comparison::NotEqual {
            if !left.kind.equatable(&right.kind) {
                let (left, right) = (&left.kind, &right.kind);
                let hint =
                    if *left == Type::Null || *right == Type::Null { " (ask has() whether it is set)" } else { "" };
                return self.failed(offset, format!("{left} and {right} cannot be compared{hint}"));
            }
        } else if !ordered(&left.kind, &right.kind) {
            let reason = format!("{} does not order {} and {}", how.symbol(), left.kind, right.kind);
            return self.failed(offset, reason);
        }
        match (left, right) {
            (Typed { meaning: Meaning::Moving(_), .. }, Typed { meaning: Meaning::Moving(_), .. }) => {
                self.failed(offset, BOTH_SIDES)
            }
            (Typed { meaning: Meaning::Moving(steps), .. }, other) => self.clock(how, &steps, other, offset),
            (other, Typed { meaning: Meaning::Moving(steps), .. }) => self.clock(how.mirrored(), &steps, other, offset),
            (left, right) => {
                let (left, right) = (self.fixed(left), self.fixed(right));
                let op = match (self.window_counted(left), self.window_counted(right)) {
                    (Some(list), _) => Op::CompareCount { how, list, other: right },
                    (None, Some(list)) => Op::CompareCount { how: how.mirrored(), list, other: left },
                    (None, None) => Op::Compare { how, left, right },
                };
                self.emitted_at(op, Type::Bool, offset, &[left, right], 2)
            }
        }
    }

    /// The window, or filter of one, whose events an operation counts.
    fn window_counted(&self, node: Node) -> Option<Node> {
        let Op::Size(list) = self.code.ops[node as usize] else {
            return None;
        };
        let mut inner = list;
        while let Op::Fold { how: Fold::Filter, over, .. } = self.code.ops[inner as usize] {
            inner = over;
        }
        matches!(self.code.ops[inner as usize], Op::Window(_)).then_some(list)
    }

    fn clock(&mut self, how: Comparison, steps: &[Step], other: Typed, offset: usize) -> Typed {
        let other = self.fixed(other);
        let (run, mut operands) = self.steps(steps);
        operands.push(other);
        self.emitted(Op::Clock { how, steps: run, other }, Type::Bool, offset, &operands)
    }
}

/// Whether `<` and its kin take the types.
fn ordered(left: &Type, right: &Type) -> bool {
    let plain = |kind: &Type| {
        matches!(
            kind,
            Type::Dyn | Type::Bool | Type::Int | Type::Double | Type::String | Type::Timestamp | Type::Duration
        )
    };
    plain(left) && plain(right) && (left.compatible(right) || (left.is_number() && right.is_number()))
}
