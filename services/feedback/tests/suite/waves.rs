//! Waves: a population is asked by an operation. Each member is invited or there is a reason why not, once, whatever happens
//! meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    Asking, BatchInviteRequest, BatchInviteResponse, CloseSurveyRequest, DeleteSurveyRequest, Invitation,
    InvitationContext, ListInvitationsRequest, ListNotInvitedRequest, NotInvited, NotInvitedReason,
    SubmitResponseRequest, Survey, WaveResult,
};
use rapport_api::google::longrunning::operation::Result as Ended;
use rapport_api::google::longrunning::{CancelOperationRequest, GetOperationRequest};
use rapport_data::Engine;
use rapport_harness::shared_postgres;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;
use uuid::Uuid;

use crate::asking::{asks, seconds};
use crate::ground::{Ground, Known, by_id, fields, reason};

const WAVE: &str = "2026-q1";

fn context() -> Option<InvitationContext> {
    Some(InvitationContext { campaign: WAVE.to_owned(), ..InvitationContext::default() })
}

fn of_segment(survey: &Survey, segment: &str) -> BatchInviteRequest {
    BatchInviteRequest {
        request_id: Uuid::now_v7().to_string(),
        survey_id: survey.survey_id.clone(),
        segment_id: segment.to_owned(),
        context: context(),
        ..BatchInviteRequest::default()
    }
}

fn of_everybody(survey: &Survey) -> BatchInviteRequest {
    BatchInviteRequest { everybody: true, ..of_segment(survey, "") }
}

async fn begun(ground: &Ground, tenant: TenantId, wave: BatchInviteRequest) -> BatchInviteResponse {
    let begun = ground.surveys(tenant).batch_invite(wave).await.expect("begun").into_inner();
    assert!(begun.operation.starts_with("feedback/operations/") && begun.results.is_empty(), "{begun:?}");
    begun
}

async fn result(ground: &Ground, tenant: TenantId, operation: &str) -> WaveResult {
    let Some(Ended::Response(result)) = ground.operation(tenant, operation).await.result else { panic!("a result") };
    WaveResult::decode(result.value.as_slice()).expect("of a wave")
}

fn counts(result: &WaveResult) -> BTreeMap<NotInvitedReason, i64> {
    result.not_invited.iter().map(|one| (one.reason(), one.count)).collect()
}

/// All invitations of the wave.
async fn invited(ground: &Ground, tenant: TenantId, survey: &Survey) -> Vec<Invitation> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListInvitationsRequest {
            survey_id: survey.survey_id.clone(),
            campaign: WAVE.to_owned(),
            page_size: 500,
            page_token,
            ..ListInvitationsRequest::default()
        };
        let page = ground.surveys(tenant).list_invitations(request).await.expect("a page").into_inner();
        all.extend(page.invitations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

/// All who were not invited in the wave.
async fn not_invited(ground: &Ground, tenant: TenantId, survey: &Survey) -> Vec<NotInvited> {
    let request = ListNotInvitedRequest {
        survey_id: survey.survey_id.clone(),
        campaign: WAVE.to_owned(),
        page_size: 1_000,
        ..ListNotInvitedRequest::default()
    };
    ground.surveys(tenant).list_not_invited(request).await.expect("listed").into_inner().not_invited
}

fn members(ground: &Ground, tenant: TenantId, count: usize) -> Vec<SubjectId> {
    (0..count).map(|_| ground.profiles.customer(tenant).1).collect()
}

/// Each of them once.
#[track_caller]
fn once(subjects: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let all: Vec<String> = subjects.into_iter().collect();
    let each: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(each.len(), all.len(), "somebody is there twice");
    each
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_of_a_segment_is_invited_or_there_is_a_reason_why_not(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let asking = Asking { sampling_rate: Some(0.5), cool_down: seconds(86_400), ..Asking::default() };
    let survey = ground.open_of(tenant, asks(asking)).await;
    let mut all = members(&ground, tenant, 90);
    // Two members that are one customer by now, and one whom nobody knows any more.
    let (one, other) = (all[3], SubjectId::new());
    let merged = Known { subject: other, subjects: vec![one, other], ..Known::default() };
    ground.profiles.tell(tenant, &by_id(other), merged.clone());
    ground.profiles.tell(tenant, &by_id(one), Known { subject: one, ..merged });
    all.extend([other, SubjectId::new()]);
    let segment = ground.populations.segment(tenant, &all, true);
    let wave = of_segment(&survey, &segment);
    let operation = begun(&ground, tenant, wave.clone()).await.operation;
    let first = result(&ground, tenant, &operation).await;
    assert_eq!((first.customers, first.not_invited.len()), (90, 1), "{first:?}");
    assert_eq!(counts(&first), [(NotInvitedReason::SampledOut, 90 - first.invited)].into());
    assert!((15..=75).contains(&first.invited), "{} of 90 at a rate of a half", first.invited);
    let (yes, no) = (invited(&ground, tenant, &survey).await, not_invited(&ground, tenant, &survey).await);
    assert_eq!(yes.len(), usize::try_from(first.invited).expect("few"));
    assert!(yes.iter().all(|it| it.context == context() && it.token.is_empty()));
    let heard = once(yes.iter().map(|it| it.subject_id.clone()).chain(no.iter().map(|it| it.subject_id.clone())));
    assert_eq!(heard.len(), 90);
    // What is answered bears the wave.
    let id = yes[0].invitation_id.clone();
    let issue = rapport_api::feedback::v1::IssueInvitationTokenRequest { invitation_id: id };
    let token = ground.surveys(tenant).issue_invitation_token(issue).await.expect("a token").into_inner().token;
    let answer = SubmitResponseRequest {
        survey_id: survey.survey_id.clone(),
        invitation_token: token,
        score: Some(9),
        ..SubmitResponseRequest::default()
    };
    let answer = ground.responses(tenant).submit_response(answer).await.expect("taken").into_inner();
    assert_eq!(answer.campaign, WAVE);
    // A retry begins nothing; another wave finds whom the first one asked.
    assert_eq!(begun(&ground, tenant, wave).await.operation, operation);
    let again = begun(&ground, tenant, of_segment(&survey, &segment)).await.operation;
    assert_ne!(again, operation);
    let again = result(&ground, tenant, &again).await;
    assert_eq!((again.customers, again.invited), (90, 0), "{again:?}");
    let why = counts(&again);
    let (asked, cools) = (why[&NotInvitedReason::AlreadyInvited], why[&NotInvitedReason::CoolDown]);
    assert_eq!((asked, cools), (first.invited - 1, 1), "{why:?}");
    assert_eq!(invited(&ground, tenant, &survey).await.len(), yes.len());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waves_at_once_keep_to_the_quota_and_leave_to_chance_whom_it_takes(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let asking = Asking { quota: 20, targeting: "customer.traits.plan == 'gold'".to_owned(), ..Asking::default() };
    let survey = ground.open_of(tenant, asks(asking)).await;
    let gold: Vec<SubjectId> = (0..70)
        .map(|_| match ground.profiles.customer_with(tenant, "plan", "gold").r#ref {
            Some(rapport_api::common::v1::customer_ref::Ref::CustomerId(id)) => id.parse().expect("an id"),
            _ => panic!("by id"),
        })
        .collect();
    let mut all = members(&ground, tenant, 30);
    all.extend(&gold);
    ground.populations.everybody(tenant, &all);
    let (one, two) =
        tokio::join!(begun(&ground, tenant, of_everybody(&survey)), begun(&ground, tenant, of_everybody(&survey)));
    let (one, two) = (result(&ground, tenant, &one.operation).await, result(&ground, tenant, &two.operation).await);
    // Whom the survey does not ask is not of the wave.
    assert_eq!((one.customers, two.customers, one.invited + two.invited), (70, 70, 20), "{one:?} {two:?}");
    for wave in [&one, &two] {
        let allowed = [NotInvitedReason::Quota, NotInvitedReason::AlreadyInvited];
        assert!(counts(wave).keys().all(|reason| allowed.contains(reason)), "{wave:?}");
    }
    let yes = once(invited(&ground, tenant, &survey).await.into_iter().map(|it| it.subject_id));
    assert_eq!(yes.len(), 20);
    let no = not_invited(&ground, tenant, &survey).await;
    assert_eq!(no.len(), 2 * 70 - 20);
    let gold: Vec<String> = gold.iter().map(SubjectId::to_string).collect();
    assert!(no.iter().map(|it| &it.subject_id).chain(&yes).all(|subject| gold.contains(subject)));
    // That the oldest twenty of seventy are drawn by chance happens once in 1.6e17 times.
    assert!(gold[20..].iter().any(|subject| yes.contains(subject)), "the oldest fill the quota");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wave_goes_on_after_its_instance_and_asks_nobody_twice(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    // Nothing else keeps a customer from being asked again.
    let survey = ground.open_of(tenant, asks(Asking { max_uses: 1, ..Asking::default() })).await;
    let mut all = members(&ground, tenant, 100);
    let segment = ground.populations.segment(tenant, &all, false);
    ground.ledger.away_after(Some(30));
    let operation = begun(&ground, tenant, of_segment(&survey, &segment)).await.operation;
    // While the segment is being filled, nobody is asked.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(invited(&ground, tenant, &survey).await.is_empty());
    let last = ground.profiles.customer(tenant).1;
    ground.populations.fill(tenant, &segment, last);
    all.push(last);
    for _ in 0..2_400 {
        if ground.ledger.is_away() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(ground.ledger.is_away(), "it has begun to ask");
    ground.stop().await;
    let next = ground.beside().await;
    next.ledger.away_after(None);
    let ended = result(&next, tenant, &operation).await;
    assert_eq!((ended.customers, ended.invited), (101, 101), "{ended:?}");
    let asked = once(invited(&next, tenant, &survey).await.into_iter().map(|it| it.subject_id));
    assert_eq!(asked, all.iter().map(SubjectId::to_string).collect());
    assert!(not_invited(&next, tenant, &survey).await.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wave_spread_over_time_is_cancelled_and_nothing_is_left_of_it_nor_of_who_was_erased(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let all = members(&ground, tenant, 50);
    let segment = ground.populations.segment(tenant, &all, true);
    // One every ten seconds.
    let wave = BatchInviteRequest { per_hour: 360, ..of_segment(&survey, &segment) };
    let operation = begun(&ground, tenant, wave).await.operation;
    let mut asked = Vec::new();
    for _ in 0..2_400 {
        asked = invited(&ground, tenant, &survey).await;
        if !asked.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let first = asked.first().expect("somebody is asked").subject_id.clone();
    let erased = all.iter().find(|subject| subject.to_string() != first).copied().expect("another");
    let erase = EraseSubjectsRequest {
        erasure_id: Uuid::now_v7().to_string(),
        subject_ids: vec![erased.to_string()],
        requested_at: Some(timestamp(ground.clock.now())),
    };
    let gone = ground.erasures(tenant).erase_subjects(erase).await.expect("erased").into_inner();
    assert!(gone.deleted_rows >= 1, "its place in the wave at least");
    let cancel = CancelOperationRequest { name: operation.clone() };
    ground.operations(tenant).cancel_operation(cancel).await.expect("cancelled");
    let ended = ground.ended(tenant, &operation).await;
    assert!(matches!(&ended.result, Some(Ended::Error(error)) if error.code == tonic::Code::Cancelled as i32));
    let kept = invited(&ground, tenant, &survey).await;
    assert!(!kept.is_empty() && kept.len() < 50, "{} were invited", kept.len());
    assert!(kept.iter().all(|it| it.subject_id != erased.to_string()));
    // Of a wave that has ended, however, its members are forgotten after a while.
    let get = GetOperationRequest { name: operation };
    assert!(ground.operations(tenant).get_operation(get).await.expect("it is there").into_inner().done);
    ground.clock.advance(Duration::from_secs(3_600));
    if engine == Engine::Postgres {
        let left = || shared_postgres().execute(&ground.url, "SELECT count(*) FROM wave_member");
        for _ in 0..2_400 {
            if left() == "0" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(left(), "0");
        assert_eq!(shared_postgres().execute(&ground.url, "SELECT count(*) FROM wave"), "0");
    }
    assert_eq!(invited(&ground, tenant, &survey).await.len(), kept.len());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_wave_needs_must_be_there_as_long_as_it_goes_on(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let draft = ground.draft(tenant).await;
    let all = members(&ground, tenant, 5);
    let segment = ground.populations.segment(tenant, &all, true);
    let mut surveys = ground.surveys(tenant);
    assert_eq!(reason(surveys.batch_invite(of_segment(&draft, &segment)).await), "SURVEY_NOT_OPEN");
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let nowhere = of_segment(&survey, &Uuid::now_v7().to_string());
    assert_eq!(reason(surveys.batch_invite(nowhere).await), "RESOURCE_NOT_FOUND");
    let elsewhere = ground.surveys(TenantId::new()).batch_invite(of_segment(&survey, &segment)).await;
    assert_eq!(reason(elsewhere), "RESOURCE_NOT_FOUND");
    let unknown = Survey { survey_id: Uuid::now_v7().to_string(), ..Survey::default() };
    assert_eq!(reason(surveys.batch_invite(of_everybody(&unknown)).await), "RESOURCE_NOT_FOUND");

    // The segment, or the survey, is deleted before anybody is asked.
    let filling = || ground.populations.segment(tenant, &all, false);
    let failed = async |operation: &str| match ground.ended(tenant, operation).await.result {
        Some(Ended::Error(error)) => error.code,
        other => panic!("it failed: {other:?}"),
    };
    let doomed = filling();
    let operation = begun(&ground, tenant, of_segment(&survey, &doomed)).await.operation;
    ground.populations.delete(tenant, &doomed);
    assert_eq!(failed(&operation).await, tonic::Code::NotFound as i32);
    let other = ground.open_of(tenant, asks(Asking::default())).await;
    let operation = begun(&ground, tenant, of_segment(&other, &filling())).await.operation;
    let delete = DeleteSurveyRequest { survey_id: other.survey_id, ..DeleteSurveyRequest::default() };
    surveys.delete_survey(delete).await.expect("deleted");
    assert_eq!(failed(&operation).await, tonic::Code::NotFound as i32);
    // Closed meanwhile, it asks nobody, and says so of each.
    let waits = filling();
    let operation = begun(&ground, tenant, of_segment(&survey, &waits)).await.operation;
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    surveys.close_survey(close).await.expect("closed");
    let last = ground.profiles.customer(tenant).1;
    ground.populations.fill(tenant, &waits, last);
    let ended = result(&ground, tenant, &operation).await;
    assert_eq!((ended.invited, counts(&ended)), (0, [(NotInvitedReason::SurveyNotOpen, 6)].into()));
}

#[tokio::test]
async fn who_is_invited_is_said_in_one_way_and_what_is_wrong_is_named_all_at_once() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let mut surveys = ground.surveys(tenant);
    let nobody = BatchInviteRequest { survey_id: survey.survey_id.clone(), ..BatchInviteRequest::default() };
    assert_eq!(fields(surveys.batch_invite(nobody.clone()).await), ["customers"]);
    let paced = BatchInviteRequest { customers: vec![by_id(SubjectId::new())], per_hour: 5, ..nobody };
    assert_eq!(fields(surveys.batch_invite(paced.clone()).await), ["per_hour"]);
    let about_one = InvitationContext {
        ticket_id: Uuid::now_v7().to_string(),
        interaction_id: Uuid::now_v7().to_string(),
        ..InvitationContext::default()
    };
    let all = BatchInviteRequest {
        everybody: true,
        segment_id: Uuid::now_v7().to_string(),
        context: Some(about_one),
        per_hour: -1,
        ..paced
    };
    let mut wrong = fields(surveys.batch_invite(all).await);
    wrong.sort();
    assert_eq!(wrong, ["context.interaction_id", "context.ticket_id", "customers", "everybody", "per_hour"]);
}
