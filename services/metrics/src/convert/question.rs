//! From the contract's question to the domain's: every broken rule is gathered, then what the catalogue lacks.

use rapport_api::convert::instant;
use rapport_api::metrics::v1::{self as proto, QueryMetricRequest};
use rapport_kernel::{Fault, Violations};

use crate::domain::catalogue::Metric;
use crate::domain::cuts::{Grain, Period};
use crate::domain::dimensions::Axis;
use crate::domain::filter::Filter;
use crate::domain::question::{Counting, Question, unsupported};

/// The level where none is asked for.
const LEVEL: f64 = 0.95;

/// The question of a request.
///
/// # Errors
/// INVALID_ARGUMENT: INVALID_FIELD where a rule is broken, UNSUPPORTED_QUERY where the catalogue does not have what is
/// asked for, INVALID_CONDITION where the filter does not compile.
pub fn question(request: &QueryMetricRequest) -> Result<Question, Fault> {
    let mut violations = rapport_api::check(request);
    let period = period("period", request.period.as_ref(), &mut violations);
    let compare_to = self::period("compare_to", request.compare_to.as_ref(), &mut violations);
    violations.check()?;
    let (metric, axes) = names(request)?;
    let filter = match request.filter.trim() {
        "" => None,
        _ => Some(Filter::compile(&request.filter).map_err(|errors| errors.fault("filter"))?),
    };
    let question = Question {
        metric,
        period,
        grain: grain(request.grain()),
        axes,
        filter,
        compare_to,
        level: if request.level == 0.0 { LEVEL } else { request.level },
        counting: counting(request.counting()),
        latest_per_customer: request.latest_per_customer,
    };
    question.check()?;
    Ok(question)
}

fn names(request: &QueryMetricRequest) -> Result<(Metric, Vec<Axis>), Fault> {
    let mut violations = Violations::new();
    let metric = Metric::parse(&request.metric);
    if metric.is_none() {
        let text = "there is no such metric: ListMetrics lists those there are";
        violations.add("metric", "query.metric", text);
    }
    let mut axes = Vec::new();
    for (place, name) in request.group_by.iter().enumerate() {
        match Axis::parse(name) {
            Some(axis) => axes.push(axis),
            None => {
                let text =
                    "there is no such dimension: ListMetrics lists those there are, and trait.<name> names a trait";
                violations.add(format!("group_by[{place}]"), "query.dimension", text);
            }
        }
    }
    unsupported(violations)?;
    let metric = metric.ok_or_else(|| Fault::internal("a metric that is not there is a violation"))?;
    Ok((metric, axes))
}

fn period(field: &'static str, period: Option<&proto::Period>, violations: &mut Violations) -> Option<Period> {
    let period = period?;
    // Absent or out of range: the contract's rules have noted that.
    let start = instant(period.start_time.as_ref()?).ok()?;
    let end = instant(period.end_time.as_ref()?).ok()?;
    if start >= end {
        violations.add(format!("{field}.end_time"), "period.order", "must be after start_time");
    }
    Some(Period { start, end })
}

const fn grain(grain: proto::Grain) -> Option<Grain> {
    match grain {
        proto::Grain::Unspecified => None,
        proto::Grain::Hour => Some(Grain::Hour),
        proto::Grain::Day => Some(Grain::Day),
        proto::Grain::Week => Some(Grain::Week),
        proto::Grain::Month => Some(Grain::Month),
    }
}

const fn counting(counting: proto::Counting) -> Option<Counting> {
    match counting {
        proto::Counting::Unspecified => None,
        proto::Counting::Purchases => Some(Counting::Purchases),
        proto::Counting::PurchaseDays => Some(Counting::PurchaseDays),
    }
}
