//! Operations that make a value: arithmetic, literals of lists and maps, conversions, text, parts of instants.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_kernel::Timestamp;

use crate::ast::Arithmetic;
use crate::error::EvalErrorKind;
use crate::eval::{Evaluated, Evaluator, Trouble, count, element, wrong_type};
use crate::format::{self, Zone};
use crate::number;
use crate::program::{Conversion, Node, Op, Part, Run, TextTest, ZoneFrom};
use crate::value::Value;

impl<'a> Evaluator<'a> {
    pub(super) fn compute(&mut self, node: Node) -> Evaluated<'a> {
        self.charge(1, node)?;
        match self.code.ops[node as usize] {
            Op::Negate(of) => match self.evaluate(of)? {
                Value::Int(value) => or_overflow(value.checked_neg().map(Value::Int), node),
                Value::Double(value) => Ok(Value::Double(-value)),
                _ => Err(wrong_type(node)),
            },
            Op::Arithmetic { how, left, right } => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                self.arithmetic(how, left, right, node)
            }
            Op::List(run) => self.list(run, node),
            Op::Map(run) => self.map(run, node),
            Op::Convert { to, of } => {
                let value = self.evaluate(of)?;
                self.charge_text(value.as_str().map_or(0, str::len), node)?;
                convert(to, value, node)
            }
            Op::Size(of) => {
                let value = self.evaluate(of)?;
                self.size(&value, node)
            }
            Op::Case { upper, of } => {
                let value = self.evaluate(of)?;
                let text = value.as_str().ok_or_else(|| wrong_type(node))?;
                self.charge_text(text.len(), node)?;
                let made = if upper { text.to_ascii_uppercase() } else { text.to_ascii_lowercase() };
                Ok(Value::MadeString(made.into()))
            }
            Op::Part { part, of, zone } => self.part(part, of, zone, node),
            _ => Err(wrong_type(node)),
        }
    }

    fn arithmetic(&mut self, how: Arithmetic, left: Value<'a>, right: Value<'a>, node: Node) -> Evaluated<'a> {
        match (&left, &right) {
            (Value::Int(left), Value::Int(right)) => ints(how, *left, *right, node),
            (Value::Double(left), Value::Double(right)) => doubles(how, *left, *right, node),
            (Value::Timestamp(_) | Value::Duration(_), Value::Timestamp(_) | Value::Duration(_)) => {
                times(how, &left, &right, node)
            }
            _ if how != Arithmetic::Add => Err(wrong_type(node)),
            (left, right) if left.is_list() && right.is_list() => self.joined_lists(left, right, node),
            _ => {
                let (Some(left), Some(right)) = (left.as_str(), right.as_str()) else {
                    return Err(wrong_type(node));
                };
                self.charge_text(left.len() + right.len(), node)?;
                Ok(Value::MadeString([left, right].concat().into()))
            }
        }
    }

    fn joined_lists(&mut self, left: &Value<'a>, right: &Value<'a>, node: Node) -> Evaluated<'a> {
        let mut joined = Vec::new();
        for list in [left, right] {
            let length = count(list).unwrap_or_default();
            self.charge(length as u64, node)?;
            joined.extend((0..length).filter_map(|index| element(list, index)));
        }
        Ok(Value::MadeList(joined.into()))
    }

    fn list(&mut self, run: Run, node: Node) -> Evaluated<'a> {
        let code = self.code;
        self.charge(u64::from(run.count), node)?;
        let items: Vec<_> =
            code.operands[run.range()].iter().map(|item| self.evaluate(*item)).collect::<Result<_, _>>()?;
        Ok(Value::MadeList(items.into()))
    }

    fn map(&mut self, run: Run, node: Node) -> Evaluated<'a> {
        let code = self.code;
        self.charge(u64::from(run.count), node)?;
        let mut map = BTreeMap::new();
        for entry in code.operands[run.range()].chunks_exact(2) {
            let (key, value) = (self.evaluate(entry[0])?, self.evaluate(entry[1])?);
            let key = key.as_str().ok_or_else(|| wrong_type(node))?.to_owned();
            self.charge_text(key.len(), node)?;
            if map.insert(key, value).is_some() {
                return Err(Trouble { kind: EvalErrorKind::DuplicateKey, at: node });
            }
        }
        Ok(Value::MadeMap(Arc::new(map)))
    }

    fn size(&mut self, value: &Value<'a>, node: Node) -> Evaluated<'a> {
        let size = if let Some(text) = value.as_str() {
            self.charge_text(text.len(), node)?;
            text.chars().count()
        } else {
            count(value).or_else(|| super::fold::entries(value)).ok_or_else(|| wrong_type(node))?
        };
        or_overflow(i64::try_from(size).ok().map(Value::Int), node)
    }

    fn part(&mut self, part: Part, of: Node, zone: ZoneFrom, node: Node) -> Evaluated<'a> {
        let value = self.evaluate(of)?;
        let zone = match zone {
            ZoneFrom::Utc => None,
            ZoneFrom::Constant(index) => Some(self.code.zones[index as usize]),
            ZoneFrom::Computed(node) => {
                let name = self.evaluate(node)?;
                let name = name.as_str().ok_or_else(|| wrong_type(node))?;
                Some(Zone::parse(name).ok_or(Trouble { kind: EvalErrorKind::Conversion, at: node })?)
            }
        };
        // A calendar costs far more than an addition.
        self.charge(10, node)?;
        match (value, part, zone) {
            (Value::Timestamp(at), _, _) => Ok(Value::Int(format::part(part, at, zone))),
            (Value::Duration(micros), Part::Hours, None) => Ok(Value::Int(micros / 3_600_000_000)),
            (Value::Duration(micros), Part::Minutes, None) => Ok(Value::Int(micros / 60_000_000)),
            (Value::Duration(micros), Part::Seconds, None) => Ok(Value::Int(micros / 1_000_000)),
            (Value::Duration(micros), Part::Milliseconds, None) => Ok(Value::Int(micros / 1_000 % 1_000)),
            _ => Err(wrong_type(node)),
        }
    }

    pub(super) fn text_test(&mut self, test: TextTest, text: Node, part: Node, node: Node) -> Result<bool, Trouble> {
        self.charge(1, node)?;
        let (text, part) = (self.operand(text)?, self.operand(part)?);
        let (Some(text), Some(part)) = (text.as_str(), part.as_str()) else {
            return Err(wrong_type(node));
        };
        self.charge_text(text.len() + part.len(), node)?;
        Ok(match test {
            TextTest::Contains => text.contains(part),
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
        })
    }

    pub(super) fn matches(&mut self, text: Node, pattern: u32, node: Node) -> Result<bool, Trouble> {
        self.charge(1, node)?;
        let text = self.operand(text)?;
        let text = text.as_str().ok_or_else(|| wrong_type(node))?;
        // A pattern takes a step for each byte, not for each sixteen.
        self.charge(20 + text.len() as u64, node)?;
        Ok(self.code.patterns[pattern as usize].is_match(text))
    }
}

fn or_overflow(value: Option<Value<'_>>, node: Node) -> Evaluated<'_> {
    value.ok_or(Trouble { kind: EvalErrorKind::Overflow, at: node })
}

fn ints<'a>(how: Arithmetic, left: i64, right: i64, node: Node) -> Evaluated<'a> {
    if right == 0 && matches!(how, Arithmetic::Divide | Arithmetic::Remainder) {
        return Err(Trouble { kind: EvalErrorKind::DivisionByZero, at: node });
    }
    let result = match how {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    or_overflow(result.map(Value::Int), node)
}

fn doubles<'a>(how: Arithmetic, left: f64, right: f64, node: Node) -> Evaluated<'a> {
    Ok(Value::Double(match how {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => return Err(wrong_type(node)),
    }))
}

fn times<'a>(how: Arithmetic, left: &Value<'a>, right: &Value<'a>, node: Node) -> Evaluated<'a> {
    let result = match (how, left, right) {
        (Arithmetic::Add, Value::Timestamp(at), Value::Duration(by))
        | (Arithmetic::Add, Value::Duration(by), Value::Timestamp(at)) => {
            number::shifted(*at, *by).map(Value::Timestamp)
        }
        (Arithmetic::Add, Value::Duration(left), Value::Duration(right)) => {
            left.checked_add(*right).and_then(number::duration).map(Value::Duration)
        }
        (Arithmetic::Subtract, Value::Timestamp(left), Value::Timestamp(right)) => {
            number::duration(left.micros() - right.micros()).map(Value::Duration)
        }
        (Arithmetic::Subtract, Value::Timestamp(at), Value::Duration(by)) => {
            by.checked_neg().and_then(|by| number::shifted(*at, by)).map(Value::Timestamp)
        }
        (Arithmetic::Subtract, Value::Duration(left), Value::Duration(right)) => {
            left.checked_sub(*right).and_then(number::duration).map(Value::Duration)
        }
        _ => return Err(wrong_type(node)),
    };
    or_overflow(result, node)
}

fn convert<'a>(to: Conversion, value: Value<'a>, node: Node) -> Evaluated<'a> {
    let failed = Trouble { kind: EvalErrorKind::Conversion, at: node };
    let made = |text: String| Some(Value::MadeString(text.into()));
    let result = match (to, &value) {
        (Conversion::Bool, Value::Bool(_))
        | (Conversion::Int, Value::Int(_))
        | (Conversion::Double, Value::Double(_))
        | (Conversion::String, Value::String(_) | Value::MadeString(_))
        | (Conversion::Timestamp, Value::Timestamp(_))
        | (Conversion::Duration, Value::Duration(_)) => return Ok(value),
        (Conversion::Int, Value::Double(double)) => number::double_to_int(*double).map(Value::Int),
        (Conversion::Int, Value::Timestamp(at)) => Some(Value::Int(at.micros().div_euclid(1_000_000))),
        #[expect(clippy::cast_precision_loss, reason = "CEL rounds to the nearest double")]
        (Conversion::Double, Value::Int(int)) => Some(Value::Double(*int as f64)),
        (Conversion::Timestamp, Value::Int(seconds)) => {
            seconds.checked_mul(1_000_000).and_then(Timestamp::from_micros).map(Value::Timestamp)
        }
        (Conversion::String, Value::Bool(value)) => made(value.to_string()),
        (Conversion::String, Value::Int(int)) => made(int.to_string()),
        (Conversion::String, Value::Double(double)) => made(format::double(*double)),
        (Conversion::String, Value::Timestamp(at)) => made(at.to_string()),
        (Conversion::String, Value::Duration(micros)) => made(format::duration(*micros)),
        _ => {
            let text = value.as_str().ok_or_else(|| wrong_type(node))?;
            from_text(to, text)
        }
    };
    result.ok_or(failed)
}

fn from_text<'a>(to: Conversion, text: &str) -> Option<Value<'a>> {
    match to {
        Conversion::Bool => match text {
            "true" | "True" | "TRUE" | "t" | "1" => Some(Value::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        Conversion::Int => text.parse().ok().map(Value::Int),
        Conversion::Double => text.parse().ok().map(Value::Double),
        Conversion::String => None,
        Conversion::Timestamp => format::parse_timestamp(text).map(Value::Timestamp),
        Conversion::Duration => format::parse_duration(text).map(Value::Duration),
    }
}
