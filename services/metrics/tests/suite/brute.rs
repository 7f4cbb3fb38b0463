//! Brute force: every figure counted anew from the events, one fact after another, by nothing that metrics is made of.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};
use rapport_api::events::v1::Event;
use rapport_api::events::v1::event::Payload;
use rapport_api::metrics::v1::{Counting, Grain, QueryMetricRequest};

/// A fact that stands.
#[derive(Clone)]
pub struct Fact {
    pub id: String,
    pub customer: String,
    pub at: DateTime<Utc>,
    pub dimensions: BTreeMap<String, String>,
    pub score: Option<i32>,
    /// Currency and millionths.
    pub value: Option<(String, i128)>,
}

/// What stands after a history.
pub struct Truth {
    pub interactions: Vec<Fact>,
    pub responses: Vec<Fact>,
    pub erased_facts: i64,
}

/// One point, as far as it can be counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub group: BTreeMap<String, String>,
    pub start: Option<i64>,
    pub currency: String,
    pub value: Option<f64>,
    pub n: i64,
    pub distribution: Vec<i64>,
}

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
        let mut truth = Self { interactions: Vec::new(), responses: Vec::new(), erased_facts: 0 };
        for event in newest.values() {
            let (deleted, fact) = match event.payload.as_ref() {
                Some(Payload::InteractionChanged(changed)) => (changed.deleted, interaction(event)),
                Some(Payload::ResponseChanged(changed)) => (changed.deleted, response(event)),
                _ => continue,
            };
            if deleted {
                continue;
            }
            if erased.contains(event.subject_id.as_str()) {
                truth.erased_facts += 1;
                continue;
            }
            let fact = Fact { customer: customer(&event.subject_id), ..fact };
            if fact.score.is_some() { truth.responses.push(fact) } else { truth.interactions.push(fact) }
        }
        truth
    }

    /// The points of a question whose filter is `admits`.
    pub fn points(&self, query: &QueryMetricRequest, admits: &dyn Fn(&Fact) -> bool) -> Vec<Point> {
        let facts = if query.metric == "nps" { &self.responses } else { &self.interactions };
        let mut groups: BTreeMap<(Vec<String>, Option<i64>), Vec<&Fact>> = BTreeMap::new();
        for fact in facts.iter().filter(|fact| admits(fact) && within(query, fact.at)) {
            let values = query.group_by.iter().map(|name| fact.dimensions.get(name).cloned().unwrap_or_default());
            groups.entry((values.collect(), start(query.grain(), fact.at))).or_default().push(fact);
        }
        let mut points = Vec::new();
        for ((values, start), facts) in groups {
            let group: BTreeMap<_, _> = query.group_by.iter().cloned().zip(values).collect();
            points.extend(figures(query, &facts).into_iter().map(|point| Point {
                group: group.clone(),
                start,
                ..point
            }));
        }
        let counts = ["interactions", "customers"].contains(&query.metric.as_str());
        let whole = query.group_by.is_empty() && query.grain() == Grain::Unspecified && query.filter.is_empty();
        if points.is_empty() && counts && whole {
            points.extend(figures(query, &[]));
        }
        points
    }
}

fn figures(query: &QueryMetricRequest, facts: &[&Fact]) -> Vec<Point> {
    let point = |value: Option<f64>, n: usize| Point {
        group: BTreeMap::new(),
        start: None,
        currency: String::new(),
        value,
        n: n as i64,
        distribution: Vec::new(),
    };
    let customers: BTreeSet<&str> = facts.iter().map(|fact| fact.customer.as_str()).collect();
    match query.metric.as_str() {
        "interactions" => vec![point(Some(facts.len() as f64), facts.len())],
        "customers" => vec![point(Some(customers.len() as f64), customers.len())],
        "revenue" => {
            let mut sums: BTreeMap<&str, (i128, usize)> = BTreeMap::new();
            for (currency, micros) in facts.iter().filter_map(|fact| fact.value.as_ref()) {
                let sum = sums.entry(currency).or_default();
                *sum = (sum.0 + micros, sum.1 + 1);
            }
            let sum = |(currency, (micros, n)): (&str, (i128, usize))| Point {
                currency: currency.to_owned(),
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
        "nps" => {
            let mut counted: Vec<&Fact> = facts.to_vec();
            if query.latest_per_customer {
                let latest = |customer: &&str| {
                    let theirs = facts.iter().filter(|fact| fact.customer == **customer);
                    *theirs.max_by_key(|fact| (fact.at, fact.id.clone())).expect("a customer of a fact")
                };
                counted = customers.iter().map(latest).collect();
            }
            let mut distribution = vec![0; 11];
            for fact in &counted {
                distribution[fact.score.expect("a response") as usize] += 1;
            }
            let promoters = counted.iter().filter(|fact| fact.score >= Some(9)).count() as f64;
            let detractors = counted.iter().filter(|fact| fact.score <= Some(6)).count() as f64;
            let score = 100.0 * (promoters - detractors) / counted.len() as f64;
            vec![Point { distribution, ..point(Some(score), counted.len()) }]
        }
        other => panic!("no such metric: {other}"),
    }
}

fn within(query: &QueryMetricRequest, at: DateTime<Utc>) -> bool {
    let time = |at: &prost_types::Timestamp| DateTime::from_timestamp(at.seconds, at.nanos as u32).expect("a time");
    query.period.as_ref().is_none_or(|period| {
        let (start, end) = (period.start_time.as_ref().expect("set"), period.end_time.as_ref().expect("set"));
        time(start) <= at && at < time(end)
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

fn interaction(event: &Event) -> Fact {
    let Some(Payload::InteractionChanged(changed)) = &event.payload else { panic!("an interaction") };
    let party = party(changed.party);
    let value = changed.value.as_ref().map(|money| {
        (money.currency_code.clone(), i128::from(money.units) * 1_000_000 + i128::from(money.nanos) / 1_000)
    });
    let named = [
        ("type", changed.r#type.as_str()),
        ("channel", &changed.channel),
        ("stage", &changed.stage),
        ("product", &changed.product),
        ("party", party),
    ];
    fact(event, &named, &changed.dimensions, None, value)
}

const fn party(number: i32) -> &'static str {
    match number {
        2 => "lead",
        4 => "employee",
        _ => "customer",
    }
}

fn response(event: &Event) -> Fact {
    let Some(Payload::ResponseChanged(changed)) = &event.payload else { panic!("a response") };
    let party = party(changed.party);
    let named = [("survey", changed.survey_id.as_str()), ("channel", &changed.channel), ("party", party)];
    fact(event, &named, &changed.dimensions, changed.score, None)
}

fn fact(
    event: &Event,
    named: &[(&str, &str)],
    traits: &BTreeMap<String, String>,
    score: Option<i32>,
    value: Option<(String, i128)>,
) -> Fact {
    let at = event.occurred_at.as_ref().expect("set");
    let mut dimensions: BTreeMap<String, String> =
        named.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    dimensions.extend(traits.iter().map(|(name, value)| (format!("trait.{name}"), value.clone())));
    Fact {
        id: event.aggregate_id.clone(),
        customer: String::new(),
        at: DateTime::from_timestamp(at.seconds, at.nanos as u32).expect("a time"),
        dimensions,
        score,
        value,
    }
}
