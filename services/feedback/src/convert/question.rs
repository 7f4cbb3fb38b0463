//! Questions: what a survey asks, in and out.

use rapport_api::feedback::v1 as proto;

use super::mask;
use crate::domain::survey::{Branch, Choice, HiddenField, Measures, Question, QuestionType, Scale, Text};

/// A text and its translations.
pub fn text(text: String, translations: impl IntoIterator<Item = (String, String)>) -> Text {
    Text { text, translations: translations.into_iter().collect() }
}

fn translations<M: FromIterator<(String, String)>>(text: &Text) -> M {
    text.translations.iter().map(|(tag, text)| (tag.clone(), text.clone())).collect()
}

/// A question; what it must be, the domain says. One of a type that nobody knows stands as a text, so that those after it keep
/// their places: what is said of it then is passed over.
pub fn question(message: proto::Question) -> Question {
    let (kind, measures) = (kind(message.r#type()).unwrap_or(QuestionType::Text), measures(message.measures()));
    Question {
        id: message.question_id,
        kind,
        measures,
        text: text(message.text, message.translations),
        hint: text(message.hint, message.hint_translations),
        required: message.required,
        scale: message.scale.map(scale),
        choices: message.choices.into_iter().map(choice).collect(),
        rows: message.rows.into_iter().map(choice).collect(),
        randomised: message.randomised,
        other: message.other,
        min_choices: message.min_choices.unsigned_abs(),
        max_choices: message.max_choices.unsigned_abs(),
        max_length: message.max_length.unsigned_abs(),
        statement: message.statement,
        negative: message.negative,
        stage: message.stage,
        weight: message.weight,
        top_box: message.top_box,
        show_if: message.show_if,
        branches: message.branches.into_iter().map(branch).collect(),
        group: message.shuffle_group,
    }
}

/// A scale.
pub fn scale(message: proto::Scale) -> Scale {
    Scale {
        min: message.min,
        max: message.max,
        reversed: message.reversed,
        min_label: text(message.min_label, message.min_label_translations),
        max_label: text(message.max_label, message.max_label_translations),
    }
}

fn choice(message: proto::Choice) -> Choice {
    Choice {
        id: message.choice_id,
        text: text(message.text, message.translations),
        value: message.value,
        fixed: message.fixed,
        exclusive: message.exclusive,
    }
}

fn branch(message: proto::Branch) -> Branch {
    Branch { condition: message.condition, go_to: message.go_to }
}

/// A hidden field.
pub fn hidden(message: proto::HiddenField) -> HiddenField {
    HiddenField { name: message.name, values: mask::names(message.values) }
}

/// A hidden field as the contract has it.
pub fn hidden_message(field: &HiddenField) -> proto::HiddenField {
    proto::HiddenField { name: field.name.clone(), values: field.values.clone() }
}

/// A question as the contract has it.
#[must_use]
pub fn render(question: &Question) -> proto::Question {
    proto::Question {
        question_id: question.id.clone(),
        r#type: kind_message(question.kind).into(),
        measures: question.measures.map_or(proto::QuestionMeasure::Unspecified, measures_message).into(),
        text: question.text.text.clone(),
        translations: translations(&question.text),
        required: question.required,
        scale: question.scale.as_ref().map(scale_message),
        choices: question.choices.iter().map(choice_message).collect(),
        rows: question.rows.iter().map(choice_message).collect(),
        randomised: question.randomised,
        other: question.other,
        min_choices: question.min_choices.cast_signed(),
        max_choices: question.max_choices.cast_signed(),
        max_length: question.max_length.cast_signed(),
        statement: question.statement.clone(),
        negative: question.negative,
        stage: question.stage.clone(),
        weight: question.weight,
        top_box: question.top_box,
        show_if: question.show_if.clone(),
        branches: question.branches.iter().map(branch_message).collect(),
        shuffle_group: question.group.clone(),
        hint: question.hint.text.clone(),
        hint_translations: translations(&question.hint),
    }
}

fn branch_message(branch: &Branch) -> proto::Branch {
    proto::Branch { condition: branch.condition.clone(), go_to: branch.go_to.clone() }
}

/// A scale as the contract has it.
pub fn scale_message(scale: &Scale) -> proto::Scale {
    proto::Scale {
        min: scale.min,
        max: scale.max,
        reversed: scale.reversed,
        min_label: scale.min_label.text.clone(),
        max_label: scale.max_label.text.clone(),
        min_label_translations: translations(&scale.min_label),
        max_label_translations: translations(&scale.max_label),
    }
}

/// A choice as the contract has it.
pub fn choice_message(choice: &Choice) -> proto::Choice {
    proto::Choice {
        choice_id: choice.id.clone(),
        text: choice.text.text.clone(),
        translations: translations(&choice.text),
        value: choice.value,
        fixed: choice.fixed,
        exclusive: choice.exclusive,
    }
}

const fn kind(message: proto::QuestionType) -> Option<QuestionType> {
    Some(match message {
        proto::QuestionType::Unspecified => return None,
        proto::QuestionType::Scale => QuestionType::Scale,
        proto::QuestionType::Single => QuestionType::Single,
        proto::QuestionType::Multiple => QuestionType::Multiple,
        proto::QuestionType::Text => QuestionType::Text,
        proto::QuestionType::Matrix => QuestionType::Matrix,
        proto::QuestionType::Ranking => QuestionType::Ranking,
        proto::QuestionType::Date => QuestionType::Date,
        proto::QuestionType::Statement => QuestionType::Statement,
    })
}

const fn kind_message(kind: QuestionType) -> proto::QuestionType {
    match kind {
        QuestionType::Scale => proto::QuestionType::Scale,
        QuestionType::Single => proto::QuestionType::Single,
        QuestionType::Multiple => proto::QuestionType::Multiple,
        QuestionType::Text => proto::QuestionType::Text,
        QuestionType::Matrix => proto::QuestionType::Matrix,
        QuestionType::Ranking => proto::QuestionType::Ranking,
        QuestionType::Date => proto::QuestionType::Date,
        QuestionType::Statement => proto::QuestionType::Statement,
    }
}

const fn measures(message: proto::QuestionMeasure) -> Option<Measures> {
    Some(match message {
        proto::QuestionMeasure::Unspecified => return None,
        proto::QuestionMeasure::Nps => Measures::Nps,
        proto::QuestionMeasure::Tnps => Measures::Tnps,
        proto::QuestionMeasure::Csat => Measures::Csat,
        proto::QuestionMeasure::Ces => Measures::Ces,
        proto::QuestionMeasure::Csi => Measures::Csi,
        proto::QuestionMeasure::Statement => Measures::Statement,
        proto::QuestionMeasure::Fcr => Measures::Fcr,
        proto::QuestionMeasure::Expectation => Measures::Expectation,
        proto::QuestionMeasure::Scale => Measures::Scale,
    })
}

const fn measures_message(measures: Measures) -> proto::QuestionMeasure {
    match measures {
        Measures::Nps => proto::QuestionMeasure::Nps,
        Measures::Tnps => proto::QuestionMeasure::Tnps,
        Measures::Csat => proto::QuestionMeasure::Csat,
        Measures::Ces => proto::QuestionMeasure::Ces,
        Measures::Csi => proto::QuestionMeasure::Csi,
        Measures::Statement => proto::QuestionMeasure::Statement,
        Measures::Fcr => proto::QuestionMeasure::Fcr,
        Measures::Expectation => proto::QuestionMeasure::Expectation,
        Measures::Scale => proto::QuestionMeasure::Scale,
    }
}
