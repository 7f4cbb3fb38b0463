//! Invitations told again: a reader that lost what it knew becomes whole, and hears of nobody who is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, InvitationChanged, event::Payload};
use rapport_api::feedback::v1::{
    Asking, CancelInvitationRequest, DeleteSurveyRequest, Invitation, InvitationStatus, RecordDeliveryRequest,
    SubmitResponseRequest, Survey,
};
use rapport_bus::Subscription;
use rapport_data::{DatabaseConfig, Engine};
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rapport_platform::config::Address;
use rstest::rstest;
use uuid::Uuid;

use crate::asking::{asks, invited, seconds, until};
use crate::ground::Ground;

/// What is published of invitations, as metrics reads it; what the other group gets is read on.
struct Told {
    subscriptions: Vec<(bool, Box<dyn Subscription>)>,
    all: Vec<(Event, InvitationChanged)>,
}

impl Told {
    fn of(ground: &Ground) -> Self {
        let mut subscriptions = Vec::new();
        for group in ["metrics", "derive"] {
            let lane = rapport_data::lane("feedback", group);
            for partition in 0..rapport_data::PARTITIONS {
                subscriptions.push((group == "metrics", ground.bus.subscribe(&lane, partition, group)));
            }
        }
        Self { subscriptions, all: Vec::new() }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&[(Event, InvitationChanged)]) -> bool) {
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        while !holds(&self.all) {
            assert!(tokio::time::Instant::now() < end, "it was not told: {what}");
            for (counts, subscription) in &mut self.subscriptions {
                let deliveries = subscription.next(100, Duration::from_millis(2)).await.expect("the bus is up");
                if let Some(last) = deliveries.last() {
                    subscription.commit(last.id).await.expect("the bus is up");
                }
                for delivery in deliveries.into_iter().filter(|_| *counts) {
                    let mut event = Event::decode(delivery.body).expect("an event");
                    if let Some(Payload::InvitationChanged(state)) = event.payload.take() {
                        self.all.push((event, state));
                    }
                }
            }
        }
    }
}

/// The newest state of each.
fn newest(events: &[(Event, InvitationChanged)]) -> BTreeMap<String, (u64, InvitationChanged)> {
    let mut newest: BTreeMap<String, (u64, InvitationChanged)> = BTreeMap::new();
    for (event, state) in events {
        let held = newest.entry(event.aggregate_id.clone()).or_default();
        if event.revision > held.0 {
            *held = (event.revision, state.clone());
        }
    }
    newest
}

fn by_token(survey: &Survey, held: &Invitation, partial: bool) -> SubmitResponseRequest {
    SubmitResponseRequest {
        survey_id: survey.survey_id.clone(),
        invitation_token: held.token.clone(),
        score: Some(9).filter(|_| !partial),
        partial,
        ..SubmitResponseRequest::default()
    }
}

async fn ask(ground: &Ground, tenant: TenantId, survey: &Survey) -> (Invitation, SubjectId) {
    let (_, subject) = ground.profiles.customer(tenant);
    (invited(ground, tenant, survey, subject).await.invitation.expect("invited"), subject)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_tells_every_invitation_again_as_it_stands_and_none_that_is_gone(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let brief = ground.open_of(tenant, asks(Asking { expire_after: seconds(60), ..Asking::default() })).await;
    let survey = ground.open_of(tenant, asks(Asking::default())).await;
    let doomed = ground.open_of(tenant, asks(Asking::default())).await;
    let mut stand = BTreeMap::new();
    let (waits, _) = ask(&ground, tenant, &survey).await;
    stand.insert(waits.invitation_id, "invited");
    for (failed, status) in [(false, "delivered"), (true, "failed")] {
        let (held, _) = ask(&ground, tenant, &survey).await;
        let request = RecordDeliveryRequest { invitation_id: held.invitation_id.clone(), failed, ..Default::default() };
        ground.surveys(tenant).record_delivery(request).await.expect("noted");
        stand.insert(held.invitation_id, status);
    }
    for (partial, status) in [(true, "started"), (false, "completed")] {
        let (held, _) = ask(&ground, tenant, &survey).await;
        ground.responses(tenant).submit_response(by_token(&survey, &held, partial)).await.expect("taken");
        stand.insert(held.invitation_id, status);
    }
    let (held, _) = ask(&ground, tenant, &survey).await;
    let cancel = CancelInvitationRequest { invitation_id: held.invitation_id.clone(), ..Default::default() };
    ground.surveys(tenant).cancel_invitation(cancel).await.expect("withdrawn");
    stand.insert(held.invitation_id, "cancelled");
    let (held, _) = ask(&ground, tenant, &brief).await;
    ground.clock.advance(Duration::from_secs(60));
    until(&ground, tenant, &held.invitation_id, |it| it.status() == InvitationStatus::Expired).await;
    stand.insert(held.invitation_id, "expired");
    // One is erased, another goes with its survey.
    let (_, subject) = ask(&ground, tenant, &survey).await;
    let erase = EraseSubjectsRequest {
        erasure_id: Uuid::now_v7().to_string(),
        subject_ids: vec![subject.to_string()],
        requested_at: Some(timestamp(ground.clock.now())),
    };
    ground.erasures(tenant).erase_subjects(erase).await.expect("erased");
    let (gone, _) = ask(&ground, tenant, &doomed).await;
    let delete = DeleteSurveyRequest { survey_id: doomed.survey_id, ..DeleteSurveyRequest::default() };
    ground.surveys(tenant).delete_survey(delete).await.expect("deleted");

    let arrived = |events: &[(Event, InvitationChanged)]| {
        let newest = newest(events);
        let is = |id: &String, status: &str| newest.get(id).is_some_and(|(_, state)| state.status == status);
        let is_gone = newest.get(&gone.invitation_id).is_some_and(|(_, state)| state.deleted);
        is_gone && stand.iter().all(|(id, status)| is(id, status))
    };
    told.until("all of it", arrived).await;
    let (before, heard) = (newest(&told.all), told.all.len());
    let url = (engine == Engine::Postgres).then(|| Address::new(ground.url.clone()));
    let database = DatabaseConfig { url, folder: ground.folder.path().to_owned(), ..DatabaseConfig::default() };
    let count = rapport_feedback::replay(&ground.platform, rapport_feedback::Config { database }).await;
    assert_eq!(count.expect("replayed"), stand.len() as u64 + 2, "these, and the two answers; nothing of who is gone");
    // Some of what came before may come still: what is told again has a revision that was told already.
    let again = |events: &[(Event, InvitationChanged)]| {
        stand.keys().all(|id| events[heard..].iter().any(|(event, _)| event.aggregate_id == *id))
    };
    told.until("all of it again", again).await;
    let fresh = newest(&told.all[heard..]);
    for (id, status) in &stand {
        assert_eq!(fresh[id], before[id], "{status}");
    }
}
