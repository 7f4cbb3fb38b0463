//! Answers, and what they measure.

use rapport_api::events::v1 as events;
use rapport_api::feedback::v1::{self as proto, answer::Value};

use super::mask;
use crate::domain::answer::{Answer, Given, Said};
use crate::domain::measure::Measure;

/// What is said to a question, at a place of the request.
pub fn said(message: proto::Answer, place: usize) -> Said {
    let value = message.value.map(|value| match value {
        Value::Number(figure) => Given::Number(figure),
        Value::Choice(choice) => Given::Choice(choice),
        Value::Choices(list) => Given::Choices(list.choices),
        Value::Text(text) => Given::Text(mask::text(text)),
        Value::Matrix(rows) if rows.numbers.is_empty() => Given::Chosen(rows.choices.into_iter().collect()),
        Value::Matrix(rows) => Given::Numbers(rows.numbers.into_iter().collect()),
        Value::Date(day) => Given::Date(day, 0),
    });
    Said {
        field: format!("answers[{place}]"),
        question: Some(message.question_id),
        value,
        other: mask::text(message.other),
        scale: None,
    }
}

/// An answer as the contract has it.
#[must_use]
pub fn render(answer: &Answer) -> proto::Answer {
    let value = match &answer.value {
        Given::Number(figure) => Value::Number(*figure),
        Given::Choice(choice) => Value::Choice(choice.clone()),
        Given::Choices(all) => Value::Choices(proto::ChoiceList { choices: all.clone() }),
        Given::Text(text) => Value::Text(text.expose().clone()),
        Given::Chosen(rows) => {
            let choices = rows.clone().into_iter().collect();
            Value::Matrix(proto::MatrixAnswer { choices, ..proto::MatrixAnswer::default() })
        }
        Given::Numbers(rows) => {
            let numbers = rows.clone().into_iter().collect();
            Value::Matrix(proto::MatrixAnswer { numbers, ..proto::MatrixAnswer::default() })
        }
        Given::Date(day, _) => Value::Date(day.clone()),
    };
    let (question_id, other) = (answer.question.clone(), answer.other.expose().clone());
    proto::Answer { question_id, value: Some(value), other }
}

/// A figure as the contract has it.
#[must_use]
pub fn measure(measure: &Measure) -> events::Measure {
    events::Measure {
        kind: measure.kind.clone(),
        question: measure.question.clone(),
        value: measure.value,
        scale_min: measure.bounds.min,
        scale_max: measure.bounds.max,
        reversed: measure.bounds.reversed,
        weight: measure.weight,
        statement: measure.statement.clone(),
        stage: measure.stage.clone(),
        top_box: measure.top_box,
    }
}
