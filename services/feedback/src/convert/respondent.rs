//! What a respondent's page asks: requests in, answers out.

use std::collections::BTreeMap;

use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, RequestId, TenantId};

use super::{answer, invitation, optional, request_id, response, submission, time};
use crate::domain::asking::token::{Scope, Token, unknown};
use crate::domain::response::{NewResponse, Right, Telling};
use crate::domain::{ResponseId, SurveyId, Touch};
use crate::service::asking::{InvitedForm, Submission};

/// Whose token it is.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; NOT_FOUND for a token that is damaged.
pub fn read_token(message: &proto::ReadTokenRequest) -> Result<proto::ReadTokenResponse, Fault> {
    check(message).check()?;
    let token = Token::parse(&message.token).ok_or_else(unknown)?;
    Ok(proto::ReadTokenResponse { tenant_id: token.tenant.to_string(), scope: token.scope.name().to_owned() })
}

/// Whose questionnaire.
pub struct Asked {
    /// The token.
    pub token: Token,
    /// The language; empty: the usual one.
    pub language: String,
    /// The partial answer that is gone on with.
    pub response: Option<ResponseId>,
    /// The request of which it is asked whether it was taken.
    pub request: Option<RequestId>,
}

/// Whose questionnaire.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn asked(message: proto::GetInvitedQuestionnaireRequest, tenant: TenantId) -> Result<Asked, Fault> {
    check(&message).check()?;
    Ok(Asked {
        token: Token::expect(&message.token, Scope::Invitation, tenant),
        language: message.language,
        response: optional(&message.response_id)?.map(ResponseId::from_uuid),
        request: request_id(&message.request_id)?,
    })
}

/// An answer by a token; its survey is the invitation's.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn submit(message: proto::SubmitInvitedResponseRequest, tenant: TenantId) -> Result<Submission, Fault> {
    let mut out = check(&message);
    for (question, _) in message.times.iter().filter(|(_, time)| submission::millis(time).is_none()) {
        out.add(format!("times[\"{question}\"]"), "duration.range", "must not be negative");
    }
    out.check()?;
    let times = message.times.iter();
    let times = times.filter_map(|(question, time)| Some((question.clone(), submission::millis(time)?))).collect();
    let new = NewResponse {
        survey: SurveyId::from_uuid(uuid::Uuid::nil()),
        version: 0,
        response: optional(&message.response_id)?.map(ResponseId::from_uuid),
        partial: message.partial,
        telling: Telling { answers: submission::said(message.answers), ..Telling::default() },
        hidden: BTreeMap::new(),
        touch: Touch { language: message.language, ..Touch::default() },
        origin: None,
        weight: None,
        is_test: false,
        tags: Default::default(),
        times,
        started_at: None,
        answered_at: None,
        right: Right::Own,
    };
    let token = Token::expect(&message.token, Scope::Invitation, tenant);
    Ok(Submission { request: request_id(&message.request_id)?, token, new })
}

/// Whose consent is withdrawn.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn unsubscribe(message: &proto::UnsubscribeRequest, tenant: TenantId) -> Result<Token, Fault> {
    check(message).check()?;
    Ok(Token::expect(&message.token, Scope::Invitation, tenant))
}

/// Which answer is erased.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn erase(message: &proto::EraseByCodeRequest, tenant: TenantId) -> Result<Token, Fault> {
    check(message).check()?;
    Ok(Token::expect(&message.code, Scope::Erasure, tenant))
}

/// What the holder of a token is asked, as the contract has it.
#[must_use]
pub fn render(form: &InvitedForm) -> proto::InvitedQuestionnaire {
    let answers = form.response.iter().flat_map(|response| response.content.answers.iter());
    let questionnaire = response::render_questionnaire(&(form.told.clone(), form.shown.clone(), form.missing.clone()));
    proto::InvitedQuestionnaire {
        questionnaire: Some(questionnaire),
        answers: answers.map(answer::render).collect(),
        response_id: form.response.as_ref().map(|response| response.id.to_string()).unwrap_or_default(),
        expire_time: time(form.invitation.expires_at),
        status: invitation::status_message(form.invitation.status).into(),
        anonymous: form.invitation.anonymous,
        channel: form.invitation.channel.clone(),
        language: form.language.clone(),
        taken: None,
        max_uses: i32::try_from(form.invitation.max_uses).unwrap_or(i32::MAX),
    }
}

/// What was taken, as the contract has it.
#[must_use]
pub fn taken(response: proto::Response) -> proto::InvitedResponse {
    proto::InvitedResponse {
        complete: response.state() == proto::ResponseState::Complete,
        response_id: response.response_id,
        erasure_code: response.erasure_code,
    }
}
