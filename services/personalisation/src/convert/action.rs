//! Actions: requests in, actions out.

use std::time::Duration;

use rapport_api::check;
use rapport_api::personalisation::v1 as proto;
use rapport_kernel::{Fault, Reason, RequestId, Violations};

use super::{id, instant, request_id, time};
use crate::domain::{Action, ActionId, ActionKind, Cap, Draft};

/// The rule under which the errors of a condition are noted.
const CONDITION: &str = "condition";

/// An action to make. What is output only is passed over.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; reason INVALID_CONDITION where it is the condition alone.
pub fn create(message: proto::CreateActionRequest) -> Result<(Option<RequestId>, Draft), Fault> {
    let violations = check(&message);
    let action = message.action.unwrap_or_default();
    Ok((request_id(&message.request_id).unwrap_or_default(), draft(action, violations)?))
}

/// An action to replace.
pub struct Update {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The action.
    pub action: ActionId,
    /// Its etag as last read, or empty.
    pub etag: String,
    /// The action as it shall be.
    pub draft: Draft,
}

/// An action to replace.
///
/// # Errors
/// As [`create`].
pub fn update(message: proto::UpdateActionRequest) -> Result<Update, Fault> {
    let mut violations = check(&message);
    let action = message.action.unwrap_or_default();
    if action.action_id.is_empty() {
        violations.add("action.action_id", "required", "must name the action to replace");
    }
    let (named, etag) = (action.action_id.clone(), action.etag.clone());
    let draft = draft(action, violations)?;
    Ok(Update { request_id: request_id(&message.request_id)?, action: id(&named)?, etag, draft })
}

/// Which action to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetActionRequest) -> Result<ActionId, Fault> {
    check(message).check()?;
    id(&message.action_id)
}

/// How many actions to list at most, and where to go on.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListActionsRequest) -> Result<(usize, String), Fault> {
    check(&message).check()?;
    Ok((rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// An action to delete.
pub struct Delete {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The action.
    pub action: ActionId,
    /// Its etag as last read, or empty.
    pub etag: String,
}

/// Which action to delete.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn delete(message: proto::DeleteActionRequest) -> Result<Delete, Fault> {
    check(&message).check()?;
    let (request_id, action) = (request_id(&message.request_id)?, id(&message.action_id)?);
    Ok(Delete { request_id, action, etag: message.etag })
}

/// An action as the contract has it.
#[must_use]
pub fn render(action: &Action) -> proto::Action {
    let draft = &action.draft;
    proto::Action {
        action_id: action.id.to_string(),
        name: draft.name.clone(),
        kind: kind(draft.kind).into(),
        channels: draft.channels.clone(),
        placements: draft.placements.clone(),
        eligibility: draft.eligibility.clone(),
        value: draft.value,
        propensity: draft.propensity,
        cap: draft.cap.map(cap),
        start_time: draft.start.and_then(time),
        end_time: draft.end.and_then(time),
        etag: action.etag(),
        create_time: time(action.created_at),
        update_time: time(action.updated_at),
    }
}

/// A kind of action as the contract has it.
#[must_use]
pub const fn kind(kind: ActionKind) -> proto::ActionKind {
    match kind {
        ActionKind::Offer => proto::ActionKind::Offer,
        ActionKind::Recommendation => proto::ActionKind::Recommendation,
        ActionKind::Advice => proto::ActionKind::Advice,
        ActionKind::Service => proto::ActionKind::Service,
    }
}

/// What its maker wrote. Adds what the contract's rules cannot say, and answers with all violations at once.
fn draft(action: proto::Action, mut violations: Violations) -> Result<Draft, Fault> {
    let kind = match action.kind() {
        proto::ActionKind::Recommendation => ActionKind::Recommendation,
        proto::ActionKind::Advice => ActionKind::Advice,
        proto::ActionKind::Service => ActionKind::Service,
        // Unspecified is refused by the contract's rules, which are among the violations.
        proto::ActionKind::Offer | proto::ActionKind::Unspecified => ActionKind::Offer,
    };
    let (start, end) = (instant(action.start_time.as_ref()), instant(action.end_time.as_ref()));
    let (start, end) = (start.unwrap_or_default(), end.unwrap_or_default());
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        violations.add("action.end_time", "after_start", "must be later than start_time");
    }
    let draft = Draft {
        name: action.name,
        kind,
        channels: action.channels,
        placements: action.placements,
        eligibility: action.eligibility,
        value: action.value,
        propensity: action.propensity,
        cap: action.cap.and_then(|cap| parse_cap(&cap)),
        start,
        end,
    };
    if let Err(errors) = draft.compile() {
        errors.note("action.eligibility", &mut violations);
    }
    if violations.is_empty() {
        return Ok(draft);
    }
    let condition_alone = violations.as_slice().iter().all(|violation| violation.rule == CONDITION);
    let mut fault = Fault::invalid(violations);
    if condition_alone {
        fault.reason = Reason::InvalidCondition;
    }
    Err(fault)
}

/// A cap; none where it breaks a rule, which is among the violations then.
fn parse_cap(cap: &proto::Cap) -> Option<Cap> {
    let window = cap.window.as_ref()?;
    let window = Duration::new(u64::try_from(window.seconds).ok()?, u32::try_from(window.nanos).ok()?);
    // Kept to the microsecond, as every instant is.
    let window = Duration::from_micros(u64::try_from(window.as_micros()).ok()?);
    Some(Cap { times: u32::try_from(cap.times).ok()?, window })
}

fn cap(cap: Cap) -> proto::Cap {
    let seconds = i64::try_from(cap.window.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(cap.window.subsec_nanos()).unwrap_or_default();
    let window = prost_types::Duration { seconds, nanos };
    proto::Cap { times: i32::try_from(cap.times).unwrap_or(i32::MAX), window: Some(window) }
}
