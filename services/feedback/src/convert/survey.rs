//! Surveys: requests in, surveys out.

use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, RequestId};

use super::{id, request_id, time};
use crate::domain::{NewSurvey, Survey, SurveyId, SurveyKind, SurveyState, etag};

/// A survey to make. What is output only is passed over.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: proto::CreateSurveyRequest) -> Result<(Option<RequestId>, NewSurvey), Fault> {
    check(&message).check()?;
    let survey = message.survey.unwrap_or_default();
    let kind = match survey.kind() {
        proto::SurveyKind::Nps => SurveyKind::Nps,
        proto::SurveyKind::Unspecified => return Err(Fault::internal("the kind of a survey was not checked")),
    };
    let new = NewSurvey { name: survey.name, kind, question: survey.question };
    Ok((request_id(&message.request_id)?, new))
}

/// Which survey to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetSurveyRequest) -> Result<SurveyId, Fault> {
    check(message).check()?;
    id(&message.survey_id)
}

/// How many surveys to list at most, and where to go on.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListSurveysRequest) -> Result<(usize, String), Fault> {
    check(&message).check()?;
    Ok((rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// Which survey to change, and the etag the caller has read.
#[derive(Clone, Debug)]
pub struct Change {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The survey.
    pub survey: SurveyId,
    /// Its etag as last read, or empty.
    pub etag: String,
}

/// A survey to open.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn publish(message: proto::PublishSurveyRequest) -> Result<Change, Fault> {
    check(&message).check()?;
    let (request_id, survey) = (request_id(&message.request_id)?, id(&message.survey_id)?);
    Ok(Change { request_id, survey, etag: message.etag })
}

/// A survey to close.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn close(message: proto::CloseSurveyRequest) -> Result<Change, Fault> {
    check(&message).check()?;
    let (request_id, survey) = (request_id(&message.request_id)?, id(&message.survey_id)?);
    Ok(Change { request_id, survey, etag: message.etag })
}

/// A survey as the contract has it.
#[must_use]
pub fn render(survey: &Survey) -> proto::Survey {
    let kind = match survey.kind {
        SurveyKind::Nps => proto::SurveyKind::Nps,
    };
    let state = match survey.state {
        SurveyState::Draft => proto::SurveyState::Draft,
        SurveyState::Open => proto::SurveyState::Open,
        SurveyState::Closed => proto::SurveyState::Closed,
    };
    proto::Survey {
        survey_id: survey.id.to_string(),
        name: survey.name.clone(),
        kind: kind.into(),
        question: survey.question.clone(),
        state: state.into(),
        etag: etag::of(survey.revision),
        create_time: time(survey.created_at),
        publish_time: survey.published_at.and_then(time),
        close_time: survey.closed_at.and_then(time),
    }
}
