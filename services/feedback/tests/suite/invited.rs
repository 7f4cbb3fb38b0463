//! Answering by an invitation's token: known and anonymous; what asks by itself; unsubscribing, and erasing by a code.

use std::time::Duration;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::instant;
use rapport_api::feedback::v1::respondent_service_client::RespondentServiceClient;
use rapport_api::feedback::v1::{
    Answer, AskAfter, AskEvent, Asking, BatchInviteRequest, CancelInvitationRequest, CheckEligibilityRequest,
    EraseByCodeRequest, GetInvitationRequest, GetInvitedQuestionnaireRequest, GetResponseRequest, InvitationContext,
    InvitationStatus, InviteCustomerRequest, ListInvitationsRequest, ListNotInvitedRequest, ListResponsesRequest,
    NotInvitedReason, ReadTokenRequest, SubmitInvitedResponseRequest, SubmitResponseRequest, Survey, Ticket,
    TicketStatus, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rapport_platform::PeerChannel;
use rstest::rstest;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::asking::{asks, invited, seconds, until};
use crate::desk;
use crate::ground::{Ground, by_id, reason};

fn respondents(ground: &Ground, tenant: TenantId) -> RespondentServiceClient<PeerChannel> {
    RespondentServiceClient::new(ground.channel(tenant))
}

/// What was wrong with a token: the code, and the type of the precondition.
fn wrong<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    let details = status.get_error_details();
    let violations = details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    (status.code(), violations.first().map(|violation| violation.r#type.clone()).unwrap_or_default())
}

fn by_token(survey: &Survey, token: &str, score: i32) -> SubmitResponseRequest {
    SubmitResponseRequest {
        survey_id: survey.survey_id.clone(),
        invitation_token: token.to_owned(),
        score: Some(score),
        ..SubmitResponseRequest::default()
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_by_token_is_the_invited_customers_and_uses_the_token(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let (_, anna) = ground.profiles.customer(tenant);
    let held = invited(&ground, tenant, &survey, anna).await.invitation.expect("invited");
    let partial = SubmitResponseRequest { partial: true, score: None, ..by_token(&survey, &held.token, 0) };
    let begun = ground.responses(tenant).submit_response(partial).await.expect("taken").into_inner();
    assert_eq!((&begun.invitation_id, &begun.subject_id), (&held.invitation_id, &anna.to_string()));
    assert_eq!(begun.channel, "email");
    let started = until(&ground, tenant, &held.invitation_id, |it| it.status() == InvitationStatus::Started).await;
    assert_eq!(started.response_id, begun.response_id);
    // Gone on with by the token alone; a retry is the same answer.
    let whole = SubmitResponseRequest { request_id: Uuid::now_v7().to_string(), ..by_token(&survey, &held.token, 9) };
    let done = ground.responses(tenant).submit_response(whole.clone()).await.expect("taken").into_inner();
    assert_eq!((&done.response_id, done.score), (&begun.response_id, Some(9)));
    assert_eq!(ground.responses(tenant).submit_response(whole).await.expect("again").into_inner(), done);
    let used = until(&ground, tenant, &held.invitation_id, |it| it.status() == InvitationStatus::Completed).await;
    assert_eq!((used.uses, used.complete_time.is_some(), used.remind_time), (1, true, None));
    let again = ground.responses(tenant).submit_response(by_token(&survey, &held.token, 1)).await;
    assert_eq!(wrong(again), (Code::FailedPrecondition, "INVITATION_USED".to_owned()));

    // Damaged, another tenant's, never issued: all alike.
    for (who, token) in
        [(tenant, "x".to_owned()), (TenantId::new(), held.token.clone()), (tenant, held.token[1..].to_owned())]
    {
        let other = SubmitInvitedResponseRequest { token: token.clone(), ..Default::default() };
        let refused = respondents(&ground, who).submit_invited_response(other).await;
        assert_eq!(wrong(refused), (Code::NotFound, String::new()));
        let refused = respondents(&ground, who)
            .get_invited_questionnaire(GetInvitedQuestionnaireRequest { token, ..Default::default() })
            .await;
        assert_eq!(wrong(refused), (Code::NotFound, String::new()));
    }
    let read = respondents(&ground, TenantId::new()).read_token(ReadTokenRequest { token: held.token }).await;
    let read = read.expect("read").into_inner();
    assert_eq!((read.tenant_id, read.scope.as_str()), (tenant.to_string(), "invitation"));

    // Expired and withdrawn.
    let (_, boris) = ground.profiles.customer(tenant);
    let late = invited(&ground, tenant, &survey, boris).await.invitation.expect("invited");
    ground.clock.set(instant(late.expire_time.as_ref().expect("a time")).expect("in range"));
    let refused = ground.responses(tenant).submit_response(by_token(&survey, &late.token, 1)).await;
    assert_eq!(wrong(refused), (Code::FailedPrecondition, "INVITATION_EXPIRED".to_owned()));
    let (_, clara) = ground.profiles.customer(tenant);
    let gone = invited(&ground, tenant, &survey, clara).await.invitation.expect("invited");
    let request = CancelInvitationRequest { invitation_id: gone.invitation_id, ..Default::default() };
    ground.surveys(tenant).cancel_invitation(request).await.expect("withdrawn");
    let refused = ground.responses(tenant).submit_response(by_token(&survey, &gone.token, 1)).await;
    assert_eq!(wrong(refused), (Code::FailedPrecondition, "INVITATION_CANCELLED".to_owned()));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anonymous_answer_by_token_leads_to_nobody_and_its_author_can_erase_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = Survey { anonymous: true, ..asks(Asking::default()) };
    let survey = ground.open_of(tenant, survey).await;
    let (_, anna) = ground.profiles.customer(tenant);
    let held = invited(&ground, tenant, &survey, anna).await.invitation.expect("invited");
    // What is refused uses nothing.
    let refused = ground.responses(tenant).submit_response(by_token(&survey, &held.token, 10).clone()).await;
    drop(refused);
    let held = invited(&ground, tenant, &survey, ground.profiles.customer(tenant).1).await.invitation.expect("invited");
    let missing = SubmitResponseRequest { score: None, ..by_token(&survey, &held.token, 0) };
    assert_eq!(reason(ground.responses(tenant).submit_response(missing).await), "INVALID_FIELD");
    let request = SubmitResponseRequest { request_id: Uuid::now_v7().to_string(), ..by_token(&survey, &held.token, 3) };
    let taken = ground.responses(tenant).submit_response(request.clone()).await.expect("taken").into_inner();
    assert!(taken.anonymous && taken.subject_id.is_empty() && taken.invitation_id.is_empty());
    assert!(taken.complete_time.is_none() && taken.answered_at.expect("a time").seconds % 3_600 == 0);
    assert!(taken.erasure_code.len() > 60);
    assert_eq!(ground.responses(tenant).submit_response(request).await.expect("again").into_inner(), taken);
    // The invitation tells nothing of it.
    let silent = until(&ground, tenant, &held.invitation_id, |_| true).await;
    assert_eq!((silent.status(), silent.uses), (InvitationStatus::Invited, 0));
    assert!(silent.response_id.is_empty() && silent.complete_time.is_none() && silent.start_time.is_none());
    // The author erases it; a second time, and with a code that never was, is answered alike.
    let code = taken.erasure_code;
    for code in [code.clone(), code.clone(), held.token] {
        respondents(&ground, tenant).erase_by_code(EraseByCodeRequest { code }).await.expect("alike");
    }
    let gone = ground.responses(tenant).get_response(GetResponseRequest { response_id: taken.response_id }).await;
    assert_eq!(reason(gone), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_is_used_as_often_as_it_may_be_however_many_answer_at_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for anonymous in [false, true] {
        let survey = Survey { anonymous, ..asks(Asking { max_uses: 3, ..Asking::default() }) };
        let survey = ground.open_of(tenant, survey).await;
        let (_, anna) = ground.profiles.customer(tenant);
        let held = invited(&ground, tenant, &survey, anna).await.invitation.expect("invited");
        let calls = (0..10).map(|score| {
            let (request, mut responses) = (by_token(&survey, &held.token, score), ground.responses(tenant));
            async move { responses.submit_response(request).await }
        });
        let answers = futures::future::join_all(calls).await;
        // Of an anonymous survey all are answered alike, and no more are kept.
        let answered = if anonymous { 10 } else { 3 };
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), answered, "anonymous: {anonymous}");
        let list = ListResponsesRequest { survey_id: survey.survey_id, ..ListResponsesRequest::default() };
        let kept = ground.responses(tenant).list_responses(list).await.expect("listed").into_inner().responses;
        assert_eq!(kept.len(), 3, "anonymous: {anonymous}");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_a_token_is_told_what_is_asked_and_goes_on_where_it_stopped(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let (_, anna) = ground.profiles.customer(tenant);
    let held = invited(&ground, tenant, &survey, anna).await.invitation.expect("invited");
    let ask = || GetInvitedQuestionnaireRequest { token: held.token.clone(), ..Default::default() };
    let first = respondents(&ground, tenant).get_invited_questionnaire(ask()).await.expect("told").into_inner();
    let questions = first.questionnaire.expect("questions");
    assert!(first.response_id.is_empty() && !questions.shown.is_empty() && !questions.missing.is_empty());
    let answer =
        Answer { question_id: questions.missing[0].clone(), value: Some(Value::Number(4)), ..Answer::default() };
    let request = SubmitInvitedResponseRequest {
        token: held.token.clone(),
        answers: vec![answer.clone()],
        partial: true,
        ..Default::default()
    };
    let part = respondents(&ground, tenant).submit_invited_response(request).await.expect("taken").into_inner();
    assert!(!part.complete && part.erasure_code.is_empty());
    let next = respondents(&ground, tenant).get_invited_questionnaire(ask()).await.expect("told").into_inner();
    assert_eq!((&next.response_id, &next.answers), (&part.response_id, &vec![answer]));
    let request = SubmitInvitedResponseRequest { token: held.token.clone(), ..Default::default() };
    let done = respondents(&ground, tenant).submit_invited_response(request).await.expect("taken").into_inner();
    assert!(done.complete && done.response_id == part.response_id);
    let refused = respondents(&ground, tenant).get_invited_questionnaire(ask()).await;
    assert_eq!(wrong(refused), (Code::FailedPrecondition, "INVITATION_USED".to_owned()));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solved_ticket_asks_its_customer_each_time_but_not_while_it_is_open_again(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let after = AskAfter {
        event: AskEvent::TicketSolved.into(),
        condition: "event.topic == 'delivery'".to_owned(),
        delay: seconds(600),
    };
    let survey = Survey { kind: 2, ..asks(Asking { ask_after: vec![after], ..Asking::default() }) };
    let survey = ground.open_of(tenant, survey).await;
    let (customer, anna) = ground.profiles.customer(tenant);
    let ask = ListInvitationsRequest { survey_id: survey.survey_id.clone(), ..Default::default() };
    let asked = async |count: usize| {
        for _ in 0..1_600 {
            let list = ground.surveys(tenant).list_invitations(ask.clone()).await.expect("a list").into_inner();
            if list.invitations.len() >= count {
                assert_eq!(list.invitations.len(), count);
                return list.invitations;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never {count} invitations")
    };
    // Solved, reopened within the ten minutes, and solved again: asked once, ten minutes after the last.
    let step = async |version: i64, status: TicketStatus, due: usize| {
        desk::go_to(&ground, version);
        let ticket = Ticket {
            topic: "delivery".to_owned(),
            customer: Some(customer.clone()),
            ..desk::ticket(&ground, "7", version, version, status)
        };
        desk::pushed(&ground, tenant, ticket).await;
        // What is published reaches who asks within a moment: whom it asks is noted then.
        for _ in 0..1_600 {
            if ground.count("asking_task WHERE done = 0").await == due {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("nobody heard of version {version}")
    };
    step(1, TicketStatus::Open, 0).await;
    step(2, TicketStatus::Solved, 1).await;
    step(5, TicketStatus::Open, 1).await;
    desk::go_to(&ground, 12);
    let request = ListNotInvitedRequest { survey_id: survey.survey_id.clone(), ..Default::default() };
    let mut noted = Vec::new();
    for _ in 0..1_600 {
        noted =
            ground.surveys(tenant).list_not_invited(request.clone()).await.expect("listed").into_inner().not_invited;
        if !noted.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let reasons: Vec<_> = noted.iter().map(|one| one.reason()).collect();
    assert_eq!(reasons, [NotInvitedReason::CauseWithdrawn]);
    step(13, TicketStatus::Solved, 1).await;
    desk::go_to(&ground, 22);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(asked(0).await.is_empty());
    desk::go_to(&ground, 23);
    let invitation = asked(1).await.remove(0);
    assert_eq!(invitation.subject_id, anna.to_string());
    assert!(!invitation.context.expect("about a ticket").ticket_id.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_about_a_ticket_that_is_not_there(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let (_, anna) = ground.profiles.customer(tenant);
    let there = desk::pushed(&ground, tenant, desk::ticket(&ground, "7", 1, 0, TicketStatus::Solved)).await.ticket_id;
    let about = |ticket_id: &str| Some(InvitationContext { ticket_id: ticket_id.to_owned(), ..Default::default() });
    let invite = |context| InviteCustomerRequest {
        survey_id: survey.survey_id.clone(),
        customer: Some(by_id(anna)),
        context,
        ..InviteCustomerRequest::default()
    };
    let batch = |context| BatchInviteRequest {
        survey_id: survey.survey_id.clone(),
        customers: vec![by_id(anna)],
        context,
        ..BatchInviteRequest::default()
    };
    let check = |survey_id: &str, context| CheckEligibilityRequest {
        survey_id: survey_id.to_owned(),
        customer: Some(by_id(anna)),
        context,
        ..CheckEligibilityRequest::default()
    };
    let unknown = Uuid::now_v7().to_string();
    let mut surveys = ground.surveys(tenant);
    for refused in [
        surveys.check_eligibility(check(&survey.survey_id, about(&unknown))).await.map(drop),
        surveys.check_eligibility(check("", about(&unknown))).await.map(drop),
        surveys.invite_customer(invite(about(&unknown))).await.map(drop),
        surveys.batch_invite(batch(about(&unknown))).await.map(drop),
    ] {
        let status = refused.expect_err("there is no such ticket");
        let named = status.get_error_details().resource_info().cloned().expect("it is named");
        assert_eq!(
            (status.code(), named.resource_type, named.resource_name),
            (Code::NotFound, "ticket".into(), unknown.clone())
        );
    }
    // What another tenant holds is not there either.
    let other = TenantId::new();
    let elsewhere = ground.open_of(other, asks(Asking::default())).await;
    let theirs = InviteCustomerRequest {
        survey_id: elsewhere.survey_id,
        customer: Some(by_id(ground.profiles.customer(other).1)),
        ..invite(about(&there))
    };
    assert_eq!(reason(ground.surveys(other).invite_customer(theirs).await), "RESOURCE_NOT_FOUND");
    let checked = surveys.check_eligibility(check("", about(&there))).await.expect("checked").into_inner();
    assert!(checked.surveys.iter().all(|checked| checked.eligible) && checked.surveys.len() == 1, "{checked:?}");
    let invited = surveys.invite_customer(invite(about(&there))).await.expect("judged").into_inner();
    assert_eq!(invited.invitation.expect("invited").context.expect("about it").ticket_id, there);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_leaves_no_invitation_and_is_invited_no_more(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let (_, anna) = ground.profiles.customer(tenant);
    let held = invited(&ground, tenant, &survey, anna).await.invitation.expect("invited");
    // Refused once more, so that this is noted too.
    assert!(invited(&ground, tenant, &survey, anna).await.invitation.is_none());
    let request = EraseSubjectsRequest {
        erasure_id: Uuid::now_v7().to_string(),
        subject_ids: vec![anna.to_string()],
        requested_at: Some(rapport_api::convert::timestamp(ground.clock.now())),
    };
    ground.erasures(tenant).erase_subjects(request).await.expect("erased");
    let request = GetInvitationRequest { invitation_id: held.invitation_id };
    assert_eq!(reason(ground.surveys(tenant).get_invitation(request).await), "RESOURCE_NOT_FOUND");
    let refused = ground.responses(tenant).submit_response(by_token(&survey, &held.token, 9)).await;
    assert_eq!(wrong(refused), (Code::NotFound, String::new()));
    let request = ListNotInvitedRequest { survey_id: survey.survey_id.clone(), ..Default::default() };
    let noted = ground.surveys(tenant).list_not_invited(request).await.expect("listed").into_inner();
    assert!(noted.not_invited.is_empty());
    let request = InviteCustomerRequest {
        survey_id: survey.survey_id,
        customer: Some(by_id(anna)),
        ..InviteCustomerRequest::default()
    };
    assert_eq!(reason(ground.surveys(tenant).invite_customer(request).await), "ERASED");
}
