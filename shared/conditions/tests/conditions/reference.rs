//! The plain reference: an evaluator that walks the tree, as simply as CEL's rules can be written.
//!
//! It shares nothing with the library but the values' type: it has its own arithmetic, comparison and text forms. `now`
//! is a variable like any other here.

use rapport_conditions::{Owned, Timestamp};

use crate::expression::{Expr, Literal, World};
use crate::history;

/// There is no value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failed;

pub type Result<T> = std::result::Result<T, Failed>;

/// Evaluates naively.
pub fn evaluate(expression: &Expr, world: &World) -> Result<Owned> {
    Walk { world, locals: Vec::new() }.value(expression)
}

struct Walk<'w> {
    world: &'w World,
    locals: Vec<(&'static str, Owned)>,
}

impl Walk<'_> {
    fn value(&mut self, expression: &Expr) -> Result<Owned> {
        match expression {
            Expr::Literal(literal) => Ok(value_of(literal)),
            Expr::Name(name) => {
                let found = self.locals.iter().rev().chain(&self.world.variables).find(|(other, _)| other == name);
                found.map(|(_, value)| value.clone()).ok_or(Failed)
            }
            Expr::Field(field) => self.field(field).ok_or(Failed),
            Expr::HasField(field) => Ok(Owned::Bool(self.field(field).is_some())),
            Expr::Trait(key) => self.trait_value(key).ok_or(Failed),
            Expr::HasTrait(key) => Ok(Owned::Bool(self.trait_value(key).is_some())),
            Expr::Now => Ok(Owned::Timestamp(self.world.now)),
            Expr::Not(of) => Ok(Owned::Bool(!self.boolean(of)?)),
            Expr::Negate(of) => match self.value(of)? {
                Owned::Int(value) => value.checked_neg().map(Owned::Int).ok_or(Failed),
                Owned::Double(value) => Ok(Owned::Double(-value)),
                _ => Err(Failed),
            },
            Expr::And(parts) => self.junction(parts, false),
            Expr::Or(parts) => self.junction(parts, true),
            Expr::If(parts) => {
                if self.boolean(&parts.0)? {
                    self.value(&parts.1)
                } else {
                    self.value(&parts.2)
                }
            }
            Expr::Binary(operator, parts) if moves(&parts.0) || moves(&parts.1) => {
                let ((left, left_is_instant), (right, right_is_instant)) = (self.wide(&parts.0)?, self.wide(&parts.1)?);
                compare_wide(operator, left.cmp(&right), left_is_instant == right_is_instant)
            }
            Expr::Binary(operator, parts) => {
                let (left, right) = (self.value(&parts.0)?, self.value(&parts.1)?);
                binary(operator, &left, &right)
            }
            Expr::List(parts) => Ok(Owned::List(parts.iter().map(|part| self.value(part)).collect::<Result<_>>()?)),
            Expr::Index(parts) => match (self.value(&parts.0)?, self.value(&parts.1)?) {
                (Owned::List(list), Owned::Int(index)) if index >= 0 => {
                    list.into_iter().nth(usize::try_from(index).map_err(|_| Failed)?).ok_or(Failed)
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and small")]
                (Owned::List(list), Owned::Double(index)) if index.fract() == 0.0 && (0.0..1e6).contains(&index) => {
                    list.into_iter().nth(index as usize).ok_or(Failed)
                }
                _ => Err(Failed),
            },
            Expr::Method(name @ ("sum" | "avg" | "min" | "max" | "first" | "last"), of) => {
                let kind_is_double = doubles(of);
                match self.value(of)? {
                    Owned::List(list) => history::total(name, list, kind_is_double),
                    _ => Err(Failed),
                }
            }
            Expr::Call(name, of) | Expr::Method(name, of) => {
                let of = self.value(of)?;
                call(name, &of)
            }
            Expr::Events(kind) => Ok(Owned::List(self.happened(kind))),
            Expr::HasEvents(kind) => Ok(Owned::Bool(!self.happened(kind).is_empty())),
            Expr::Part(of, field) => history::field(&self.value(of)?, field)?.ok_or(Failed),
            Expr::HasPart(of, field) => Ok(Owned::Bool(history::field(&self.value(of)?, field)?.is_some())),
            Expr::Test(name @ ("within" | "since" | "before"), parts) => {
                let (events, (bound, _)) = (history::events(self.value(&parts.0)?)?, self.wide(&parts.1)?);
                Ok(history::window(name, events, bound, self.world.now))
            }
            Expr::Test2("between", parts) => {
                let events = history::events(self.value(&parts.0)?)?;
                let ((from, _), (before, _)) = (self.wide(&parts.1)?, self.wide(&parts.2)?);
                Ok(history::between(events, from, before))
            }
            Expr::Test2(name, parts) => {
                let earlier = history::events(self.value(&parts.0)?)?;
                let later = history::events(self.value(&parts.1)?)?;
                let (within, _) = self.wide(&parts.2)?;
                Ok(history::followed(name, &earlier, &later, within, self.world.now))
            }
            Expr::Test(name, parts) => {
                let (text, part) = (self.value(&parts.0)?, self.value(&parts.1)?);
                text_test(name, &text, &part)
            }
            Expr::Fold(name, range, variable, body) => self.fold(name, range, variable, body),
        }
    }

    /// An instant or a duration beside `now`, in microseconds without bounds (the language computes exactly there,
    /// where CEL would leave the range of instants), and whether it is an instant.
    fn wide(&mut self, expression: &Expr) -> Result<(i128, bool)> {
        match expression {
            Expr::Binary(operator, parts) if moves(expression) => {
                let ((left, left_is_instant), (right, right_is_instant)) = (self.wide(&parts.0)?, self.wide(&parts.1)?);
                match (*operator, left_is_instant, right_is_instant) {
                    ("+", true, true) | ("-", false, true) => Err(Failed),
                    ("+", _, _) => Ok((left + right, left_is_instant || right_is_instant)),
                    ("-", _, _) => Ok((left - right, left_is_instant && !right_is_instant)),
                    _ => Err(Failed),
                }
            }
            _ => match self.value(expression)? {
                Owned::Timestamp(at) => Ok((i128::from(at.micros()), true)),
                Owned::Duration(micros) => Ok((i128::from(micros), false)),
                _ => Err(Failed),
            },
        }
    }

    /// The events of a type that are not to come.
    fn happened(&self, kind: &str) -> Vec<Owned> {
        let all = self.world.events.iter().filter(|(other, _)| *other == kind).flat_map(|(_, events)| events);
        all.filter(|event| history::at(event) <= i128::from(self.world.now.micros())).cloned().collect()
    }

    fn field(&self, name: &str) -> Option<Owned> {
        self.world.customer.iter().find(|(field, _)| *field == name).and_then(|(_, value)| value.clone())
    }

    fn trait_value(&self, name: &str) -> Option<Owned> {
        self.world.traits.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }

    fn boolean(&mut self, expression: &Expr) -> Result<bool> {
        match self.value(expression)? {
            Owned::Bool(value) => Ok(value),
            _ => Err(Failed),
        }
    }

    /// One part that decides is enough, whatever the others are; without one, any failure is one of the whole.
    fn junction(&mut self, parts: &[Expr], decides: bool) -> Result<Owned> {
        let values: Vec<_> = parts.iter().map(|part| self.boolean(part)).collect();
        decided(&values, decides)
    }

    fn fold(&mut self, name: &str, range: &Expr, variable: &'static str, body: &Expr) -> Result<Owned> {
        let Owned::List(items) = self.value(range)? else {
            return Err(Failed);
        };
        let mut results = Vec::new();
        for item in &items {
            self.locals.push((variable, item.clone()));
            results.push(self.value(body));
            self.locals.pop();
        }
        let truth = |result: &Result<Owned>| match result {
            Ok(Owned::Bool(value)) => Ok(*value),
            _ => Err(Failed),
        };
        let truths: Vec<_> = results.iter().map(truth).collect();
        match name {
            "all" => decided(&truths, false),
            "exists" => decided(&truths, true),
            "exists_one" => {
                let truths = truths.into_iter().collect::<Result<Vec<_>>>()?;
                Ok(Owned::Bool(truths.into_iter().filter(|holds| *holds).count() == 1))
            }
            "filter" => {
                let truths = truths.into_iter().collect::<Result<Vec<_>>>()?;
                let kept = items.into_iter().zip(truths).filter(|(_, holds)| *holds);
                Ok(Owned::List(kept.map(|(item, _)| item).collect()))
            }
            "map" => results.into_iter().collect::<Result<_>>().map(Owned::List),
            other => panic!("{other} is not known"),
        }
    }
}

/// Whether a list is of doubles, whose sum is one even where there are none.
fn doubles(list: &Expr) -> bool {
    matches!(list, Expr::Fold("map", _, _, body) if matches!(&**body, Expr::Part(_, "value")))
}

fn value_of(literal: &Literal) -> Owned {
    match literal {
        Literal::Bool(value) => Owned::Bool(*value),
        Literal::Int(value) => Owned::Int(*value),
        Literal::Double(value) => Owned::Double(*value),
        Literal::String(text) => Owned::from(*text),
        Literal::Timestamp(micros) => Owned::Timestamp(Timestamp::from_column(*micros)),
        Literal::Duration(micros) => Owned::Duration(*micros),
    }
}

fn text_test(name: &str, text: &Owned, part: &Owned) -> Result<Owned> {
    let (Owned::String(text), Owned::String(part)) = (text, part) else {
        return Err(Failed);
    };
    Ok(Owned::Bool(match name {
        "contains" => text.contains(part),
        "startsWith" => text.starts_with(part),
        "endsWith" => text.ends_with(part),
        other => panic!("{other} is not known"),
    }))
}

/// Whether an expression is `now`, with something added or taken away.
fn moves(expression: &Expr) -> bool {
    match expression {
        Expr::Now => true,
        Expr::Binary("+" | "-", parts) => moves(&parts.0) || moves(&parts.1),
        _ => false,
    }
}

fn compare_wide(operator: &str, order: std::cmp::Ordering, one_kind: bool) -> Result<Owned> {
    let holds = match operator {
        "==" => one_kind && order.is_eq(),
        "!=" => !one_kind || order.is_ne(),
        _ if !one_kind => return Err(Failed),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => return Err(Failed),
    };
    Ok(Owned::Bool(holds))
}

fn decided(values: &[Result<bool>], decides: bool) -> Result<Owned> {
    if values.contains(&Ok(decides)) {
        return Ok(Owned::Bool(decides));
    }
    if values.contains(&Err(Failed)) { Err(Failed) } else { Ok(Owned::Bool(!decides)) }
}

/// As doubles where the kinds of number differ.
#[expect(clippy::cast_precision_loss, reason = "that is CEL's rule")]
pub fn order(left: &Owned, right: &Owned) -> Result<Option<std::cmp::Ordering>> {
    match (left, right) {
        (Owned::Int(left), Owned::Int(right)) => Ok(Some(left.cmp(right))),
        (Owned::Double(left), Owned::Double(right)) => Ok(left.partial_cmp(right)),
        (Owned::Int(left), Owned::Double(right)) => Ok((*left as f64).partial_cmp(right)),
        (Owned::Double(left), Owned::Int(right)) => Ok(left.partial_cmp(&(*right as f64))),
        (Owned::Bool(left), Owned::Bool(right)) => Ok(Some(left.cmp(right))),
        (Owned::String(left), Owned::String(right)) => Ok(Some(left.chars().cmp(right.chars()))),
        (Owned::Timestamp(left), Owned::Timestamp(right)) => Ok(Some(left.micros().cmp(&right.micros()))),
        (Owned::Duration(left), Owned::Duration(right)) => Ok(Some(left.cmp(right))),
        _ => Err(Failed),
    }
}

fn equal(left: &Owned, right: &Owned) -> bool {
    match (left, right) {
        (Owned::List(left), Owned::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        _ => matches!(order(left, right), Ok(Some(order)) if order.is_eq()),
    }
}

fn binary(operator: &str, left: &Owned, right: &Owned) -> Result<Owned> {
    let ordered =
        |test: fn(std::cmp::Ordering) -> bool| order(left, right).map(|order| Owned::Bool(order.is_some_and(test)));
    match operator {
        "==" => Ok(Owned::Bool(equal(left, right))),
        "!=" => Ok(Owned::Bool(!equal(left, right))),
        "<" => ordered(std::cmp::Ordering::is_lt),
        "<=" => ordered(std::cmp::Ordering::is_le),
        ">" => ordered(std::cmp::Ordering::is_gt),
        ">=" => ordered(std::cmp::Ordering::is_ge),
        "in" => match right {
            Owned::List(list) => Ok(Owned::Bool(list.iter().any(|item| equal(left, item)))),
            _ => Err(Failed),
        },
        _ => arithmetic(operator, left, right),
    }
}

fn arithmetic(operator: &str, left: &Owned, right: &Owned) -> Result<Owned> {
    let instant = |micros: i128| {
        let micros = i64::try_from(micros).map_err(|_| Failed)?;
        Timestamp::from_micros(micros).map(Owned::Timestamp).ok_or(Failed)
    };
    let length = |micros: i128| {
        let longest = 10_000 * 31_557_600 * 1_000_000_i128;
        if micros.abs() > longest {
            Err(Failed)
        } else {
            i64::try_from(micros).map(Owned::Duration).map_err(|_| Failed)
        }
    };
    let wide = |at: &Timestamp| i128::from(at.micros());
    match (operator, left, right) {
        ("+", Owned::Int(left), Owned::Int(right)) => left.checked_add(*right).map(Owned::Int).ok_or(Failed),
        ("-", Owned::Int(left), Owned::Int(right)) => left.checked_sub(*right).map(Owned::Int).ok_or(Failed),
        ("*", Owned::Int(left), Owned::Int(right)) => left.checked_mul(*right).map(Owned::Int).ok_or(Failed),
        ("/", Owned::Int(left), Owned::Int(right)) => left.checked_div(*right).map(Owned::Int).ok_or(Failed),
        ("%", Owned::Int(left), Owned::Int(right)) => left.checked_rem(*right).map(Owned::Int).ok_or(Failed),
        ("+", Owned::Double(left), Owned::Double(right)) => Ok(Owned::Double(left + right)),
        ("-", Owned::Double(left), Owned::Double(right)) => Ok(Owned::Double(left - right)),
        ("*", Owned::Double(left), Owned::Double(right)) => Ok(Owned::Double(left * right)),
        ("/", Owned::Double(left), Owned::Double(right)) => Ok(Owned::Double(left / right)),
        ("+", Owned::String(left), Owned::String(right)) => Ok(Owned::String(format!("{left}{right}"))),
        ("+", Owned::List(left), Owned::List(right)) => Ok(Owned::List([left.clone(), right.clone()].concat())),
        ("+", Owned::Timestamp(at), Owned::Duration(by)) | ("+", Owned::Duration(by), Owned::Timestamp(at)) => {
            instant(wide(at) + i128::from(*by))
        }
        ("-", Owned::Timestamp(at), Owned::Duration(by)) => instant(wide(at) - i128::from(*by)),
        ("-", Owned::Timestamp(left), Owned::Timestamp(right)) => length(wide(left) - wide(right)),
        ("+", Owned::Duration(left), Owned::Duration(right)) => length(i128::from(*left) + i128::from(*right)),
        ("-", Owned::Duration(left), Owned::Duration(right)) => length(i128::from(*left) - i128::from(*right)),
        _ => Err(Failed),
    }
}

/// Functions and methods of one value. Calendars are counted in days, by hand.
fn call(name: &str, of: &Owned) -> Result<Owned> {
    match (name, of) {
        ("size", Owned::String(text)) => Ok(Owned::Int(i64::try_from(text.chars().count()).map_err(|_| Failed)?)),
        ("size", Owned::List(list)) => Ok(Owned::Int(i64::try_from(list.len()).map_err(|_| Failed)?)),
        ("lowerAscii", Owned::String(text)) => {
            Ok(Owned::String(text.chars().map(|letter| letter.to_ascii_lowercase()).collect()))
        }
        ("string", Owned::Int(value)) => Ok(Owned::String(value.to_string())),
        ("string", Owned::Bool(value)) => Ok(Owned::String(value.to_string())),
        ("string", Owned::String(text)) => Ok(Owned::String(text.clone())),
        ("string", Owned::Double(value)) if *value == 1e300 => Ok(Owned::from("1e300")),
        ("string", Owned::Double(value)) => Ok(Owned::String(value.to_string())),
        ("string", Owned::Timestamp(at)) => Ok(Owned::String(at.to_string())),
        ("string", Owned::Duration(micros)) => {
            let sign = if *micros < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:06}", micros.abs() / 1_000_000, micros.abs() % 1_000_000);
            Ok(Owned::String(format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))))
        }
        ("double", Owned::String(text)) => text.parse().map(Owned::Double).map_err(|_| Failed),
        ("int", Owned::Int(value)) => Ok(Owned::Int(*value)),
        ("int", Owned::String(text)) => text.parse().map(Owned::Int).map_err(|_| Failed),
        #[expect(clippy::cast_possible_truncation, reason = "as far as it is in range, which is checked")]
        ("int", Owned::Double(value)) if value.abs() < 9_223_372_036_854_775_808.0 => Ok(Owned::Int(*value as i64)),
        ("int", Owned::Timestamp(at)) => Ok(Owned::Int(at.micros().div_euclid(1_000_000))),
        #[expect(clippy::cast_precision_loss, reason = "that is CEL's rule")]
        ("double", Owned::Int(value)) => Ok(Owned::Double(*value as f64)),
        ("double", Owned::Double(value)) => Ok(Owned::Double(*value)),
        ("getHours", Owned::Duration(micros)) => Ok(Owned::Int(micros / 3_600_000_000)),
        ("getMinutes", Owned::Duration(micros)) => Ok(Owned::Int(micros / 60_000_000)),
        ("getHours", Owned::Timestamp(at)) => Ok(Owned::Int(at.micros().rem_euclid(86_400_000_000) / 3_600_000_000)),
        ("getMinutes", Owned::Timestamp(at)) => Ok(Owned::Int(at.micros().rem_euclid(3_600_000_000) / 60_000_000)),
        // 1970-01-01 was a Thursday, the fourth day after Sunday.
        ("getDayOfWeek", Owned::Timestamp(at)) => Ok(Owned::Int((days(at) + 4).rem_euclid(7))),
        ("getFullYear", Owned::Timestamp(at)) => Ok(Owned::Int(year_and_day(at).0)),
        ("getDayOfYear", Owned::Timestamp(at)) => Ok(Owned::Int(year_and_day(at).1)),
        _ => Err(Failed),
    }
}

fn days(at: &Timestamp) -> i64 {
    at.micros().div_euclid(86_400_000_000)
}

fn year_and_day(at: &Timestamp) -> (i64, i64) {
    let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
    let (mut year, mut day) = (1970, days(at));
    while day < 0 {
        year -= 1;
        day += length(year);
    }
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    (year, day)
}
