//! What is usual: the questions of a survey for which none were given, scales, top boxes, the choices of questions whose
//! figures are fixed.

use super::SurveyKind;
use super::definition::{Bounds, Choice, Definition, Measures, Question, QuestionType, Scale, Text};
use super::statements;

/// The usual questions of a kind: the principal one in the tenant's words, and, where the kind is of one figure, why.
#[must_use]
pub fn questions(kind: SurveyKind, text: &str, scale: Option<Scale>, language: &str) -> Vec<Question> {
    let Some(measures) = kind.measures() else { return Vec::new() };
    let item = |id: &str, text: Text| {
        let scale = scale.clone();
        Question { measures: Some(measures), required: true, scale, ..Question::new(id, QuestionType::Scale, text) }
    };
    let mut questions = vec![item(if kind == SurveyKind::Csi { "satisfaction" } else { kind.name() }, text.into())];
    if kind == SurveyKind::Csi {
        // The three of the American Customer Satisfaction Index: Fornell et al., Journal of Marketing 60 (1996).
        questions.push(item("expectations", told(&EXPECTATIONS, language)));
        questions.push(item("ideal", told(&IDEAL, language)));
    }
    questions.push(Question::new("why", QuestionType::Text, told(&WHY, language)));
    questions
}

type Words = [(&'static str, &'static str); 4];

const EXPECTATIONS: Words = [
    ("en", "How does it compare with what you expected?"),
    ("ru", "Насколько это соответствует вашим ожиданиям?"),
    ("fa", "در مقایسه با انتظار شما چگونه بود؟"),
    ("ro", "Cum este față de ce așteptați?"),
];
const IDEAL: Words = [
    ("en", "How close is it to the ideal?"),
    ("ru", "Насколько это близко к идеалу?"),
    ("fa", "چقدر به حالت ایده‌آل نزدیک است؟"),
    ("ro", "Cât de aproape este de ideal?"),
];
const WHY: Words =
    [("en", "Why?"), ("ru", "Почему вы поставили такую оценку?"), ("fa", "چرا این امتیاز را دادید؟"), ("ro", "De ce?")];

/// Words in all languages they are known in; those of the default language, or of the next best, stand first.
fn told(words: &Words, language: &str) -> Text {
    let translations = words.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect();
    let all = Text { text: words[0].1.to_owned(), translations };
    all.at_home(language)
}

/// Fills in what is usual and was not said. What is filled in once stays as it is.
pub fn complete(definition: &mut Definition) {
    let kind = definition.kind.measures();
    let has_principal = definition.principal().is_some();
    let mut wanting = kind.filter(|_| !has_principal);
    for question in &mut definition.questions {
        if question.measures.is_none() {
            question.measures = match question.kind {
                QuestionType::Statement => Some(Measures::Statement),
                QuestionType::Scale => Some(wanting.take().unwrap_or(Measures::Scale)),
                QuestionType::Matrix if question.scale.is_some() => Some(Measures::Scale),
                _ => None,
            };
        }
        fill(question, &definition.language);
    }
}

fn fill(question: &mut Question, language: &str) {
    let measures = question.measures;
    if question.kind == QuestionType::Scale && question.scale.is_none() {
        question.scale = measures.and_then(scale);
    }
    if let Some(scale) = &mut question.scale
        && scale.reversed.is_none()
    {
        // CES 1.0 (Dixon et al., Harvard Business Review, 2010) asks how much effort it took: little is good.
        scale.reversed = Some(measures == Some(Measures::Ces) && scale.max == 5);
    }
    if measures == Some(Measures::Csat) && question.top_box == 0 {
        question.top_box = question.bounds().map_or(0, top_box);
    }
    if question.kind == QuestionType::Single && question.choices.is_empty() {
        question.choices = match measures {
            Some(Measures::Fcr) => FCR.iter().map(|choice| usual(choice, language)).collect(),
            Some(Measures::Expectation) => EXPECTATION.iter().map(|choice| usual(choice, language)).collect(),
            _ => Vec::new(),
        };
    }
    if question.kind == QuestionType::Statement {
        if question.statement.is_empty() {
            question.statement.clone_from(&question.id);
        }
        if let Some(known) = statements::named(&question.statement) {
            question.negative = known.negative;
            if question.stage.is_empty() {
                known.stage.clone_into(&mut question.stage);
            }
            if question.text.text.is_empty() {
                question.text = known.text().at_home(language);
            }
        }
    }
}

type Usual = (&'static str, i32, Words);

const FCR: [Usual; 2] = [
    ("yes", 1, [("en", "Yes"), ("ru", "Да"), ("fa", "بله"), ("ro", "Da")]),
    ("no", 0, [("en", "No"), ("ru", "Нет"), ("fa", "خیر"), ("ro", "Nu")]),
];
const EXPECTATION: [Usual; 3] = [
    (
        "worse",
        1,
        [
            ("en", "Worse than I expected"),
            ("ru", "Хуже, чем я ожидал"),
            ("fa", "بدتر از انتظارم"),
            ("ro", "Mai slab decât mă așteptam"),
        ],
    ),
    (
        "as_expected",
        2,
        [("en", "As I expected"), ("ru", "Как я и ожидал"), ("fa", "مطابق انتظارم"), ("ro", "Așa cum mă așteptam")],
    ),
    (
        "better",
        3,
        [
            ("en", "Better than I expected"),
            ("ru", "Лучше, чем я ожидал"),
            ("fa", "بهتر از انتظارم"),
            ("ro", "Mai bine decât mă așteptam"),
        ],
    ),
];

fn usual((id, value, words): &Usual, language: &str) -> Choice {
    let text = told(words, language);
    Choice { id: (*id).to_owned(), text, value: Some(*value), fixed: true, exclusive: false }
}

/// The usual scale of a measure; none of something of the survey's own.
#[must_use]
pub fn scale(measures: Measures) -> Option<Scale> {
    Some(match measures {
        Measures::Nps | Measures::Tnps => Scale::new(0, 10),
        Measures::Csat | Measures::Statement => Scale::new(1, 5),
        Measures::Ces => Scale::new(1, 7),
        Measures::Csi => Scale::new(1, 10),
        Measures::Fcr => Scale::new(0, 1),
        Measures::Expectation => Scale::new(1, 3),
        Measures::Scale => return None,
    })
}

/// From where on a box is a top box: the top one of 3 points, the top two of 4 to 7, the top three of 10. Of any other
/// number of points: the top 30 %, rounded up.
#[must_use]
pub fn top_box(bounds: Bounds) -> i32 {
    let points = bounds.max - bounds.min + 1;
    let boxes = match points {
        ..=3 => 1,
        4..=7 => 2,
        8..=10 => 3,
        more => (more * 3 + 9) / 10,
    };
    bounds.max - boxes + 1
}
