//! What a response contributes: each of its figures, and what it says in words. A test contributes nothing; a partial
//! one what was answered of it.

use rapport_api::events::v1::{Measure, ResponseChanged};
use rapport_kernel::{Fault, Timestamp};

use super::voice::{self, Said};
use super::{Facts, broken, party};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::{self, Answer, Feeling, Item, PLAIN_WEIGHT, Pattern, Scale};

/// The greatest weight that the contract takes.
const MOST_WEIGHT: f64 = 1_000.0;

pub(super) fn facts(at: Timestamp, changed: ResponseChanged) -> Result<Facts, Fault> {
    if changed.deleted || changed.is_test {
        return Ok(Vec::new());
    }
    let weight = weight(changed.weight)?;
    let dimensions = dimensions(&changed);
    let mut facts = Vec::new();
    let mut items = Vec::new();
    for measure in &changed.measures {
        let scale = scale(measure)?;
        if measure.kind == "csi" {
            items.push(item(measure));
        } else if let Some(fact) = answer(measure, scale, weight, at, &dimensions) {
            facts.push(fact);
        }
    }
    if !items.is_empty() {
        let pattern = slots::text(&Pattern { items, weight });
        facts.push(Fact::new(Family::Csi, at, dimensions.clone()).within(&changed.survey_id).saying(pattern));
    }
    let said = Said { of: "response", at, reading: changed.reading.as_ref(), feeling: feeling(&changed) };
    facts.extend(voice::facts(&said, &dimensions)?);
    Ok(facts)
}

fn dimensions(changed: &ResponseChanged) -> Dimensions {
    Dimensions::default()
        .with(Dimension::Party, party(changed.party()))
        .with(Dimension::Survey, &changed.survey_id)
        .with(Dimension::Channel, &changed.channel)
        .with(Dimension::Touchpoint, &changed.touchpoint)
        .with(Dimension::Stage, &changed.stage)
        .with(Dimension::Product, &changed.product)
        .with(Dimension::Campaign, &changed.campaign)
        .with(Dimension::Agent, &changed.agent)
        .with(Dimension::Team, &changed.team)
        .with(Dimension::Language, &changed.language)
        .with_traits(changed.dimensions.clone())
}

/// In millionths; where none is told, as much as any other.
#[expect(clippy::cast_possible_truncation, reason = "at most the greatest weight in millionths")]
fn weight(weight: f64) -> Result<i64, Fault> {
    if weight == 0.0 {
        return Ok(PLAIN_WEIGHT);
    }
    if weight.is_nan() || weight <= 0.0 || weight > MOST_WEIGHT {
        return Err(broken("weight"));
    }
    Ok(((weight * 1e6).round() as i64).max(1))
}

fn scale(measure: &Measure) -> Result<Scale, Fault> {
    let Measure { value, scale_min: min, scale_max: max, reversed, .. } = *measure;
    let sound = min < max && max.saturating_sub(min) <= 1_000 && (min..=max).contains(&value);
    if sound { Ok(Scale { min, max, reversed }) } else { Err(broken("measures")) }
}

fn item(measure: &Measure) -> Item {
    Item {
        question: measure.question.clone(),
        value: measure.value,
        weight: if measure.weight.is_finite() { measure.weight.max(0.0) } else { 0.0 },
        min: measure.scale_min,
        max: measure.scale_max,
    }
}

/// One answer; `None` where it is of the survey's own, or yes and no, or worse and better, are not told as they are asked.
fn answer(
    measure: &Measure,
    scale: Scale,
    weight: i64,
    at: Timestamp,
    dimensions: &Dimensions,
) -> Option<Fact<Dimensions>> {
    let fixed = |min: i32, max: i32| scale == Scale { min, max, reversed: false };
    let (family, series) = match measure.kind.as_str() {
        "nps" => (Family::Nps, scale.to_string()),
        "tnps" => (Family::Tnps, scale.to_string()),
        "csat" => (Family::Csat, scale.to_string()),
        "ces" => (Family::Ces, scale.to_string()),
        // Its name comes first, so that the scale stays the last word.
        "statement" => (Family::Statements, format!("{} {scale}", statement(measure))),
        "fcr" if fixed(0, 1) => (Family::AskedFcr, String::new()),
        "expectation" if fixed(1, 3) => (Family::Expectations, String::new()),
        _ => return None,
    };
    let top = family == Family::Csat && measure.top_box > scale.min && scale.upright(measure.value) >= measure.top_box;
    let mut dimensions = dimensions.clone();
    if !measure.stage.is_empty() {
        dimensions = dimensions.with(Dimension::Stage, &measure.stage);
    }
    if family == Family::Statements {
        dimensions = dimensions.with(Dimension::Statement, statement(measure));
    }
    Some(Fact::new(family, at, dimensions).within(series).saying(Answer { value: measure.value, top, weight }))
}

/// A statement without a name in a library has that of its question.
const fn statement(measure: &Measure) -> &String {
    if measure.statement.is_empty() { &measure.question } else { &measure.statement }
}

/// What the score says: good in its upper end, bad in its lower; `None` where the kind has none, or it was not answered.
fn feeling(changed: &ResponseChanged) -> Option<Feeling> {
    let mut measured = changed.measures.iter().filter(|measure| measure.kind == changed.kind).peekable();
    let scale =
        |measure: &Measure| Scale { min: measure.scale_min, max: measure.scale_max, reversed: measure.reversed };
    let first = measured.peek()?;
    let (height, length) = scale(first).height(first.value);
    let told = |good: bool, bad: bool| match (good, bad) {
        (true, _) => Feeling::Good,
        (_, true) => Feeling::Bad,
        (false, false) => Feeling::Neutral,
    };
    Some(match changed.kind.as_str() {
        "nps" | "tnps" => {
            let value = scale(first).recommendation(first.value)?;
            told(value >= 9, value <= 6)
        }
        "csat" => {
            let top = scale(first).upright(first.value) >= first.top_box && first.top_box > first.scale_min;
            told(top, height * 4 <= length)
        }
        "ces" => told(height * 3 >= length * 2, height * 3 <= length),
        "csi" => {
            let (heights, lengths) = measured
                .map(|measure| scale(measure).height(measure.value))
                .fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            told(heights * 4 >= lengths * 3, heights * 4 <= lengths)
        }
        _ => return None,
    })
}
