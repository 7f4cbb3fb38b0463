//! Responses: requests in, responses out; those to submit are in [`super::submission`].

use rapport_api::check;
use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, RequestId, Timestamp};
use uuid::Uuid;

use super::submission::{hidden, note_ahead, said};
use super::{answer, customer, id, mask, optional, reading, request_id, survey, time};
use crate::domain::response::{Change, Filter, Telling, TouchFilter, Which};
use crate::domain::{Correction, Response, ResponseId, SurveyId, Tagging, Versioned, etag};

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

/// What can be corrected.
const FIELDS: [&str; 17] = [
    "score",
    "comment",
    "answers",
    "channel",
    "touchpoint",
    "stage",
    "product",
    "campaign",
    "agent",
    "team",
    "ticket_id",
    "interaction_id",
    "language",
    "hidden",
    "weight",
    "is_test",
    "answered_at",
];

/// A correction.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update(message: proto::UpdateResponseRequest, now: Timestamp) -> Result<Update, Fault> {
    let mut out = check(&message);
    let paths = message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    for (place, _) in paths.iter().enumerate().filter(|(_, path)| !FIELDS.contains(&path.as_str())) {
        let text = format!("must be one of {}", FIELDS.join(", "));
        out.add(format!("update_mask.paths[{place}]"), "field_mask.known", text);
    }
    let is = |field: &str, given: bool| if paths.is_empty() { given } else { paths.iter().any(|path| path == field) };
    let answered_at = message.answered_at.as_ref().and_then(|at| instant(at).ok());
    note_ahead(answered_at, "answered_at", now, &mut out);
    for (field, absent) in [("score", message.score.is_none()), ("answered_at", message.answered_at.is_none())] {
        if absent && is(field, false) {
            out.add(field, "required", "must be given: the mask names it");
        }
    }
    out.check()?;
    let text = |field: &str, text: String| is(field, !text.is_empty()).then_some(text);
    let link = |field: &str, text: &str| is(field, !text.is_empty()).then(|| optional(text)).transpose();
    let comment = match message.comment {
        None if is("comment", false) => Some(Private::default()),
        comment => comment.filter(|_| is("comment", true)).map(mask::text),
    };
    let answers = if is("answers", true) { said(message.answers) } else { Vec::new() };
    let correction = Correction {
        telling: Telling { score: message.score.filter(|_| is("score", true)), elsewhere: None, comment, answers },
        channel: text("channel", message.channel),
        touchpoint: text("touchpoint", message.touchpoint),
        stage: text("stage", message.stage),
        product: text("product", message.product).map(mask::name),
        campaign: text("campaign", message.campaign).map(mask::name),
        agent: text("agent", message.agent).map(mask::name).map(Private::new),
        team: text("team", message.team).map(mask::name),
        ticket: link("ticket_id", &message.ticket_id)?,
        interaction: link("interaction_id", &message.interaction_id)?,
        language: text("language", message.language),
        hidden: is("hidden", !message.hidden.is_empty()).then(|| hidden(message.hidden)),
        weight: is("weight", message.weight.is_some()).then(|| message.weight.unwrap_or(1.0)),
        is_test: is("is_test", message.is_test).then_some(message.is_test),
        answered_at: answered_at.filter(|_| is("answered_at", true)),
    };
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

/// A response to tag.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The response.
    pub response: ResponseId,
    /// Which tags.
    pub tagging: Tagging,
    /// Its etag as last read, or empty.
    pub etag: String,
}

/// Tags to add and to take.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn tag(message: proto::TagResponseRequest) -> Result<Tag, Fault> {
    let mut out = check(&message);
    if message.add_tags.is_empty() && message.remove_tags.is_empty() {
        out.add("add_tags", "required", "must hold a tag, where remove_tags holds none");
    }
    if let Some(place) = message.remove_tags.iter().position(|tag| message.add_tags.contains(tag)) {
        out.add(format!("remove_tags[{place}]"), "response.tags", "must not be among those to add");
    }
    out.check()?;
    let (request_id, response) = (request_id(&message.request_id)?, id(&message.response_id)?);
    let tags = |tags: Vec<String>| tags.into_iter().map(mask::tag).collect();
    let tagging = Tagging { add: tags(message.add_tags), remove: tags(message.remove_tags) };
    Ok(Tag { request_id, response, tagging, etag: message.etag })
}

/// Which response to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetResponseRequest) -> Result<ResponseId, Fault> {
    check(message).check()?;
    id(&message.response_id)
}

/// Of which response the questionnaire is asked, and in which language.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn questionnaire(message: proto::GetQuestionnaireRequest) -> Result<(ResponseId, String), Fault> {
    check(&message).check()?;
    Ok((id(&message.response_id)?, message.language))
}

/// What a respondent is to be asked, as the contract has it.
#[must_use]
pub fn render_questionnaire(asked: &(Versioned, Vec<String>, Vec<String>)) -> proto::Questionnaire {
    let (survey, shown, missing) = asked;
    proto::Questionnaire { survey: Some(survey::render(survey)), shown: shown.clone(), missing: missing.clone() }
}

/// Which responses to list.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListResponsesRequest) -> Result<Which, Fault> {
    let mut out = check(&message);
    let ascending = match message.order_by.as_str() {
        "" | "answered_at desc" => Some(false),
        "answered_at" | "answered_at asc" => Some(true),
        _ => None,
    };
    if ascending.is_none() {
        out.add("order_by", "order_by", "must be \"answered_at desc\" or \"answered_at\"");
    }
    out.check()?;
    let (kind, polarity) = (survey::kind(message.kind()), message.polarity());
    let complete = match message.state() {
        proto::ResponseState::Unspecified => None,
        proto::ResponseState::Partial => Some(false),
        proto::ResponseState::Complete => Some(true),
    };
    let at_of = |at: Option<prost_types::Timestamp>| at.as_ref().and_then(|at| instant(at).ok());
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    let filter = Filter {
        survey: optional(&message.survey_id)?.map(SurveyId::from_uuid),
        kind,
        version: Some(message.survey_version).filter(|version| *version > 0),
        tags: message.tags.into_iter().map(mask::tag).collect(),
        complete,
        from: at_of(message.start_time),
        until: at_of(message.end_time),
        touch: TouchFilter {
            channel: said(message.channel),
            touchpoint: said(message.touchpoint),
            stage: said(message.stage),
            product: said(message.product).map(mask::name),
            campaign: said(message.campaign).map(mask::name),
            agent: said(message.agent).map(mask::name).map(Private::new),
            team: said(message.team).map(mask::name),
            language: said(message.language),
        },
        ticket: optional(&message.ticket_id)?,
        interaction: optional(&message.interaction_id)?,
        min_score: message.min_score,
        max_score: message.max_score,
        tests: message.include_tests,
        tone: reading::tone(polarity, (message.min_sentiment, message.max_sentiment), message.topic),
    };
    Ok(Which {
        customer: message.customer.map(customer::parse).transpose()?,
        filter,
        ascending: ascending.unwrap_or_default(),
        page_size: rapport_kernel::page_size(message.page_size)?,
        page_token: message.page_token,
    })
}

/// Of which survey the responses are watched; none: of all.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn watching(message: &proto::WatchResponsesRequest) -> Result<Option<SurveyId>, Fault> {
    check(message).check()?;
    Ok(optional(&message.survey_id)?.map(SurveyId::from_uuid))
}
/// A change as the contract has it.
#[must_use]
pub fn change(change: &Change) -> proto::ResponseChange {
    proto::ResponseChange {
        response_id: change.id.to_string(),
        revision: change.revision,
        deleted: change.deleted,
        response: change.response.as_ref().map(render),
        change_time: time(change.at),
    }
}

/// A response as the contract has it.
#[must_use]
pub fn render(response: &Response) -> proto::Response {
    let (respondent, content, touch) = (&response.respondent, &response.content, &response.touch);
    let subject = (!respondent.anonymous).then(|| respondent.subject.to_string());
    let state = if response.complete { proto::ResponseState::Complete } else { proto::ResponseState::Partial };
    let link = |link: Option<Uuid>| link.map(|id| id.to_string()).unwrap_or_default();
    let origin = response.origin.as_ref();
    proto::Response {
        response_id: response.id.to_string(),
        survey_id: response.survey.to_string(),
        survey_version: response.version,
        kind: survey::kind_message(response.kind).into(),
        subject_id: subject.unwrap_or_default(),
        anonymous: respondent.anonymous,
        party: customer::party_message(respondent.party).into(),
        state: state.into(),
        score: response.score(),
        comment: response.comment().to_owned(),
        answers: content.answers.iter().map(answer::render).collect(),
        measures: content.measures.iter().map(answer::measure).collect(),
        hidden: content.hidden.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect(),
        times: content.times.iter().map(|(question, time)| (question.clone(), duration(*time))).collect(),
        channel: touch.channel.clone(),
        touchpoint: touch.touchpoint.clone(),
        stage: touch.stage.clone(),
        product: touch.product.clone(),
        campaign: touch.campaign.clone(),
        agent: touch.agent.clone(),
        team: touch.team.clone(),
        ticket_id: link(touch.ticket),
        interaction_id: link(touch.interaction),
        invitation_id: link(touch.invitation),
        // Told once, to whoever answers.
        erasure_code: String::new(),
        language: touch.language.clone(),
        tags: response.tags.iter().cloned().collect(),
        weight: response.weight,
        is_test: response.is_test,
        source: origin.map(|origin| origin.source.clone()).unwrap_or_default(),
        external_id: origin.map(|origin| origin.external_id.expose().clone()).unwrap_or_default(),
        started_at: response.started_at.and_then(time),
        answered_at: time(response.answered_at),
        complete_time: response.completed_at.and_then(time),
        revision: response.revision,
        etag: etag::of(response.revision),
        create_time: time(response.created_at),
        update_time: time(response.updated_at),
        analysis: content.reading.as_ref().map(|read| reading::analysis(read, &words(response))),
    }
}

/// The id of an answer that its author can erase by a code: a complete one to an anonymous survey.
#[must_use]
pub fn erasable(response: &proto::Response) -> Option<ResponseId> {
    let complete = response.state() == proto::ResponseState::Complete;
    response.response_id.parse().ok().filter(|_| response.anonymous && complete)
}

/// What was said to each question in words.
fn words(response: &Response) -> Vec<(&str, &str)> {
    response.texts().collect()
}

fn duration(millis: u64) -> prost_types::Duration {
    let seconds = i64::try_from(millis / 1_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(millis % 1_000 * 1_000_000).unwrap_or(0);
    prost_types::Duration { seconds, nanos }
}
