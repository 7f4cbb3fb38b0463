//! What answers say: values, intervals, comparisons, suppression, the catalogue.

use std::collections::BTreeMap;

use rapport_api::convert::{money, timestamp};
use rapport_api::events::v1::{InteractionChanged, ResponseChanged};
use rapport_api::metrics::v1::{ListMetricsRequest, MetricPoint, Period, QueryMetricRequest};
use rapport_kernel::{Money, SubjectId, TenantId};
use uuid::Uuid;

use crate::history::{Teller, answer};
use crate::house::{BOTH, House, On, at};

const JANUARY: (&str, &str) = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
const FEBRUARY: (&str, &str) = ("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");

fn period((start, end): (&str, &str)) -> Option<Period> {
    Some(Period { start_time: Some(timestamp(at(start))), end_time: Some(timestamp(at(end))) })
}

fn query(metric: &str) -> QueryMetricRequest {
    QueryMetricRequest { metric: metric.to_owned(), ..QueryMetricRequest::default() }
}

fn by(metric: &str, group_by: &[&str]) -> QueryMetricRequest {
    QueryMetricRequest { group_by: group_by.iter().map(|&name| name.to_owned()).collect(), ..query(metric) }
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

/// Tells of `count` answers on a day.
fn answered(teller: &mut Teller, count: usize, score: i32, channel: &str, day: &str) {
    for _ in 0..count {
        let subject = SubjectId::new();
        let content = ResponseChanged {
            survey_id: teller.surveys[0].clone(),
            kind: "nps".to_owned(),
            score: Some(score),
            measures: vec![answer("nps", score, (0, 10, false))],
            channel: channel.to_owned(),
            complete: true,
            ..ResponseChanged::default()
        };
        teller.changed_response(subject, Uuid::now_v7(), content);
        teller.feedback.last_mut().expect("just told").occurred_at = Some(timestamp(at(day)));
    }
}

/// Tells of an interaction.
fn did(teller: &mut Teller, subject: SubjectId, content: InteractionChanged, day: &str) {
    teller.changed_interaction(subject, Uuid::now_v7(), content);
    teller.profiles.last_mut().expect("just told").occurred_at = Some(timestamp(at(day)));
}

fn purchase() -> InteractionChanged {
    InteractionChanged { r#type: "purchase".to_owned(), channel: "web".to_owned(), ..InteractionChanged::default() }
}

fn only(points: Vec<MetricPoint>) -> MetricPoint {
    let [point] = <[MetricPoint; 1]>::try_from(points).map_err(|points| points.len()).expect("one point");
    point
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_score_comes_with_its_interval_and_a_tested_comparison() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 1, 1);
        for (score, january, february) in [(10, 19, 10), (7, 8, 10), (2, 9, 20)] {
            answered(&mut teller, january, score, "web", "2024-01-10T10:00:00Z");
            answered(&mut teller, february, score, "web", "2024-02-10T10:00:00Z");
        }
        house.deliver("feedback", &teller.feedback).await;
        let asked =
            QueryMetricRequest { period: period(JANUARY), compare_to: period(FEBRUARY), level: 0.9, ..query("nps") };
        let point = only(house.ask(asked).await.points);
        assert!(near(point.value.expect("a score"), 1_000.0 / 36.0));
        assert_eq!((point.n, point.distribution[10], point.method.as_str()), (36, 19, "adjusted_wald"));
        // The goldens of the statistics' own tests.
        let interval = point.interval.expect("an interval");
        assert!(near(interval.lower, 3.751_901_987_8) && near(interval.upper, 47.530_149_294_2));
        let comparison = point.comparison.expect("a comparison");
        assert!(near(comparison.p_value.expect("a test"), 0.007_539_940_022_171_614_6) && comparison.significant);
        assert!(near(comparison.baseline, -25.0) && near(comparison.difference, 1_000.0 / 36.0 + 25.0));
        assert_eq!((comparison.baseline_n, comparison.method.as_str()), (40, "z_adjusted_scores"));
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_comes_with_wilsons_interval_and_a_pooled_test() {
    let house = House::new(On::Sqlite, 5).await;
    let mut teller = Teller::new(house.tenant, 2, 1);
    for (month, buyers, came_back) in [("01", 20, 8), ("02", 25, 3)] {
        for buyer in 0..buyers {
            let subject = SubjectId::new();
            did(&mut teller, subject, purchase(), &format!("2024-{month}-03T10:00:00Z"));
            // Twice on one day is one day.
            did(&mut teller, subject, purchase(), &format!("2024-{month}-03T23:59:59.999999Z"));
            if buyer < came_back {
                did(&mut teller, subject, purchase(), &format!("2024-{month}-04T00:00:00Z"));
            }
        }
    }
    house.deliver("profiles", &teller.profiles).await;
    let asked =
        QueryMetricRequest { period: period(JANUARY), compare_to: period(FEBRUARY), ..query("repeat_customer_share") };
    let point = only(house.ask(asked).await.points);
    assert!(near(point.value.expect("a share"), 0.4) && point.n == 20);
    // statsmodels 0.15.0: proportion_confint(8, 20, 0.05, "wilson"), proportions_ztest([8, 3], [20, 25]).
    let interval = point.interval.expect("an interval");
    assert!(
        near(interval.lower, 0.218_806_532_372_817_05)
            && near(interval.upper, 0.613_418_499_237_746_9)
            && near(interval.level, 0.95)
    );
    let comparison = point.comparison.expect("a comparison");
    assert!(near(comparison.p_value.expect("a test"), 0.029_873_144_019_229_032) && comparison.significant);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_has_no_interval_and_no_test() {
    let house = House::new(On::Sqlite, 5).await;
    let mut teller = Teller::new(house.tenant, 3, 1);
    let someone = SubjectId::new();
    for day in ["2024-01-05T00:00:00Z", "2024-01-06T00:00:00Z", "2024-02-05T00:00:00Z"] {
        // The largest amount that the contract takes: three do not fit 64 bits of millionths.
        let value = money(Money { currency: "EUR".parse().expect("a currency"), micros: 9_000_000_000_000_000_000 });
        did(&mut teller, someone, InteractionChanged { value: Some(value), ..purchase() }, day);
    }
    house.deliver("profiles", &teller.profiles).await;
    let asked = QueryMetricRequest { period: period(JANUARY), compare_to: period(FEBRUARY), ..query("revenue") };
    let point = only(house.ask(asked).await.points);
    assert_eq!((point.value, point.n, point.currency.as_str()), (Some(18e12), 2, "EUR"));
    assert_eq!((point.method.as_str(), point.interval.is_none(), point.suppressed), ("census", true, false));
    let comparison = point.comparison.expect("a comparison");
    assert_eq!((comparison.difference, comparison.p_value, comparison.significant), (9e12, None, false));
    let all = only(house.ask(query("revenue")).await.points);
    assert_eq!(all.value, Some(27e12));
    assert_eq!(house.ask(query("nps")).await.points.len(), 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_groups_are_withheld_and_so_is_what_would_give_them_away() {
    let house = House::new(On::Sqlite, 5).await;
    let mut teller = Teller::new(house.tenant, 4, 1);
    for (channel, count) in [("email", 3), ("phone", 7), ("shop", 12), ("web", 10)] {
        answered(&mut teller, count, 9, channel, "2024-01-10T10:00:00Z");
    }
    for (city, count) in [("Cluj", 2), ("Iași", 6), ("Sibiu", 9)] {
        let dimensions = BTreeMap::from([("city".to_owned(), city.to_owned())]);
        for _ in 0..count {
            let content = InteractionChanged { dimensions: dimensions.clone(), ..purchase() };
            did(&mut teller, SubjectId::new(), content, "2024-01-10T10:00:00Z");
        }
    }
    house.deliver("feedback", &teller.feedback).await;
    house.deliver("profiles", &teller.profiles).await;
    let withheld = |points: &[MetricPoint]| points.iter().map(|point| point.suppressed).collect::<Vec<_>>();
    let scores = house.ask(by("nps", &["channel"])).await.points;
    assert_eq!(withheld(&scores), [true, true, false, false]);
    let hidden = &scores[0];
    assert_eq!((hidden.value, hidden.n, hidden.interval.is_none(), hidden.distribution.len()), (None, 0, true, 0));
    // Counts of everything tell of nobody, unless groups or filter do.
    assert_eq!(withheld(&house.ask(query("interactions")).await.points), [false]);
    assert_eq!(withheld(&house.ask(by("interactions", &["channel"])).await.points), [false]);
    assert_eq!(withheld(&house.ask(by("interactions", &["trait.city"])).await.points), [true, true, false]);
    let filtered = QueryMetricRequest { filter: "trait.city == 'Cluj'".to_owned(), ..query("interactions") };
    assert_eq!(withheld(&house.ask(filtered).await.points), [true]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_customer_did_is_told_by_no_group_and_by_no_filter_and_its_opposite() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 8, 1);
        let city = |name: &str| BTreeMap::from([("city".to_owned(), name.to_owned())]);
        let paid = |units: i64, channel: &str, of: &str| InteractionChanged {
            value: Some(money(Money { currency: "EUR".parse().expect("a currency"), micros: units * 1_000_000 })),
            channel: channel.to_owned(),
            dimensions: city(of),
            ..purchase()
        };
        for _ in 0..11 {
            did(&mut teller, SubjectId::new(), paid(1, "web", "Big"), "2024-01-10T10:00:00Z");
        }
        // One customer, by two records, with more purchases than the threshold.
        let (lone, too) = (SubjectId::new(), SubjectId::new());
        teller.link(too, lone);
        for subject in [lone, too, lone, too, lone, too] {
            did(&mut teller, subject, paid(100, "shop", "Hamlet"), "2024-01-10T10:00:00Z");
        }
        answered(&mut teller, 11, 9, "web", "2024-01-10T10:00:00Z");
        answered(&mut teller, 1, 2, "shop", "2024-01-10T10:00:00Z");
        house.deliver("profiles", &teller.profiles).await;
        house.deliver("feedback", &teller.feedback).await;
        for metric in ["revenue", "interactions", "customers", "nps"] {
            for axis in if metric == "nps" { &["channel"][..] } else { &["channel", "trait.city"] } {
                let points = house.ask(by(metric, &[axis])).await.points;
                assert!(points.len() == 2 && points.iter().all(|point| point.suppressed), "{metric} by {axis}");
            }
            for filter in ["channel == 'web'", "channel == 'shop'", "channel != 'shop'"] {
                let asked = QueryMetricRequest { filter: filter.to_owned(), ..query(metric) };
                let points = house.ask(asked).await.points;
                assert!(points.iter().all(|point| point.suppressed), "{metric} where {filter}");
            }
            // What leaves nobody out is answered.
            let asked = QueryMetricRequest { filter: "channel in ['web', 'shop']".to_owned(), ..query(metric) };
            assert!(!only(house.ask(asked).await.points).suppressed, "{metric}");
            assert!(!only(house.ask(query(metric)).await.points).suppressed, "{metric}");
        }
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenants_figures_hold_nothing_of_anothers() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 6, 1);
        did(&mut teller, SubjectId::new(), purchase(), "2024-01-10T10:00:00Z");
        house.deliver("profiles", &teller.profiles).await;
        assert_eq!(only(house.ask(query("interactions")).await.points).value, Some(1.0));
        let other = house.ask_as(TenantId::new(), query("interactions")).await.expect("an answer");
        let none = only(other.points);
        assert_eq!((none.value, none.n, none.suppressed), (Some(0.0), 0, false), "a count of nothing is a number");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_breaks_its_contract_holds_nothing_up() {
    let house = House::new(On::Sqlite, 5).await;
    let mut teller = Teller::new(house.tenant, 7, 1);
    answered(&mut teller, 3, 11, "web", "2024-01-10T10:00:00Z");
    answered(&mut teller, 6, 10, "web", "2024-01-10T10:00:00Z");
    teller.feedback.reverse();
    house.deliver("feedback", &teller.feedback).await;
    assert_eq!(only(house.ask(query("nps")).await.points).n, 6);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_describes_every_metric_in_four_languages() {
    let house = House::new(On::Sqlite, 5).await;
    let catalogue = house.client().list_metrics(ListMetricsRequest {}).await.expect("an answer").into_inner();
    let names: Vec<&str> = catalogue.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert!(names.is_sorted() && names.len() == 34, "{names:?}");
    assert!(["csi", "fcr_operational", "sentiment_index", "sla_met"].iter().all(|name| names.contains(name)));
    for metric in &catalogue.metrics {
        assert_eq!(metric.description.keys().collect::<Vec<_>>(), ["en", "fa", "ro", "ru"]);
        assert!(metric.dimensions.iter().all(|name| catalogue.dimensions.contains(name)));
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_s_own_threshold_counts_and_an_older_one_told_late_does_not() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 4, 1);
        for (channel, count) in [("shop", 3), ("web", 12)] {
            answered(&mut teller, count, 9, channel, "2024-01-10T10:00:00Z");
        }
        house.deliver("feedback", &teller.feedback).await;
        let withheld = async || {
            let points = house.ask(by("nps", &["channel"])).await.points;
            points.iter().map(|point| point.suppressed).collect::<Vec<_>>()
        };
        assert_eq!(withheld().await, [true, true], "as configured");
        house.set_threshold(2, 3).await;
        assert_eq!(withheld().await, [false, false]);
        house.set_threshold(1, 10).await;
        assert_eq!(withheld().await, [false, false], "what was set before");
        house.set_threshold(3, 0).await;
        assert_eq!(withheld().await, [true, true], "as configured again");
        house.close().await;
    }
}
