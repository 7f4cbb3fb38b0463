//! What a response measures: a figure, with its scale and direction, for each question that has one.

use serde::{Deserialize, Serialize};

use super::answer::{Answers, Given};
use super::survey::{Bounds, Definition, Measures, QuestionType, top_box};

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it measures, by its name in events.
    pub kind: String,
    /// The question; of a matrix: the question and the row.
    pub question: String,
    /// The figure.
    pub value: i32,
    /// The scale.
    pub bounds: Bounds,
    /// Of an item of an index: its share.
    #[serde(default)]
    pub weight: f64,
    /// Of a statement: its name.
    #[serde(default)]
    pub statement: String,
    /// The stage that the question is bound to.
    #[serde(default)]
    pub stage: String,
    /// Of satisfaction: from where on a box is a top box.
    #[serde(default)]
    pub top_box: i32,
}

/// The figures of answers, in order of the questions.
#[must_use]
pub fn measures(definition: &Definition, answers: &Answers) -> Vec<Measure> {
    let mut found = Vec::new();
    for answer in answers.iter() {
        let Some(question) = definition.place(&answer.question).map(|place| &definition.questions[place]) else {
            continue;
        };
        let (Some(measured), Some(own)) = (question.measures, question.bounds()) else { continue };
        let bounds = answer.scale.unwrap_or(own);
        let measure = |name: String, value: i32| Measure {
            kind: measured.name().to_owned(),
            question: name,
            value,
            bounds,
            weight: if measured == Measures::Csi { definition.share(question) } else { 0.0 },
            statement: question.statement.clone(),
            stage: question.stage.clone(),
            top_box: match (measured, answer.scale) {
                (Measures::Csat, None) => question.top_box,
                (Measures::Csat, Some(other)) => top_box(other),
                _ => 0,
            },
        };
        match (&answer.value, question.kind) {
            (Given::Number(figure), _) => found.push(measure(question.id.clone(), *figure)),
            (Given::Choice(id), QuestionType::Single) => {
                let choice = question.choices.iter().find(|choice| choice.id == *id);
                let figure = choice.and_then(|choice| choice.value);
                found.extend(figure.map(|figure| measure(question.id.clone(), figure)));
            }
            (Given::Numbers(rows), _) => {
                let rows = question.rows.iter().filter_map(|row| Some((&row.id, rows.get(&row.id)?)));
                found.extend(rows.map(|(row, figure)| measure(format!("{}.{row}", question.id), *figure)));
            }
            _ => {}
        }
    }
    found
}
