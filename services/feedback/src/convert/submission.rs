//! Responses to submit and to import.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_api::check;
use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, RequestId, Timestamp, Violations};

use super::{answer, customer, id, mask, optional, request_id};
use crate::domain::answer::Said;
use crate::domain::response::{NewResponse, Origin, Right, Telling};
use crate::domain::{Customer, ResponseId, Touch};

/// How far ahead of our clock an answer may have been given: clocks differ.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// A response to submit.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// Who answered; `None`: nobody can be tied to it.
    pub customer: Option<Customer>,
    /// What was answered.
    pub new: NewResponse,
    /// The token it is answered by; empty: none.
    pub token: Private<String>,
}

/// A response to submit.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn submit(message: proto::SubmitResponseRequest, now: Timestamp) -> Result<Submit, Fault> {
    let mut out = check(&message);
    note(&message, "", now, &mut out);
    out.check()?;
    read(message)
}

/// A response to import.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn import(message: proto::ImportResponsesRequest, now: Timestamp) -> Result<Submit, Fault> {
    let mut out = check(&message);
    let response = message.response.unwrap_or_default();
    note(&response, "response.", now, &mut out);
    if !response.invitation_token.is_empty() {
        out.add(
            "response.invitation_token",
            "response.invitation",
            "must be absent: what is past was given by no token",
        );
    }
    for (field, absent) in [
        ("response.source", response.source.is_empty()),
        ("response.external_id", response.external_id.is_empty()),
        ("response.answered_at", response.answered_at.is_none()),
    ] {
        if absent && !out.as_slice().iter().any(|known| known.field == field) {
            out.add(field, "required", "must be given: a past response has it");
        }
    }
    let elsewhere = match (&message.source_scale, message.source_score.or(response.score)) {
        (Some(scale), Some(score)) => {
            if !(scale.min..=scale.max).contains(&score) {
                out.add("source_score", "integer.range", "must lie on source_scale");
            }
            Some((score, (scale.min, scale.max), scale.reversed))
        }
        (Some(_), None) | (None, None) => None,
        (None, Some(_)) => {
            if message.source_score.is_some() {
                out.add("source_scale", "required", "must be given with source_score");
            }
            None
        }
    };
    out.check()?;
    let mut submit = read(response)?;
    (submit.new.partial, submit.new.response) = (message.partial, None);
    if elsewhere.is_some() {
        (submit.new.telling.score, submit.new.telling.elsewhere) = (None, elsewhere);
    }
    if let Some(origin) = &mut submit.new.origin {
        origin.version = message.version;
    }
    Ok(submit)
}

/// Notes the rules of a response that the contract's own cannot say.
fn note(message: &proto::SubmitResponseRequest, at: &str, now: Timestamp, out: &mut Violations) {
    // Out of range is a broken rule of the contract, noted already.
    let at_of = |at: &Option<prost_types::Timestamp>| at.as_ref().and_then(|at| instant(at).ok());
    let answered_at = at_of(&message.answered_at);
    note_ahead(answered_at, &format!("{at}answered_at"), now, out);
    let started_at = at_of(&message.started_at);
    if started_at.is_some_and(|started| started > answered_at.unwrap_or(now).plus(AHEAD)) {
        out.add(format!("{at}started_at"), "response.started_at", "must not be after it was answered");
    }
    if !message.invitation_token.is_empty() {
        for (field, _) in [
            ("customer", message.customer.is_some()),
            ("external_id", !message.external_id.is_empty()),
            ("is_test", message.is_test),
        ]
        .into_iter()
        .filter(|(_, told)| *told)
        {
            out.add(
                format!("{at}{field}"),
                "response.invitation",
                "must be absent: the invitation says whose answer it is",
            );
        }
    }
    if message.source.is_empty() != message.external_id.is_empty() {
        let field = if message.source.is_empty() { "source" } else { "external_id" };
        out.add(format!("{at}{field}"), "required", "must be given: source and external_id go together");
    }
    for (question, _) in message.times.iter().filter(|(_, time)| millis(time).is_none()) {
        out.add(format!("{at}times[\"{question}\"]"), "duration.range", "must not be negative");
    }
}

pub(super) fn note_ahead(answered_at: Option<Timestamp>, field: &str, now: Timestamp, out: &mut Violations) {
    if answered_at.is_some_and(|at| at > now.plus(AHEAD)) {
        out.add(field, "response.answered_at", "must be at most five minutes ahead of now");
    }
}

pub(super) fn millis(time: &prost_types::Duration) -> Option<u64> {
    let (seconds, nanos) = (u64::try_from(time.seconds).ok()?, u64::try_from(time.nanos).ok()?);
    seconds.checked_mul(1_000)?.checked_add(nanos / 1_000_000)
}

fn read(message: proto::SubmitResponseRequest) -> Result<Submit, Fault> {
    let request_id = request_id(&message.request_id)?;
    let customer = message.customer.map(customer::parse).transpose()?;
    let origin = (!message.source.is_empty()).then(|| Origin {
        source: message.source,
        external_id: Private::new(message.external_id),
        version: 0,
    });
    let touch = Touch {
        channel: message.channel,
        touchpoint: message.touchpoint,
        stage: message.stage,
        product: mask::name(message.product),
        campaign: mask::name(message.campaign),
        agent: mask::name(message.agent),
        team: mask::name(message.team),
        ticket: optional(&message.ticket_id)?,
        interaction: optional(&message.interaction_id)?,
        invitation: None,
        language: message.language,
    };
    let at_of = |at: Option<prost_types::Timestamp>| at.as_ref().and_then(|at| instant(at).ok());
    let new = NewResponse {
        survey: id(&message.survey_id)?,
        version: message.survey_version,
        response: optional(&message.response_id)?.map(ResponseId::from_uuid),
        partial: message.partial,
        telling: Telling {
            score: message.score,
            elsewhere: None,
            comment: Some(message.comment).filter(|comment| !comment.is_empty()).map(mask::text),
            answers: said(message.answers),
        },
        hidden: hidden(message.hidden),
        touch,
        origin,
        weight: message.weight,
        is_test: message.is_test,
        tags: message.tags.into_iter().map(mask::tag).collect(),
        times: message.times.iter().filter_map(|(question, time)| Some((question.clone(), millis(time)?))).collect(),
        started_at: at_of(message.started_at),
        answered_at: at_of(message.answered_at),
        right: Right::Own,
    };
    Ok(Submit { request_id, customer, new, token: Private::new(message.invitation_token) })
}

pub(super) fn said(answers: Vec<proto::Answer>) -> Vec<Said> {
    answers.into_iter().enumerate().map(|(place, message)| answer::said(message, place)).collect()
}

pub(super) fn hidden(fields: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, Private<String>> {
    fields.into_iter().map(|(name, value)| (name, Private::new(mask::name(value)))).collect()
}
