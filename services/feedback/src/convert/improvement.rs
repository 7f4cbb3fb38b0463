//! Improvements.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, RequestId, Violations};

use super::follow_up::{bound, bound_to};
use super::{id, mask, note, request_id, time};
use crate::domain::etag;
use crate::domain::improvement::{ImprovementId, Plan, Stand, cause_key};
use crate::service::follow_ups::Which;
use crate::service::improvements::{Change, Told};
use crate::store::improvement::Sieve;

const FIELDS: [&str; 11] = [
    "title",
    "description",
    "cause",
    "topics",
    "department",
    "owner",
    "stage",
    "target_metric",
    "target_value",
    "start_time",
    "status",
];

fn unchecked() -> Fault {
    Fault::internal("an improvement was not checked")
}

const fn stand(status: proto::ImprovementStatus) -> Option<Stand> {
    match status {
        proto::ImprovementStatus::Unspecified => None,
        proto::ImprovementStatus::Proposed => Some(Stand::Proposed),
        proto::ImprovementStatus::InProgress => Some(Stand::InProgress),
        proto::ImprovementStatus::Done => Some(Stand::Done),
        proto::ImprovementStatus::Dropped => Some(Stand::Dropped),
    }
}

fn read(message: &proto::Improvement, out: &mut Violations) -> Plan {
    let texts = [("title", &message.title), ("cause", &message.cause), ("department", &message.department)];
    for (field, text) in texts {
        if text.trim().is_empty() {
            note(out, &format!("improvement.{field}"), "string.min_len", "must not be empty");
        }
    }
    if message.target_value.is_some_and(|value| !value.is_finite()) {
        note(out, "improvement.target_value", "double.finite", "must be finite");
    }
    Plan {
        title: mask::text(message.title.trim().to_owned()).into_inner(),
        description: mask::text(message.description.clone()).into_inner(),
        cause: mask::text(message.cause.trim().to_owned()).into_inner(),
        topics: mask::names(message.topics.iter().cloned()),
        department: mask::name(message.department.trim().to_owned()),
        owner: Private::new(mask::name(message.owner.trim().to_owned())),
        stage: mask::name(message.stage.clone()),
        target_metric: mask::name(message.target_metric.clone()),
        target_value: message.target_value,
        starts_at: bound(message.start_time.as_ref(), "improvement.start_time", out),
        stand: stand(message.status()).unwrap_or(Stand::Proposed),
    }
}

/// An improvement to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(message: &proto::CreateImprovementRequest) -> Result<(Option<RequestId>, Plan), Fault> {
    let mut out = check(message);
    let plan = message.improvement.as_ref().map(|one| read(one, &mut out));
    out.check()?;
    Ok((request_id(&message.request_id)?, plan.ok_or_else(unchecked)?))
}

/// What a mask names; all of it where it names nothing.
fn masked(paths: &[String], out: &mut Violations) -> BTreeSet<&'static str> {
    if paths.is_empty() {
        return FIELDS.into_iter().collect();
    }
    let mut named = BTreeSet::new();
    for (index, path) in paths.iter().enumerate() {
        match FIELDS.into_iter().find(|field| field == path) {
            Some(field) => drop(named.insert(field)),
            None => {
                let text = format!("must be one of: {}", FIELDS.join(", "));
                note(out, &format!("update_mask.paths[{index}]"), "field_mask", text);
            }
        }
    }
    named
}

/// Gives what a mask does not name a value that no rule refuses: it is not looked at.
fn spare(one: &mut proto::Improvement, named: &BTreeSet<&str>) {
    let left_out = |field: &str| !named.contains(field);
    for (field, text) in [("title", &mut one.title), ("cause", &mut one.cause), ("department", &mut one.department)] {
        if left_out(field) {
            *text = "-".to_owned();
        }
    }
    let texts = [
        ("description", &mut one.description),
        ("owner", &mut one.owner),
        ("stage", &mut one.stage),
        ("target_metric", &mut one.target_metric),
    ];
    for (_, text) in texts.into_iter().filter(|(field, _)| left_out(field)) {
        text.clear();
    }
    if left_out("topics") {
        one.topics.clear();
    }
    one.target_value = one.target_value.filter(|_| !left_out("target_value"));
    one.start_time = one.start_time.filter(|_| !left_out("start_time"));
    if left_out("status") {
        one.status = 0;
    }
}

/// An improvement to change.
///
/// # Errors
/// As [`create`].
pub fn update(message: &proto::UpdateImprovementRequest) -> Result<(Option<RequestId>, Change), Fault> {
    let mut out = Violations::new();
    let paths = message.update_mask.as_ref().map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let fields = masked(paths, &mut out);
    let mut wanted = message.clone();
    if let Some(one) = &mut wanted.improvement {
        spare(one, &fields);
    }
    let rules = check(&wanted);
    rules.as_slice().iter().for_each(|broken| note(&mut out, &broken.field, broken.rule, broken.description.clone()));
    let plan = wanted.improvement.as_ref().map(|one| read(one, &mut out));
    let held = message.improvement.as_ref();
    let (text, etag) = held.map(|one| (one.improvement_id.clone(), one.etag.clone())).unwrap_or_default();
    let which: Option<ImprovementId> = text.parse().ok();
    if held.is_some() && which.is_none() {
        note(&mut out, "improvement.improvement_id", "string.uuid", "must be a UUID");
    }
    out.check()?;
    let (plan, which) = plan.zip(which).ok_or_else(unchecked)?;
    let becomes = move |held: Plan| {
        let (wanted, named) = (plan.clone(), |field: &str| fields.contains(field));
        Plan {
            title: if named("title") { wanted.title } else { held.title },
            description: if named("description") { wanted.description } else { held.description },
            cause: if named("cause") { wanted.cause } else { held.cause },
            topics: if named("topics") { wanted.topics } else { held.topics },
            department: if named("department") { wanted.department } else { held.department },
            owner: if named("owner") { wanted.owner } else { held.owner },
            stage: if named("stage") { wanted.stage } else { held.stage },
            target_metric: if named("target_metric") { wanted.target_metric } else { held.target_metric },
            target_value: if named("target_value") { wanted.target_value } else { held.target_value },
            starts_at: if named("start_time") { wanted.starts_at } else { held.starts_at },
            stand: if named("status") { wanted.stand } else { held.stand },
        }
    };
    Ok((request_id(&message.request_id)?, Change { id: which, etag, becomes: Arc::new(becomes) }))
}

/// Which improvement.
///
/// # Errors
/// As [`create`].
pub fn get(message: &proto::GetImprovementRequest) -> Result<ImprovementId, Fault> {
    check(message).check()?;
    id(&message.improvement_id)
}

/// Which improvement to delete.
///
/// # Errors
/// As [`create`].
pub fn delete(message: &proto::DeleteImprovementRequest) -> Result<(Option<RequestId>, ImprovementId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.improvement_id)?))
}

/// Which improvements to list.
///
/// # Errors
/// As [`create`].
pub fn list(message: proto::ListImprovementsRequest) -> Result<(Sieve, Which), Fault> {
    check(&message).check()?;
    let mut bare = message.clone();
    (bare.page_size, bare.page_token) = (0, String::new());
    let sieve = Sieve {
        statuses: message.statuses().filter_map(stand).collect(),
        department: mask::name(message.department.trim().to_owned()),
        cause: cause_key(mask::text(message.cause.clone()).expose()),
        stage: mask::name(message.stage.clone()),
    };
    let size = rapport_kernel::page_size(message.page_size)?;
    Ok((sieve, Which { bound: bound_to("ListImprovements", &bare), size, token: message.page_token }))
}

/// An improvement, as the contract has it.
#[must_use]
pub fn render((one, linked): &Told) -> proto::Improvement {
    let plan = &one.plan;
    let status = match plan.stand {
        Stand::Proposed => proto::ImprovementStatus::Proposed,
        Stand::InProgress => proto::ImprovementStatus::InProgress,
        Stand::Done => proto::ImprovementStatus::Done,
        Stand::Dropped => proto::ImprovementStatus::Dropped,
    };
    proto::Improvement {
        improvement_id: one.id.to_string(),
        title: plan.title.clone(),
        description: plan.description.clone(),
        cause: plan.cause.clone(),
        topics: plan.topics.clone(),
        department: plan.department.clone(),
        owner: plan.owner.expose().clone(),
        stage: plan.stage.clone(),
        target_metric: plan.target_metric.clone(),
        target_value: plan.target_value,
        start_time: plan.starts_at.and_then(time),
        status: status.into(),
        follow_ups: linked.all,
        follow_ups_after_start: linked.since_start,
        last_follow_up_time: linked.last.and_then(time),
        revision: one.revision,
        etag: etag::of(one.revision),
        create_time: time(one.created_at),
        update_time: time(one.changed_at),
    }
}
