//! The plain reference over past events: every rule as its sentence says it, event by event, with no order made use of.

use rapport_conditions::{Owned, Timestamp};

use crate::expression::EVENT_FIELDS;
use crate::reference::{Failed, Result, order};

/// When an event happened.
pub fn at(event: &Owned) -> i128 {
    match field(event, "at") {
        Ok(Some(Owned::Timestamp(at))) => i128::from(at.micros()),
        _ => panic!("an event has an instant"),
    }
}

pub fn field(event: &Owned, name: &str) -> Result<Option<Owned>> {
    let index = EVENT_FIELDS.iter().position(|field| *field == name).ok_or(Failed)?;
    match event {
        Owned::Object(fields) => Ok(fields[index].clone()),
        _ => Err(Failed),
    }
}

pub fn events(list: Owned) -> Result<Vec<Owned>> {
    match list {
        Owned::List(events) => Ok(events),
        _ => Err(Failed),
    }
}

pub fn window(name: &str, events: Vec<Owned>, bound: i128, now: Timestamp) -> Owned {
    let now = i128::from(now.micros());
    let inside = |event: &Owned| match name {
        "within" => now - at(event) < bound,
        "since" => at(event) >= bound,
        "before" => at(event) < bound,
        other => panic!("{other} is not known"),
    };
    Owned::List(events.into_iter().filter(inside).collect())
}

pub fn between(events: Vec<Owned>, from: i128, before: i128) -> Owned {
    Owned::List(events.into_iter().filter(|event| at(event) >= from && at(event) < before).collect())
}

pub fn followed(name: &str, earlier: &[Owned], later: &[Owned], within: i128, now: Timestamp) -> Owned {
    let follows = |first: &Owned, second: &Owned| at(first) < at(second) && at(second) <= at(first) + within;
    let kept = match name {
        "followedBy" => {
            later.iter().filter(|second| earlier.iter().any(|first| follows(first, second))).cloned().collect()
        }
        "notFollowedBy" => {
            let passed = |first: &Owned| i128::from(now.micros()) - at(first) > within;
            let alone = |first: &&Owned| passed(first) && !later.iter().any(|second| follows(first, second));
            earlier.iter().filter(alone).cloned().collect()
        }
        other => panic!("{other} is not known"),
    };
    Owned::List(kept)
}

pub fn total(name: &str, list: Vec<Owned>, of_doubles: bool) -> Result<Owned> {
    match name {
        "first" => list.into_iter().next().ok_or(Failed),
        "last" => list.into_iter().last().ok_or(Failed),
        "sum" if list.is_empty() && of_doubles => Ok(Owned::Double(0.0)),
        "sum" if list.is_empty() => Ok(Owned::Int(0)),
        "sum" => match sum(&list)? {
            (Owned::Int(_), exact) => i64::try_from(exact).map(Owned::Int).map_err(|_| Failed),
            (_, exact) => Ok(Owned::Double(unscaled(exact))),
        },
        #[expect(clippy::cast_precision_loss, reason = "an average is the nearest double")]
        "avg" if !list.is_empty() => match sum(&list)? {
            (Owned::Int(_), exact) => Ok(Owned::Double(exact as f64 / list.len() as f64)),
            (_, exact) => Ok(Owned::Double(unscaled(exact) / list.len() as f64)),
        },
        "min" | "max" => {
            let mut best: Option<Owned> = None;
            for item in list {
                let better = match &best {
                    None => true,
                    Some(best) if name == "min" => order(&item, best)?.is_some_and(std::cmp::Ordering::is_lt),
                    Some(best) => order(&item, best)?.is_some_and(std::cmp::Ordering::is_gt),
                };
                if better {
                    best = Some(item);
                }
            }
            best.ok_or(Failed)
        }
        _ => Err(Failed),
    }
}

/// An exact sum with an element of its kind: ints as they are, doubles in units of 2^-60, as those of the tests' pool
/// are whole in.
fn sum(list: &[Owned]) -> Result<(Owned, i128)> {
    let mut exact = 0_i128;
    for item in list {
        exact += match item {
            Owned::Int(value) => i128::from(*value),
            #[expect(clippy::cast_possible_truncation, reason = "whole, and of less than 128 bits")]
            Owned::Double(value) => (value * 2_f64.powi(60)) as i128,
            _ => return Err(Failed),
        };
    }
    Ok((list[0].clone(), exact))
}

#[expect(clippy::cast_precision_loss, reason = "the one rounding of a sum")]
fn unscaled(exact: i128) -> f64 {
    exact as f64 / 2_f64.powi(60)
}
