//! The loop that the suite is for: those of a segment are asked who may be, one says what is wrong, somebody is told and
//! mends it, and the next score tells whether that helped. Meanwhile the profile and the decisions know how the customer feels.

use rapport_api::common::v1::{Identifier, Value, value::Kind};
use rapport_api::feedback::v1::follow_up_service_client::FollowUpServiceClient;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::ticket_service_client::TicketServiceClient;
use rapport_api::feedback::v1::{
    Asking, BatchInviteRequest, CreateFollowUpRuleRequest, FollowUp, FollowUpHelp, FollowUpKind, FollowUpOutcome,
    FollowUpRule, FollowUpStatus, GetFollowUpRequest, InvitationContext, IssueInvitationTokenRequest,
    ListFollowUpsRequest, ListInvitationsRequest, ListNotInvitedRequest, NotInvitedReason, PushTicketRequest,
    ResolveFollowUpRequest, SubmitResponseRequest, Survey, SurveyKind, Ticket, TicketKind, TicketPriority,
    TicketStatus,
};
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{WaitOperationRequest, operation};
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, CreateActionRequest, DecideRequest};
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::segment_service_client::SegmentServiceClient;
use rapport_api::profiles::v1::{
    Consent, ConsentState, CreateSegmentRequest, GetProfileRequest, IdentifyRequest, ProfileScores, Segment,
};
use rapport_tests::{Client, Shape, Suite};

use super::{id, opened, total, until};

const WAVE: &str = "spring";

async fn identify(client: &Client, name: &str, tier: &str, consents: Vec<Consent>) -> String {
    let email = Identifier { namespace: "email".into(), value: format!("{name}@example.com") };
    let request = IdentifyRequest {
        source: "crm".into(),
        external_id: name.into(),
        identifiers: vec![email],
        traits: [("tier".to_owned(), Value { kind: Some(Kind::TextValue(tier.into())) })].into(),
        consents,
        ..IdentifyRequest::default()
    };
    let answer = ProfileServiceClient::new(client.clone()).identify(request).await.expect("identified").into_inner();
    answer.profile.expect("a profile").customer_id
}

async fn scores(client: &Client, customer: &str) -> ProfileScores {
    let request = GetProfileRequest { customer: Some(id(customer)), ..GetProfileRequest::default() };
    let profile = ProfileServiceClient::new(client.clone()).get_profile(request).await.expect("there").into_inner();
    profile.scores.unwrap_or_default()
}

/// The names of the actions that a customer would be met with.
async fn decided(client: &Client, customer: &str) -> Vec<String> {
    let request = DecideRequest {
        customer: Some(id(customer)),
        channel: "web".into(),
        count: 5,
        dry_run: true,
        ..DecideRequest::default()
    };
    let decision = DecisionServiceClient::new(client.clone()).decide(request).await.expect("decided").into_inner();
    decision.actions.into_iter().map(|action| action.name).collect()
}

async fn open_survey(client: &Client) -> String {
    let survey = Survey {
        name: "Relation".to_owned(),
        kind: SurveyKind::Nps.into(),
        question: "How likely are you to recommend us?".to_owned(),
        asking: Some(Asking { channels: vec!["email".to_owned()], ..Asking::default() }),
        ..Survey::default()
    };
    opened(client, survey).await
}

/// Asks the members of a segment, and waits until all are asked or not.
async fn ask(client: &Client, survey_id: &str, segment_id: String) {
    let request = BatchInviteRequest {
        survey_id: survey_id.to_owned(),
        segment_id,
        context: Some(InvitationContext { campaign: WAVE.to_owned(), ..InvitationContext::default() }),
        ..BatchInviteRequest::default()
    };
    let answer = SurveyServiceClient::new(client.clone()).batch_invite(request).await.expect("begun").into_inner();
    until("the wave is over", || async {
        let timeout = Some(prost_types::Duration { seconds: 5, nanos: 0 });
        let request = WaitOperationRequest { name: answer.operation.clone(), timeout };
        let answer = OperationsClient::new(client.clone()).wait_operation(request).await.expect("waited").into_inner();
        match answer.result {
            Some(operation::Result::Error(error)) => panic!("it failed: {}", error.message),
            Some(operation::Result::Response(_)) => true,
            None => false,
        }
    })
    .await;
}

async fn answer(client: &Client, survey_id: &str, score: i32, comment: &str, whose: Result<&str, String>) {
    let mut request = SubmitResponseRequest {
        survey_id: survey_id.to_owned(),
        score: Some(score),
        comment: comment.to_owned(),
        ..SubmitResponseRequest::default()
    };
    match whose {
        Ok(customer) => request.customer = Some(id(customer)),
        Err(token) => request.invitation_token = token,
    }
    ResponseServiceClient::new(client.clone()).submit_response(request).await.expect("taken");
}

async fn complains(client: &Client, customer: &str, version: i64, status: TicketStatus) {
    let ticket = Ticket {
        source: "desk".to_owned(),
        external_id: "7".to_owned(),
        version,
        customer: Some(id(customer)),
        kind: TicketKind::Complaint.into(),
        status: status.into(),
        priority: TicketPriority::High.into(),
        channel: "phone".to_owned(),
        ..Ticket::default()
    };
    let request = PushTicketRequest { ticket: Some(ticket), ..PushTicketRequest::default() };
    TicketServiceClient::new(client.clone()).push_ticket(request).await.expect("taken");
}

async fn follow_ups(client: &Client) -> Vec<FollowUp> {
    let request = ListFollowUpsRequest::default();
    FollowUpServiceClient::new(client.clone()).list_follow_ups(request).await.expect("listed").into_inner().follow_ups
}

async fn get(client: &Client, follow_up_id: &str) -> FollowUp {
    let request = GetFollowUpRequest { follow_up_id: follow_up_id.to_owned() };
    FollowUpServiceClient::new(client.clone()).get_follow_up(request).await.expect("there").into_inner()
}

/// What follows whom there is: a segment, a rule, and two actions, of which one is for those whom nothing troubles.
async fn prepare(client: &Client) -> String {
    let segment = Segment { name: "gold".into(), condition: "traits.tier == 'gold'".into(), ..Segment::default() };
    let request = CreateSegmentRequest { segment: Some(segment), ..CreateSegmentRequest::default() };
    let segment = SegmentServiceClient::new(client.clone()).create_segment(request).await.expect("made").into_inner();
    let rule = FollowUpRule {
        name: "Detractors".to_owned(),
        kind: FollowUpKind::Recovery.into(),
        condition: "response.kind == 'nps' && response.score <= 6".to_owned(),
        due_in: Some(prost_types::Duration { seconds: 86_400, nanos: 0 }),
        ..FollowUpRule::default()
    };
    let request = CreateFollowUpRuleRequest { rule: Some(rule), ..CreateFollowUpRuleRequest::default() };
    FollowUpServiceClient::new(client.clone()).create_follow_up_rule(request).await.expect("made");
    for (name, eligibility) in [
        ("upgrade", "customer.feedback.open_complaints == 0.0 && customer.feedback.open_follow_ups == 0.0"),
        ("call back", "customer.feedback.open_follow_ups > 0.0 && customer.feedback.sentiment < 0.0"),
    ] {
        let action = Action {
            name: name.into(),
            kind: ActionKind::Service.into(),
            eligibility: eligibility.into(),
            value: 1.0,
            ..Action::default()
        };
        let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
        ActionServiceClient::new(client.clone()).create_action(request).await.expect("created");
    }
    segment.segment_id
}

async fn what_is_said_is_mended_and_seen_to_have_helped(shape: Shape) {
    let suite = Suite::start_with(shape, &[("metrics.suppression_threshold", "0")]);
    let client = suite.client().await;
    let segment_id = prepare(&client).await;
    let anna = identify(&client, "anna", "gold", Vec::new()).await;
    let ben = identify(&client, "ben", "gold", Vec::new()).await;
    let refusal = Consent { purpose: "surveys".to_owned(), state: ConsentState::Denied.into(), ..Consent::default() };
    identify(&client, "carl", "gold", vec![refusal]).await;
    identify(&client, "dora", "silver", Vec::new()).await;
    until("nothing troubles her", || async { decided(&client, &anna).await == ["upgrade"] }).await;

    let survey_id = open_survey(&client).await;
    ask(&client, &survey_id, segment_id).await;
    let mut surveys = SurveyServiceClient::new(client.clone());
    let request =
        ListInvitationsRequest { survey_id: survey_id.clone(), campaign: WAVE.to_owned(), ..Default::default() };
    let invitations = surveys.list_invitations(request).await.expect("listed").into_inner().invitations;
    let mut asked: Vec<&str> = invitations.iter().map(|it| it.subject_id.as_str()).collect();
    asked.sort_unstable();
    let mut expected = [anna.as_str(), ben.as_str()];
    expected.sort_unstable();
    assert_eq!(asked, expected, "those of the segment who may be asked");
    let request = ListNotInvitedRequest { survey_id: survey_id.clone(), ..ListNotInvitedRequest::default() };
    let left = surveys.list_not_invited(request).await.expect("listed").into_inner().not_invited;
    assert_eq!(left.iter().map(|it| it.reason()).collect::<Vec<_>>(), [NotInvitedReason::NoConsent]);

    let hers = invitations.iter().find(|it| it.subject_id == anna).expect("hers");
    let request = IssueInvitationTokenRequest { invitation_id: hers.invitation_id.clone() };
    let token = surveys.issue_invitation_token(request).await.expect("issued").into_inner().token;
    answer(&client, &survey_id, 2, "The courier was rude and the delivery came late", Err(token)).await;
    complains(&client, &anna, 1, TicketStatus::Open).await;
    until("somebody is told", || async { follow_ups(&client).await.len() == 1 }).await;
    let follow_up = follow_ups(&client).await.remove(0);
    assert_eq!(follow_up.score_before.as_ref().map(|score| score.score), Some(2));
    until("the profile knows", || async {
        let scores = scores(&client, &anna).await;
        let feels = scores.accumulated_sentiment.as_ref().map_or(0.0, |sentiment| sentiment.value);
        let last: Vec<i32> = scores.last_scores.iter().map(|score| score.score).collect();
        (last, feels < 0.0, scores.open_complaints, scores.open_follow_ups) == (vec![2], true, 1, 1)
    })
    .await;
    until("so do decisions", || async { decided(&client, &anna).await == ["call back"] }).await;
    assert_eq!(decided(&client, &ben).await, ["upgrade"], "and of nobody else");

    complains(&client, &anna, 2, TicketStatus::Solved).await;
    let request = ResolveFollowUpRequest {
        follow_up_id: follow_up.follow_up_id.clone(),
        outcome: FollowUpOutcome::Recovered.into(),
        root_cause: "courier".to_owned(),
        ..ResolveFollowUpRequest::default()
    };
    FollowUpServiceClient::new(client.clone()).resolve_follow_up(request).await.expect("resolved");
    answer(&client, &survey_id, 9, "They called me at once, thank you!", Ok(&anna)).await;
    until("it helped", || async {
        let held = get(&client, &follow_up.follow_up_id).await;
        let after = held.score_after.as_ref().map(|score| score.score);
        (held.status(), after, held.help()) == (FollowUpStatus::Resolved, Some(9), FollowUpHelp::Better)
    })
    .await;
    until("nothing troubles her any more", || async { decided(&client, &anna).await == ["upgrade"] }).await;
    for (metric, value, n) in [("loop_closed_rate", 1.0, 1), ("nps", 0.0, 2)] {
        until(metric, || async {
            let (held, count) = total(&client, metric).await;
            held.is_some_and(|held| (held - value).abs() < 1e-9) && count == n
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_mended_and_seen_to_have_helped_embedded() {
    what_is_said_is_mended_and_seen_to_have_helped(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_mended_and_seen_to_have_helped_in_production() {
    what_is_said_is_mended_and_seen_to_have_helped(Shape::Production).await;
}
