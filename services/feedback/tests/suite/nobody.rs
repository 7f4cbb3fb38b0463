//! Who was invited to an anonymous survey and who has answered it: nothing that can be asked for, nor a token that is tried again,
//! tells the one from the other.

use std::time::Duration;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::{instant, timestamp};
use rapport_api::feedback::v1::respondent_service_client::RespondentServiceClient;
use rapport_api::feedback::v1::{
    Answer, Asking, CancelInvitationRequest, CheckEligibilityRequest, EraseByCodeRequest,
    GetInvitedQuestionnaireRequest, Invitation, InvitationContext, InvitationStatus, InviteCustomerRequest,
    IssueInvitationTokenRequest, ListInvitationsRequest, ListResponsesRequest, RecordDeliveryRequest, Response,
    ResponseState, SubmitInvitedResponseRequest, SubmitResponseRequest, Survey, TicketStatus, WatchInvitationsRequest,
    answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rapport_platform::PeerChannel;
use rstest::rstest;
use uuid::Uuid;

use crate::asking::{asks, invited, seconds, until};
use crate::desk::{pushed, ticket};
use crate::ground::{Ground, by_id, fields, reason};

fn respondents(ground: &Ground, tenant: TenantId) -> RespondentServiceClient<PeerChannel> {
    RespondentServiceClient::new(ground.channel(tenant))
}

fn by_token(survey: &Survey, token: &str, score: i32) -> SubmitResponseRequest {
    SubmitResponseRequest {
        request_id: Uuid::now_v7().to_string(),
        survey_id: survey.survey_id.clone(),
        invitation_token: token.to_owned(),
        score: Some(score),
        ..SubmitResponseRequest::default()
    }
}

async fn submit(ground: &Ground, tenant: TenantId, request: SubmitResponseRequest) -> Response {
    ground.responses(tenant).submit_response(request).await.expect("taken").into_inner()
}

async fn held(ground: &Ground, tenant: TenantId, survey: &Survey) -> Vec<Response> {
    let request = ListResponsesRequest { survey_id: survey.survey_id.clone(), ..ListResponsesRequest::default() };
    ground.responses(tenant).list_responses(request).await.expect("listed").into_inner().responses
}

/// An invitation but for what tells any two apart.
fn bare(it: Invitation) -> Invitation {
    assert!(!it.invitation_id.is_empty() && !it.subject_id.is_empty());
    Invitation { invitation_id: String::new(), subject_id: String::new(), token: String::new(), ..it }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_that_was_answered_is_told_like_one_that_was_not_until_both_have_ended(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let asking = Asking {
        reminders: [3_600, 90_000].map(|after| seconds(after).expect("one")).to_vec(),
        expire_after: seconds(200_000),
        cool_down: seconds(300_000),
        ..Asking::default()
    };
    let survey = ground.open_of(tenant, Survey { anonymous: true, ..asks(asking) }).await;
    let (anna, boris) = (ground.profiles.customer(tenant).1, ground.profiles.customer(tenant).1);
    let watch = WatchInvitationsRequest { survey_id: survey.survey_id.clone(), ..WatchInvitationsRequest::default() };
    let mut watcher = ground.surveys(tenant);
    let mut told = watcher.watch_invitations(watch).await.expect("watching").into_inner();
    assert!(told.message().await.expect("no error").expect("a place").change.is_none());
    let mut both = Vec::new();
    for who in [anna, boris] {
        both.push(invited(&ground, tenant, &survey, who).await.invitation.expect("invited"));
    }
    // What follows in the watch is what is done here.
    let mut begun = 0;
    while begun < both.len() {
        begun += usize::from(told.message().await.expect("no error").expect("it goes on").change.is_some());
    }
    // In part, whole, and once more: none of it changes anything of it.
    submit(
        &ground,
        tenant,
        SubmitResponseRequest { partial: true, score: None, ..by_token(&survey, &both[0].token, 0) },
    )
    .await;
    submit(&ground, tenant, by_token(&survey, &both[0].token, 3)).await;
    submit(&ground, tenant, by_token(&survey, &both[0].token, 9)).await;
    let alike = async |what: &str| {
        let mut seen = Vec::new();
        for it in &both {
            let id = it.invitation_id.clone();
            let got = until(&ground, tenant, &id, |_| true).await;
            let issued = IssueInvitationTokenRequest { invitation_id: id };
            let issued = ground.surveys(tenant).issue_invitation_token(issued).await.map(tonic::Response::into_inner);
            let token = issued.as_ref().map(|issued| issued.token == it.token).map_err(|refused| refused.code());
            let asked = GetInvitedQuestionnaireRequest { token: it.token.clone(), ..Default::default() };
            let asked = respondents(&ground, tenant).get_invited_questionnaire(asked).await;
            let asked =
                asked.map(tonic::Response::into_inner).map_err(|refused| (refused.code(), reason::<()>(Err(refused))));
            let check = CheckEligibilityRequest {
                survey_id: survey.survey_id.clone(),
                customer: Some(by_id(it.subject_id.parse::<SubjectId>().expect("an id"))),
                ..CheckEligibilityRequest::default()
            };
            let check = ground.surveys(tenant).check_eligibility(check).await.expect("checked").into_inner();
            seen.push((bare(got), issued.map(bare).map_err(|refused| refused.code()), token, asked, check));
        }
        assert_eq!(seen[0], seen[1], "{what}");
        seen.remove(0).0
    };
    let now = alike("after the answer").await;
    assert_eq!(
        (now.status(), now.uses, now.start_time, now.response_id.as_str()),
        (InvitationStatus::Invited, 0, None, "")
    );
    let list = ListInvitationsRequest { survey_id: survey.survey_id.clone(), ..ListInvitationsRequest::default() };
    let listed = ground.surveys(tenant).list_invitations(list.clone()).await.expect("listed").into_inner().invitations;
    assert_eq!(bare(listed[0].clone()), bare(listed[1].clone()));
    for status in [InvitationStatus::Started, InvitationStatus::Completed] {
        let list = ListInvitationsRequest { status: status.into(), ..list.clone() };
        let found = ground.surveys(tenant).list_invitations(list).await.expect("listed").into_inner().invitations;
        assert_eq!(found, []);
    }
    // That it was delivered is the first that the watch has to tell of either.
    for it in [&both[0], &both[1]] {
        let delivered = RecordDeliveryRequest { invitation_id: it.invitation_id.clone(), ..Default::default() };
        ground.surveys(tenant).record_delivery(delivered).await.expect("noted");
        let change = loop {
            if let Some(change) = told.message().await.expect("no error").expect("it goes on").change {
                break change;
            }
        };
        let change = change.invitation.expect("it is there");
        assert_eq!(
            (change.invitation_id.as_str(), change.status()),
            (it.invitation_id.as_str(), InvitationStatus::Delivered)
        );
    }
    alike("delivered").await;
    // Both are reminded, and both expire.
    for (reminders, after) in [(1, 3_600), (2, 90_000)] {
        let at = instant(both[0].invite_time.as_ref().expect("a time")).expect("in range");
        ground.clock.set(at.plus(Duration::from_secs(after)));
        for it in &both {
            until(&ground, tenant, &it.invitation_id, |it| it.reminders == reminders).await;
        }
    }
    ground.clock.set(instant(both[0].expire_time.as_ref().expect("a time")).expect("in range"));
    for it in &both {
        let over = until(&ground, tenant, &it.invitation_id, |it| it.status() == InvitationStatus::Expired).await;
        assert_eq!((over.uses, over.complete_time, over.reminders), (0, None, 2));
        let late = ground.responses(tenant).submit_response(by_token(&survey, &it.token, 9)).await;
        assert_eq!(reason(late), "INVALID_STATE");
    }
    assert_eq!(
        held(&ground, tenant, &survey).await.iter().filter(|it| it.state() == ResponseState::Complete).count(),
        1
    );
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_no_use_left_is_answered_like_any_other_and_nothing_of_it_counts(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, Survey { anonymous: true, ..asks(Asking::default()) }).await;
    let token =
        invited(&ground, tenant, &survey, ground.profiles.customer(tenant).1).await.invitation.expect("invited").token;
    let first = submit(&ground, tenant, by_token(&survey, &token, 3)).await;
    let request = by_token(&survey, &token, 3);
    let again = submit(&ground, tenant, request.clone()).await;
    assert!(again.response_id != first.response_id && again.erasure_code != first.erasure_code);
    let no_id = |it: &Response| Response { response_id: String::new(), erasure_code: String::new(), ..it.clone() };
    assert_eq!(no_id(&again), no_id(&first));
    assert_eq!(again.erasure_code.len(), first.erasure_code.len());
    assert_eq!(submit(&ground, tenant, request).await, again, "a retry gets the same answer");
    // What the survey does not take is refused in the same words.
    let wrong = SubmitResponseRequest { score: None, ..by_token(&survey, &token, 0) };
    assert_eq!(fields(ground.responses(tenant).submit_response(wrong).await), ["score"]);
    let ids = |held: Vec<Response>| held.into_iter().map(|it| it.response_id).collect::<Vec<_>>();
    assert_eq!(ids(held(&ground, tenant, &survey).await), std::slice::from_ref(&first.response_id));

    // Page by page: what was begun is held aside, so that it can be gone on with.
    let answer = Answer { question_id: "nps".to_owned(), value: Some(Value::Number(8)), ..Answer::default() };
    let part = SubmitInvitedResponseRequest {
        request_id: Uuid::new_v4().to_string(),
        token: token.clone(),
        answers: vec![answer.clone()],
        partial: true,
        ..Default::default()
    };
    let part = respondents(&ground, tenant).submit_invited_response(part).await.expect("taken").into_inner();
    let asked = GetInvitedQuestionnaireRequest {
        token: token.clone(),
        response_id: part.response_id.clone(),
        ..Default::default()
    };
    let asked = respondents(&ground, tenant).get_invited_questionnaire(asked).await.expect("told").into_inner();
    assert_eq!((&asked.response_id, asked.answers), (&part.response_id, vec![answer]));
    assert_eq!(held(&ground, tenant, &survey).await.len(), 1);
    let whole = SubmitInvitedResponseRequest {
        request_id: Uuid::new_v4().to_string(),
        token: token.clone(),
        response_id: part.response_id.clone(),
        ..Default::default()
    };
    let taken = respondents(&ground, tenant).submit_invited_response(whole.clone()).await.expect("taken").into_inner();
    assert!(taken.complete && taken.erasure_code.len() == first.erasure_code.len());
    assert_eq!(respondents(&ground, tenant).submit_invited_response(whole).await.expect("again").into_inner(), taken);
    assert_eq!(ids(held(&ground, tenant, &survey).await), std::slice::from_ref(&first.response_id));
    // A code of what does not count erases nothing that does, and says as little as one that was used.
    for code in [&taken.erasure_code, &again.erasure_code, &taken.erasure_code] {
        let request = EraseByCodeRequest { code: code.clone() };
        respondents(&ground, tenant).erase_by_code(request).await.expect("alike");
        assert_eq!(held(&ground, tenant, &survey).await.len(), 1);
    }
    // Nor is a token good again once its answer is erased.
    let request = EraseByCodeRequest { code: first.erasure_code };
    respondents(&ground, tenant).erase_by_code(request).await.expect("erased");
    submit(&ground, tenant, by_token(&survey, &token, 5)).await;
    assert_eq!(held(&ground, tenant, &survey).await, []);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_that_is_sent_twice_at_once_is_answered_twice_alike_and_stands_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for anonymous in [false, true] {
        let survey = ground.open_of(tenant, Survey { anonymous, ..asks(Asking::default()) }).await;
        let who = ground.profiles.customer(tenant).1;
        let token = invited(&ground, tenant, &survey, who).await.invitation.expect("invited").token;
        for kept in [true, false] {
            if !(kept || anonymous) {
                continue;
            }
            let number = if kept { 7 } else { 2 };
            let answer =
                Answer { question_id: "nps".to_owned(), value: Some(Value::Number(number)), ..Answer::default() };
            let request = SubmitInvitedResponseRequest {
                request_id: Uuid::new_v4().to_string(),
                token: token.clone(),
                answers: vec![answer],
                ..Default::default()
            };
            // The time that was spent is another at each click.
            let calls = (1..9).map(|seconds| {
                let time = prost_types::Duration { seconds, nanos: 0 };
                let times = [("nps".to_owned(), time)].into();
                let (request, mut calls) =
                    (SubmitInvitedResponseRequest { times, ..request.clone() }, respondents(&ground, tenant));
                async move { calls.submit_invited_response(request).await.expect("answered").into_inner() }
            });
            let answers = futures::future::join_all(calls).await;
            assert!(answers.iter().all(|answer| answer == &answers[0] && answer.complete), "{answers:?}");
            assert_eq!(answers[0].erasure_code.is_empty(), !anonymous);
            let all = held(&ground, tenant, &survey).await;
            assert_eq!(all.iter().map(|it| it.score).collect::<Vec<_>>(), [Some(7)], "anonymous: {anonymous}");
            // Later too, and whatever became of the answer: the page is told what was taken, not that the link was used.
            let asked = GetInvitedQuestionnaireRequest {
                token: token.clone(),
                request_id: request.request_id.clone(),
                ..Default::default()
            };
            let told = respondents(&ground, tenant).get_invited_questionnaire(asked).await.expect("told").into_inner();
            assert_eq!(told.taken.as_ref(), Some(&answers[0]));
            assert!(told.questionnaire.expect("the words of thanks").shown.is_empty());
        }
        let other = GetInvitedQuestionnaireRequest {
            token: token.clone(),
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        let other = respondents(&ground, tenant).get_invited_questionnaire(other).await;
        if anonymous {
            assert!(other.expect("asked").into_inner().taken.is_none());
        } else {
            assert_eq!(reason(other), "INVALID_STATE");
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_few_were_invited_with_does_not_sign_their_answers(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, Survey { anonymous: true, ..asks(Asking::default()) }).await;
    let invite = async |customer: SubjectId, campaign: &str, language: &str| {
        let about = ticket(&ground, &Uuid::now_v7().to_string(), 1, 0, TicketStatus::Open);
        let request = InviteCustomerRequest {
            survey_id: survey.survey_id.clone(),
            customer: Some(by_id(customer)),
            context: Some(InvitationContext {
                campaign: campaign.to_owned(),
                team: "north".to_owned(),
                ticket_id: pushed(&ground, tenant, about).await.ticket_id,
                ..InvitationContext::default()
            }),
            language: language.to_owned(),
            ..InviteCustomerRequest::default()
        };
        let answer = ground.surveys(tenant).invite_customer(request).await.expect("judged").into_inner();
        answer.invitation.expect("invited")
    };
    let about = |it: &Response| (it.campaign.clone(), it.team.clone(), it.channel.clone(), it.language.clone());
    let nothing = (String::new(), String::new(), String::new(), String::new());
    let answered = async |it: &Invitation| about(&submit(&ground, tenant, by_token(&survey, &it.token, 3)).await);
    let one = invite(ground.profiles.customer(tenant).1, "only-anna", "en").await;
    assert_eq!(answered(&one).await, nothing);
    // One who is invited five times is one.
    let (often, mut last) = (ground.profiles.customer(tenant).1, None);
    for _ in 0..5 {
        last = Some(invite(often, "often", "en").await);
    }
    assert_eq!(answered(&last.expect("invited")).await, nothing);
    let mut wave = Vec::new();
    for _ in 0..5 {
        wave.push(invite(ground.profiles.customer(tenant).1, "wave", "en").await);
    }
    // In a language of one's own one is not among them, and who was not asked after all is not either.
    let other = invite(ground.profiles.customer(tenant).1, "wave", "ro").await;
    let request = CancelInvitationRequest { invitation_id: wave[4].invitation_id.clone(), ..Default::default() };
    ground.surveys(tenant).cancel_invitation(request).await.expect("withdrawn");
    assert_eq!(answered(&wave[0]).await, nothing);
    invite(ground.profiles.customer(tenant).1, "wave", "en").await;
    let whole = ["wave", "north", "email", "en"].map(str::to_owned);
    assert_eq!(answered(&wave[1]).await, whole.into());
    assert_eq!(answered(&other).await, nothing);
    assert!(
        held(&ground, tenant, &survey).await.iter().all(|it| it.ticket_id.is_empty() && it.invitation_id.is_empty())
    );
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_and_a_withdrawal_do_not_tell_either(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, Survey { anonymous: true, ..asks(Asking::default()) }).await;
    let mut seen = Vec::new();
    for answers in [true, false] {
        let who = ground.profiles.customer(tenant).1;
        let it = invited(&ground, tenant, &survey, who).await.invitation.expect("invited");
        let other =
            invited(&ground, tenant, &survey, ground.profiles.customer(tenant).1).await.invitation.expect("invited");
        if answers {
            submit(&ground, tenant, by_token(&survey, &it.token, 3)).await;
            submit(&ground, tenant, by_token(&survey, &other.token, 3)).await;
        }
        let request = CancelInvitationRequest { invitation_id: other.invitation_id.clone(), ..Default::default() };
        let cancelled = ground.surveys(tenant).cancel_invitation(request).await.expect("withdrawn").into_inner();
        let refused = ground.responses(tenant).submit_response(by_token(&survey, &other.token, 4)).await;
        let request = EraseSubjectsRequest {
            erasure_id: Uuid::now_v7().to_string(),
            subject_ids: vec![who.to_string()],
            requested_at: Some(timestamp(ground.clock.now())),
        };
        let erased = ground.erasures(tenant).erase_subjects(request).await.expect("erased").into_inner();
        let gone = ground.responses(tenant).submit_response(by_token(&survey, &it.token, 4)).await;
        seen.push((bare(cancelled), reason(refused), erased.deleted_rows, reason(gone)));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(held(&ground, tenant, &survey).await.len(), 2, "what was said by nobody is nobody's to erase");
}
