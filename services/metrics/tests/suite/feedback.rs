//! Figures of feedback as users ask for them: scales apart, weights, what is not mature yet, groups against one another,
//! and the facts behind a point.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::Duration;
use rapport_api::common::v1::Party;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{InvitationChanged, Measure, ResponseChanged, TicketChanged};
use rapport_api::metrics::v1::{
    Direction, ListFactsRequest, ListMetricsRequest, MetricPoint, QueryMetricRequest, Transfers, Verdict,
};
use rapport_kernel::{SubjectId, Timestamp};
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::history::{Teller, answer};
use crate::house::{BOTH, House, On, at};

fn query(metric: &str) -> QueryMetricRequest {
    QueryMetricRequest { metric: metric.to_owned(), ..QueryMetricRequest::default() }
}

fn by(metric: &str, name: &str) -> QueryMetricRequest {
    QueryMetricRequest { group_by: vec![name.to_owned()], ..query(metric) }
}

fn near(left: Option<f64>, right: f64) -> bool {
    left.is_some_and(|left| (left - right).abs() < 1e-9)
}

fn only(points: Vec<MetricPoint>) -> MetricPoint {
    let [point] = <[MetricPoint; 1]>::try_from(points).map_err(|points| points.len()).expect("one point");
    point
}

/// Tells of a response with some figures.
fn answered(teller: &mut Teller, channel: &str, weight: f64, measures: Vec<Measure>) {
    let content = ResponseChanged {
        survey_id: teller.surveys[0].clone(),
        kind: measures[0].kind.clone(),
        channel: channel.to_owned(),
        complete: true,
        weight,
        measures,
        ..ResponseChanged::default()
    };
    teller.changed_response(SubjectId::new(), Uuid::now_v7(), content);
}

const CSAT: (i32, i32, bool) = (1, 5, false);

fn satisfied(value: i32) -> Measure {
    Measure { top_box: 4, ..answer("csat", value, CSAT) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn better_is_said_of_a_group_only_where_a_test_says_so() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 1, 1);
        for (channel, counts) in [("phone", [1, 2, 4, 20, 15]), ("web", [12, 9, 9, 8, 4]), ("shop", [1, 2, 5, 19, 15])]
        {
            for (value, count) in (1_i32..).zip(counts) {
                for _ in 0..count {
                    answered(&mut teller, channel, 1.0, vec![satisfied(value)]);
                }
            }
        }
        house.deliver("feedback", &teller.feedback).await;
        let against = BTreeMap::from([("channel".to_owned(), "shop".to_owned())]);
        let asked = QueryMetricRequest { compare_to_group: against.clone(), ..by("csat_mean", "channel") };
        let points = house.ask(asked).await.points;
        let told: Vec<_> = points
            .iter()
            .map(|point| (point.group["channel"].as_str(), point.comparison.as_ref().map(|other| other.verdict())))
            .collect();
        assert_eq!(
            told,
            [("phone", Some(Verdict::NoDifference)), ("shop", None), ("web", Some(Verdict::Worse))],
            "a group is not compared with itself"
        );
        // scipy 1.17.1: ttest_ind(web, shop, equal_var=False) of these answers.
        let welch = points[2].comparison.as_ref().expect("compared");
        assert_eq!((welch.method.as_str(), welch.baseline_n), ("welch_t", 42));
        assert!(near(welch.statistic, -5.816_796_572_866_883), "{welch:?}");
        assert!(near(welch.p_value, 1.446_516_959_564_368_8e-7), "{welch:?}");
        assert!(near(welch.degrees_of_freedom, 73.653_808_303_072_57), "{welch:?}");
        let top = QueryMetricRequest { compare_to_group: against, ..by("csat_top_box", "channel") };
        let points = house.ask(top).await.points;
        assert!(near(points[0].value, 35.0 / 42.0) && points[0].top_boxes == [4, 5] && points[0].series == "1..5");
        assert_eq!((points[0].distribution.clone(), points[0].distribution_start), (vec![1, 2, 4, 20, 15], 1));
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scales_are_never_pooled_and_a_reversed_one_is_read_so() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 2, 1);
        for value in [7, 6, 5, 4, 1, 2] {
            answered(&mut teller, "web", 1.0, vec![answer("ces", value, (1, 7, false))]);
        }
        for value in [1, 2, 2, 3, 5] {
            answered(&mut teller, "web", 1.0, vec![answer("ces", value, (1, 5, true))]);
        }
        for value in [5, 1, 2, 4, 2, 1] {
            let negative =
                Measure { statement: "slow_to_react".to_owned(), ..answer("statement", value, (1, 5, true)) };
            answered(&mut teller, "web", 1.0, vec![negative]);
        }
        house.deliver("feedback", &teller.feedback).await;
        let told = |points: Vec<MetricPoint>| -> Vec<(String, Option<f64>, i64)> {
            points.into_iter().map(|point| (point.series, point.value, point.n)).collect()
        };
        let shares = told(house.ask(query("ces_share")).await.points);
        assert_eq!(shares, [("1..5r".to_owned(), Some(0.6), 5), ("1..7".to_owned(), Some(0.5), 6)]);
        let means = told(house.ask(query("ces_mean")).await.points);
        assert_eq!(means, [("1..5r".to_owned(), Some(2.6), 5), ("1..7".to_owned(), Some(25.0 / 6.0), 6)]);
        let statement = only(house.ask(query("statement_agreement")).await.points);
        assert!(near(statement.value, 4.0 / 6.0) && statement.negative);
        assert_eq!(statement.series, "slow_to_react 1..5r");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recommendation_on_a_scale_that_has_no_promoters_is_told_without_a_value() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 12, 1);
        for (values, scale) in [
            (vec![10, 10, 9, 8, 0], (0, 10, false)),
            (vec![9, 9, 9, 10, 1], (1, 10, false)),
            (vec![0, 0, 1, 2, 10], (0, 10, true)),
            (vec![5, 5, 4, 3, 0, 0], (0, 5, false)),
        ] {
            for value in values {
                answered(&mut teller, "web", 1.0, vec![answer("nps", value, scale)]);
            }
        }
        house.deliver("feedback", &teller.feedback).await;
        let points = house.ask(query("nps")).await.points;
        let told: Vec<_> = points.iter().map(|point| (point.series.as_str(), point.value, point.n)).collect();
        let expected =
            [("0..10", Some(40.0), 5), ("0..10r", Some(40.0), 5), ("0..5", None, 6), ("1..10", Some(60.0), 5)];
        assert_eq!(told, expected);
        assert_eq!((points[2].distribution.clone(), points[2].interval), (vec![2, 0, 0, 1, 1, 2], None));
        let hurt = only(house.ask(query("negative_feedback_share")).await.points);
        assert_eq!(hurt.n, 15, "of the others it is told who was hurt");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn employees_count_only_where_the_party_is_asked_for() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 13, 1);
        for (party, channel, values) in [
            (Party::Customer, "web", [10, 10, 9, 9, 10, 0]),
            (Party::Partner, "phone", [9, 9, 9, 9, 9, 9]),
            (Party::Employee, "web", [0, 0, 0, 0, 0, 10]),
            (Party::Employee, "intranet", [0, 0, 0, 0, 0, 0]),
        ] {
            for value in values {
                let content = ResponseChanged {
                    survey_id: teller.surveys[0].clone(),
                    kind: "nps".to_owned(),
                    channel: channel.to_owned(),
                    complete: true,
                    party: party.into(),
                    measures: vec![answer("nps", value, (0, 10, false))],
                    ..ResponseChanged::default()
                };
                teller.changed_response(SubjectId::new(), Uuid::now_v7(), content);
            }
        }
        house.deliver("feedback", &teller.feedback).await;
        let score = async |filter: &str| {
            let asked = QueryMetricRequest { filter: filter.to_owned(), ..query("nps") };
            house.ask(asked).await.points.iter().map(|point| (point.value, point.n)).collect::<Vec<_>>()
        };
        assert_eq!(score("").await, [(Some(100.0 * 10.0 / 12.0), 12)]);
        assert_eq!(score("channel == 'web'").await, [(Some(100.0 * 4.0 / 6.0), 6)]);
        assert_eq!(score("channel == 'intranet'").await, []);
        assert_eq!(score("party == 'employee'").await, [(Some(-100.0 * 10.0 / 12.0), 12)]);
        assert_eq!(score("party != ''").await, [(Some(0.0), 24)]);
        let channels = house.ask(by("nps", "channel")).await.points;
        let channels: Vec<_> = channels.iter().map(|point| (point.group["channel"].as_str(), point.n)).collect();
        assert_eq!(channels, [("phone", 6), ("web", 6)]);
        let parties = house.ask(by("nps", "party")).await.points;
        let parties: Vec<_> = parties.iter().map(|point| (point.group["party"].as_str(), point.n)).collect();
        assert_eq!(parties, [("customer", 6), ("employee", 12), ("partner", 6)]);
        let facts = ListFactsRequest { metric: "nps".to_owned(), ..ListFactsRequest::default() };
        let page = house.client().list_facts(facts).await.expect("a page").into_inner();
        assert_eq!(page.facts.len(), 12);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_response_rate_is_of_the_delivered_or_of_the_sent_where_nobody_tells_of_deliveries() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 14, 1);
        // Of e-mails the deliveries are told; of messages nothing is.
        for (channel, status, count) in [
            ("email", "completed", 6),
            ("email", "delivered", 9),
            ("email", "expired", 3),
            ("email", "failed", 4),
            ("email", "invited", 20),
            ("sms", "completed", 4),
            ("sms", "started", 2),
            ("sms", "invited", 14),
            ("sms", "cancelled", 7),
        ] {
            for _ in 0..count {
                let invited = InvitationChanged {
                    survey_id: teller.surveys[0].clone(),
                    kind: "nps".to_owned(),
                    status: status.to_owned(),
                    channel: channel.to_owned(),
                    ..InvitationChanged::default()
                };
                let event = Payload::InvitationChanged(invited);
                let event = teller.event(SubjectId::new(), "invitation", Uuid::now_v7(), event);
                teller.feedback.push(event);
            }
        }
        house.deliver("feedback", &teller.feedback).await;
        let points = house.ask(by("response_rate", "channel")).await.points;
        let told: Vec<_> = points.iter().map(|point| (point.group["channel"].as_str(), point.value, point.n)).collect();
        assert_eq!(told, [("email", Some(6.0 / 18.0), 18), ("sms", Some(0.2), 20)]);
        let whole = only(house.ask(query("response_rate")).await.points);
        assert_eq!((whole.value, whole.n), (Some(10.0 / 38.0), 38));
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weighted_answers_count_by_their_weight_and_tests_nowhere() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 3, 1);
        for (value, weight) in [(10, 2.0), (9, 1.0), (8, 1.0), (3, 0.5), (0, 0.5), (7, 1.0)] {
            answered(&mut teller, "web", weight, vec![answer("tnps", value, (0, 10, false))]);
        }
        let test = ResponseChanged {
            is_test: true,
            kind: "tnps".to_owned(),
            measures: vec![answer("tnps", 0, (0, 10, false))],
            ..ResponseChanged::default()
        };
        teller.changed_response(SubjectId::new(), Uuid::now_v7(), test);
        house.deliver("feedback", &teller.feedback).await;
        let point = only(house.ask(query("tnps")).await.points);
        // (3 − 1)/6 of the weights; Kish: 6²/(4 + 1 + 1 + ¼ + ¼ + 1) = 4.8.
        assert!(near(point.value, 100.0 / 3.0) && point.n == 6 && (point.effective_n - 4.8).abs() < 1e-12, "{point:?}");
        let interval = point.interval.expect("an interval");
        // Rocks' interval with n = 4.8, promoters 2.4 and detractors 0.8.
        let (promoters, detractors) = (3.15 / 7.8, 1.55 / 7.8);
        let centre: f64 = promoters - detractors;
        let error = ((promoters + detractors - centre * centre) / 7.8).sqrt();
        assert!((interval.upper - 100.0 * (centre + 1.959_963_984_540_054 * error)).abs() < 1e-6, "{interval:?}");
        assert!(house.ask(query("nps")).await.points.is_empty(), "relational and transactional are never mixed");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_in_part_counts_as_far_as_it_was_answered() {
    let house = House::new(On::Sqlite, 1).await;
    let mut teller = Teller::new(house.tenant, 4, 1);
    let content = ResponseChanged {
        kind: "csi".to_owned(),
        survey_id: teller.surveys[0].clone(),
        measures: vec![
            Measure { question: "a".to_owned(), weight: 0.5, ..answer("csi", 10, (1, 10, false)) },
            Measure { question: "b".to_owned(), weight: 0.5, ..answer("csi", 1, (1, 10, false)) },
        ],
        ..ResponseChanged::default()
    };
    let mut half = content.clone();
    half.measures.pop();
    for content in [content, half] {
        teller.changed_response(SubjectId::new(), Uuid::now_v7(), content);
    }
    house.deliver("feedback", &teller.feedback).await;
    let point = only(house.ask(query("csi")).await.points);
    assert!(near(point.value, 50.0) && point.n == 2 && point.series == teller.surveys[0], "{point:?}");
    assert_eq!(point.method, "bootstrap");
    house.close().await;
}

fn days(days: i64) -> Timestamp {
    Timestamp::from_column(at("2024-03-01T00:00:00Z").micros() + days * 86_400_000_000)
}

/// Tells of a ticket, with days of its contacts, solutions and openings.
fn ticket(teller: &mut Teller, issue: Uuid, [contacts, solved, reopened]: [&[i64]; 3], transfers: u32) -> Uuid {
    let times = |all: &[i64]| all.iter().map(|day| timestamp(days(*day))).collect();
    let id = Uuid::now_v7();
    let content = TicketChanged {
        kind: "question".to_owned(),
        issue_id: issue.to_string(),
        channel: "web".to_owned(),
        contact_times: times(contacts),
        solve_times: times(solved),
        reopen_times: times(reopened),
        transfers,
        ..TicketChanged::default()
    };
    let event = teller.event(SubjectId::new(), "ticket", id, Payload::TicketChanged(Box::new(content)));
    teller.feedback.push(event);
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_mature_is_left_out_and_counted_apart_until_it_is() {
    for on in BOTH {
        let house = House::new(on, 1).await;
        let mut teller = Teller::new(house.tenant, 5, 1);
        let issue = Uuid::now_v7();
        ticket(&mut teller, Uuid::now_v7(), [&[0], &[1], &[]], 0);
        ticket(&mut teller, Uuid::now_v7(), [&[0, 3], &[4], &[]], 0);
        ticket(&mut teller, Uuid::now_v7(), [&[0], &[1], &[5]], 0);
        ticket(&mut teller, Uuid::now_v7(), [&[0], &[1], &[]], 2);
        // Two tickets on one issue: the second is no first contact, and makes that of the first fail.
        ticket(&mut teller, issue, [&[0], &[1], &[]], 0);
        ticket(&mut teller, issue, [&[6], &[6], &[]], 0);
        house.deliver("feedback", &teller.feedback).await;
        let told = async |metric: &str, day: i64, transfers: Transfers| {
            let at = Some(timestamp(days(day)));
            let transfers = if metric == "reopen_rate" { Transfers::Unspecified } else { transfers };
            let asked = QueryMetricRequest { at, transfers: transfers.into(), ..query(metric) };
            let point = only(house.ask(asked).await.points);
            (point.value, point.n, point.immature)
        };
        let fail = Transfers::Unspecified;
        assert_eq!(told("fcr_ticket", 7, fail).await, (None, 0, 6));
        // The first, third, fourth and fifth are mature at the end of their window; the third was opened again, the fourth
        // transferred.
        assert_eq!(told("fcr_ticket", 8, fail).await, (Some(0.5), 4, 2));
        assert_eq!(told("fcr_ticket", 30, fail).await, (Some(0.5), 6, 0));
        assert_eq!(told("fcr_ticket", 30, Transfers::Allow).await, (Some(4.0 / 6.0), 6, 0));
        assert_eq!(told("fcr_ticket", 30, Transfers::LeaveOut).await, (Some(0.6), 5, 0));
        assert_eq!(told("reopen_rate", 8, fail).await, (Some(0.25), 4, 2));
        assert_eq!(told("reopen_rate", 30, fail).await, (Some(1.0 / 6.0), 6, 0));
        // First contacts: of five issues; the second and the last were followed by others, the fourth transferred.
        assert_eq!(told("fcr_operational", 30, fail).await, (Some(0.4), 5, 0));
        assert_eq!(told("fcr_operational", 30, Transfers::Allow).await, (Some(0.6), 5, 0));
        assert_eq!(told("fcr_operational", 7, Transfers::Allow).await, (Some(0.6), 5, 2));
        let window = Some(Duration { seconds: 2 * 86_400, nanos: 0 });
        let asked = QueryMetricRequest { window, at: Some(timestamp(days(30))), ..query("fcr_operational") };
        // Within two days nobody came back: seven first contacts, of which one was transferred.
        let point = only(house.ask(asked).await.points);
        assert!(near(point.value, 6.0 / 7.0) && point.n == 7, "{point:?}");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_facts_behind_a_point_are_listed_page_by_page_and_never_of_one_that_is_withheld() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 6, 1);
        for place in 0..13 {
            let value = if place % 2 == 0 { 5 } else { 2 };
            let nps = answer("nps", 9, (0, 10, false));
            answered(&mut teller, "web", 1.0, vec![satisfied(value), nps]);
        }
        for _ in 0..11 {
            answered(&mut teller, "phone", 1.0, vec![satisfied(4)]);
        }
        let mut told: BTreeSet<String> = BTreeSet::new();
        for event in &teller.feedback[..13] {
            told.insert(event.aggregate_id.clone());
        }
        house.deliver("feedback", &teller.feedback).await;
        let channel = |name: &str| BTreeMap::from([("channel".to_owned(), name.to_owned())]);
        let request = ListFactsRequest {
            metric: "csat_mean".to_owned(),
            group: channel("web"),
            series: "1..5".to_owned(),
            page_size: 5,
            ..ListFactsRequest::default()
        };
        let (mut found, mut token, mut pages) = (BTreeSet::new(), String::new(), 0);
        loop {
            let asked = ListFactsRequest { page_token: token, ..request.clone() };
            let page = house.client().list_facts(asked).await.expect("a page").into_inner();
            pages += 1;
            for fact in page.facts {
                assert_eq!((fact.record_type.as_str(), fact.series.as_str()), ("response", "1..5"));
                assert!(found.insert(fact.record_id), "each once");
            }
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((pages, &found), (3, &told));
        let other = ListFactsRequest { series: "1..7".to_owned(), ..request.clone() };
        assert!(house.client().list_facts(other).await.expect("a page").into_inner().facts.is_empty());
        let unknown = ListFactsRequest { group: channel("fax"), ..request.clone() };
        assert!(house.client().list_facts(unknown).await.expect("a page").into_inner().facts.is_empty());
        // A third channel of three customers is too small, and so are its facts; and of another filter no page's token.
        for _ in 0..3 {
            answered(&mut teller, "fax", 1.0, vec![satisfied(1)]);
        }
        house.deliver("feedback", &teller.feedback).await;
        let small = ListFactsRequest { group: channel("fax"), ..request.clone() };
        let refused = house.client().list_facts(small).await.expect_err("a refusal");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(refused.get_error_details().error_info().expect("a reason").reason, "INVALID_STATE");
        let page = house.client().list_facts(request.clone()).await.expect("a page").into_inner();
        let elsewhere = ListFactsRequest { page_token: page.next_page_token, series: String::new(), ..request };
        let refused = house.client().list_facts(elsewhere).await.expect_err("a refusal");
        assert_eq!(refused.get_error_details().error_info().expect("a reason").reason, "INVALID_PAGE_TOKEN");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_told_by_their_median_with_percentiles_and_mean_beside_it() {
    for on in BOTH {
        let house = House::new(on, 5).await;
        let mut teller = Teller::new(house.tenant, 7, 1);
        for (agent, base) in [("ann", 100), ("bob", 400)] {
            for step in 1..=10 {
                let content = TicketChanged {
                    agent: agent.to_owned(),
                    first_response_seconds: Some(base + step * step),
                    contact_times: Vec::new(),
                    ..TicketChanged::default()
                };
                let payload = Payload::TicketChanged(Box::new(content));
                let event = teller.event(SubjectId::new(), "ticket", Uuid::now_v7(), payload);
                teller.feedback.push(event);
            }
        }
        house.deliver("feedback", &teller.feedback).await;
        let compare_to_group = BTreeMap::from([("agent".to_owned(), "bob".to_owned())]);
        let asked = QueryMetricRequest { compare_to_group, ..by("first_response_time", "agent") };
        let points = house.ask(asked).await.points;
        let ann = &points[0];
        // numpy: the median of 101, 104, …, 200 is 130.5, the 90th percentile 182.9, the mean 138.5.
        assert!(near(ann.value, 130.5) && near(ann.mean, 138.5) && ann.n == 10, "{ann:?}");
        let percentiles: Vec<(f64, f64)> = ann.percentiles.iter().map(|told| (told.share, told.value)).collect();
        assert_eq!(percentiles, [(0.5, 130.5), (0.9, 182.9)]);
        let interval = ann.interval.as_ref().expect("an interval");
        assert_eq!((interval.lower, interval.upper, ann.method.as_str()), (104.0, 181.0, "order_statistics"));
        let comparison = ann.comparison.as_ref().expect("compared");
        assert_eq!(
            (comparison.method.as_str(), comparison.verdict()),
            ("mann_whitney", Verdict::Better),
            "less is better"
        );
        // scipy 1.17.1: mannwhitneyu of ten that are all below ten.
        assert!(near(comparison.p_value, 0.000_182_671_791_109_550_02), "{comparison:?}");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_tells_which_way_is_better() {
    let house = House::new(On::Sqlite, 5).await;
    let metrics = house.client().list_metrics(ListMetricsRequest {}).await.expect("an answer").into_inner().metrics;
    let told: BTreeMap<&str, Direction> =
        metrics.iter().map(|metric| (metric.name.as_str(), metric.direction())).collect();
    assert_eq!(told["nps"], Direction::HigherIsBetter);
    assert_eq!(told["reopen_rate"], Direction::LowerIsBetter);
    assert_eq!(told["channel_share"], Direction::Unspecified);
    house.close().await;
}
