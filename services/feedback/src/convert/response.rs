//! Responses: requests in, responses out.

use std::time::Duration;

use rapport_api::check;
use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, RequestId, Timestamp};

use super::{customer, id, request_id, time};
use crate::domain::{Correction, Customer, NewResponse, Response, ResponseId, Touch, Which, etag};

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
}

/// A response to submit.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn submit(message: proto::SubmitResponseRequest, now: Timestamp) -> Result<Submit, Fault> {
    let mut violations = check(&message);
    // Out of range is a broken rule of the contract, noted already.
    let answered_at = message.answered_at.as_ref().and_then(|at| instant(at).ok());
    if answered_at.is_some_and(|at| at > now.plus(AHEAD)) {
        violations.add("answered_at", "response.answered_at", "must be at most five minutes ahead of now");
    }
    violations.check()?;
    let new = NewResponse {
        survey: id(&message.survey_id)?,
        score: score(message.score)?.ok_or_else(|| Fault::internal("a score was not checked"))?,
        comment: Private::new(message.comment),
        touch: Touch {
            channel: message.channel,
            touchpoint: message.touchpoint,
            stage: message.stage,
            product: message.product,
        },
        answered_at,
    };
    let customer = message.customer.map(customer::parse).transpose()?;
    Ok(Submit { request_id: request_id(&message.request_id)?, customer, new })
}

fn score(score: Option<i32>) -> Result<Option<u8>, Fault> {
    score.map(|score| u8::try_from(score).map_err(Fault::internal)).transpose()
}

/// A correction of a response.
#[derive(Clone, Debug)]
pub struct Update {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The response.
    pub response: ResponseId,
    /// What is corrected.
    pub correction: Correction,
    /// Its etag as last read, or empty.
    pub etag: String,
}

/// A correction.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update(message: proto::UpdateResponseRequest) -> Result<Update, Fault> {
    check(&message).check()?;
    let correction = Correction { score: score(message.score)?, comment: message.comment.map(Private::new) };
    let (request_id, response) = (request_id(&message.request_id)?, id(&message.response_id)?);
    Ok(Update { request_id, response, correction, etag: message.etag })
}

/// A response to delete.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The response.
    pub response: ResponseId,
    /// Its etag as last read, or empty.
    pub etag: String,
}

/// A deletion.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn delete(message: proto::DeleteResponseRequest) -> Result<Delete, Fault> {
    check(&message).check()?;
    let (request_id, response) = (request_id(&message.request_id)?, id(&message.response_id)?);
    Ok(Delete { request_id, response, etag: message.etag })
}

/// Which response to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetResponseRequest) -> Result<ResponseId, Fault> {
    check(message).check()?;
    id(&message.response_id)
}

/// Which responses to list.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListResponsesRequest) -> Result<Which, Fault> {
    check(&message).check()?;
    let customer = message.customer.map(customer::parse).transpose()?;
    let page_size = rapport_kernel::page_size(message.page_size)?;
    Ok(Which { survey: id(&message.survey_id)?, customer, page_size, page_token: message.page_token })
}

/// A response as the contract has it.
#[must_use]
pub fn render(response: &Response) -> proto::Response {
    let subject = (!response.respondent.anonymous).then(|| response.respondent.subject.to_string());
    proto::Response {
        response_id: response.id.to_string(),
        survey_id: response.survey.to_string(),
        subject_id: subject.unwrap_or_default(),
        score: i32::from(response.score),
        comment: response.comment.expose().clone(),
        channel: response.touch.channel.clone(),
        touchpoint: response.touch.touchpoint.clone(),
        stage: response.touch.stage.clone(),
        product: response.touch.product.clone(),
        answered_at: time(response.answered_at),
        revision: response.revision,
        etag: etag::of(response.revision),
        create_time: time(response.created_at),
        update_time: time(response.updated_at),
    }
}
