//! Surveys: requests in, surveys out.

use std::collections::BTreeSet;

use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_api::{check, common};
use rapport_kernel::{Fault, RequestId, Violations};

use super::{asking, customer, id, mask, question, request_id, time};
use crate::domain::drop_off::{Asked, DropOff, Step};
use crate::domain::survey::{Change, Form, LIBRARY, Statement, Text, Versioned, Which};
use crate::domain::{SurveyId, SurveyKind, SurveyState, etag};

/// What can be changed of a survey.
const FIELDS: [&str; 13] = [
    "name",
    "description",
    "kind",
    "party",
    "question",
    "default_language",
    "scale",
    "questions",
    "hidden_fields",
    "anonymous",
    "welcome",
    "thanks",
    "asking",
];

/// A survey to make. What is output only is passed over.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: proto::CreateSurveyRequest) -> Result<(Option<RequestId>, SurveyKind, Change), Fault> {
    let mut out = check(&message);
    let survey = message.survey.unwrap_or_default();
    let kind = kind(survey.kind());
    if kind.is_none() {
        add(&mut out, "survey.kind", "enum.not_in", "must be set, and not to the unspecified value");
    }
    check_name(&survey.name, &mut out);
    asking::note(survey.asking.as_ref(), &mut out);
    let every = FIELDS.into_iter().collect();
    let unsure = Unsure::of(&survey, kind.is_none());
    let change = change(survey, &every);
    // What the questions must be is looked at together with how they were written: one answer names all.
    if let Err(found) = change.make(kind.unwrap_or(SurveyKind::Custom)) {
        unsure.merge(&mut out, &found);
    }
    out.check()?;
    let kind = kind.ok_or_else(|| Fault::internal("the kind of a survey was not checked"))?;
    Ok((request_id(&message.request_id)?, kind, change))
}

/// What cannot be judged of a survey, for what it rests on is broken itself.
#[derive(Clone, Debug, Default)]
pub struct Unsure {
    /// Whether the kind is not known: what its questions measure, and on which scale, rests on it.
    kind: bool,
    /// Where the questions stand whose type is not known; conditions may read them.
    questions: Vec<String>,
}

impl Unsure {
    fn of(survey: &proto::Survey, kind: bool) -> Self {
        let untyped = |(place, question): (usize, &proto::Question)| {
            (question.r#type() == proto::QuestionType::Unspecified).then(|| format!("survey.questions[{place}]."))
        };
        Self { kind, questions: survey.questions.iter().enumerate().filter_map(untyped).collect() }
    }

    /// Notes what else was found to be broken, as far as that is sure, and where nothing is noted yet.
    pub fn merge(&self, out: &mut Violations, found: &Violations) {
        let of_kind = |field: &str| {
            let parts = ["scale", "measures", "top_box", "weight"];
            field == "survey.questions" || field.rsplit('.').next().is_some_and(|part| parts.contains(&part))
        };
        let reads = |field: &str| field.ends_with(".show_if") || field.ends_with(".condition");
        for violation in found.as_slice() {
            let field = violation.field.as_str();
            let is_unsure = self.kind && of_kind(field)
                || self.questions.iter().any(|at| field.starts_with(at))
                || !self.questions.is_empty() && reads(field);
            if !is_unsure {
                add(out, field, violation.rule, &violation.description);
            }
        }
    }
}

/// Notes a broken rule, unless the field was found wrong already.
fn add(out: &mut Violations, field: &str, rule: &'static str, text: &str) {
    if !out.as_slice().iter().any(|known| known.field == field) {
        out.add(field, rule, text);
    }
}

fn check_name(name: &str, out: &mut Violations) {
    if name.is_empty() {
        add(out, "survey.name", "string.min_len", "must have at least 1 character");
    }
}

/// What a message says of some fields of a survey.
fn change(survey: proto::Survey, fields: &BTreeSet<&str>) -> Change {
    let kind = kind(survey.kind());
    let party = customer::party(survey.party());
    let is = |field: &str| fields.contains(field);
    let welcome = question::text(survey.welcome, survey.welcome_translations);
    let thanks = question::text(survey.thanks, survey.thanks_translations);
    let questions = survey.questions.into_iter().map(question::question).collect();
    let asking = survey.asking.map(asking::parse).unwrap_or_default();
    let hidden = survey.hidden_fields.into_iter().map(question::hidden).collect();
    Change {
        name: is("name").then(|| mask::text(survey.name).into_inner()),
        description: is("description").then(|| mask::text(survey.description).into_inner()),
        kind: kind.filter(|_| is("kind")),
        party: is("party").then_some(party),
        question: is("question").then_some(survey.question),
        scale: is("scale").then(|| survey.scale.map(question::scale)),
        language: is("default_language").then_some(survey.default_language),
        questions: is("questions").then_some(questions),
        hidden: is("hidden_fields").then_some(hidden),
        anonymous: is("anonymous").then_some(survey.anonymous),
        welcome: is("welcome").then_some(welcome),
        thanks: is("thanks").then_some(thanks),
        asking: is("asking").then_some(asking),
    }
}

/// A change of a survey.
#[derive(Clone, Debug)]
pub struct Update {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// The survey.
    pub survey: SurveyId,
    /// Its etag as last read, or empty.
    pub etag: String,
    /// What changes.
    pub change: Change,
    /// What is broken of it already: it is refused, with all that the survey itself finds broken.
    pub broken: Violations,
    /// What of the survey's own findings is not sure.
    pub unsure: Unsure,
}

/// A change. What is broken of it is told with it, so that the survey it is of has its say too.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule, where it does not name a survey.
pub fn update(message: proto::UpdateSurveyRequest) -> Result<Update, Fault> {
    let mut out = check(&message);
    let survey = message.survey.unwrap_or_default();
    let paths = message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    for (place, _) in paths.iter().enumerate().filter(|(_, path)| !FIELDS.contains(&path.as_str())) {
        let text = format!("must be one of {}", FIELDS.join(", "));
        out.add(format!("update_mask.paths[{place}]"), "field_mask.known", text);
    }
    let fields: BTreeSet<&str> = if paths.is_empty() {
        // What was read can be written back: beside questions, their principal one is told by them.
        FIELDS.into_iter().filter(|field| *field != "scale" || survey.questions.is_empty()).collect()
    } else {
        FIELDS.into_iter().filter(|field| paths.iter().any(|path| path == field)).collect()
    };
    if survey.survey_id.is_empty() {
        add(&mut out, "survey.survey_id", "required", "must name the survey to change");
    }
    if fields.contains("name") {
        check_name(&survey.name, &mut out);
    }
    if fields.contains("kind") && kind(survey.kind()).is_none() {
        add(&mut out, "survey.kind", "enum.not_in", "must be set, and not to the unspecified value");
    }
    if fields.contains("asking") {
        asking::note(survey.asking.as_ref(), &mut out);
    }
    let (Ok(survey_id), Ok(request_id)) = (id(&survey.survey_id), request_id(&message.request_id)) else {
        out.check()?;
        return Err(Fault::internal("the ids of a change were not checked"));
    };
    let is_kind_unknown = fields.contains("kind") && kind(survey.kind()).is_none();
    let unsure = Unsure::of(&survey, is_kind_unknown);
    let etag = survey.etag.clone();
    let change = change(survey, &fields);
    Ok(Update { request_id, survey: survey_id, etag, change, broken: out, unsure })
}

/// Which survey to return.
#[derive(Clone, Debug)]
pub struct Get {
    /// The survey.
    pub survey: SurveyId,
    /// Which version; 0: the newest.
    pub version: u32,
    /// Told in which language; empty: all.
    pub language: String,
}

/// Which survey to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: proto::GetSurveyRequest) -> Result<Get, Fault> {
    check(&message).check()?;
    Ok(Get { survey: id(&message.survey_id)?, version: message.version, language: message.language })
}

/// Which surveys to list, how many at most, and where to go on.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListSurveysRequest) -> Result<(Which, usize, String), Fault> {
    check(&message).check()?;
    let state = match message.state() {
        proto::SurveyState::Unspecified => None,
        proto::SurveyState::Draft => Some(SurveyState::Draft),
        proto::SurveyState::Open => Some(SurveyState::Open),
        proto::SurveyState::Closed => Some(SurveyState::Closed),
    };
    let party = match message.party() {
        common::v1::Party::Unspecified => None,
        party => Some(customer::party(party)),
    };
    let which = Which { kind: kind(message.kind()), state, party };
    Ok((which, rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// Which survey to change, and the etag the caller has read.
#[derive(Clone, Debug)]
pub struct Named {
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
pub fn publish(message: proto::PublishSurveyRequest) -> Result<Named, Fault> {
    check(&message).check()?;
    named(&message.request_id, &message.survey_id, message.etag)
}

/// A survey to close.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn close(message: proto::CloseSurveyRequest) -> Result<Named, Fault> {
    check(&message).check()?;
    named(&message.request_id, &message.survey_id, message.etag)
}

/// A survey to delete.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn delete(message: proto::DeleteSurveyRequest) -> Result<Named, Fault> {
    check(&message).check()?;
    named(&message.request_id, &message.survey_id, message.etag)
}

fn named(request: &str, survey: &str, etag: String) -> Result<Named, Fault> {
    Ok(Named { request_id: request_id(request)?, survey: id(survey)?, etag })
}

/// The statements that are asked for.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn statements(message: &proto::ListStatementsRequest) -> Result<proto::ListStatementsResponse, Fault> {
    check(message).check()?;
    let asked = LIBRARY.iter().filter(|one| message.stage.is_empty() || one.stage == message.stage);
    let statements = asked.map(|one| statement(one, &message.language)).collect();
    Ok(proto::ListStatementsResponse { statements })
}

fn statement(statement: &Statement, language: &str) -> proto::Statement {
    let text = statement.text();
    let (told, translations) = if language.is_empty() {
        (text.text.clone(), text.translations.clone().into_iter().collect())
    } else {
        (text.told(language).to_owned(), Default::default())
    };
    proto::Statement {
        statement: statement.name.to_owned(),
        stage: statement.stage.to_owned(),
        negative: statement.negative,
        metrics: statement.metrics.iter().map(|metric| (*metric).to_owned()).collect(),
        text: told,
        translations,
    }
}

/// Of which survey.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn drop_off(message: &proto::GetSurveyDropOffRequest) -> Result<Asked, Fault> {
    let mut out = check(message);
    let at = |at: &Option<prost_types::Timestamp>| at.as_ref().and_then(|at| instant(at).ok());
    let (from, until) = (at(&message.start_time), at(&message.end_time));
    if from.zip(until).is_some_and(|(from, until)| until < from) {
        add(&mut out, "end_time", "end_time.order", "must not be before start_time");
    }
    out.check()?;
    let version = Some(message.version).filter(|version| *version > 0);
    Ok(Asked { survey: id(&message.survey_id)?, version, from, until })
}

/// The drop-off as the contract has it.
///
/// # Errors
/// INTERNAL for more than the contract can count.
pub fn render_drop_off(counted: &DropOff, newest: &Form) -> Result<proto::SurveyDropOff, Fault> {
    let count = |count: u64| i64::try_from(count).map_err(Fault::internal);
    let step = |(question_id, step): (String, Step)| {
        let quartiles = step.quartiles();
        Ok(proto::QuestionDropOff {
            question_id,
            reached: count(step.reached)?,
            answered: count(step.answered)?,
            left: count(step.left)?,
            median_milliseconds: step.median().map(count).transpose()?,
            timed: i64::try_from(step.timed()).map_err(Fault::internal)?,
            lower_quartile_milliseconds: quartiles.map(|(lower, _)| count(lower)).transpose()?,
            upper_quartile_milliseconds: quartiles.map(|(_, upper)| count(upper)).transpose()?,
        })
    };
    Ok(proto::SurveyDropOff {
        started: count(counted.started)?,
        completed: count(counted.completed)?,
        questions: counted.steps(newest).into_iter().map(step).collect::<Result<_, Fault>>()?,
        median_milliseconds: counted.median().map(count).transpose()?,
    })
}

/// The kind that is named; none where it is not set.
#[must_use]
pub const fn kind(message: proto::SurveyKind) -> Option<SurveyKind> {
    Some(match message {
        proto::SurveyKind::Unspecified => return None,
        proto::SurveyKind::Nps => SurveyKind::Nps,
        proto::SurveyKind::Tnps => SurveyKind::Tnps,
        proto::SurveyKind::Csat => SurveyKind::Csat,
        proto::SurveyKind::Ces => SurveyKind::Ces,
        proto::SurveyKind::Csi => SurveyKind::Csi,
        proto::SurveyKind::Custom => SurveyKind::Custom,
    })
}

/// A kind as the contract has it.
#[must_use]
pub const fn kind_message(kind: SurveyKind) -> proto::SurveyKind {
    match kind {
        SurveyKind::Nps => proto::SurveyKind::Nps,
        SurveyKind::Tnps => proto::SurveyKind::Tnps,
        SurveyKind::Csat => proto::SurveyKind::Csat,
        SurveyKind::Ces => proto::SurveyKind::Ces,
        SurveyKind::Csi => proto::SurveyKind::Csi,
        SurveyKind::Custom => proto::SurveyKind::Custom,
    }
}

/// A survey as the contract has it.
#[must_use]
pub fn render(versioned: &Versioned) -> proto::Survey {
    let (survey, definition) = (&versioned.survey, &versioned.version.definition);
    let state = match survey.state {
        SurveyState::Draft => proto::SurveyState::Draft,
        SurveyState::Open => proto::SurveyState::Open,
        SurveyState::Closed => proto::SurveyState::Closed,
    };
    let principal = definition.principal().map(|place| &definition.questions[place]);
    let translations = |text: &Text| text.translations.clone().into_iter().collect();
    let is_told = !versioned.language.is_empty();
    proto::Survey {
        survey_id: survey.id.to_string(),
        name: survey.name.clone(),
        description: survey.description.clone(),
        kind: kind_message(definition.kind).into(),
        question: principal.map(|question| question.text.text.clone()).unwrap_or_default(),
        scale: principal.and_then(|question| question.scale.as_ref()).map(question::scale_message),
        state: state.into(),
        etag: etag::of(survey.revision),
        create_time: time(survey.created_at),
        update_time: time(survey.updated_at),
        publish_time: survey.published_at.and_then(time),
        close_time: survey.closed_at.and_then(time),
        version: versioned.version.number,
        version_time: time(versioned.version.created_at),
        party: customer::party_message(definition.party).into(),
        default_language: definition.language.clone(),
        languages: if is_told { versioned.languages.clone() } else { definition.languages() },
        language: versioned.language.clone(),
        questions: definition.questions.iter().map(question::render).collect(),
        hidden_fields: definition.hidden.iter().map(question::hidden_message).collect(),
        anonymous: definition.anonymous,
        welcome: definition.welcome.text.clone(),
        welcome_translations: translations(&definition.welcome),
        thanks: definition.thanks.text.clone(),
        thanks_translations: translations(&definition.thanks),
        asking: asking::render(&survey.asking),
    }
}
