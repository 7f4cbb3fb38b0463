//! Comparisons with `now`: their value, and the instant at which they come out otherwise.

use crate::ast::Comparison;
use crate::error::EvalErrorKind;
use crate::eval::{Evaluator, Trouble, wrong_type};
use crate::program::{Node, Run, Step};
use crate::value::Value;

/// The side that moves: `sign · now + rest`, an instant or a duration. Wide enough that nothing overflows: where the
/// exact result lies beyond what an instant can be, the comparison is decided as if it could.
pub(super) struct Moving {
    pub(super) sign: i128,
    pub(super) rest: i128,
    pub(super) instant: bool,
}

impl Evaluator<'_> {
    pub(super) fn clock(&mut self, how: Comparison, steps: Run, other: Node, node: Node) -> Result<bool, Trouble> {
        self.charge(1, node)?;
        let moving = self.moving(steps, node)?;
        let (other, instant) = self.fixed(other)?;
        if instant != moving.instant {
            return match how {
                Comparison::Equal => Ok(false),
                Comparison::NotEqual => Ok(true),
                _ => Err(wrong_type(node)),
            };
        }
        // sign · now + rest ⋚ other, solved for now.
        let (how, threshold) =
            if moving.sign > 0 { (how, other - moving.rest) } else { (how.mirrored(), moving.rest - other) };
        Ok(self.decide(how, threshold))
    }

    pub(super) fn moving(&mut self, steps: Run, node: Node) -> Result<Moving, Trouble> {
        let code = self.code;
        let mut moving = Moving { sign: 1, rest: 0, instant: true };
        for step in &code.steps[steps.range()] {
            self.step(&mut moving, *step, node)?;
        }
        Ok(moving)
    }

    /// An operand that does not move, in microseconds, and whether it is an instant.
    pub(super) fn fixed(&mut self, node: Node) -> Result<(i128, bool), Trouble> {
        match self.operand(node)? {
            Value::Timestamp(at) => Ok((i128::from(at.micros()), true)),
            Value::Duration(micros) => Ok((i128::from(micros), false)),
            _ => Err(wrong_type(node)),
        }
    }

    fn step(&mut self, moving: &mut Moving, step: Step, node: Node) -> Result<(), Trouble> {
        let (Step::Plus(operand) | Step::Minus(operand) | Step::From(operand)) = step;
        let (operand, instant) = self.fixed(operand)?;
        let result = match step {
            Step::Plus(_) if !(moving.instant && instant) => {
                Moving { rest: moving.rest + operand, instant: moving.instant || instant, ..*moving }
            }
            Step::Minus(_) if moving.instant || !instant => {
                Moving { rest: moving.rest - operand, instant: moving.instant && !instant, ..*moving }
            }
            Step::From(_) if instant || !moving.instant => {
                let (sign, rest) = (-moving.sign, operand - moving.rest);
                Moving { sign, rest, instant: instant && !moving.instant }
            }
            Step::Plus(_) | Step::Minus(_) | Step::From(_) => {
                return Err(Trouble { kind: EvalErrorKind::WrongType, at: node });
            }
        };
        *moving = result;
        Ok(())
    }

    /// `now ⋚ threshold`, noting when that changes.
    fn decide(&mut self, how: Comparison, threshold: i128) -> bool {
        let now = i128::from(self.now.micros());
        let (value, flip) = match how {
            Comparison::Less => (now < threshold, threshold),
            Comparison::GreaterOrEqual => (now >= threshold, threshold),
            Comparison::LessOrEqual => (now <= threshold, threshold + 1),
            Comparison::Greater => (now > threshold, threshold + 1),
            Comparison::Equal => (now == threshold, if now < threshold { threshold } else { threshold + 1 }),
            Comparison::NotEqual => (now != threshold, if now < threshold { threshold } else { threshold + 1 }),
        };
        self.flips(flip);
        value
    }

    /// Notes that something comes out otherwise at an instant, where that is to come.
    pub(super) fn flips(&mut self, at: i128) {
        if at > i128::from(self.now.micros()) && at < i128::from(self.valid_until) {
            self.valid_until = i64::try_from(at).unwrap_or(self.valid_until);
        }
    }
}
