//! Asking with restraint: invitations, why there is none, quotas however many invite at once, reminders and ends by the clock.

use std::sync::Arc;
use std::time::Duration;

use rapport_api::convert::{instant, timestamp};
use rapport_api::feedback::v1::get_sample_size_request::Metric;
use rapport_api::feedback::v1::{
    Asking, BatchInviteRequest, CancelInvitationRequest, CheckEligibilityRequest, CheckEligibilityResponse,
    GetInvitationRequest, GetSampleSizeRequest, Invitation, InvitationStatus, InviteCustomerRequest,
    InviteCustomerResponse, ListInvitationsRequest, ListNotInvitedRequest, NotInvitedReason, RecordDeliveryRequest,
    ShareDifference, Survey, SurveyKind, UpdateSurveyRequest,
};
use rapport_api::personalisation::v1::ContactBlockReason;
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;
use uuid::Uuid;

use crate::ground::{Ground, Known, by_id, fields, reason};
use crate::ledger::Stand;

/// A survey of those whom this ground's profiles knows, which are partners.
pub fn asks(asking: Asking) -> Survey {
    Survey {
        name: "Asked".to_owned(),
        kind: SurveyKind::Nps.into(),
        question: "How likely are you to recommend us?".to_owned(),
        party: 3,
        asking: Some(asking),
        ..Survey::default()
    }
}

pub fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn invite(survey: &Survey, customer: SubjectId) -> InviteCustomerRequest {
    InviteCustomerRequest {
        survey_id: survey.survey_id.clone(),
        customer: Some(by_id(customer)),
        ..InviteCustomerRequest::default()
    }
}

pub async fn invited(
    ground: &Ground,
    tenant: TenantId,
    survey: &Survey,
    customer: SubjectId,
) -> InviteCustomerResponse {
    ground.surveys(tenant).invite_customer(invite(survey, customer)).await.expect("judged").into_inner()
}

async fn refused(ground: &Ground, tenant: TenantId, survey: &Survey, customer: SubjectId) -> NotInvitedReason {
    let answer = invited(ground, tenant, survey, customer).await;
    assert!(answer.invitation.is_none(), "it was invited");
    answer.reason()
}

async fn check(ground: &Ground, tenant: TenantId, survey: &Survey, customer: SubjectId) -> CheckEligibilityResponse {
    let request = CheckEligibilityRequest {
        survey_id: survey.survey_id.clone(),
        customer: Some(by_id(customer)),
        ..CheckEligibilityRequest::default()
    };
    ground.surveys(tenant).check_eligibility(request).await.expect("checked").into_inner()
}

/// The invitation once it stands so: the clock's own work takes a moment.
pub async fn until(ground: &Ground, tenant: TenantId, id: &str, is: impl Fn(&Invitation) -> bool) -> Invitation {
    let mut last = None;
    for round in 1..1_600 {
        // A clock that leaps while somebody is asked ends that call's pass: it is put off for five seconds of this clock.
        if round % 80 == 0 {
            ground.clock.advance(Duration::from_secs(6));
        }
        let request = GetInvitationRequest { invitation_id: id.to_owned() };
        let held = ground.surveys(tenant).get_invitation(request).await.expect("held").into_inner();
        if is(&held) {
            return held;
        }
        last = Some(held);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came to stand so: {last:?}")
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_invited_once_and_told_apart_from_whom_restraint_spares(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let day = 86_400;
    let asking = Asking { cool_down: seconds(30 * day), expire_after: seconds(day), ..Asking::default() };
    let survey = ground.open_of(tenant, asks(asking.clone())).await;
    assert_eq!(survey.asking, Some(asking));
    let (_, anna) = ground.profiles.customer(tenant);
    assert!(check(&ground, tenant, &survey, anna).await.eligible);
    let request = InviteCustomerRequest { request_id: Uuid::now_v7().to_string(), ..invite(&survey, anna) };
    let answer = ground.surveys(tenant).invite_customer(request.clone()).await.expect("judged").into_inner();
    let again = ground.surveys(tenant).invite_customer(request).await.expect("again").into_inner();
    assert_eq!(answer, again, "a retry gets the same answer, token and all");
    let invitation = answer.invitation.expect("invited");
    assert!(invitation.token.len() > 60 && invitation.channel == "email");
    assert_eq!((invitation.status(), invitation.kind.as_str()), (InvitationStatus::Invited, "nps"));
    let checked = check(&ground, tenant, &survey, anna).await;
    assert_eq!((checked.eligible, checked.reason()), (false, NotInvitedReason::AlreadyInvited));
    // When the invitation has ended the cool-down holds, to the very instant.
    ground.clock.advance(Duration::from_secs(86_400));
    until(&ground, tenant, &invitation.invitation_id, |it| it.status() == InvitationStatus::Expired).await;
    assert_eq!(refused(&ground, tenant, &survey, anna).await, NotInvitedReason::CoolDown);
    let checked = check(&ground, tenant, &survey, anna).await;
    let free = instant(invitation.invite_time.as_ref().expect("a time")).expect("in range");
    let free = free.plus(Duration::from_secs(30 * 86_400));
    assert_eq!(checked.retry_time, Some(timestamp(free)));
    ground.clock.set(free.minus(Duration::from_micros(1)));
    assert_eq!(refused(&ground, tenant, &survey, anna).await, NotInvitedReason::CoolDown);
    ground.clock.set(free);
    assert!(invited(&ground, tenant, &survey, anna).await.invitation.is_some());
    // Each time that it was not is noted.
    let request = ListNotInvitedRequest { survey_id: survey.survey_id.clone(), ..ListNotInvitedRequest::default() };
    let noted = ground.surveys(tenant).list_not_invited(request).await.expect("listed").into_inner().not_invited;
    assert_eq!(noted.len(), 2);
    assert!(noted.iter().all(|one| one.subject_id == anna.to_string() && one.reason() == NotInvitedReason::CoolDown));
    // Another tenant sees nothing of it.
    let request = GetInvitationRequest { invitation_id: invitation.invitation_id };
    let elsewhere = ground.surveys(TenantId::new()).get_invitation(request).await;
    assert_eq!(reason(elsewhere), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_of_restraint_has_its_reason(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let customer = ground.profiles.customer_with(tenant, "plan", "gold");
    let Some(rapport_api::common::v1::customer_ref::Ref::CustomerId(id)) = customer.r#ref else { panic!("by id") };
    let gold: SubjectId = id.parse().expect("an id");
    let (_, plain) = ground.profiles.customer(tenant);
    let targeted = Asking { targeting: "customer.traits.plan == 'gold'".to_owned(), ..Asking::default() };
    let targeted = ground.open_of(tenant, asks(targeted)).await;
    assert_eq!(refused(&ground, tenant, &targeted, plain).await, NotInvitedReason::NotTargeted);
    let nobody = ground.open_of(tenant, asks(Asking { sampling_rate: Some(0.0), ..Asking::default() })).await;
    assert_eq!(refused(&ground, tenant, &nobody, gold).await, NotInvitedReason::SampledOut);
    let phone = Asking { channels: vec!["sms".to_owned()], ..Asking::default() };
    let phone = ground.open_of(tenant, asks(phone)).await;
    assert_eq!(refused(&ground, tenant, &phone, gold).await, NotInvitedReason::Unreachable);
    let others = Survey { party: 1, ..asks(Asking::default()) };
    let others = ground.open_of(tenant, others).await;
    assert_eq!(refused(&ground, tenant, &others, gold).await, NotInvitedReason::OtherParty);
    for (block, why) in [
        (ContactBlockReason::NoConsent, NotInvitedReason::NoConsent),
        (ContactBlockReason::Cap, NotInvitedReason::Cap),
        (ContactBlockReason::QuietHours, NotInvitedReason::QuietHours),
        (ContactBlockReason::Flag, NotInvitedReason::Flag),
        (ContactBlockReason::LowScore, NotInvitedReason::LowScore),
    ] {
        ground.ledger.forbid("email", block);
        assert_eq!(refused(&ground, tenant, &targeted, gold).await, why);
        assert_eq!(check(&ground, tenant, &targeted, gold).await.reason(), why);
    }
    // Another channel may do where the dearest does not.
    let both = Asking { channels: vec!["email".to_owned(), "web".to_owned()], ..Asking::default() };
    let both = ground.open_of(tenant, asks(both)).await;
    assert_eq!(invited(&ground, tenant, &both, gold).await.invitation.expect("invited").channel, "web");
    ground.ledger.allow("email");
    assert!(invited(&ground, tenant, &targeted, gold).await.invitation.is_some());
    // Of all open surveys it is told apart.
    let request = CheckEligibilityRequest { customer: Some(by_id(gold)), ..CheckEligibilityRequest::default() };
    let all = ground.surveys(tenant).check_eligibility(request).await.expect("checked").into_inner();
    assert_eq!(all.surveys.len(), 5);
    // What is wrong with the settings is told when they are saved, all of it.
    let wrong = Asking {
        targeting: "customer.nothing == 1".to_owned(),
        reminders: vec![seconds(7_200).expect("one"), seconds(3_600).expect("one")],
        quota_window: seconds(3_600),
        ..Asking::default()
    };
    let survey = Survey { survey_id: both.survey_id, asking: Some(wrong), ..Survey::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["asking".to_owned()] });
    let request = UpdateSurveyRequest { survey: Some(survey), update_mask, ..UpdateSurveyRequest::default() };
    let mut told = fields(ground.surveys(tenant).update_survey(request).await);
    told.sort_unstable();
    assert_eq!(told, ["survey.asking.quota_window", "survey.asking.reminders[1]", "survey.asking.targeting"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_is_never_exceeded_however_many_invite_at_once_on_two_instances(#[case] engine: Engine) {
    let ground = Arc::new(Ground::new(engine).await);
    // A file is one process's; a server's database is many's.
    let beside = if engine == Engine::Postgres { Arc::new(ground.beside().await) } else { Arc::clone(&ground) };
    let tenant = TenantId::new();
    let survey = Arc::new(ground.open_of(tenant, asks(Asking { quota: 7, ..Asking::default() })).await);
    let mut calls = Vec::new();
    for number in 0..40 {
        let (_, customer) = ground.profiles.customer(tenant);
        let (on, survey) = (if number % 2 == 0 { &ground } else { &beside }, Arc::clone(&survey));
        let on = Arc::clone(on);
        calls.push(async move { invited(&on, tenant, &survey, customer).await });
    }
    let answers = futures::future::join_all(calls).await;
    let (in_, out): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.invitation.is_some());
    assert_eq!((in_.len(), out.len()), (7, 33));
    assert!(out.iter().all(|answer| answer.reason() == NotInvitedReason::Quota));
    // Nobody's contact stays reserved for nothing, and one that is withdrawn makes room.
    let first = in_[0].invitation.clone().expect("invited");
    let request =
        CancelInvitationRequest { invitation_id: first.invitation_id.clone(), ..CancelInvitationRequest::default() };
    let cancelled = ground.surveys(tenant).cancel_invitation(request).await.expect("cancelled").into_inner();
    assert_eq!(cancelled.status(), InvitationStatus::Cancelled);
    let (_, last) = ground.profiles.customer(tenant);
    assert!(invited(&beside, tenant, &survey, last).await.invitation.is_some());
    for _ in 0..1_600 {
        if ground.ledger.count(Stand::Confirmed) == 7 && ground.ledger.count(Stand::Reserved) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{} confirmed, {} reserved", ground.ledger.count(Stand::Confirmed), ground.ledger.count(Stand::Reserved));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_customer_is_invited_once_however_often_at_once(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let survey = ground.open_of(tenant, asks(Asking { cool_down: seconds(60), ..Asking::default() })).await;
    let (_, customer) = ground.profiles.customer(tenant);
    let calls = (0..16).map(|_| invited(&ground, tenant, &survey, customer));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.invitation.is_some()).count(), 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_a_batch_is_invited_or_there_is_a_reason_why_not(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking { sampling_rate: Some(0.5), ..Asking::default() })).await;
    let mut customers = Vec::new();
    for _ in 0..30 {
        customers.push(ground.profiles.customer(tenant).0);
    }
    // The same one again, one under another of its names, and one whom nobody knows.
    let known = ground.profiles.customer(tenant).1;
    let other = SubjectId::new();
    ground.profiles.tell(
        tenant,
        &by_id(other),
        Known { subject: other, subjects: vec![known, other], ..Known::default() },
    );
    customers.extend([by_id(known), by_id(known), by_id(other), by_id(SubjectId::new())]);
    let request = BatchInviteRequest {
        request_id: Uuid::now_v7().to_string(),
        survey_id: survey.survey_id.clone(),
        customers,
        ..BatchInviteRequest::default()
    };
    let answer = ground.surveys(tenant).batch_invite(request.clone()).await.expect("judged").into_inner();
    assert_eq!(answer.results.len(), 34);
    for (place, result) in answer.results.iter().enumerate() {
        assert_eq!(usize::try_from(result.index).expect("small"), place);
        assert_ne!(result.invitation.is_some(), result.reason() != NotInvitedReason::Unspecified);
    }
    let why = |place: usize| answer.results[place].reason();
    assert_eq!((why(31), why(32)), (NotInvitedReason::Duplicate, NotInvitedReason::Duplicate));
    assert_eq!(why(33), NotInvitedReason::UnknownCustomer);
    let invited = answer.results.iter().filter(|result| result.invitation.is_some()).count();
    assert_eq!(usize::try_from(answer.invited).expect("small"), invited);
    assert!((5..=26).contains(&invited), "{invited} of 31 at a rate of a half");
    let again = ground.surveys(tenant).batch_invite(request).await.expect("again").into_inner();
    assert_eq!(answer, again);
    // The lists hold the same.
    let request = ListInvitationsRequest { survey_id: survey.survey_id, page_size: 4, ..Default::default() };
    let (mut listed, mut token) = (0, String::new());
    loop {
        let request = ListInvitationsRequest { page_token: token, ..request.clone() };
        let page = ground.surveys(tenant).list_invitations(request).await.expect("a page").into_inner();
        listed += page.invitations.len();
        assert!(page.invitations.iter().all(|it| it.token.is_empty()));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, invited);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminders_become_due_until_it_is_answered_and_a_failed_delivery_counts_nowhere(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let reminders = [3_600, 7_200].map(|after| seconds(after).expect("one")).to_vec();
    let asking = Asking { reminders, expire_after: seconds(10_000), cool_down: seconds(86_400), ..Asking::default() };
    let survey = ground.open_of(tenant, asks(asking)).await;
    let (_, anna) = ground.profiles.customer(tenant);
    let held = invited(&ground, tenant, &survey, anna).await.invitation.expect("invited");
    ground.clock.advance(Duration::from_secs(3_600));
    let reminded = until(&ground, tenant, &held.invitation_id, |it| it.reminders == 1).await;
    assert!(reminded.remind_time.is_some());
    // What the contact policy forbids is not done.
    ground.ledger.forbid("email", ContactBlockReason::NoConsent);
    ground.clock.advance(Duration::from_secs(3_600));
    let spared = until(&ground, tenant, &held.invitation_id, |it| it.remind_time.is_none()).await;
    assert_eq!((spared.reminders, spared.status()), (1, InvitationStatus::Invited));
    ground.clock.advance(Duration::from_secs(2_800));
    until(&ground, tenant, &held.invitation_id, |it| it.status() == InvitationStatus::Expired).await;
    ground.ledger.allow("email");

    let (_, boris) = ground.profiles.customer(tenant);
    let held = invited(&ground, tenant, &survey, boris).await.invitation.expect("invited");
    let failed = RecordDeliveryRequest { invitation_id: held.invitation_id, failed: true, ..Default::default() };
    let failed = ground.surveys(tenant).record_delivery(failed).await.expect("noted").into_inner();
    assert_eq!(failed.status(), InvitationStatus::Failed);
    // It was not asked, so nothing cools down; but on this channel nobody reaches it for a while.
    let refused = invited(&ground, tenant, &survey, boris).await;
    assert_eq!(refused.reason(), NotInvitedReason::Unreachable);
    let until_then = instant(refused.retry_time.as_ref().expect("a time")).expect("in range");
    assert_eq!(until_then.since(ground.clock.now()), Duration::from_secs(30 * 86_400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_size_of_a_sample_is_told_with_its_method() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let share = ShareDifference { baseline: 0.5, difference: 0.25 };
    let request = GetSampleSizeRequest {
        metric: Some(Metric::Share(share)),
        power: Some(0.9),
        response_rate: Some(0.2),
        ..GetSampleSizeRequest::default()
    };
    let size = ground.surveys(tenant).get_sample_size(request).await.expect("reckoned").into_inner();
    assert_eq!((size.answers_per_group, size.invitations_per_group), (77, 385));
    let none = ShareDifference { baseline: 0.5, difference: 0.0 };
    let request = GetSampleSizeRequest { metric: Some(Metric::Share(none)), ..GetSampleSizeRequest::default() };
    assert_eq!(fields(ground.surveys(tenant).get_sample_size(request).await), ["share.difference"]);
}
