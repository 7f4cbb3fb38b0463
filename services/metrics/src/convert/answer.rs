//! From the domain's answers to the contract's.

use std::collections::BTreeMap;

use prost::Message as _;
use rapport_api::MAX_RESPONSE_BYTES;
use rapport_api::convert::timestamp;
use rapport_api::metrics::v1 as proto;
use rapport_kernel::{Fault, Violations};

use crate::domain::catalogue::Metric;
use crate::domain::dimensions::{Axis, Dimension};
use crate::domain::figures::{self, Figure};
use crate::domain::listing::Listed;
use crate::domain::points::{Answer, Point, Told};
use crate::domain::question::{Question, unsupported};
use crate::domain::reckoning::Reckoning;

/// Of whom the figures of feedback are.
const OUTSIDERS: &str =
    "It is of customers, leads and partners; of employees only where the question groups or filters by party.";

/// The catalogue.
#[must_use]
pub fn catalogue() -> proto::ListMetricsResponse {
    let names = |dimensions: &[Dimension]| dimensions.iter().map(|dimension| dimension.name().to_owned()).collect();
    let metric = |metric: Metric| {
        let entry = metric.entry();
        let description = entry.description.map(|(language, text)| (language.to_owned(), text.to_owned()));
        proto::Metric {
            name: metric.name().to_owned(),
            formula: if metric.is_of_outsiders() {
                format!("{} {OUTSIDERS}", entry.formula)
            } else {
                entry.formula.to_owned()
            },
            unit: entry.unit.to_owned(),
            source: entry.source.to_owned(),
            description: BTreeMap::from(description),
            dimensions: names(entry.dimensions),
            method: metric.method().to_owned(),
            direction: direction(entry.direction).into(),
        }
    };
    proto::ListMetricsResponse {
        metrics: Metric::ALL.into_iter().map(metric).collect(),
        dimensions: names(&Dimension::ALL),
    }
}

/// The figures that answer a question.
///
/// # Errors
/// INVALID_ARGUMENT with reason UNSUPPORTED_QUERY where they do not fit one answer.
pub fn figures(question: &Question, answer: Answer) -> Result<proto::QueryMetricResponse, Fault> {
    let response = proto::QueryMetricResponse {
        metric: question.metric.name().to_owned(),
        points: answer.points.into_iter().map(|point| self::point(question, point)).collect(),
        erased_facts: answer.erased_facts,
    };
    if response.encoded_len() > MAX_RESPONSE_BYTES {
        let mut violations = Violations::new();
        let text = format!("{} points are too many for one answer: group by less, or cut less", response.points.len());
        violations.add("group_by", "query.points", text);
        unsupported(violations)?;
    }
    Ok(response)
}

const fn direction(direction: figures::Direction) -> proto::Direction {
    match direction {
        figures::Direction::Neutral => proto::Direction::Unspecified,
        figures::Direction::Higher => proto::Direction::HigherIsBetter,
        figures::Direction::Lower => proto::Direction::LowerIsBetter,
    }
}

/// The percentiles of times.
const PERCENTILES: [f64; 2] = [0.5, 0.9];

fn point(question: &Question, point: Point) -> proto::MetricPoint {
    let group = question.axes.iter().map(Axis::name).zip(point.group).collect();
    let series = if point.of.is_empty() { &point.series } else { &point.of };
    let shell = proto::MetricPoint {
        group,
        start_time: point.start.map(timestamp),
        method: point.method.to_owned(),
        currency: if question.metric.reckoning() == Reckoning::Sums { point.series.clone() } else { String::new() },
        series: series.clone(),
        negative: question.metric.reckoning() == Reckoning::Agreement && point.series.ends_with('r'),
        suppressed: point.told.is_none(),
        ..proto::MetricPoint::default()
    };
    match point.told {
        Some(told) => self::told(question, told, shell),
        None => shell,
    }
}

fn told(question: &Question, Told { row, comparison }: Told, shell: proto::MetricPoint) -> proto::MetricPoint {
    let figure = &row.part.figure;
    let times = match figure {
        Figure::Times(times) => Some(times),
        Figure::Count(_)
        | Figure::Sum(..)
        | Figure::Score(..)
        | Figure::Share(..)
        | Figure::Mean(..)
        | Figure::Index(_)
        | Figure::Rate(..) => None,
    };
    let percentile = |share: f64| Some(proto::Percentile { share, value: times?.percentile(share)? });
    let (distribution_start, distribution) = row.part.distribution.clone().unwrap_or_default();
    proto::MetricPoint {
        value: figure.value(),
        n: figure.n(),
        interval: figure.interval(question.level).map(|interval| proto::Interval {
            lower: interval.lower,
            upper: interval.upper,
            level: question.level,
        }),
        distribution,
        distribution_start,
        comparison: comparison.map(self::comparison),
        immature: row.immature,
        effective_n: figure.effective_n().unwrap_or(0.0),
        percentiles: PERCENTILES.into_iter().filter_map(percentile).collect(),
        mean: times.and_then(|times| times.mean()),
        coverage: row.coverage,
        top_boxes: row.part.top_boxes.iter().copied().collect(),
        ..shell
    }
}

fn comparison(comparison: figures::Comparison) -> proto::Comparison {
    let test = comparison.test;
    let verdict = match comparison.verdict {
        figures::Verdict::Untested => proto::Verdict::Unspecified,
        figures::Verdict::NoDifference => proto::Verdict::NoDifference,
        figures::Verdict::Better => proto::Verdict::Better,
        figures::Verdict::Worse => proto::Verdict::Worse,
        figures::Verdict::Different => proto::Verdict::Different,
    };
    proto::Comparison {
        baseline: comparison.baseline,
        baseline_n: comparison.baseline_n,
        difference: comparison.difference,
        p_value: test.map(|test| test.p_value),
        significant: comparison.significant,
        method: comparison.method.to_owned(),
        statistic: test.map(|test| test.statistic).filter(|statistic| statistic.is_finite()),
        degrees_of_freedom: test.and_then(|test| test.freedom),
        verdict: verdict.into(),
    }
}

/// A fact.
#[must_use]
pub fn fact(fact: &Listed) -> proto::Fact {
    proto::Fact {
        record_type: fact.kind.name().to_owned(),
        record_id: fact.id.to_string(),
        occur_time: Some(timestamp(fact.occurred_at)),
        record_time: Some(timestamp(fact.recorded_at)),
        series: fact.series.clone(),
    }
}
