//! Comparisons with `now`: their value, and the instant at which they come out otherwise.

use crate::ast::Comparison;
use crate::error::EvalErrorKind;
use crate::eval::{Evaluator, Trouble, wrong_type};
use crate::program::{Node, Run, Step};
use crate::value::Value;

/// The side that moves: `sign · now + rest`, an instant or a duration. Wide enough that nothing overflows: where the
/// exact result lies beyond what an instant can be, the comparison is decided as if it could.
struct Moving {
    sign: i128,
    rest: i128,
    instant: bool,
}

impl Evaluator<'_> {
    pub(super) fn clock(&mut self, how: Comparison, steps: Run, other: Node, node: Node) -> Result<bool, Trouble> {
        let code = self.code;
        self.charge(1, node)?;
        let mut moving = Moving { sign: 1, rest: 0, instant: true };
        for step in &code.steps[steps.range()] {
            self.step(&mut moving, *step, node)?;
        }
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

    /// An operand that does not move, in microseconds, and whether it is an instant.
    fn fixed(&mut self, node: Node) -> Result<(i128, bool), Trouble> {
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
        if flip > now && flip < i128::from(self.valid_until) {
            self.valid_until = i64::try_from(flip).unwrap_or(self.valid_until);
        }
        value
    }
}
