//! The loop at work on the ground: rules, follow-ups, promises, improvements, and what is told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::CustomerRef;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, event::Payload};
use rapport_api::feedback::v1::expectation_service_client::ExpectationServiceClient;
use rapport_api::feedback::v1::follow_up_service_client::FollowUpServiceClient;
use rapport_api::feedback::v1::improvement_service_client::ImprovementServiceClient;
use rapport_api::feedback::v1::{
    CreateFollowUpRuleRequest, FollowUp, FollowUpEscalation, FollowUpKind, FollowUpOutcome, FollowUpRule,
    GetFollowUpRequest, ListFollowUpHistoryRequest, ListFollowUpsRequest, RecordPromiseRequest, ResolveFollowUpRequest,
    SubmitResponseRequest, Survey,
};
use rapport_bus::Subscription;
use rapport_kernel::{Clock as _, TenantId};
use rapport_platform::PeerChannel;

use crate::ground::{Ground, answer};

pub const HOUR: i64 = 3_600;

pub fn follow_ups(ground: &Ground, tenant: TenantId) -> FollowUpServiceClient<PeerChannel> {
    FollowUpServiceClient::new(ground.channel(tenant)).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
}

pub fn expectations(ground: &Ground, tenant: TenantId) -> ExpectationServiceClient<PeerChannel> {
    ExpectationServiceClient::new(ground.channel(tenant))
}

pub fn improvements(ground: &Ground, tenant: TenantId) -> ImprovementServiceClient<PeerChannel> {
    ImprovementServiceClient::new(ground.channel(tenant))
}

pub fn length(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

pub fn rule(name: &str, condition: &str) -> FollowUpRule {
    FollowUpRule {
        name: name.to_owned(),
        kind: FollowUpKind::Recovery.into(),
        condition: condition.to_owned(),
        due_in: length(HOUR),
        ..FollowUpRule::default()
    }
}

pub fn step(after: i64, owner: &str) -> FollowUpEscalation {
    FollowUpEscalation { after: length(after), owner: owner.to_owned(), ..FollowUpEscalation::default() }
}

pub async fn make(ground: &Ground, tenant: TenantId, rule: FollowUpRule) -> FollowUpRule {
    let request = CreateFollowUpRuleRequest { rule: Some(rule), ..CreateFollowUpRuleRequest::default() };
    follow_ups(ground, tenant).create_follow_up_rule(request).await.expect("a rule").into_inner()
}

pub async fn submit(ground: &Ground, tenant: TenantId, survey: &Survey, customer: &CustomerRef, score: i32) -> String {
    let request = SubmitResponseRequest { customer: Some(customer.clone()), ..answer(survey, score) };
    ground.responses(tenant).submit_response(request).await.expect("taken").into_inner().response_id
}

pub async fn list(ground: &Ground, tenant: TenantId, request: ListFollowUpsRequest) -> Vec<FollowUp> {
    let request = ListFollowUpsRequest { order_by: "open_time".to_owned(), ..request };
    follow_ups(ground, tenant).list_follow_ups(request).await.expect("a list").into_inner().follow_ups
}

/// All follow-ups, once something holds of them; fails where that is not so within some seconds.
pub async fn until(
    ground: &Ground,
    tenant: TenantId,
    what: &str,
    holds: impl Fn(&[FollowUp]) -> bool,
) -> Vec<FollowUp> {
    let mut found = Vec::new();
    for _ in 0..4_000 {
        found = list(ground, tenant, ListFollowUpsRequest::default()).await;
        if holds(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not so: {what}: {found:?}");
}

pub async fn get(ground: &Ground, tenant: TenantId, follow_up: &FollowUp) -> FollowUp {
    let request = GetFollowUpRequest { follow_up_id: follow_up.follow_up_id.clone() };
    follow_ups(ground, tenant).get_follow_up(request).await.expect("there").into_inner()
}

pub async fn history(ground: &Ground, tenant: TenantId, follow_up: &FollowUp) -> Vec<i32> {
    let follow_up_id = follow_up.follow_up_id.clone();
    let request = ListFollowUpHistoryRequest { follow_up_id, ..ListFollowUpHistoryRequest::default() };
    let found = follow_ups(ground, tenant).list_follow_up_history(request).await.expect("a history").into_inner();
    found.events.iter().map(|event| event.r#type).collect()
}

pub fn resolve(follow_up: &FollowUp, root_cause: &str) -> ResolveFollowUpRequest {
    ResolveFollowUpRequest {
        follow_up_id: follow_up.follow_up_id.clone(),
        outcome: FollowUpOutcome::Recovered.into(),
        root_cause: root_cause.to_owned(),
        author: "anna".to_owned(),
        ..ResolveFollowUpRequest::default()
    }
}

pub fn promise(ground: &Ground, customer: &CustomerRef, external_id: &str, due: Option<i64>) -> RecordPromiseRequest {
    let due = due.map(|seconds| timestamp(ground.clock.now().plus(Duration::from_secs(seconds.cast_unsigned()))));
    RecordPromiseRequest {
        customer: Some(customer.clone()),
        what: "a call back".to_owned(),
        source: "desk".to_owned(),
        external_id: external_id.to_owned(),
        due,
        ..RecordPromiseRequest::default()
    }
}

/// What is published, as a group that must settle it reads it.
pub struct Told {
    subscriptions: Vec<(bool, Box<dyn Subscription>)>,
    /// The newest event of each aggregate, by its kind and id.
    pub newest: BTreeMap<(String, String), Event>,
}

impl Told {
    pub fn of(ground: &Ground) -> Self {
        let mut subscriptions = Vec::new();
        for group in ["metrics", "derive"] {
            let lane = rapport_data::lane("feedback", group);
            for partition in 0..rapport_data::PARTITIONS {
                subscriptions.push((group == "metrics", ground.bus.subscribe(&lane, partition, group)));
            }
        }
        Self { subscriptions, newest: BTreeMap::new() }
    }

    /// The newest state of an aggregate, once something holds of it.
    pub async fn until(&mut self, kind: &str, id: &str, holds: impl Fn(&Payload) -> bool) -> Event {
        let key = (kind.to_owned(), id.to_owned());
        for _ in 0..1_000 {
            self.read().await;
            let told = self.newest.get(&key);
            if let Some(event) = told.filter(|event| event.payload.as_ref().is_some_and(&holds)) {
                return event.clone();
            }
        }
        panic!("it was not told of {kind} {id}: {:?}", self.newest.get(&key));
    }

    /// An aggregate as of a revision, once it is told.
    pub async fn as_of(&mut self, kind: &str, id: &str, revision: u64) -> Event {
        let key = (kind.to_owned(), id.to_owned());
        for _ in 0..1_000 {
            self.read().await;
            if let Some(event) = self.newest.get(&key).filter(|event| event.revision == revision) {
                return event.clone();
            }
        }
        panic!("{kind} {id} was not told of as of {revision}: {:?}", self.newest.get(&key));
    }

    async fn read(&mut self) {
        for (counts, subscription) in &mut self.subscriptions {
            let deliveries = subscription.next(100, Duration::from_millis(1)).await.expect("the bus is up");
            if let Some(last) = deliveries.last() {
                subscription.commit(last.id).await.expect("the bus is up");
            }
            for delivery in deliveries.into_iter().filter(|_| *counts) {
                let event = Event::decode(delivery.body).expect("an event");
                let key = (event.aggregate_type.clone(), event.aggregate_id.clone());
                if self.newest.get(&key).is_none_or(|held| held.revision < event.revision) {
                    self.newest.insert(key, event);
                }
            }
        }
    }
}
