//! What the respondents' page asks of feedback: questionnaires and answers, as the page knows them.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::answer::Value as Said;
use rapport_kernel::{Fault, Private};

use crate::domain::questionnaire::{Answer, Choice, Kind, Question, Questionnaire, Scale, Taken, Value};

/// How many characters a text may have where the survey does not say.
const LONGEST: usize = 8_192;

/// A questionnaire.
///
/// # Errors
/// INTERNAL where the answer lacks its survey.
pub fn questionnaire(message: proto::InvitedQuestionnaire) -> Result<Questionnaire, Fault> {
    let asked = message.questionnaire.unwrap_or_default();
    let survey = asked.survey.ok_or_else(|| Fault::internal("a questionnaire without a survey"))?;
    let answers = message.answers.into_iter().filter_map(|held| Some((held.question_id.clone(), answer(held)?)));
    let language = if survey.language.is_empty() { survey.default_language } else { survey.language };
    Ok(Questionnaire {
        taken: message.taken.map(taken),
        once: message.max_uses <= 1,
        response: Some(message.response_id).filter(|id| !id.is_empty()),
        anonymous: message.anonymous,
        language,
        language_is_named: !message.language.is_empty(),
        languages: survey.languages,
        welcome: survey.welcome,
        thanks: survey.thanks,
        questions: survey.questions.into_iter().filter_map(question).collect(),
        shown: asked.shown,
        answers: answers.collect(),
    })
}

/// What was taken.
#[must_use]
pub fn taken(message: proto::InvitedResponse) -> Taken {
    let code = Some(message.erasure_code).filter(|code| !code.is_empty());
    Taken { response: message.response_id, code: code.map(Private::new) }
}

/// A question; none of a type that is newer than this gateway.
fn question(message: proto::Question) -> Option<Question> {
    let kind = kind(&message)?;
    Some(Question {
        id: message.question_id,
        text: message.text,
        hint: message.hint,
        required: message.required,
        kind,
        show_if: message.show_if,
        branches: !message.branches.is_empty(),
    })
}

fn kind(message: &proto::Question) -> Option<Kind> {
    let choices = || message.choices.iter().map(choice).collect::<Vec<_>>();
    let rows = || message.rows.iter().map(choice).collect::<Vec<_>>();
    let count = |given: i32| usize::try_from(given).ok().filter(|given| *given > 0);
    let (least, most) = (count(message.min_choices).unwrap_or(1), count(message.max_choices).unwrap_or(usize::MAX));
    Some(match message.r#type() {
        proto::QuestionType::Unspecified => return None,
        proto::QuestionType::Scale => Kind::Scale(scale(message.scale.as_ref()?)),
        proto::QuestionType::Statement => Kind::Agreement,
        proto::QuestionType::Single => Kind::Single(choices(), message.other),
        proto::QuestionType::Multiple => Kind::Multiple { choices: choices(), other: message.other, least, most },
        proto::QuestionType::Text => Kind::Text(count(message.max_length).unwrap_or(LONGEST)),
        proto::QuestionType::Matrix => match &message.scale {
            Some(figures) => Kind::Figures(rows(), scale(figures)),
            None => Kind::Choices(rows(), choices()),
        },
        proto::QuestionType::Ranking => Kind::Ranking(choices(), least, most),
        proto::QuestionType::Date => Kind::Date,
    })
}

fn scale(message: &proto::Scale) -> Scale {
    Scale {
        min: message.min,
        max: message.max,
        min_label: message.min_label.clone(),
        max_label: message.max_label.clone(),
    }
}

fn choice(message: &proto::Choice) -> Choice {
    Choice { id: message.choice_id.clone(), text: message.text.clone(), exclusive: message.exclusive }
}

fn answer(message: proto::Answer) -> Option<Answer> {
    let value = match message.value? {
        Said::Number(figure) => Value::Figure(figure),
        Said::Choice(choice) => Value::Choice(choice),
        Said::Choices(all) => Value::Several(all.choices),
        Said::Text(text) => Value::Text(Private::new(text)),
        Said::Matrix(rows) if rows.numbers.is_empty() => Value::Choices(rows.choices.into_iter().collect()),
        Said::Matrix(rows) => Value::Figures(rows.numbers.into_iter().collect()),
        Said::Date(day) => Value::Date(day),
    };
    Some(Answer { value, other: Private::new(message.other) })
}

/// A length of time.
#[must_use]
pub fn length(time: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.subsec_nanos()).unwrap_or_default(),
    }
}

/// An answer to a question, as it is sent; none: it is taken back.
#[must_use]
pub fn said(question: &str, answer: Option<Answer>) -> proto::Answer {
    let question_id = question.to_owned();
    let Some(Answer { value, other }) = answer else { return proto::Answer { question_id, ..Default::default() } };
    let value = match value {
        Value::Figure(figure) => Said::Number(figure),
        Value::Choice(choice) => Said::Choice(choice),
        Value::Several(choices) => Said::Choices(proto::ChoiceList { choices }),
        Value::Text(text) => Said::Text(text.into_inner()),
        Value::Figures(rows) => Said::Matrix(proto::MatrixAnswer {
            numbers: rows.into_iter().collect(),
            choices: BTreeMap::new().into_iter().collect(),
        }),
        Value::Choices(rows) => Said::Matrix(proto::MatrixAnswer {
            choices: rows.into_iter().collect(),
            numbers: BTreeMap::new().into_iter().collect(),
        }),
        Value::Date(day) => Said::Date(day),
    };
    proto::Answer { question_id, value: Some(value), other: other.into_inner() }
}
