//! What a survey's questions must keep to, so that every answer means something. Every broken rule is named.

use std::collections::BTreeSet;

use rapport_kernel::Violations;

use super::definition::{Bounds, Choice, Definition, Measures, Question, QuestionType};
use super::form::OTHER;

/// The most characters of an answer in words.
pub const LONGEST: u32 = 8_192;

/// Notes every broken rule of the questions of a definition that was completed, but for those of its conditions.
pub fn questions(definition: &Definition, out: &mut Violations) {
    if definition.questions.is_empty() {
        out.add("survey.questions", "survey.questions", "must hold a question");
    } else if let Some(measures) = definition.kind.measures()
        && definition.principal().is_none()
    {
        let text = format!("must hold a scale question that measures {}", measures.name());
        out.add("survey.questions", "survey.principal", text);
    }
    let mut names = BTreeSet::new();
    for (place, question) in definition.questions.iter().enumerate() {
        let at = format!("survey.questions[{place}]");
        if !names.insert(&question.id) {
            out.add(format!("{at}.question_id"), "survey.unique", "must not be the name of a question before it");
        }
        check_question(definition, question, &at, out);
        check_ways(definition, place, &at, out);
    }
}

/// Notes every broken rule of what goes with the answers.
pub fn hidden(definition: &Definition, out: &mut Violations) {
    let mut names = BTreeSet::new();
    for (place, field) in definition.hidden.iter().enumerate() {
        let at = format!("survey.hidden_fields[{place}]");
        if !names.insert(&field.name) {
            out.add(format!("{at}.name"), "survey.unique", "must not be the name of a field before it");
        }
        if definition.anonymous && field.values.is_empty() {
            out.add(format!("{at}.values"), "survey.anonymous", "must be listed: the survey is anonymous");
        }
    }
}

fn check_question(definition: &Definition, question: &Question, at: &str, out: &mut Violations) {
    let mut broken = |field: &str, text: &str| out.add(format!("{at}.{field}"), "survey.question", text);
    if question.text.text.is_empty() {
        broken("text", "must have at least 1 character");
    }
    let kind = question.kind;
    let chooses = matches!(kind, QuestionType::Single | QuestionType::Multiple | QuestionType::Ranking);
    let by_column = kind == QuestionType::Matrix && question.scale.is_none();
    if (chooses || by_column) && question.choices.len() < 2 {
        broken("choices", "must hold at least two");
    }
    if !(chooses || by_column || question.choices.is_empty()) {
        broken("choices", "must be empty: the question has none");
    }
    if kind == QuestionType::Matrix && question.rows.is_empty() {
        broken("rows", "must hold at least one");
    }
    if kind != QuestionType::Matrix && !question.rows.is_empty() {
        broken("rows", "must be empty: only a matrix has rows");
    }
    if question.other && !matches!(kind, QuestionType::Single | QuestionType::Multiple) {
        broken("other", "must be false: only single and multiple have it");
    }
    if question.randomised && !(chooses || kind == QuestionType::Matrix) {
        broken("randomised", "must be false: the question has neither choices nor rows");
    }
    let most = u32::try_from(question.choices.len()).unwrap_or(u32::MAX).saturating_add(question.other.into());
    let chooses_many = matches!(kind, QuestionType::Multiple | QuestionType::Ranking);
    if question.max_choices > if chooses_many { most } else { 0 } {
        broken("max_choices", "must be at most the number of choices, and 0 but for multiple and ranking");
    }
    let least_most = if question.max_choices == 0 { most } else { question.max_choices };
    if question.min_choices > if kind == QuestionType::Multiple { least_most } else { 0 } {
        broken("min_choices", "must be at most what may be chosen, and 0 but for multiple");
    }
    if question.max_length > if kind == QuestionType::Text { LONGEST } else { 0 } {
        broken("max_length", "must be 0 but for a text");
    }
    if kind != QuestionType::Statement && !question.statement.is_empty() {
        broken("statement", "must be empty: it is none");
    }
    if question.weight != 0.0 && question.measures != Some(Measures::Csi) {
        broken("weight", "must be 0 but for an item of CSI");
    }
    check_measures(question, &mut broken);
    check_weights(definition, question, &mut broken);
    check_choices(&question.choices, "choices", at, question, out);
    check_choices(&question.rows, "rows", at, question, out);
}

fn check_weights(definition: &Definition, question: &Question, broken: &mut impl FnMut(&str, &str)) {
    let weighs = |item: &Question| item.measures == Some(Measures::Csi) && item.weight > 0.0;
    if question.measures == Some(Measures::Csi) && question.weight == 0.0 && definition.questions.iter().any(weighs) {
        broken("weight", "must be above 0: another item of CSI has a weight");
    }
}

fn check_measures(question: &Question, broken: &mut impl FnMut(&str, &str)) {
    let kind = question.kind;
    let fits = match question.measures {
        None => kind != QuestionType::Scale && kind != QuestionType::Statement,
        Some(Measures::Nps | Measures::Tnps | Measures::Csat | Measures::Ces | Measures::Csi) => {
            kind == QuestionType::Scale
        }
        Some(Measures::Statement) => kind == QuestionType::Statement,
        Some(Measures::Fcr | Measures::Expectation) => matches!(kind, QuestionType::Scale | QuestionType::Single),
        Some(Measures::Scale) => {
            kind == QuestionType::Scale || (kind == QuestionType::Matrix && question.scale.is_some())
        }
    };
    if !fits {
        broken("measures", "must fit the type of the question");
    }
    match (&question.scale, kind) {
        (None, QuestionType::Scale) => broken("scale", "must be given: the question measures something of its own"),
        (None, _) => {}
        (Some(_), QuestionType::Scale | QuestionType::Matrix) => {}
        (Some(_), _) => broken("scale", "must be absent: the question has none"),
    }
    if let Some(scale) = &question.scale
        && let Some(text) = wrong_scale(question.measures, scale.bounds())
    {
        broken("scale", text);
    }
    let bounds = question.bounds().filter(|_| question.measures == Some(Measures::Csat));
    let sound =
        bounds.map_or(question.top_box == 0, |bounds| bounds.min < question.top_box && bounds.hold(question.top_box));
    if !sound {
        broken("top_box", "must lie on the scale, above its least figure; 0 but for CSAT");
    }
}

/// What a scale must be, where it is not.
#[must_use]
pub fn wrong_scale(measures: Option<Measures>, bounds: Bounds) -> Option<&'static str> {
    let Bounds { min, max, reversed } = bounds;
    let (sound, text) = match measures {
        Some(Measures::Nps | Measures::Tnps) => ((min, max, reversed) == (0, 10, false), "must be 0 to 10"),
        Some(Measures::Csat) => {
            let points = matches!(max, 3 | 4 | 5 | 7 | 10);
            (min == 1 && points && !reversed, "must be 1 to 3, 4, 5, 7 or 10")
        }
        Some(Measures::Ces) => {
            let sound = matches!((min, max, reversed), (1, 7, false) | (1, 5, true));
            (sound, "must be 1 to 7 (CES 2.0), or 1 to 5 reversed (CES 1.0)")
        }
        Some(Measures::Csi) => ((min, max, reversed) == (1, 10, false), "must be 1 to 10"),
        Some(Measures::Fcr) => ((min, max, reversed) == (0, 1, false), "must be 0 to 1"),
        Some(Measures::Expectation) => ((min, max, reversed) == (1, 3, false), "must be 1 to 3"),
        Some(Measures::Statement | Measures::Scale) | None => {
            (min < max && max - min <= 100, "must go from a figure to a greater one, at most 100 above")
        }
    };
    (!sound).then_some(text)
}

fn check_choices(choices: &[Choice], list: &str, at: &str, question: &Question, out: &mut Violations) {
    let mut names = BTreeSet::new();
    for (place, choice) in choices.iter().enumerate() {
        let mut broken =
            |field: &str, text: &str| out.add(format!("{at}.{list}[{place}].{field}"), "survey.choice", text);
        if !names.insert(&choice.id) {
            broken("choice_id", "must not be the name of one before it");
        }
        if choice.id == OTHER {
            broken("choice_id", "must not be \"other\": that is what is said in words");
        }
        let of_figures = question.kind == QuestionType::Single && list == "choices";
        let sound = match (choice.value, question.measures) {
            (None, _) => true,
            (Some(value), Some(Measures::Fcr)) => of_figures && (0..=1).contains(&value),
            (Some(value), Some(Measures::Expectation)) => of_figures && (1..=3).contains(&value),
            (Some(_), _) => false,
        };
        if !sound {
            broken("value", "must be 0 or 1 for FCR, 1 to 3 for EXPECTATION, and absent for all others");
        }
        if choice.exclusive && !(question.kind == QuestionType::Multiple && list == "choices") {
            broken("exclusive", "must be false: only a choice of multiple can stand alone");
        }
    }
    let measured = question.kind == QuestionType::Single
        && matches!(question.measures, Some(Measures::Fcr | Measures::Expectation))
        && list == "choices";
    if measured && choices.iter().all(|choice| choice.value.is_none()) {
        out.add(format!("{at}.choices"), "survey.choice", "must hold a choice with a figure");
    }
}

/// The rules of groups and branches.
fn check_ways(definition: &Definition, place: usize, at: &str, out: &mut Violations) {
    let question = &definition.questions[place];
    let before = &definition.questions[..definition.knows(place)];
    if !question.group.is_empty() && before.iter().any(|other| other.group == question.group) {
        out.add(format!("{at}.shuffle_group"), "survey.group", "must be of questions that stand in a row");
    }
    if !question.group.is_empty() && !question.branches.is_empty() {
        out.add(format!("{at}.branches"), "survey.group", "must be empty: a question in a group cannot branch");
    }
    for (index, branch) in question.branches.iter().enumerate().filter(|(_, branch)| !branch.go_to.is_empty()) {
        let target = definition.place(&branch.go_to).filter(|target| *target > place);
        let sound = target.is_some_and(|target| definition.knows(target) == target);
        if !sound {
            let text = "must name a question after this one; of a group, its first";
            out.add(format!("{at}.branches[{index}].go_to"), "survey.branch", text);
        }
    }
}
