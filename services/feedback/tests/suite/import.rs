//! Importing past responses: their own times and scales, each record once, in the version that is newest.

use std::time::Duration;

use futures::stream;
use rapport_api::common::v1::BulkAck;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    CloseSurveyRequest, DeleteResponseRequest, ImportResponsesRequest, ListResponsesRequest, Response, Scale,
    SubmitResponseRequest, Survey,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, answer, by_id};

async fn import(
    ground: &Ground,
    tenant: TenantId,
    items: Vec<ImportResponsesRequest>,
) -> (i64, Vec<(i64, String, Vec<String>)>) {
    let mut acks = ground.responses(tenant).import_responses(stream::iter(items)).await.expect("a stream").into_inner();
    let (mut accepted, mut errors) = (0, Vec::new());
    while let Some(answer) = acks.message().await.expect("acknowledged") {
        let BulkAck { accepted: some, errors: refused, .. } = answer.ack.expect("an ack");
        accepted += some;
        let fields =
            |error: &rapport_api::common::v1::BulkError| error.violations.iter().map(|of| of.field.clone()).collect();
        errors.extend(refused.iter().map(|error| (error.index, error.reason.clone(), fields(error))));
    }
    (accepted, errors)
}

async fn held(ground: &Ground, tenant: TenantId) -> Vec<Response> {
    let request = ListResponsesRequest { order_by: "answered_at".to_owned(), ..ListResponsesRequest::default() };
    ground.responses(tenant).list_responses(request).await.expect("a page").into_inner().responses
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_answers_keep_their_times_and_scales_and_are_taken_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey: Survey = ground.open(tenant).await;
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    ground.surveys(tenant).close_survey(close).await.expect("closed");
    let (customer, subject) = ground.profiles.customer(tenant);
    let ago = |days: u64| ground.clock.now().minus(Duration::from_secs(days * 86_400));
    let past = |id: &str, days: u64, score: i32, version: i64| ImportResponsesRequest {
        response: Some(SubmitResponseRequest {
            source: "old".to_owned(),
            external_id: id.to_owned(),
            answered_at: Some(timestamp(ago(days))),
            ..answer(&survey, score)
        }),
        version,
        ..ImportResponsesRequest::default()
    };
    let mut known = past("a", 400, 9, 0);
    known.response.as_mut().expect("set").customer = Some(customer);
    let scale = |min, max| Some(Scale { min, max, ..Scale::default() });
    let elsewhere = ImportResponsesRequest { source_scale: scale(1, 10), ..past("b", 300, 7, 0) };
    let mut hundred =
        ImportResponsesRequest { source_scale: scale(0, 100), source_score: Some(85), ..past("c", 200, 0, 0) };
    hundred.response.as_mut().expect("set").score = None;
    let same = ImportResponsesRequest { source_scale: scale(0, 10), ..past("d", 100, 4, 0) };
    let mut stranger = past("e", 90, 1, 0);
    stranger.response.as_mut().expect("set").customer = Some(by_id(SubjectId::new()));
    let mut bare = past("f", 80, 1, 0);
    (bare.response.as_mut().expect("set").answered_at, bare.response.as_mut().expect("set").score) = (None, Some(11));
    let off = ImportResponsesRequest { source_scale: scale(1, 5), ..past("g", 70, 9, 0) };
    let items = vec![known.clone(), elsewhere, hundred, same, stranger, bare, off, known];
    let (accepted, errors) = import(&ground, tenant, items).await;
    assert_eq!(accepted, 5, "a record told twice is harmless");
    let named: Vec<_> = errors.iter().map(|(index, reason, _)| (*index, reason.as_str())).collect();
    assert_eq!(named, [(4, "RESOURCE_NOT_FOUND"), (5, "INVALID_FIELD"), (6, "INVALID_FIELD")]);
    assert_eq!(errors[1].2, ["response.score", "response.answered_at"]);
    assert_eq!(errors[2].2, ["source_score"]);

    let all = held(&ground, tenant).await;
    let told: Vec<_> = all
        .iter()
        .map(|one| {
            let measure = &one.measures[0];
            (one.external_id.as_str(), one.score, (measure.value, measure.scale_min, measure.scale_max))
        })
        .collect();
    let expected =
        [("a", Some(9), (9, 0, 10)), ("b", None, (7, 1, 10)), ("c", None, (85, 0, 100)), ("d", Some(4), (4, 0, 10))];
    assert_eq!(told, expected, "an answer on another scale is kept with it, and is no score of the survey's");
    assert_eq!(
        (all[0].subject_id.as_str(), all[0].answered_at),
        (subject.to_string().as_str(), Some(timestamp(ago(400))))
    );
    let events = ground.reader().next(4).await;
    assert!(
        events.iter().any(|(event, state)| event.occurred_at == Some(timestamp(ago(300))) && state.score.is_none())
    );
    assert!(events.iter().all(|(_, state)| state.kind == "nps" && state.measures[0].kind == "nps"));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_version_of_a_record_replaces_it_in_any_order_and_a_deleted_one_stays_away(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let past = |score: i32, version: i64| ImportResponsesRequest {
        response: Some(SubmitResponseRequest {
            source: "old".to_owned(),
            external_id: "a".to_owned(),
            answered_at: Some(timestamp(ground.clock.now())),
            ..answer(&survey, score)
        }),
        version,
        ..ImportResponsesRequest::default()
    };
    assert_eq!(import(&ground, tenant, vec![past(1, 2), past(2, 1), past(3, 2)]).await.0, 3);
    let first = held(&ground, tenant).await.remove(0);
    assert_eq!((first.score, first.revision), (Some(1), 1));
    assert_eq!(import(&ground, tenant, vec![past(4, 5), past(5, 4)]).await.0, 2);
    let second = held(&ground, tenant).await;
    assert_eq!((second.len(), second[0].score, second[0].revision), (1, Some(4), 2));
    assert_eq!(second[0].response_id, first.response_id);
    let delete = DeleteResponseRequest { response_id: first.response_id, ..DeleteResponseRequest::default() };
    ground.responses(tenant).delete_response(delete).await.expect("deleted");
    assert_eq!(import(&ground, tenant, vec![past(6, 9)]).await.0, 1);
    assert!(held(&ground, tenant).await.is_empty());
}
