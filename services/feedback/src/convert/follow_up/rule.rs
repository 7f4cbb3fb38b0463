//! Rules of follow-ups.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost_types::{Duration, FieldMask};
use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, RequestId, Violations};

use super::super::ticket::refuse;
use super::super::{id, mask, note, request_id, time};
use super::{cause_type, kind, name, person, priority};
use crate::domain::etag;
use crate::domain::follow_up::{Assignment, CauseType, Kind, Priority, Rule, RuleId, Step, facts};
use crate::service::follow_ups::RuleChange;
use crate::store::follow_up::rule::Kept;

/// How old a cause may be where a rule does not say: 30 days.
const USUAL_AGE: u64 = 30 * 24 * 3_600;

const FIELDS: [&str; 11] = [
    "name",
    "kind",
    "cause_types",
    "condition",
    "priority",
    "assignments",
    "due_in",
    "calendar_id",
    "escalations",
    "max_age",
    "paused",
];

/// What a mask names; all of it where it names nothing.
fn masked(mask: Option<&FieldMask>, out: &mut Violations) -> BTreeSet<&'static str> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
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

fn seconds(length: Option<&Duration>, field: &str, out: &mut Violations) -> u64 {
    let Some(length) = length else { return 0 };
    if length.nanos != 0 {
        note(out, field, "duration.seconds", "must be a whole number of seconds");
    }
    u64::try_from(length.seconds).unwrap_or(0)
}

fn condition(source: &str, field: &str, out: &mut Violations) -> String {
    let source = source.trim();
    if !source.is_empty()
        && let Err(errors) = facts::compile(source)
    {
        errors.note(field, out);
    }
    source.to_owned()
}

/// A rule as a message has it.
fn read(message: &proto::FollowUpRule, out: &mut Violations) -> Rule {
    for (field, text) in [("rule.name", &message.name), ("rule.condition", &message.condition)] {
        if text.trim().is_empty() {
            note(out, field, "string.min_len", "must not be empty");
        }
    }
    let rule_condition = condition(&message.condition, "rule.condition", out);
    let mut assignments = Vec::new();
    for (index, one) in message.assignments.iter().enumerate() {
        assignments.push(Assignment {
            condition: condition(&one.condition, &format!("rule.assignments[{index}].condition"), out),
            owners: one.owners.iter().map(|owner| person(owner)).collect(),
            team: name(&one.team),
        });
    }
    let mut steps: Vec<Step> = Vec::new();
    for (index, one) in message.escalations.iter().enumerate() {
        let field = format!("rule.escalations[{index}].after");
        let after = seconds(one.after.as_ref(), &field, out);
        if steps.last().is_some_and(|last| after < last.after) {
            note(out, &field, "follow_up.escalations", "must not come before the step ahead of it");
        }
        let (owner, team) = (person(&one.owner), name(&one.team));
        steps.push(Step { after, owner, team, priority: priority(one.priority()) });
    }
    let due_in = seconds(message.due_in.as_ref(), "rule.due_in", out);
    let max_age = seconds(message.max_age.as_ref(), "rule.max_age", out);
    Rule {
        name: mask::text(message.name.trim().to_owned()).into_inner(),
        kind: kind(message.kind()).unwrap_or(Kind::Recovery),
        causes: message.cause_types().filter_map(cause_type).collect(),
        condition: rule_condition,
        priority: priority(message.priority()).unwrap_or(Priority::Normal),
        assignments,
        due_in,
        calendar: message.calendar_id.parse().ok(),
        steps,
        max_age: if max_age == 0 { USUAL_AGE } else { max_age },
        paused: message.paused,
    }
}

fn unchecked() -> Fault {
    Fault::internal("a rule of follow-ups was not checked")
}

/// A rule to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(message: &proto::CreateFollowUpRuleRequest) -> Result<(Option<RequestId>, Rule), Fault> {
    let mut out = check(message);
    let rule = message.rule.as_ref().map(|rule| read(rule, &mut out));
    refuse(out)?;
    Ok((request_id(&message.request_id)?, rule.ok_or_else(unchecked)?))
}

/// Gives what a mask does not name a value that no rule refuses: it is not looked at.
fn spare(rule: &mut proto::FollowUpRule, named: &BTreeSet<&str>) {
    let left_out = |field: &str| !named.contains(field);
    if left_out("name") {
        rule.name = "-".to_owned();
    }
    if left_out("kind") {
        rule.kind = proto::FollowUpKind::Recovery.into();
    }
    if left_out("cause_types") {
        rule.cause_types.clear();
    }
    if left_out("condition") {
        rule.condition = "true".to_owned();
    }
    if left_out("priority") {
        rule.priority = 0;
    }
    if left_out("assignments") {
        rule.assignments.clear();
    }
    if left_out("due_in") {
        rule.due_in = Some(Duration { seconds: 1, nanos: 0 });
    }
    if left_out("calendar_id") {
        rule.calendar_id.clear();
    }
    if left_out("escalations") {
        rule.escalations.clear();
    }
    if left_out("max_age") {
        rule.max_age = None;
    }
}

/// A rule to change.
///
/// # Errors
/// As [`create`].
pub fn update(message: &proto::UpdateFollowUpRuleRequest) -> Result<(Option<RequestId>, RuleChange), Fault> {
    let mut out = Violations::new();
    let fields = masked(message.update_mask.as_ref(), &mut out);
    let mut wanted = message.clone();
    if let Some(rule) = &mut wanted.rule {
        spare(rule, &fields);
    }
    let rules = check(&wanted);
    rules.as_slice().iter().for_each(|broken| note(&mut out, &broken.field, broken.rule, broken.description.clone()));
    let rule = wanted.rule.as_ref().map(|rule| read(rule, &mut out));
    let (text, etag) = message.rule.as_ref().map(|one| (one.rule_id.clone(), one.etag.clone())).unwrap_or_default();
    let which: Option<RuleId> = text.parse().ok();
    if message.rule.is_some() && which.is_none() {
        note(&mut out, "rule.rule_id", "string.uuid", "must be a UUID");
    }
    refuse(out)?;
    let (rule, which) = rule.zip(which).ok_or_else(unchecked)?;
    let becomes = move |held: Rule| {
        let (wanted, named) = (rule.clone(), |field: &str| fields.contains(field));
        Ok(Rule {
            name: if named("name") { wanted.name } else { held.name },
            kind: if named("kind") { wanted.kind } else { held.kind },
            causes: if named("cause_types") { wanted.causes } else { held.causes },
            condition: if named("condition") { wanted.condition } else { held.condition },
            priority: if named("priority") { wanted.priority } else { held.priority },
            assignments: if named("assignments") { wanted.assignments } else { held.assignments },
            due_in: if named("due_in") { wanted.due_in } else { held.due_in },
            calendar: if named("calendar_id") { wanted.calendar } else { held.calendar },
            steps: if named("escalations") { wanted.steps } else { held.steps },
            max_age: if named("max_age") { wanted.max_age } else { held.max_age },
            paused: if named("paused") { wanted.paused } else { held.paused },
        })
    };
    Ok((request_id(&message.request_id)?, RuleChange { id: which, etag, becomes: Arc::new(becomes) }))
}

/// Which rule a message names.
///
/// # Errors
/// As [`create`].
pub fn which<M: rapport_api::Validate>(message: &M, text: &str) -> Result<RuleId, Fault> {
    check(message).check()?;
    id(text)
}

/// Under which request a rule is deleted.
///
/// # Errors
/// As [`create`].
pub fn request(text: &str) -> Result<Option<RequestId>, Fault> {
    request_id(text)
}

const fn duration(seconds: u64) -> Option<Duration> {
    Some(Duration { seconds: seconds.cast_signed(), nanos: 0 })
}

/// A rule, as the contract has it.
#[must_use]
pub fn render(kept: &Kept) -> proto::FollowUpRule {
    let rule = &kept.rule;
    let assignment = |one: &Assignment| proto::FollowUpAssignment {
        condition: one.condition.clone(),
        owners: one.owners.iter().map(Private::expose).cloned().collect(),
        team: one.team.clone(),
    };
    let step = |one: &Step| proto::FollowUpEscalation {
        after: duration(one.after),
        owner: one.owner.expose().clone(),
        team: one.team.clone(),
        priority: one.priority.map_or(0, |priority| super::render::priority(priority).into()),
    };
    let cause = |one: &CauseType| super::render::cause_type(*one).into();
    proto::FollowUpRule {
        rule_id: kept.id.to_string(),
        name: rule.name.clone(),
        kind: super::render::kind(rule.kind).into(),
        cause_types: rule.causes.iter().map(cause).collect(),
        condition: rule.condition.clone(),
        priority: super::render::priority(rule.priority).into(),
        assignments: rule.assignments.iter().map(assignment).collect(),
        due_in: duration(rule.due_in),
        calendar_id: rule.calendar.map_or_else(String::new, |id| id.to_string()),
        escalations: rule.steps.iter().map(step).collect(),
        max_age: duration(rule.max_age),
        paused: rule.paused,
        opened: kept.opened,
        revision: kept.revision,
        etag: etag::of(kept.revision),
        create_time: time(kept.created_at),
        update_time: time(kept.updated_at),
    }
}
