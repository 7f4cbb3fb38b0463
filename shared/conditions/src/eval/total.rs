//! What is made of all elements of a list: sum, average, least, greatest, first, last.
//!
//! Sums are exact before they are rounded once, so that neither the order of the elements nor what was merged from
//! where can change them.

use std::cmp::Ordering;

use crate::error::EvalErrorKind;
use crate::eval::{Evaluated, Evaluator, Trouble, count, element, wrong_type};
use crate::number::{self, ExactSum};
use crate::program::{Node, Total, Zero};
use crate::value::Value;

/// What has been summed so far.
#[derive(Default)]
struct Sum {
    ints: i128,
    doubles: ExactSum,
    durations: i128,
    kinds: Kinds,
}

/// Which kinds of value were met.
#[derive(Default)]
struct Kinds {
    double: bool,
    int: bool,
    duration: bool,
}

impl<'a> Evaluator<'a> {
    pub(super) fn total(&mut self, how: Total, of: Node, node: Node) -> Evaluated<'a> {
        self.charge(1, node)?;
        if how == Total::Last
            && let Some(leaving) = self.leaving(of)?
        {
            return self.last_of(&leaving, node);
        }
        let list = self.evaluate(of)?;
        let length = count(&list).ok_or(wrong_type(node))?;
        let empty = Trouble { kind: EvalErrorKind::NoSuchIndex, at: node };
        match how {
            Total::First => element(&list, 0).ok_or(empty),
            Total::Last => length.checked_sub(1).and_then(|last| element(&list, last)).ok_or(empty),
            Total::Least => self.extreme(&list, length, Ordering::Less, node),
            Total::Greatest => self.extreme(&list, length, Ordering::Greater, node),
            Total::Sum(zero) => {
                self.charge(length as u64, node)?;
                Sum::of(&list, length, node)?.value(zero, node)
            }
            Total::Average if length == 0 => Err(empty),
            Total::Average => {
                self.charge(length as u64, node)?;
                Sum::of(&list, length, node)?.average(length, node)
            }
        }
    }

    /// The element that is on one side of all others; NaN where it is among them.
    fn extreme(&mut self, list: &Value<'a>, length: usize, side: Ordering, node: Node) -> Evaluated<'a> {
        let mut best: Option<Value<'a>> = None;
        for index in 0..length {
            self.charge(1, node)?;
            let Some(item) = element(list, index) else { continue };
            let held = best.as_ref().unwrap_or(&item);
            best = match self.order(&item, held, node)? {
                None => return Ok(Value::Double(f64::NAN)),
                Some(order) if order == side => Some(item),
                Some(_) => Some(best.unwrap_or(item)),
            };
        }
        best.ok_or(Trouble { kind: EvalErrorKind::NoSuchIndex, at: node })
    }
}

impl Sum {
    fn of(list: &Value<'_>, length: usize, node: Node) -> Result<Self, Trouble> {
        let mut sum = Self::default();
        for index in 0..length {
            match element(list, index) {
                Some(Value::Int(int)) => {
                    sum.ints += i128::from(int);
                    sum.kinds.int = true;
                }
                Some(Value::Double(double)) => {
                    sum.doubles.add(double);
                    sum.kinds.double = true;
                }
                Some(Value::Duration(micros)) => {
                    sum.durations += i128::from(micros);
                    sum.kinds.duration = true;
                }
                Some(_) => return Err(wrong_type(node)),
                None => {}
            }
        }
        if sum.kinds.duration && (sum.kinds.int || sum.kinds.double) { Err(wrong_type(node)) } else { Ok(sum) }
    }

    /// Ints give an int, durations a duration, numbers of which one is a double a double.
    fn value<'a>(self, zero: Zero, node: Node) -> Evaluated<'a> {
        let overflow = Trouble { kind: EvalErrorKind::Overflow, at: node };
        if self.kinds.duration {
            return in_range(self.durations).map(Value::Duration).ok_or(overflow);
        }
        if self.kinds.double || (self.kinds.int && zero == Zero::Double) {
            return Ok(Value::Double(self.number()));
        }
        if self.kinds.int {
            return i64::try_from(self.ints).map(Value::Int).map_err(|_| overflow);
        }
        Ok(match zero {
            Zero::Int => Value::Int(0),
            Zero::Double => Value::Double(0.0),
            Zero::Duration => Value::Duration(0),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "an average is the nearest double")]
    fn average<'a>(self, length: usize, node: Node) -> Evaluated<'a> {
        if self.kinds.duration {
            let average = self.durations / length as i128;
            return in_range(average).map(Value::Duration).ok_or(Trouble { kind: EvalErrorKind::Overflow, at: node });
        }
        Ok(Value::Double(self.number() / length as f64))
    }

    /// Ints and doubles together, as doubles.
    fn number(mut self) -> f64 {
        // An int of 127 bits is the sum of what is above and below 2^32 of doubles that are exact.
        #[expect(clippy::cast_precision_loss, reason = "each part has at most 53 bits that count")]
        for shift in [0, 48, 96] {
            let part = if shift == 96 { self.ints >> 96 } else { (self.ints >> shift) & ((1 << 48) - 1) };
            self.doubles.add(part as f64 * 2_f64.powi(shift));
        }
        self.doubles.value()
    }
}

fn in_range(micros: i128) -> Option<i64> {
    i64::try_from(micros).ok().and_then(number::duration)
}
