//! From the domain's answers to the contract's.

use std::collections::BTreeMap;

use prost::Message as _;
use rapport_api::MAX_RESPONSE_BYTES;
use rapport_api::convert::timestamp;
use rapport_api::metrics::v1 as proto;
use rapport_kernel::{Fault, Violations};

use crate::domain::catalogue::Metric;
use crate::domain::dimensions::{Axis, Dimension};
use crate::domain::figures::Figure;
use crate::domain::points::{Answer, Point};
use crate::domain::question::{Question, unsupported};

/// The catalogue.
#[must_use]
pub fn catalogue() -> proto::ListMetricsResponse {
    let names = |dimensions: &[Dimension]| dimensions.iter().map(|dimension| dimension.name().to_owned()).collect();
    let metric = |metric: Metric| {
        let entry = metric.entry();
        let description = entry.description.map(|(language, text)| (language.to_owned(), text.to_owned()));
        proto::Metric {
            name: metric.name().to_owned(),
            formula: entry.formula.to_owned(),
            unit: entry.unit.to_owned(),
            source: entry.source.to_owned(),
            description: BTreeMap::from(description),
            dimensions: names(metric.dimensions()),
            method: metric.method().to_owned(),
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

fn point(question: &Question, point: Point) -> proto::MetricPoint {
    let group = question.axes.iter().map(Axis::name).zip(point.group).collect();
    let interval = point.figure.filter(|figure| figure.n() > 0).and_then(|figure| figure.interval(question.level));
    let distribution = match point.figure {
        Some(Figure::Score(histogram)) => histogram.to_vec(),
        Some(Figure::Count(_) | Figure::Sum(..) | Figure::Share(_)) | None => Vec::new(),
    };
    proto::MetricPoint {
        group,
        start_time: point.start.map(timestamp),
        value: point.figure.and_then(|figure| figure.value()),
        n: point.figure.map_or(0, |figure| figure.n()),
        interval: interval.map(|interval| proto::Interval {
            lower: interval.lower,
            upper: interval.upper,
            level: question.level,
        }),
        method: point.method.to_owned(),
        currency: point.currency.map_or_else(String::new, |currency| currency.to_string()),
        distribution,
        comparison: point.comparison.map(|comparison| proto::Comparison {
            baseline: comparison.baseline,
            baseline_n: comparison.baseline_n,
            difference: comparison.difference,
            p_value: comparison.p_value,
            significant: comparison.significant,
            method: comparison.method.to_owned(),
        }),
        suppressed: point.figure.is_none(),
    }
}
