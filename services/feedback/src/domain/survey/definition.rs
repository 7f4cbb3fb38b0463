//! What a survey asks: its questions and what goes with them. A version of a survey is one of these, and never changes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::SurveyKind;
use crate::domain::Party;

/// A text and its translations, by language tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// In the survey's default language.
    pub text: String,
    /// In others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub translations: BTreeMap<String, String>,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), translations: BTreeMap::new() }
    }
}

/// What a version of a survey asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// What it measures.
    pub kind: SurveyKind,
    /// Whom it asks.
    pub party: Party,
    /// Whether nobody can be tied to an answer.
    pub anonymous: bool,
    /// The language of its texts.
    pub language: String,
    /// The questions, in order.
    pub questions: Vec<Question>,
    /// What goes with the answers.
    pub hidden: Vec<HiddenField>,
    /// What is said first.
    pub welcome: Text,
    /// What is said last.
    pub thanks: Text,
}

/// A question. What does not concern its type is empty.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its name, for ever.
    pub id: String,
    /// How it is answered.
    pub kind: QuestionType,
    /// What it measures.
    pub measures: Option<Measures>,
    /// The question.
    pub text: Text,
    /// A word of explanation.
    #[serde(default)]
    pub hint: Text,
    /// Whether a complete response must answer it.
    #[serde(default)]
    pub required: bool,
    /// Its scale.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// What may be chosen.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// The rows of a matrix.
    #[serde(default)]
    pub rows: Vec<Choice>,
    /// Whether choices or rows stand in random order.
    #[serde(default)]
    pub randomised: bool,
    /// Whether something else may be chosen.
    #[serde(default)]
    pub other: bool,
    /// How many must be chosen; 0: one.
    #[serde(default)]
    pub min_choices: u32,
    /// How many may be chosen; 0: all.
    #[serde(default)]
    pub max_choices: u32,
    /// How many characters a text may have; 0: the most that any may have.
    #[serde(default)]
    pub max_length: u32,
    /// The name of a statement.
    #[serde(default)]
    pub statement: String,
    /// Whether agreeing with it is bad.
    #[serde(default)]
    pub negative: bool,
    /// The stage it is bound to.
    #[serde(default)]
    pub stage: String,
    /// Its weight among the items of an index; 0: equal ones.
    #[serde(default)]
    pub weight: f64,
    /// From where on a box is a top box.
    #[serde(default)]
    pub top_box: i32,
    /// When it is shown; empty: always.
    #[serde(default)]
    pub show_if: String,
    /// Where to go on.
    #[serde(default)]
    pub branches: Vec<Branch>,
    /// With which of its neighbours it stands in random order; empty: with none.
    #[serde(default)]
    pub group: String,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its conditions may name personal data.
        f.debug_struct("Question").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Question {
    /// A question of a type, and nothing more.
    #[must_use]
    pub fn new(id: &str, kind: QuestionType, text: Text) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            measures: None,
            text,
            hint: Text::default(),
            required: false,
            scale: None,
            choices: Vec::new(),
            rows: Vec::new(),
            randomised: false,
            other: false,
            min_choices: 0,
            max_choices: 0,
            max_length: 0,
            statement: String::new(),
            negative: false,
            stage: String::new(),
            weight: 0.0,
            top_box: 0,
            show_if: String::new(),
            branches: Vec::new(),
            group: String::new(),
        }
    }

    /// The bounds of its figures and whether a low one is good, where it is answered by figures of one kind.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        if self.kind == QuestionType::Statement {
            return Some(Bounds { min: 1, max: 5, reversed: self.negative });
        }
        if let Some(scale) = &self.scale {
            return Some(scale.bounds());
        }
        match self.measures? {
            Measures::Fcr => Some(Bounds { min: 0, max: 1, reversed: false }),
            Measures::Expectation => Some(Bounds { min: 1, max: 3, reversed: false }),
            _ => None,
        }
    }
}

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionType {
    /// A figure.
    Scale,
    /// One choice.
    Single,
    /// Any choices.
    Multiple,
    /// Words.
    Text,
    /// A choice or figure for each row.
    Matrix,
    /// Choices in order.
    Ranking,
    /// A day.
    Date,
    /// Agreement.
    Statement,
}

/// What a question measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measures {
    /// Relational net promoter score.
    Nps,
    /// Transactional net promoter score.
    Tnps,
    /// Satisfaction.
    Csat,
    /// Effort.
    Ces,
    /// An item of the index.
    Csi,
    /// Agreement.
    Statement,
    /// Solved on first contact.
    Fcr,
    /// Against expectations.
    Expectation,
    /// Something of the survey's own.
    Scale,
}

impl Measures {
    /// The name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nps => "nps",
            Self::Tnps => "tnps",
            Self::Csat => "csat",
            Self::Ces => "ces",
            Self::Csi => "csi",
            Self::Statement => "statement",
            Self::Fcr => "fcr",
            Self::Expectation => "expectation",
            Self::Scale => "scale",
        }
    }
}

/// The bounds of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least.
    pub min: i32,
    /// The greatest.
    pub max: i32,
    /// Whether a low one is good.
    pub reversed: bool,
}

impl Bounds {
    /// Whether a figure lies on the scale.
    #[must_use]
    pub const fn hold(self, figure: i32) -> bool {
        self.min <= figure && figure <= self.max
    }
}

/// A scale of whole figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// The least figure.
    pub min: i32,
    /// The greatest one.
    pub max: i32,
    /// Whether a low one is good; `None`: as is usual.
    pub reversed: Option<bool>,
    /// What the least means.
    #[serde(default)]
    pub min_label: Text,
    /// What the greatest means.
    #[serde(default)]
    pub max_label: Text,
}

impl Scale {
    /// A scale without labels.
    #[must_use]
    pub fn new(min: i32, max: i32) -> Self {
        Self { min, max, reversed: None, min_label: Text::default(), max_label: Text::default() }
    }
    /// Its bounds.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { min: self.min, max: self.max, reversed: self.reversed.unwrap_or_default() }
    }
}

/// Something to choose, or a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its name.
    pub id: String,
    /// Its text.
    pub text: Text,
    /// The figure it stands for.
    #[serde(default)]
    pub value: Option<i32>,
    /// Whether it keeps its place.
    #[serde(default)]
    pub fixed: bool,
    /// Whether it stands alone.
    #[serde(default)]
    pub exclusive: bool,
}

/// Where to go on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// When.
    pub condition: String,
    /// To which question; empty: to the end.
    pub go_to: String,
}

/// What goes with the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenField {
    /// Its name.
    pub name: String,
    /// What it may be; none: anything.
    #[serde(default)]
    pub values: Vec<String>,
}

impl Definition {
    /// The place of the question that the survey's kind is about: of an index, its first item.
    #[must_use]
    pub fn principal(&self) -> Option<usize> {
        let measures = self.kind.measures()?;
        self.questions.iter().position(|question| question.measures == Some(measures))
    }

    /// The place of the first question that is answered in words.
    #[must_use]
    pub fn comment(&self) -> Option<usize> {
        self.questions.iter().position(|question| question.kind == QuestionType::Text)
    }

    /// The place of a question.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<usize> {
        self.questions.iter().position(|question| question.id == id)
    }

    /// The place before which the question at a place knows answers: where its group begins.
    #[must_use]
    pub fn knows(&self, place: usize) -> usize {
        let group = &self.questions[place].group;
        if group.is_empty() {
            return place;
        }
        let before = self.questions[..place].iter().rev().take_while(|other| other.group == *group).count();
        place - before
    }

    /// What share of the index an item has.
    #[must_use]
    pub fn share(&self, question: &Question) -> f64 {
        let items = || self.questions.iter().filter(|item| item.measures == Some(Measures::Csi));
        let sum: f64 = items().map(|item| item.weight).sum();
        if sum > 0.0 {
            return question.weight / sum;
        }
        #[expect(clippy::cast_precision_loss, reason = "there are at most a hundred questions")]
        let count = items().count().max(1) as f64;
        1.0 / count
    }

    /// About how many bytes it is on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        let text = |text: &Text| {
            text.text.len() + text.translations.iter().map(|(tag, text)| tag.len() + text.len() + 8).sum::<usize>()
        };
        let choices =
            |choices: &[Choice]| choices.iter().map(|choice| 16 + choice.id.len() + text(&choice.text)).sum::<usize>();
        let question = |question: &Question| {
            let branches = question.branches.iter().map(|branch| branch.condition.len() + 80).sum::<usize>();
            let scale = question.scale.as_ref().map_or(0, |scale| text(&scale.min_label) + text(&scale.max_label) + 16);
            let texts = text(&question.text) + text(&question.hint);
            120 + texts
                + choices(&question.choices)
                + choices(&question.rows)
                + question.show_if.len()
                + branches
                + scale
        };
        let hidden = |field: &HiddenField| 70 + field.values.iter().map(|value| value.len() + 3).sum::<usize>();
        self.questions.iter().map(question).sum::<usize>()
            + self.hidden.iter().map(hidden).sum::<usize>()
            + text(&self.welcome)
            + text(&self.thanks)
    }
}
