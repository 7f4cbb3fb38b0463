//! Brute force: every figure counted anew from the events, one fact after another, by nothing that metrics is made of.

mod feedback;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};
use rapport_api::events::v1::Event;
use rapport_api::events::v1::event::Payload;
use rapport_api::metrics::v1::{Counting, Grain, QueryMetricRequest};

/// Something that counts.
#[derive(Clone, Debug)]
pub struct Fact {
    pub id: String,
    /// Its place among the facts of its record.
    pub line: usize,
    pub customer: String,
    pub at: DateTime<Utc>,
    pub dimensions: BTreeMap<String, String>,
    pub series: String,
    pub said: Said,
}

/// What it says.
#[derive(Clone, Debug)]
pub enum Said {
    /// That it happened; an interaction's value in millionths.
    Happened(i128),
    /// An answer, whether it is a top box, and its weight.
    Answer(i32, bool, f64),
    /// Yes or no.
    Yes(bool),
    /// So many seconds.
    Seconds(i64),
    /// Answers to items (question, answer, weight), and the respondent's weight.
    Items(Vec<(String, i32, f64)>, f64),
    /// A sentiment, and the emotions heard.
    Text(Option<f64>, BTreeSet<String>),
    /// How many were asked, and how many of them answered.
    Asked(i64, i64),
    /// An invitation: whether its delivery was told, whether it is known to have arrived, whether it was answered.
    Invited { told: bool, reached: bool, answered: bool },
    /// A contact on an issue, and whether its ticket was transferred.
    Contact(String, bool),
    /// A solution: further contacts, openings, and whether it was transferred.
    Solved(Vec<DateTime<Utc>>, Vec<DateTime<Utc>>, bool),
}

/// What stands after a history.
pub struct Truth {
    /// The newest event of each record that stands, with the customer whose it is.
    standing: Vec<(Event, String)>,
    pub erased_facts: i64,
}

/// One point, as far as it can be counted.
#[derive(Clone, Debug)]
pub struct Point {
    pub group: BTreeMap<String, String>,
    pub start: Option<i64>,
    pub series: String,
    pub value: Option<f64>,
    pub n: i64,
    pub immature: i64,
    pub coverage: Option<f64>,
    pub distribution: Vec<i64>,
}

impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        let near = |one: Option<f64>, two: Option<f64>| match (one, two) {
            (Some(one), Some(two)) => (one - two).abs() <= 1e-9 * one.abs().max(1.0),
            (one, two) => one.is_none() && two.is_none(),
        };
        (&self.group, self.start, &self.series, self.n, self.immature, &self.distribution)
            == (&other.group, other.start, &other.series, other.n, other.immature, &other.distribution)
            && near(self.value, other.value)
            && near(self.coverage, other.coverage)
    }
}

/// All that are made from interactions alone.
const COMMERCE: [&str; 5] = ["interactions", "revenue", "customers", "repeat_customer_share", "channel_share"];

impl Truth {
    pub fn of(events: &[Event]) -> Self {
        let mut newest: BTreeMap<(&str, &str), &Event> = BTreeMap::new();
        let mut erased = BTreeSet::new();
        for event in events {
            if matches!(event.payload, Some(Payload::SubjectErased(_))) {
                erased.insert(event.subject_id.as_str());
            }
            let held = newest.entry((&event.aggregate_type, &event.aggregate_id)).or_insert(event);
            if held.revision < event.revision {
                *held = event;
            }
        }
        let customer = |subject: &str| match newest.get(&("link", subject)).and_then(|event| event.payload.as_ref()) {
            Some(Payload::SubjectLinked(linked)) => linked.to_customer_id.clone(),
            _ => subject.to_owned(),
        };
        let mut truth = Self { standing: Vec::new(), erased_facts: 0 };
        for event in newest.values() {
            if !erased.contains(event.subject_id.as_str()) {
                truth.standing.push(((*event).clone(), customer(&event.subject_id)));
            } else if feedback::METRICS.iter().any(|metric| !facts(metric, event, "", false).is_empty())
                || !facts("interactions", event, "", false).is_empty()
            {
                truth.erased_facts += 1;
            }
        }
        truth
    }

    fn facts(&self, metric: &str, by_topic: bool) -> Vec<Fact> {
        self.standing.iter().flat_map(|(event, customer)| facts(metric, event, customer, by_topic)).collect()
    }

    /// The points of a question whose filter is `admits`.
    pub fn points(&self, query: &QueryMetricRequest, admits: &dyn Fn(&Fact) -> bool) -> Vec<Point> {
        let metric = query.metric.as_str();
        let by_topic = query.group_by.iter().any(|name| name == "topic");
        let mut axes = query.group_by.clone();
        if metric == "channel_share" && !axes.contains(&"channel".to_owned()) {
            axes.push("channel".to_owned());
        }
        let place = |fact: &Fact| {
            let values = axes.iter().map(|name| fact.dimensions.get(name).cloned().unwrap_or_default());
            (values.collect::<Vec<_>>(), start(query.grain(), fact.at))
        };
        // What feedback tells of is nobody's who works for the company, but where the party is asked for.
        let all = COMMERCE.contains(&metric)
            || query.group_by.iter().any(|name| name == "party")
            || query.filter.contains("party");
        let theirs = |fact: &Fact| all || fact.dimensions.get("party").is_none_or(|party| party != "employee");
        let counts =
            |facts: Vec<Fact>| facts.into_iter().filter(|fact| admits(fact) && theirs(fact) && within(query, fact.at));
        let mut groups: BTreeMap<(Vec<String>, Option<i64>), Vec<Fact>> = BTreeMap::new();
        for fact in counts(self.facts(metric, by_topic)) {
            groups.entry(place(&fact)).or_default().push(fact);
        }
        if metric == "contact_rate" {
            for fact in counts(self.facts("interactions", false)) {
                groups.entry(place(&fact)).or_default().push(fact);
            }
        }
        let everything = self.facts(metric, by_topic);
        let mut points = Vec::new();
        for (place, facts) in &groups {
            let group: BTreeMap<_, _> = axes.iter().cloned().zip(place.0.iter().cloned()).collect();
            let found = if metric == "channel_share" {
                let at = axes.iter().position(|axis| axis == "channel").expect("grouped by it");
                let beside = |other: &(Vec<String>, Option<i64>)| {
                    other.1 == place.1 && (0..axes.len()).all(|axis| axis == at || other.0[axis] == place.0[axis])
                };
                let whole: usize = groups.iter().filter(|(other, _)| beside(other)).map(|(_, facts)| facts.len()).sum();
                vec![point(Some(facts.len() as f64 / whole as f64), whole)]
            } else {
                let facts: Vec<&Fact> = facts.iter().collect();
                figures(query, &facts, &everything)
            };
            points.extend(found.into_iter().map(|point| Point { group: group.clone(), start: place.1, ..point }));
        }
        let counts = ["interactions", "customers"].contains(&metric);
        let whole = query.group_by.is_empty() && query.grain() == Grain::Unspecified && query.filter.is_empty();
        if points.is_empty() && counts && whole {
            points.extend(figures(query, &[], &[]));
        }
        points
    }
}

fn point(value: Option<f64>, n: usize) -> Point {
    Point {
        group: BTreeMap::new(),
        start: None,
        series: String::new(),
        value,
        n: n as i64,
        immature: 0,
        coverage: None,
        distribution: Vec::new(),
    }
}

fn figures(query: &QueryMetricRequest, facts: &[&Fact], everything: &[Fact]) -> Vec<Point> {
    let customers: BTreeSet<&str> = facts.iter().map(|fact| fact.customer.as_str()).collect();
    let value = |fact: &Fact| match fact.said {
        Said::Happened(micros) => micros,
        _ => panic!("an interaction"),
    };
    match query.metric.as_str() {
        "interactions" => vec![point(Some(facts.len() as f64), facts.len())],
        "customers" => vec![point(Some(customers.len() as f64), customers.len())],
        "revenue" => {
            let mut sums: BTreeMap<&str, (i128, usize)> = BTreeMap::new();
            for fact in facts.iter().filter(|fact| !fact.series.is_empty()) {
                let sum = sums.entry(&fact.series).or_default();
                *sum = (sum.0 + value(fact), sum.1 + 1);
            }
            let sum = |(currency, (micros, n)): (&str, (i128, usize))| Point {
                series: currency.to_owned(),
                ..point(Some(micros as f64 / 1e6), n)
            };
            sums.into_iter().map(sum).collect()
        }
        "repeat_customer_share" => {
            let bought = |fact: &&&Fact| fact.dimensions["type"] == "purchase";
            let mut buyers: BTreeMap<&str, Vec<NaiveDate>> = BTreeMap::new();
            for fact in facts.iter().filter(bought) {
                buyers.entry(&fact.customer).or_default().push(fact.at.date_naive());
            }
            let times = |days: &Vec<NaiveDate>| match query.counting() {
                Counting::Purchases => days.len(),
                Counting::PurchaseDays | Counting::Unspecified => days.iter().collect::<BTreeSet<_>>().len(),
            };
            let came_back = buyers.values().filter(|days| times(days) >= 2).count();
            let share = (!buyers.is_empty()).then(|| came_back as f64 / buyers.len() as f64);
            share.map(|share| point(Some(share), buyers.len())).into_iter().collect()
        }
        _ => feedback::figures(query, facts, everything),
    }
}

/// What an event contributes to a metric, in order.
fn facts(metric: &str, event: &Event, customer: &str, by_topic: bool) -> Vec<Fact> {
    let found = match metric {
        _ if COMMERCE.contains(&metric) => interaction(event),
        _ => feedback::facts(metric, event, by_topic),
    };
    let numbered = found.into_iter().enumerate();
    numbered.map(|(line, fact)| Fact { line, customer: customer.to_owned(), ..fact }).collect()
}

fn interaction(event: &Event) -> Vec<Fact> {
    let Some(Payload::InteractionChanged(changed)) = &event.payload else { return Vec::new() };
    if changed.deleted {
        return Vec::new();
    }
    let (series, micros) = changed.value.as_ref().map_or((String::new(), 0), |money| {
        (money.currency_code.clone(), i128::from(money.units) * 1_000_000 + i128::from(money.nanos) / 1_000)
    });
    let named = [
        ("type", changed.r#type.as_str()),
        ("channel", &changed.channel),
        ("stage", &changed.stage),
        ("product", &changed.product),
        ("party", party(changed.party)),
    ];
    vec![Fact { series, ..fact(event, &named, &changed.dimensions, Said::Happened(micros)) }]
}

const fn party(number: i32) -> &'static str {
    match number {
        2 => "lead",
        4 => "employee",
        _ => "customer",
    }
}

fn fact(event: &Event, named: &[(&str, &str)], traits: &BTreeMap<String, String>, said: Said) -> Fact {
    let mut dimensions: BTreeMap<String, String> =
        named.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    dimensions.extend(traits.iter().map(|(name, value)| (format!("trait.{name}"), value.clone())));
    Fact {
        id: event.aggregate_id.clone(),
        line: 0,
        customer: String::new(),
        at: instant(event.occurred_at.as_ref().expect("set")),
        dimensions,
        series: String::new(),
        said,
    }
}

fn instant(at: &prost_types::Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(at.seconds, at.nanos as u32).expect("a time")
}

fn within(query: &QueryMetricRequest, at: DateTime<Utc>) -> bool {
    query.period.as_ref().is_none_or(|period| {
        let (start, end) = (period.start_time.as_ref().expect("set"), period.end_time.as_ref().expect("set"));
        instant(start) <= at && at < instant(end)
    })
}

fn start(grain: Grain, at: DateTime<Utc>) -> Option<i64> {
    let day = at.date_naive();
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).expect("midnight").and_utc();
    let start = match grain {
        Grain::Unspecified => return None,
        Grain::Hour => midnight(day) + TimeDelta::hours(i64::from(at.hour())),
        Grain::Day => midnight(day),
        Grain::Week => midnight(day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()))),
        Grain::Month => midnight(day.with_day(1).expect("the first")),
    };
    Some(start.timestamp())
}
