//! Topic trends: counted from what is stored, exact whatever is corrected and withdrawn.

use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, DeleteTicketRequest, GetTopicTrendsRequest, GetTopicTrendsResponse, SubmitResponseRequest,
    TextSource, Ticket, TicketDeletionReason, TicketStatus, TrendPeriod, UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::{TenantId, Timestamp};
use rstest::rstest;

use crate::desk::{BEGINNING, by_id, go_to, minutes, pushed, ticket, tickets};
use crate::ground::{Ground, answer, fields};

const DAY: i64 = 24 * 60;

fn day(day: i64) -> prost_types::Timestamp {
    timestamp(Timestamp::from_column(BEGINNING.micros() + day * DAY * 60_000_000))
}

fn asked(from: i64, until: i64) -> GetTopicTrendsRequest {
    GetTopicTrendsRequest {
        start_time: Some(day(from)),
        end_time: Some(day(until)),
        period: TrendPeriod::Day.into(),
        ..GetTopicTrendsRequest::default()
    }
}

async fn trends(ground: &Ground, tenant: TenantId, request: GetTopicTrendsRequest) -> GetTopicTrendsResponse {
    ground.texts(tenant).get_topic_trends(request).await.expect("trends").into_inner()
}

fn counts(trends: &GetTopicTrendsResponse) -> Vec<(&str, i64, i64)> {
    trends.topics.iter().map(|topic| (topic.topic.as_str(), topic.count, topic.count_before)).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_counted_by_period_and_against_the_time_before(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 8 * DAY);
    let survey = ground.open(tenant).await;
    let mut responses = ground.responses(tenant);
    let mut taken = Vec::new();
    // Before: 2 of 20 speak of delivery. Now: 15 of 20.
    for n in 0..40_i64 {
        let (at, topical) = if n < 20 { (n % 4, n < 2) } else { (4 + n % 4, n < 35) };
        let comment = if topical { "The delivery was awful" } else { "Lovely, thank you" };
        let submit = SubmitResponseRequest {
            comment: comment.to_owned(),
            channel: if n % 2 == 0 { "web" } else { "email" }.to_owned(),
            answered_at: Some(minutes(&ground, at * DAY + 60)),
            ..answer(&survey, 5)
        };
        taken.push(responses.submit_response(submit).await.expect("taken").into_inner());
    }
    let test = SubmitResponseRequest {
        comment: "The delivery was awful".to_owned(),
        is_test: true,
        answered_at: Some(minutes(&ground, 5 * DAY)),
        ..answer(&survey, 5)
    };
    responses.submit_response(test).await.expect("taken");
    let told = trends(&ground, tenant, asked(4, 8)).await;
    assert_eq!((told.texts, told.texts_before), (20, 20), "tests do not count");
    let delivery = &told.topics[0];
    assert_eq!((delivery.topic.as_str(), delivery.count, delivery.count_before), ("delivery", 15, 2));
    assert!((delivery.share - 0.75).abs() < 1e-9 && (delivery.share_before - 0.1).abs() < 1e-9);
    assert!(delivery.growth.is_some_and(|growth| (growth - 6.5).abs() < 1e-9));
    assert!(delivery.significant && delivery.p_value.is_some_and(|p| p < 0.001));
    assert!(delivery.sentiment.is_some_and(|mean| mean < 0.0));
    // The ground begins in the afternoon: the first and the last day are cut.
    assert_eq!((told.periods.len(), delivery.periods.len()), (5, 5));
    assert_eq!(told.periods.iter().map(|period| period.texts).sum::<i64>(), 20);
    assert_eq!(delivery.periods.iter().map(|period| period.count).sum::<i64>(), 15);
    let by_web = GetTopicTrendsRequest { channel: "web".to_owned(), ..asked(4, 8) };
    assert_eq!(trends(&ground, tenant, by_web).await.texts, 10);
    let of_tickets = GetTopicTrendsRequest { sources: vec![TextSource::Ticket.into()], ..asked(4, 8) };
    assert_eq!(trends(&ground, tenant, of_tickets).await.texts, 0);
    let of_app = GetTopicTrendsRequest { topics: vec!["app".to_owned()], ..asked(4, 8) };
    let of_app = trends(&ground, tenant, of_app).await;
    assert_eq!((of_app.texts, of_app.topics.len()), (20, 0));

    // One is corrected to speak of something else, one moves into the time before, one is withdrawn.
    let right = |n: usize| UpdateResponseRequest { response_id: taken[n].response_id.clone(), ..Default::default() };
    let correction = UpdateResponseRequest { comment: Some("The app crashed".to_owned()), ..right(20) };
    responses.update_response(correction).await.expect("corrected");
    let moved = UpdateResponseRequest { answered_at: Some(minutes(&ground, 60)), ..right(21) };
    responses.update_response(moved).await.expect("corrected");
    let delete = DeleteResponseRequest { response_id: taken[22].response_id.clone(), ..Default::default() };
    responses.delete_response(delete).await.expect("deleted");
    let told = trends(&ground, tenant, asked(4, 8)).await;
    assert_eq!((told.texts, told.texts_before), (18, 21));
    assert_eq!(counts(&told), [("delivery", 12, 3), ("app", 1, 0)]);
}

#[tokio::test]
async fn tickets_count_once_by_when_they_were_opened_and_not_when_they_are_gone() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    go_to(&ground, 3 * DAY);
    let open = |id: &str, at: i64, title: &str| Ticket {
        title: title.to_owned(),
        create_time: Some(minutes(&ground, at * DAY + 5)),
        ..ticket(&ground, id, 1, at * DAY + 6, TicketStatus::Open)
    };
    let first = pushed(&ground, tenant, open("T-1", 1, "Refund please")).await;
    pushed(&ground, tenant, open("T-2", 1, "Refund and delivery")).await;
    pushed(&ground, tenant, open("T-3", 2, "Refund again")).await;
    let told = trends(&ground, tenant, asked(1, 2)).await;
    assert_eq!(counts(&told), [("refund", 2, 0), ("delivery", 1, 0)]);
    let delete = DeleteTicketRequest {
        ticket: Some(by_id(&first)),
        reason: TicketDeletionReason::Spam.into(),
        ..DeleteTicketRequest::default()
    };
    tickets(&ground, tenant).delete_ticket(delete).await.expect("deleted");
    assert_eq!(counts(&trends(&ground, tenant, asked(1, 2)).await), [("delivery", 1, 0), ("refund", 1, 0)]);
    assert_eq!(counts(&trends(&ground, tenant, asked(2, 3)).await), [("refund", 1, 1), ("delivery", 0, 1)]);
}

#[tokio::test]
async fn what_is_wrong_with_what_is_asked_is_named() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut texts = ground.texts(tenant);
    let none = GetTopicTrendsRequest { zone: "Mars/Olympus".to_owned(), ..GetTopicTrendsRequest::default() };
    assert_eq!(fields(texts.get_topic_trends(none).await), ["start_time", "end_time", "zone"]);
    assert_eq!(fields(texts.get_topic_trends(asked(2, 2)).await), ["end_time"]);
    assert_eq!(fields(texts.get_topic_trends(asked(0, 401)).await), ["end_time"]);
    let weeks = GetTopicTrendsRequest { period: TrendPeriod::Week.into(), ..asked(0, 401) };
    assert!(texts.get_topic_trends(weeks).await.is_ok());
}
