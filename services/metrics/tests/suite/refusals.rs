//! What is refused: with the right code and reason, naming the field, before anything is read.

use rapport_api::convert::timestamp;
use rapport_api::events::v1::InteractionChanged;
use rapport_api::metrics::v1::{Counting, Grain, Period, QueryMetricRequest, Transfers};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::history::Teller;
use crate::house::{House, On, at};

fn query(metric: &str) -> QueryMetricRequest {
    QueryMetricRequest { metric: metric.to_owned(), ..QueryMetricRequest::default() }
}

fn period(start: &str, end: &str) -> Option<Period> {
    Some(Period { start_time: Some(timestamp(at(start))), end_time: Some(timestamp(at(end))) })
}

async fn refused(house: &House, query: QueryMetricRequest) -> (String, String, String) {
    let status = house.refusal(query).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let reason = details.error_info().expect("every error has a reason").reason.clone();
    let violation = details.bad_request().and_then(|request| request.field_violations.first()).expect("a field");
    (reason, violation.field.clone(), violation.description.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_catalogue_does_not_have_is_unsupported() {
    let house = House::new(On::Sqlite, 5).await;
    let by = |metric: &str, name: &str| QueryMetricRequest { group_by: vec![name.to_owned()], ..query(metric) };
    let channel = |name: &str| std::collections::BTreeMap::from([("channel".to_owned(), name.to_owned())]);
    let years = period("2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
    let year = period("2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
    let cases = [
        (query("churn_rate"), "metric"),
        (by("nps", "target"), "group_by[0]"),
        (by("revenue", "agent"), "group_by[0]"),
        (by("interactions", "trait.Not a name"), "group_by[0]"),
        (by("interactions", "trait.nope"), "group_by[0]"),
        (QueryMetricRequest { filter: "trait.city != '' && trait.nope == ''".to_owned(), ..query("nps") }, "filter"),
        (by("nps", "type"), "group_by[0]"),
        (by("revenue", "survey"), "group_by[0]"),
        (QueryMetricRequest { filter: "survey == 'x'".to_owned(), ..query("customers") }, "filter"),
        (QueryMetricRequest { grain: Grain::Day.into(), ..query("nps") }, "grain"),
        (QueryMetricRequest { grain: Grain::Hour.into(), period: years, ..query("nps") }, "grain"),
        (
            QueryMetricRequest { grain: Grain::Day.into(), period: year, compare_to: years, ..query("nps") },
            "compare_to",
        ),
        (QueryMetricRequest { counting: Counting::Purchases.into(), ..query("nps") }, "counting"),
        (QueryMetricRequest { latest_per_customer: true, ..query("interactions") }, "latest_per_customer"),
        (
            QueryMetricRequest { window: Some(prost_types::Duration { seconds: 7_200, nanos: 0 }), ..query("nps") },
            "window",
        ),
        (QueryMetricRequest { transfers: Transfers::Allow.into(), ..query("reopen_rate") }, "transfers"),
        (QueryMetricRequest { compare_to_group: channel("web"), ..query("nps") }, "compare_to_group"),
        (
            QueryMetricRequest { compare_to: year, compare_to_group: channel("web"), ..by("nps", "channel") },
            "compare_to_group",
        ),
    ];
    for (asked, field) in cases {
        let (reason, named, _) = refused(&house, asked).await;
        assert_eq!((reason.as_str(), named.as_str()), ("UNSUPPORTED_QUERY", field));
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_does_not_compile_is_told_where() {
    let house = House::new(On::Sqlite, 5).await;
    for (filter, place) in [
        ("channel == ", "line 1, column"),
        ("channel == 'web' &&\n region == 'x'", "line 2, column 2"),
        ("channel == 1", "line 1, column"),
        ("trait.city", "line 1, column"),
        ("now > timestamp('2024-01-01T00:00:00Z')", "line 1, column 1"),
    ] {
        let asked = QueryMetricRequest { filter: filter.to_owned(), ..query("interactions") };
        let (reason, field, description) = refused(&house, asked).await;
        assert_eq!((reason.as_str(), field.as_str()), ("INVALID_CONDITION", "filter"), "{filter}");
        assert!(description.starts_with(place), "{filter}: {description}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_rules_are_named_field_by_field() {
    let house = House::new(On::Sqlite, 5).await;
    let backwards = period("2024-02-01T00:00:00Z", "2024-01-01T00:00:00Z");
    let open = Some(Period { start_time: Some(timestamp(at("2024-01-01T00:00:00Z"))), end_time: None });
    let cases = [
        (QueryMetricRequest { period: backwards, ..query("nps") }, "period.end_time"),
        (QueryMetricRequest { compare_to: open, ..query("nps") }, "compare_to.end_time"),
        (QueryMetricRequest { level: 1.0, ..query("nps") }, "level"),
        (QueryMetricRequest { grain: 9, ..query("nps") }, "grain"),
        (query("NPS; DROP TABLE fact"), "metric"),
        (QueryMetricRequest { group_by: vec!["channel".to_owned(); 2], ..query("nps") }, "group_by"),
    ];
    for (asked, field) in cases {
        let (reason, named, _) = refused(&house, asked).await;
        assert_eq!((reason.as_str(), named.as_str()), ("INVALID_FIELD", field));
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_with_too_many_groups_is_refused_and_a_subject_with_very_many_facts_is_forgotten() {
    let house = House::new(On::Sqlite, 1).await;
    house.declare(&["plan"]).await;
    let mut teller = Teller::new(house.tenant, 1, 1);
    let subject = teller.subjects[0];
    for n in 0..10_500 {
        let content = InteractionChanged {
            r#type: "visit".to_owned(),
            channel: "web".to_owned(),
            dimensions: [("plan".to_owned(), format!("{n}"))].into(),
            ..InteractionChanged::default()
        };
        teller.changed_interaction(subject, uuid::Uuid::now_v7(), content);
    }
    house.deliver("profiles", &teller.profiles).await;
    let by_plan = QueryMetricRequest { group_by: vec!["trait.plan".to_owned()], ..query("interactions") };
    let refused = house.refusal(by_plan.clone()).await;
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("10000 groups"), "{}", refused.message());
    house.ask(QueryMetricRequest { filter: "trait.plan == '7'".to_owned(), ..by_plan.clone() }).await;
    assert_eq!(house.erase(&[subject]).await.deleted_rows, 10_501, "its facts and its link");
    let left = house.ask(by_plan).await;
    assert_eq!((left.points.len(), left.erased_facts), (0, 10_500));
    house.close().await;
}
