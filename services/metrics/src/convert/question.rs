//! From the contract's question to the domain's: every broken rule is gathered, then what the catalogue lacks.

use prost::Message as _;
use rapport_api::convert::instant;
use rapport_api::metrics::v1::{self as proto, ListFactsRequest, QueryMetricRequest};
use rapport_kernel::page_size;
use rapport_kernel::{Fault, Timestamp, Violations};

use crate::domain::catalogue::Metric;
use crate::domain::cuts::{Grain, Period};
use crate::domain::dimensions::{Axis, Dimension};
use crate::domain::filter::Filter;
use crate::domain::question::{Counting, Question, unsupported};
use crate::domain::reckoning::{Reckoning, Transfers};

/// The level where none is asked for.
const LEVEL: f64 = 0.95;

/// The question of a request that came in `now`.
///
/// # Errors
/// INVALID_ARGUMENT: INVALID_FIELD where a rule is broken, UNSUPPORTED_QUERY where the catalogue does not have what is
/// asked for, INVALID_CONDITION where the filter does not compile.
pub fn question(request: &QueryMetricRequest, now: Timestamp) -> Result<Question, Fault> {
    let mut violations = rapport_api::check(request);
    let period = period("period", request.period.as_ref(), &mut violations);
    let compare_to = self::period("compare_to", request.compare_to.as_ref(), &mut violations);
    let at = at(request.at.as_ref(), &mut violations);
    violations.check()?;
    let names: Vec<(String, &str)> = request
        .group_by
        .iter()
        .enumerate()
        .map(|(place, name)| (format!("group_by[{place}]"), name.as_str()))
        .collect();
    let (metric, axes) = self::names(&request.metric, &names)?;
    let question = Question {
        metric,
        period,
        grain: grain(request.grain()),
        axes,
        filter: filter(&request.filter)?,
        compare_to,
        compare_to_group: request.compare_to_group.clone(),
        level: if request.level == 0.0 { LEVEL } else { request.level },
        counting: counting(request.counting()),
        latest_per_customer: request.latest_per_customer,
        window: request.window.as_ref().map(micros),
        transfers: transfers(request.transfers()),
        at: at.unwrap_or(now),
    };
    question.check()?;
    Ok(question)
}

/// Which facts are asked for.
pub struct Listing {
    /// The question whose point they are behind.
    pub question: Question,
    /// The point's values along its axes.
    pub group: Vec<String>,
    /// The point's series; `None`: all.
    pub series: Option<String>,
    /// How many a page holds.
    pub size: usize,
}

/// The facts behind a point that a request that came in `now` asks for.
///
/// # Errors
/// As [`question`].
pub fn listing(request: &ListFactsRequest, now: Timestamp) -> Result<Listing, Fault> {
    let mut violations = rapport_api::check(request);
    let period = period("period", request.period.as_ref(), &mut violations);
    let at = at(request.at.as_ref(), &mut violations);
    violations.check()?;
    let size = page_size(request.page_size)?;
    let names: Vec<(String, &str)> = request.group.keys().map(|name| ("group".to_owned(), name.as_str())).collect();
    let (metric, axes) = self::names(&request.metric, &names)?;
    let question = Question {
        metric,
        period,
        grain: None,
        filter: filter(&request.filter)?,
        compare_to: None,
        compare_to_group: std::collections::BTreeMap::new(),
        level: LEVEL,
        counting: None,
        latest_per_customer: false,
        window: request.window.as_ref().map(micros),
        transfers: transfers(request.transfers()),
        at: at.unwrap_or(now),
        axes,
    };
    question.check()?;
    let value = |axis: &Axis| request.group.get(&axis.name()).cloned().unwrap_or_default();
    let group = question.axes.iter().map(value).collect();
    let series = (!request.series.is_empty() && metric.reckoning().by_series()).then(|| request.series.clone());
    Ok(Listing { question, group, series, size })
}

/// What page tokens of such a list are made for.
#[must_use]
pub fn list(request: &ListFactsRequest) -> String {
    let question = ListFactsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    format!("ListFacts/{:?}", question.encode_to_vec())
}

fn filter(source: &str) -> Result<Option<Filter>, Fault> {
    match source.trim() {
        "" => Ok(None),
        _ => Filter::compile(source).map(Some).map_err(|errors| errors.fault("filter")),
    }
}

fn at(at: Option<&prost_types::Timestamp>, violations: &mut Violations) -> Option<Timestamp> {
    let at = instant(at?).ok();
    if at.is_none() {
        violations.add("at", "timestamp.range", "must be between the years 1 and 9999");
    }
    at
}

/// The contract's rules keep it within a year.
fn micros(window: &prost_types::Duration) -> i64 {
    window.seconds.saturating_mul(1_000_000).saturating_add(i64::from(window.nanos / 1_000))
}

const fn transfers(transfers: proto::Transfers) -> Option<Transfers> {
    match transfers {
        proto::Transfers::Unspecified => None,
        proto::Transfers::Fail => Some(Transfers::Fail),
        proto::Transfers::Allow => Some(Transfers::Allow),
        proto::Transfers::LeaveOut => Some(Transfers::LeaveOut),
    }
}

/// The metric, and the axes of names with the fields they stand in. Shares of channels are grouped by channel whether that
/// is said or not.
fn names(metric: &str, names: &[(String, &str)]) -> Result<(Metric, Vec<Axis>), Fault> {
    let mut violations = Violations::new();
    let metric = Metric::parse(metric);
    if metric.is_none() {
        let text = "there is no such metric: ListMetrics lists those there are";
        violations.add("metric", "query.metric", text);
    }
    let mut axes = Vec::new();
    for (field, name) in names {
        match Axis::parse(name) {
            Some(axis) => axes.push(axis),
            None => {
                let text =
                    "there is no such dimension: ListMetrics lists those there are, and trait.<name> names a trait";
                violations.add(field.clone(), "query.dimension", text);
            }
        }
    }
    unsupported(violations)?;
    let metric = metric.ok_or_else(|| Fault::internal("a metric that is not there is a violation"))?;
    let channel = Axis::Dimension(Dimension::Channel);
    if metric.reckoning() == Reckoning::Channels && !axes.contains(&channel) {
        axes.push(channel);
    }
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
