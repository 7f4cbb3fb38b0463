//! The evaluator: walks the arena from the root within its fuel, and keeps until when what it saw holds.
//!
//! Why the validity is right: an evaluation depends on `now` only through the comparisons of [`Op::Clock`] and the
//! operations on events. Each notes the first instant at which it would come out otherwise. Before the least of them
//! all that was evaluated comes out as it did, so the evaluation takes the same way to the same answer (or error).

mod clock;
mod compare;
mod compute;
mod events;
mod fold;
mod leaving;
mod total;

use rapport_kernel::Timestamp;

use crate::error::EvalErrorKind;
use crate::number;
use crate::program::{Code, LOCALS, Node, Op, Run};
use crate::value::{Activation, AsValue, Value};

/// Why there is no value, and at which operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: EvalErrorKind,
    pub(crate) at: Node,
}

pub(crate) struct Evaluator<'a> {
    code: &'a Code,
    inputs: &'a dyn Activation,
    now: Timestamp,
    fuel: u64,
    valid_until: i64,
    locals: [Value<'a>; LOCALS],
}

type Evaluated<'a> = Result<Value<'a>, Trouble>;

impl<'a> Evaluator<'a> {
    pub(crate) fn new(code: &'a Code, inputs: &'a dyn Activation, now: Timestamp, fuel: u64) -> Self {
        let locals = [const { Value::Null }; LOCALS];
        Self { code, inputs, now, fuel, valid_until: Timestamp::MAX.micros(), locals }
    }

    /// The first instant at which a comparison with `now` that was evaluated comes out otherwise.
    pub(crate) fn valid_until(&self) -> Timestamp {
        Timestamp::from_column(self.valid_until)
    }

    pub(crate) fn evaluate(&mut self, node: Node) -> Evaluated<'a> {
        match self.code.ops[node as usize] {
            Op::Compare { .. }
            | Op::And(_)
            | Op::Or(_)
            | Op::Not(_)
            | Op::Clock { .. }
            | Op::HasVariableField { .. }
            | Op::HasField { .. }
            | Op::HasKey { .. }
            | Op::In { .. }
            | Op::CompareCount { .. }
            | Op::Matches { .. }
            | Op::Text { .. } => self.boolean(node).map(Value::Bool),
            Op::Constant(_) | Op::VariableField { .. } | Op::Variable(_) | Op::Local(_) => self.operand(node),
            Op::Field { of, field } => {
                self.charge(1, node)?;
                match self.operand(of)? {
                    Value::Object(object) => object.field(usize::from(field)).ok_or_else(|| absent(node)),
                    _ => Err(wrong_type(node)),
                }
            }
            Op::If { condition, yes, no } => {
                self.charge(1, node)?;
                let way = if self.boolean(condition)? { yes } else { no };
                self.evaluate(way)
            }
            Op::Key { of, key } => self.key(of, key, node),
            Op::Index { of, key } => self.index(of, key, node),
            Op::Fold { .. } => self.fold(node),
            Op::Past { of, at } => self.past(of, at, node),
            Op::Window(window) => {
                let leaving = self.window(window, node)?;
                self.whole(leaving)
            }
            Op::Followed(follow) => self.followed(follow, node),
            Op::Total { how, of } => self.total(how, of, node),
            Op::Negate(_)
            | Op::Arithmetic { .. }
            | Op::List(_)
            | Op::Map(_)
            | Op::Convert { .. }
            | Op::Size(_)
            | Op::Case { .. }
            | Op::Part { .. } => self.compute(node),
        }
    }

    /// An operand: the plain ones, which most are, without a walk through all operations.
    #[inline]
    fn operand(&mut self, node: Node) -> Evaluated<'a> {
        let code = self.code;
        match code.ops[node as usize] {
            Op::Constant(index) => {
                self.charge(1, node)?;
                Ok(code.constants[index as usize].as_value())
            }
            Op::VariableField { variable, field } => {
                self.charge(1, node)?;
                match self.inputs.variable(usize::from(variable)) {
                    Some(Value::Object(object)) => object.field(usize::from(field)).ok_or_else(|| absent(node)),
                    Some(_) => Err(wrong_type(node)),
                    None => Err(absent(node)),
                }
            }
            Op::Variable(index) => {
                self.charge(1, node)?;
                self.inputs.variable(index as usize).ok_or_else(|| absent(node))
            }
            Op::Local(index) => {
                self.charge(1, node)?;
                Ok(self.locals[usize::from(index)].clone())
            }
            _ => self.evaluate(node),
        }
    }

    /// A bool, without the way through a value for the operations that give nothing else.
    fn boolean(&mut self, node: Node) -> Result<bool, Trouble> {
        match self.code.ops[node as usize] {
            Op::Compare { how, left, right } => self.compare(how, left, right, node),
            Op::And(run) => self.connected(run, false, node),
            Op::Or(run) => self.connected(run, true, node),
            Op::Not(of) => {
                self.charge(1, node)?;
                Ok(!self.boolean(of)?)
            }
            Op::Clock { how, steps, other } => self.clock(how, steps, other, node),
            Op::HasVariableField { variable, field } => {
                self.charge(1, node)?;
                match self.inputs.variable(usize::from(variable)) {
                    Some(Value::Object(object)) => Ok(object.field(usize::from(field)).is_some()),
                    Some(_) => Err(wrong_type(node)),
                    None => Err(absent(node)),
                }
            }
            Op::HasField { of, field } => {
                self.charge(1, node)?;
                match self.operand(of)? {
                    Value::Object(object) => Ok(object.field(usize::from(field)).is_some()),
                    _ => Err(wrong_type(node)),
                }
            }
            Op::HasKey { of, key } => {
                self.charge(1, node)?;
                let map = self.operand(of)?;
                Ok(lookup(&map, self.constant_text(key), node)?.is_some())
            }
            Op::CompareCount { how, list, other } => self.compare_count(how, list, other, node),
            Op::In { item, of } => self.contains(item, of, node),
            Op::Matches { text, pattern } => self.matches(text, pattern, node),
            Op::Text { test, text, part } => self.text_test(test, text, part, node),
            _ => match self.evaluate(node)? {
                Value::Bool(value) => Ok(value),
                _ => Err(wrong_type(node)),
            },
        }
    }

    /// Takes fuel for work that is about to be done.
    #[inline]
    fn charge(&mut self, amount: u64, node: Node) -> Result<(), Trouble> {
        if self.fuel < amount {
            self.fuel = 0;
            return Err(Trouble { kind: EvalErrorKind::TooDear, at: node });
        }
        self.fuel -= amount;
        Ok(())
    }

    fn charge_text(&mut self, bytes: usize, node: Node) -> Result<(), Trouble> {
        self.charge(bytes as u64 / 16, node)
    }

    /// `&&` and `||`: `decides` (false, true) wherever it stands decides, errors to its left or right or not; else
    /// the first error; else the other value. Running out of fuel is never absorbed.
    fn connected(&mut self, run: Run, decides: bool, node: Node) -> Result<bool, Trouble> {
        let code = self.code;
        self.charge(1, node)?;
        let mut trouble = None;
        for part in &code.operands[run.range()] {
            match self.boolean(*part) {
                Ok(value) if value == decides => return Ok(decides),
                Ok(_) => {}
                Err(found) if found.kind == EvalErrorKind::TooDear => return Err(found),
                Err(found) => trouble = trouble.or(Some(found)),
            }
        }
        trouble.map_or(Ok(!decides), Err)
    }

    fn constant_text(&self, index: u32) -> &'a str {
        match self.code.constants[index as usize].as_value() {
            Value::String(text) => text,
            _ => "",
        }
    }

    fn key(&mut self, of: Node, key: u32, node: Node) -> Evaluated<'a> {
        self.charge(1, node)?;
        let map = self.operand(of)?;
        lookup(&map, self.constant_text(key), node)?.ok_or(Trouble { kind: EvalErrorKind::NoSuchKey, at: node })
    }

    fn index(&mut self, of: Node, key: Node, node: Node) -> Evaluated<'a> {
        self.charge(1, node)?;
        let (of, key) = (self.operand(of)?, self.operand(key)?);
        match (&of, &key) {
            (list, Value::Int(_) | Value::Double(_)) if list.is_list() => {
                let found = position(&key).and_then(|index| element(&of, index));
                found.ok_or(Trouble { kind: EvalErrorKind::NoSuchIndex, at: node })
            }
            (Value::Map(_) | Value::MadeMap(_), Value::String(_) | Value::MadeString(_)) => {
                let key = key.as_str().unwrap_or_default();
                self.charge_text(key.len(), node)?;
                lookup(&of, key, node)?.ok_or(Trouble { kind: EvalErrorKind::NoSuchKey, at: node })
            }
            _ => Err(wrong_type(node)),
        }
    }
}

const fn absent(node: Node) -> Trouble {
    Trouble { kind: EvalErrorKind::Absent, at: node }
}

const fn wrong_type(node: Node) -> Trouble {
    Trouble { kind: EvalErrorKind::WrongType, at: node }
}

fn lookup<'a>(map: &Value<'a>, key: &str, node: Node) -> Result<Option<Value<'a>>, Trouble> {
    match map {
        Value::Map(map) => Ok(map.value(key)),
        Value::MadeMap(map) => Ok(map.get(key).cloned()),
        _ => Err(wrong_type(node)),
    }
}

/// A list's index: an int, or an unknown value that turned out to be a whole double.
fn position(key: &Value<'_>) -> Option<usize> {
    let index = match key {
        Value::Int(index) => Some(*index),
        Value::Double(double) if double.fract() == 0.0 => number::double_to_int(*double),
        _ => None,
    };
    index.and_then(|index| usize::try_from(index).ok())
}

/// How many elements a list has; `None` for what is no list.
fn count(list: &Value<'_>) -> Option<usize> {
    match list {
        Value::List(list) => Some(list.count()),
        Value::MadeList(list) => Some(list.len()),
        Value::Slice(slice) => Some(slice.count()),
        _ => None,
    }
}

fn element<'a>(list: &Value<'a>, index: usize) -> Option<Value<'a>> {
    match list {
        Value::List(list) => list.element(index),
        Value::MadeList(list) => list.get(index).cloned(),
        Value::Slice(slice) => slice.element(index),
        _ => None,
    }
}
