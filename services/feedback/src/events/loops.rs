//! What is published of follow-ups, promises and improvements; and what of this service's own events may be followed up.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use rapport_api::convert::{instant, timestamp};
use rapport_api::events::v1 as proto;
use rapport_api::events::v1::{Event, event::Payload};
use rapport_data::{Follower, NewEvent};
use rapport_kernel::{Fault, SubjectId, TenantId, Timestamp};

use crate::convert::customer::{party, party_message};
use crate::domain::follow_up::cause::{MentionSays, Place, ResponseSays, Says, TicketSays, Words};
use crate::domain::follow_up::{CauseKey, CauseType, Content, FollowUp, FollowUpId, Progress, Scored, Told};
use crate::domain::improvement::Improvement;
use crate::domain::promise::Promise;
use crate::service::FollowUps;

/// The group that follows up what happens.
pub const GROUP: &str = "loop";

/// Follows up what this service tells.
pub struct Follow(pub FollowUps);

impl Follower for Follow {
    fn follow(&self, tenant: TenantId, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let told: Vec<Told> = events.into_iter().filter_map(told).collect();
            self.0.hear(tenant, told).await
        })
    }

    fn watermark<'a>(&'a self, _: &'a str, _: u16, _: Timestamp) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn leave(&self, _: u16) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The consumer, for [`rapport_data::Database::follow`].
#[must_use]
pub fn follow(follow_ups: FollowUps) -> Arc<dyn Follower> {
    Arc::new(Follow(follow_ups))
}

fn told(event: Event) -> Option<Told> {
    let id = event.aggregate_id.parse().ok()?;
    let subject = event.subject_id.parse().ok()?;
    let occurred_at = instant(event.occurred_at.as_ref()?).ok()?;
    let (kind, content) = match event.payload? {
        Payload::ResponseChanged(state) => (CauseType::Response, response(state, (id, subject, occurred_at))),
        Payload::TicketChanged(state) => (CauseType::Ticket, ticket(*state)),
        Payload::MentionChanged(state) => (CauseType::Mention, mention(state)),
        Payload::PromiseChanged(state) => (CauseType::Promise, promise(state)),
        _ => return None,
    };
    Some(Told { key: CauseKey { kind, id }, subject, revision: event.revision, occurred_at, content })
}

fn words(reading: Option<proto::TextReading>) -> Option<Words> {
    reading.map(|reading| Words {
        language: reading.language,
        sentiment: reading.sentiment,
        effort: reading.effort,
        emotions: reading.emotions.into_iter().collect(),
        topics: reading.topics.into_iter().collect(),
        competitors: reading.competitors,
    })
}

fn response(state: proto::ResponseChanged, (id, subject, at): (uuid::Uuid, SubjectId, Timestamp)) -> Option<Content> {
    // What is still being answered, and what counts nowhere, causes nothing.
    if state.deleted || state.is_test || !state.complete {
        return None;
    }
    let party = party(state.party());
    let principal = |measure: &&proto::Measure| state.score == Some(measure.value) && measure.kind == state.kind;
    let measure = state.measures.iter().find(principal);
    let measure = measure.or_else(|| state.measures.iter().find(|measure| state.score == Some(measure.value)));
    let score = state.score.map(|value| Scored {
        response: id,
        subject,
        kind: state.kind.clone(),
        value,
        min: measure.map_or(0, |measure| measure.scale_min),
        max: measure.map_or(0, |measure| measure.scale_max),
        reversed: measure.is_some_and(|measure| measure.reversed),
        at,
    });
    let mut measures = BTreeMap::new();
    for measure in &state.measures {
        measures.entry(measure.kind.clone()).or_insert(i64::from(measure.value));
    }
    let answers = state.measures.iter().map(|one| (one.question.clone(), i64::from(one.value))).collect();
    Some(Content {
        party,
        place: Place {
            channel: state.channel,
            touchpoint: state.touchpoint,
            stage: state.stage,
            product: state.product,
        },
        campaign: state.campaign,
        agent: state.agent,
        team: state.team,
        language: state.language,
        anonymous: state.anonymous,
        dimensions: state.dimensions,
        says: Says::Response(ResponseSays { survey: state.survey_id, kind: state.kind, score, answers, measures }),
        words: words(state.reading),
    })
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}

fn ticket(state: proto::TicketChanged) -> Option<Content> {
    if state.deleted {
        return None;
    }
    let party = party(state.party());
    let missed = |target: &Option<proto::Target>| target.as_ref().is_some_and(|target| target.breach_time.is_some());
    let progress = Progress {
        breached: missed(&state.first_response_target) || missed(&state.resolution_target),
        status: state.status,
        priority: state.priority,
        reopens: count(state.reopen_times.len()),
        transfers: state.transfers.into(),
        contacts: count(state.contact_times.len()),
    };
    Some(Content {
        party,
        place: Place {
            channel: state.channel,
            touchpoint: state.touchpoint,
            stage: state.stage,
            product: state.product,
        },
        campaign: String::new(),
        agent: state.agent,
        team: state.team,
        language: state.language,
        anonymous: false,
        dimensions: state.dimensions,
        says: Says::Ticket(TicketSays { kind: state.kind, topic: state.topic, progress }),
        words: words(state.reading),
    })
}

/// A mention, by its event alone.
fn mention(state: proto::MentionChanged) -> Option<Content> {
    if state.deleted {
        return None;
    }
    let party = party(state.party());
    let (rating, width) = (state.rating, state.rating_max - state.rating_min);
    let share = rating.filter(|_| width > 0.0).map(|rating| ((rating - state.rating_min) / width).clamp(0.0, 1.0));
    Some(Content {
        party,
        place: Place {
            channel: state.channel,
            touchpoint: state.touchpoint,
            stage: state.stage,
            product: state.product,
        },
        campaign: String::new(),
        agent: String::new(),
        team: String::new(),
        language: state.reading.as_ref().map(|reading| reading.language.clone()).unwrap_or_default(),
        anonymous: state.anonymous,
        dimensions: state.dimensions,
        says: Says::Mention(MentionSays { kind: state.kind, place: state.place, rating, share }),
        words: words(state.reading),
    })
}

fn promise(state: proto::PromiseChanged) -> Option<Content> {
    if state.deleted {
        return None;
    }
    let party = party(state.party());
    Some(Content {
        party,
        place: Place {
            channel: state.channel,
            touchpoint: state.touchpoint,
            stage: state.stage,
            product: state.product,
        },
        campaign: String::new(),
        agent: state.agent,
        team: state.team,
        language: String::new(),
        anonymous: false,
        dimensions: state.dimensions,
        says: Says::Promise(state.status),
        words: None,
    })
}

/// A follow-up's new state; of one that is joined to another its tombstone: what follows up one customer for one rule is told
/// of once.
#[must_use]
pub fn changed(one: &FollowUp) -> NewEvent {
    let (place, cause) = (one.place(), one.causes.first());
    if one.joined.is_some() {
        return of_follow_up(one, proto::FollowUpChanged { deleted: true, ..proto::FollowUpChanged::default() });
    }
    let state = proto::FollowUpChanged {
        deleted: false,
        kind: one.kind.name().to_owned(),
        status: one.status.name().to_owned(),
        open_time: Some(timestamp(one.opened_at)),
        due_time: Some(timestamp(one.due_at)),
        resolve_time: one.resolved_at.map(timestamp),
        outcome: one.outcome.map(|outcome| outcome.name().to_owned()).unwrap_or_default(),
        root_cause: one.root_cause.clone(),
        owner: one.owner.expose().clone(),
        team: one.team.clone(),
        escalations: one.escalations,
        cause_type: cause.map(|cause| cause.key.kind.name().to_owned()).unwrap_or_default(),
        cause_id: cause.map(|cause| cause.key.id.to_string()).unwrap_or_default(),
        channel: place.channel.clone(),
        touchpoint: place.touchpoint.clone(),
        stage: place.stage.clone(),
        product: place.product.clone(),
        dimensions: one.dimensions.clone(),
        party: party_message(one.party).into(),
        score_before: one.score_before().map(|score| score.value),
        score_after: one.next_score.as_ref().map(|score| score.value),
    };
    of_follow_up(one, state)
}

fn of_follow_up(one: &FollowUp, state: proto::FollowUpChanged) -> NewEvent {
    NewEvent {
        subject: one.subject,
        aggregate: "follow_up",
        aggregate_id: one.id.to_string(),
        revision: one.revision,
        occurred_at: one.opened_at,
        payload: Payload::FollowUpChanged(state),
    }
}

/// The follow-up that an event tells of, and the revision it reached.
#[must_use]
pub fn follow_up_told(event: &Event) -> Option<(FollowUpId, u64)> {
    match &event.payload {
        Some(Payload::FollowUpChanged(_)) => Some((event.aggregate_id.parse().ok()?, event.revision)),
        _ => None,
    }
}

/// A promise's new state.
#[must_use]
pub fn promise_changed(one: &Promise) -> NewEvent {
    let said = &one.said;
    let state = proto::PromiseChanged {
        deleted: false,
        status: one.standing().name().to_owned(),
        promise_time: Some(timestamp(said.at)),
        due_time: said.due.map(timestamp),
        resolve_time: one.settled_at().map(timestamp),
        channel: said.place.channel.clone(),
        touchpoint: said.place.touchpoint.clone(),
        stage: said.place.stage.clone(),
        product: said.place.product.clone(),
        dimensions: one.dimensions.clone(),
        party: party_message(one.party).into(),
        agent: said.agent.expose().clone(),
        team: said.team.clone(),
    };
    of_promise(one, one.revision, state)
}

/// The tombstone of a promise.
#[must_use]
pub fn promise_deleted(one: &Promise) -> NewEvent {
    of_promise(one, one.revision + 1, proto::PromiseChanged { deleted: true, ..proto::PromiseChanged::default() })
}

fn of_promise(one: &Promise, revision: u64, state: proto::PromiseChanged) -> NewEvent {
    NewEvent {
        subject: one.subject,
        aggregate: "promise",
        aggregate_id: one.id.to_string(),
        revision,
        occurred_at: one.said.at,
        payload: Payload::PromiseChanged(state),
    }
}

/// An improvement's new state.
#[must_use]
pub fn improvement_changed(tenant: TenantId, one: &Improvement) -> NewEvent {
    let plan = &one.plan;
    let state = proto::ImprovementChanged {
        deleted: false,
        title: plan.title.clone(),
        cause: plan.cause.clone(),
        department: plan.department.clone(),
        stage: plan.stage.clone(),
        target_metric: plan.target_metric.clone(),
        start_time: plan.starts_at.map(timestamp),
        status: plan.stand.name().to_owned(),
    };
    of_improvement(tenant, one, one.revision, state)
}

/// The tombstone of an improvement.
#[must_use]
pub fn improvement_deleted(tenant: TenantId, one: &Improvement) -> NewEvent {
    let state = proto::ImprovementChanged { deleted: true, ..proto::ImprovementChanged::default() };
    of_improvement(tenant, one, one.revision + 1, state)
}

fn of_improvement(tenant: TenantId, one: &Improvement, revision: u64, state: proto::ImprovementChanged) -> NewEvent {
    NewEvent {
        // It is about nobody.
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "improvement",
        aggregate_id: one.id.to_string(),
        revision,
        occurred_at: one.changed_at,
        payload: Payload::ImprovementChanged(state),
    }
}
