//! The law of metrics: whatever came late, twice, out of order, or was edited, deleted, merged, split or erased since,
//! every figure is what brute force finds over the facts that stand.

use rapport_api::convert::timestamp;
use rapport_api::events::v1::Event;
use rapport_api::metrics::v1::{Counting, Grain, Period, QueryMetricRequest, QueryMetricResponse, Transfers};

use rapport_harness::{Statements, scans};

use crate::brute::{Fact, Point, Truth};
use crate::history::{Teller, shuffled};
use crate::house::{BOTH, House, On, at};

type Admits = fn(&Fact) -> bool;

/// Filters as the API takes them and as Rust says them.
const FILTERS: [(&str, Admits); 5] = [
    ("", |_| true),
    ("channel == 'web'", |fact| fact.dimensions["channel"] == "web"),
    ("trait.city != 'Cluj' && channel != ''", |fact| {
        fact.dimensions.get("trait.city").is_none_or(|city| city != "Cluj") && !fact.dimensions["channel"].is_empty()
    }),
    ("party != 'lead'", |fact| fact.dimensions["party"] != "lead"),
    ("channel == 'nowhere'", |_| false),
];

/// Each metric with groups to ask it by.
const GROUPS: [(&str, &[&[&str]]); 34] = [
    ("interactions", &[&[], &["channel"], &["type", "trait.city"], &["product", "party", "stage"]]),
    ("revenue", &[&[], &["product"], &["trait.city"]]),
    ("customers", &[&[], &["channel"], &["trait.city", "type"]]),
    ("repeat_customer_share", &[&[], &["product"], &["trait.city"]]),
    ("channel_share", &[&[], &["trait.city", "channel"]]),
    ("nps", &[&[], &["survey"], &["party"], &["channel", "trait.city"]]),
    ("tnps", &[&[], &["agent"]]),
    ("csat_top_box", &[&[], &["team", "language"]]),
    ("csat_mean", &[&[], &["trait.city"]]),
    ("ces_share", &[&[], &["campaign"]]),
    ("ces_mean", &[&["channel"]]),
    ("csi", &[&[], &["channel"]]),
    ("statement_agreement", &[&[], &["stage"], &["statement"]]),
    ("fcr_asked", &[&[], &["agent"]]),
    ("expectation_gap", &[&[], &["channel"]]),
    ("sentiment_index", &[&[], &["type", "language"], &["topic"]]),
    ("emotion_share", &[&[], &["topic"]]),
    ("negative_feedback_share", &[&[], &["type"], &["topic", "channel"]]),
    ("complaint_rate", &[&[], &["topic", "priority"]]),
    ("contact_rate", &[&[], &["channel"]]),
    ("containment_rate", &[&[], &["channel"]]),
    ("answer_completeness", &[&[], &["team"]]),
    ("unanswered_share", &[&["agent"]]),
    ("fcr_operational", &[&[], &["channel"], &["trait.city"]]),
    ("fcr_ticket", &[&[], &["type"]]),
    ("reopen_rate", &[&[], &["team"]]),
    ("first_response_time", &[&[], &["agent"]]),
    ("resolution_time", &[&[], &["channel"]]),
    ("sla_met", &[&[], &["target"]]),
    ("loop_closed_rate", &[&[], &["type"]]),
    ("time_to_close", &[&[], &["agent"]]),
    ("response_rate", &[&[], &["survey"]]),
    ("promise_kept_rate", &[&[], &["team"]]),
    ("mention_reply_time", &[&[], &["type"]]),
];

fn questions() -> Vec<(QueryMetricRequest, Admits)> {
    let whole = Some(period("2023-12-01T00:00:00Z", "2024-03-01T00:00:00Z"));
    let ragged = Some(period("2023-12-17T05:30:00.000001Z", "2024-01-29T11:29:59.999999Z"));
    let hour = Some(period("2023-12-31T23:10:00Z", "2023-12-31T23:59:00Z"));
    let cuts = [
        (None, Grain::Unspecified),
        (ragged, Grain::Unspecified),
        (hour, Grain::Hour),
        (whole, Grain::Hour),
        (ragged, Grain::Day),
        (ragged, Grain::Week),
        (whole, Grain::Month),
    ];
    let mut questions = Vec::new();
    for (metric, groups) in GROUPS {
        for group_by in groups {
            for (place, (period, grain)) in cuts.iter().enumerate() {
                let (filter, admits) = FILTERS[(place + group_by.len()) % FILTERS.len()];
                let plain = QueryMetricRequest {
                    metric: metric.to_owned(),
                    period: *period,
                    grain: (*grain).into(),
                    group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
                    filter: filter.to_owned(),
                    at: Some(timestamp(at("2024-02-01T12:00:00Z"))),
                    ..QueryMetricRequest::default()
                };
                if ["fcr_operational", "fcr_ticket"].contains(&metric) {
                    let days = |days: i64| Some(prost_types::Duration { seconds: days * 86_400, nanos: 0 });
                    let allowed = Transfers::Allow.into();
                    questions
                        .push((QueryMetricRequest { transfers: allowed, window: days(2), ..plain.clone() }, admits));
                    let left_out = Transfers::LeaveOut.into();
                    questions.push((QueryMetricRequest { transfers: left_out, ..plain.clone() }, admits));
                }
                if metric == "repeat_customer_share" {
                    questions
                        .push((QueryMetricRequest { counting: Counting::Purchases.into(), ..plain.clone() }, admits));
                }
                if ["nps", "csi", "statement_agreement"].contains(&metric) {
                    questions.push((QueryMetricRequest { latest_per_customer: true, ..plain.clone() }, admits));
                }
                questions.push((plain, admits));
            }
        }
    }
    questions
}

fn period(start: &str, end: &str) -> Period {
    Period { start_time: Some(timestamp(at(start))), end_time: Some(timestamp(at(end))) }
}

fn points(answer: QueryMetricResponse) -> Vec<Point> {
    let point = |point: rapport_api::metrics::v1::MetricPoint| {
        assert!(!point.suppressed, "nothing is small at a threshold of one");
        assert!(point.interval.is_none() || point.method != "census");
        let is_defined = point.value.is_some() && point.method != "census";
        assert!(point.interval.is_some() || point.n < 6 || !is_defined);
        Point {
            group: point.group,
            start: point.start_time.map(|at| at.seconds),
            series: point.series,
            value: point.value,
            n: point.n,
            immature: point.immature,
            coverage: point.coverage,
            distribution: point.distribution,
        }
    };
    answer.points.into_iter().map(point).collect()
}

/// Whether every figure is what brute force finds. Facts that come after their subject's erasure are not counted as erased:
/// where events came in `any_order`, there may be fewer of those.
///
/// There are some eight hundred questions: each time a third of them is asked, the first or one after it.
async fn holds(house: &House, events: &[Event], (any_order, first): (bool, usize), when: &str) {
    let truth = Truth::of(events);
    for (query, admits) in questions().into_iter().skip(first % 3).step_by(3) {
        let expected = truth.points(&query, &admits);
        let what = format!(
            "{when}: {} by {:?}, grain {}, filter {:?}, counting {}, latest {}, transfers {}, period {:?}",
            query.metric,
            query.group_by,
            query.grain,
            query.filter,
            query.counting,
            query.latest_per_customer,
            query.transfers,
            query.period.map(|period| (period.start_time, period.end_time)),
        );
        let answer = house.ask(query).await;
        let as_many = answer.erased_facts == truth.erased_facts;
        assert!(as_many || (any_order && answer.erased_facts < truth.erased_facts), "{what}");
        assert_eq!(points(answer), expected, "{what}");
    }
}

async fn a_history(on: On, seed: u64) {
    let house = House::new(on, 1).await;
    let mut teller = Teller::new(house.tenant, seed, 14);
    for _ in 0..320 {
        teller.something();
    }
    let third = usize::try_from(seed % 3).expect("small");
    let when = format!("{on:?}, seed {seed}");
    let profiles = shuffled(&teller.profiles.clone(), &mut teller.random);
    let feedback = shuffled(&teller.feedback.clone(), &mut teller.random);
    // In two halves, so that what is asked between is a history of its own.
    let (early, late) = profiles.split_at(profiles.len() / 2);
    house.deliver("profiles", early).await;
    holds(&house, early, (true, third + 1), &format!("{when}, half way")).await;
    tokio::join!(house.deliver("feedback", &feedback), house.deliver("profiles", late));
    let all: Vec<Event> = profiles.iter().chain(&feedback).cloned().collect();
    holds(&house, &all, (true, third), &when).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_equal_brute_force_over_the_facts_that_stand_on_sqlite() {
    for seed in 0..4 {
        a_history(On::Sqlite, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_equal_brute_force_over_the_facts_that_stand_on_postgres() {
    for seed in 10..13 {
        a_history(On::Postgres, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_and_its_split_leave_every_figure_as_it_was() {
    for on in BOTH {
        let house = House::new(on, 1).await;
        let mut teller = Teller::new(house.tenant, 77, 8);
        for _ in 0..120 {
            teller.something();
        }
        house.deliver("feedback", &teller.feedback).await;
        house.deliver("profiles", &teller.profiles).await;
        let all = |teller: &Teller| [teller.profiles.clone(), teller.feedback.clone()].concat();
        holds(&house, &all(&teller), (false, 0), "before").await;
        let (one, two) = (teller.subjects[0], teller.subjects[1]);
        for (subject, customer) in [(one, one), (two, one)] {
            let told = teller.profiles.len();
            teller.link(subject, customer);
            house.deliver("profiles", &teller.profiles[told..]).await;
        }
        holds(&house, &all(&teller), (false, 1), "merged").await;
        let told = teller.profiles.len();
        teller.link(two, two);
        house.deliver("profiles", &teller.profiles[told..]).await;
        holds(&house, &all(&teller), (false, 2), "split").await;
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_by_call_does_what_the_event_does_and_only_once() {
    for on in BOTH {
        let house = House::new(on, 1).await;
        let mut teller = Teller::new(house.tenant, 5, 6);
        for _ in 0..100 {
            teller.something();
        }
        house.deliver("feedback", &teller.feedback).await;
        house.deliver("profiles", &teller.profiles).await;
        let subject = teller.living();
        let first = house.erase(&[subject]).await;
        assert!(first.deleted_rows > 0 && first.bus_clear);
        assert_eq!(house.erase(&[subject]).await.deleted_rows, 0);
        // What was published before comes again, and late; then the event that tells of the erasure itself.
        teller.erase(subject);
        let all = [teller.profiles.clone(), teller.feedback.clone()].concat();
        holds(&house, &all, (false, 0), "erased by call").await;
        let again = shuffled(&teller.profiles.clone(), &mut teller.random);
        house.deliver("profiles", &again).await;
        house.deliver("feedback", &teller.feedback).await;
        holds(&house, &all, (false, 1), "told again").await;
        house.close().await;
    }
}

#[tokio::test]
async fn an_erasure_reads_no_whole_table() {
    let house = House::new(On::Sqlite, 1).await;
    let mut teller = Teller::new(house.tenant, 5, 6);
    for _ in 0..50 {
        teller.something();
    }
    house.deliver("profiles", &teller.profiles).await;
    let said = Statements::listen();
    assert!(house.erase(&[teller.living()]).await.deleted_rows > 0);
    let said = said.take();
    let small = ["relay", "lease", "known_tenant", "outbox_pending", "batch", "numbered", "oldest", "json_each"];
    let found = scans(&house.folder.path().join("metrics.db"), &said, &small).await;
    assert!(found.is_empty(), "{found:#?}");
}
