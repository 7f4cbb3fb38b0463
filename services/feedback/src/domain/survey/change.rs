//! Making and changing what a survey asks; and what of it can no longer change once it was published, so that answers to
//! any two of its versions can be read side by side.

use rapport_kernel::Violations;

use super::definition::{Definition, HiddenField, Question, Scale, Text};
use super::form::Form;
use super::{SurveyKind, check, standard};
use crate::domain::Party;
use crate::domain::asking::Asking;

/// What is said of a survey; `None` stays as it is, or is as usual.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it measures.
    pub kind: Option<SurveyKind>,
    /// Whom it asks.
    pub party: Option<Party>,
    /// The principal question's text.
    pub question: Option<String>,
    /// The principal question's scale.
    pub scale: Option<Option<Scale>>,
    /// The language of its texts.
    pub language: Option<String>,
    /// The questions.
    pub questions: Option<Vec<Question>>,
    /// What goes with the answers.
    pub hidden: Option<Vec<HiddenField>>,
    /// Whether nobody can be tied to an answer.
    pub anonymous: Option<bool>,
    /// What is said first.
    pub welcome: Option<Text>,
    /// What is said last.
    pub thanks: Option<Text>,
    /// Whom it asks, how many of them and how often.
    pub asking: Option<Asking>,
}

impl Change {
    /// What a new survey asks.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn make(&self, kind: SurveyKind) -> Result<Form, Violations> {
        let nothing = Definition {
            kind,
            party: Party::Customer,
            anonymous: false,
            language: "en".to_owned(),
            questions: Vec::new(),
            hidden: Vec::new(),
            welcome: Text::default(),
            thanks: Text::default(),
        };
        self.apply(&nothing)
    }

    /// What a survey asks after the change.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn apply(&self, held: &Definition) -> Result<Form, Violations> {
        let mut out = Violations::new();
        let definition = self.definition(held, &mut out);
        // Where the usual questions cannot be made, that is all there is to say of them.
        if out.is_empty() {
            check::questions(&definition, &mut out);
        }
        check::hidden(&definition, &mut out);
        match Form::compile(definition, &mut out) {
            Some(form) if out.is_empty() => Ok(form),
            _ => Err(out),
        }
    }

    /// What the change says that a survey asks after it, sound or not; notes what cannot be made of it.
    pub(super) fn definition(&self, held: &Definition, out: &mut Violations) -> Definition {
        let mut definition = held.clone();
        definition.kind = self.kind.unwrap_or(held.kind);
        definition.party = self.party.unwrap_or(held.party);
        definition.anonymous = self.anonymous.unwrap_or(held.anonymous);
        if let Some(language) = self.language.as_ref().filter(|language| !language.is_empty()) {
            definition.language.clone_from(language);
        }
        self.hidden.iter().for_each(|hidden| definition.hidden.clone_from(hidden));
        self.welcome.iter().for_each(|text| definition.welcome.clone_from(text));
        self.thanks.iter().for_each(|text| definition.thanks.clone_from(text));
        self.apply_questions(&mut definition, out);
        standard::complete(&mut definition);
        definition
    }

    fn apply_questions(&self, definition: &mut Definition, out: &mut Violations) {
        let given = self.questions.as_ref().filter(|questions| !questions.is_empty());
        if let Some(questions) = given {
            definition.questions.clone_from(questions);
            return;
        }
        let text = self.question.as_deref().filter(|text| !text.is_empty());
        let principal = definition.principal();
        // None given, or all taken away: the usual ones, where the kind has any.
        if self.questions.is_none() && !definition.questions.is_empty() {
            let Some(principal) = principal else { return };
            let question = &mut definition.questions[principal];
            text.into_iter().for_each(|text| text.clone_into(&mut question.text.text));
            if let Some(scale) = &self.scale {
                question.scale.clone_from(scale);
                question.top_box = 0;
            }
            return;
        }
        let held = principal.map(|principal| definition.questions[principal].text.text.clone());
        definition.questions.clear();
        match text.map(str::to_owned).or(held) {
            _ if definition.kind == SurveyKind::Custom => {}
            Some(text) => {
                let scale = self.scale.clone().flatten();
                definition.questions = standard::questions(definition.kind, &text, scale, &definition.language);
            }
            None => {
                let text = "must have at least 1 character where no questions are given";
                out.add("survey.question", "string.min_len", text);
            }
        }
    }

    /// Whether anything of what is asked changes.
    #[must_use]
    pub fn concerns_definition(&self) -> bool {
        self.kind.is_some()
            || self.party.is_some()
            || self.question.is_some()
            || self.scale.is_some()
            || self.language.is_some()
            || self.questions.is_some()
            || self.hidden.is_some()
            || self.anonymous.is_some()
            || self.welcome.is_some()
            || self.thanks.is_some()
    }
}

/// Notes what a new version must not change of one that was published.
pub fn keeps(old: &Definition, new: &Definition, out: &mut Violations) {
    let mut broken = |field: String, text: &str| {
        if !out.as_slice().iter().any(|known| known.field == field) {
            out.add(field, "survey.published", text);
        }
    };
    if new.kind != old.kind {
        broken("survey.kind".to_owned(), "must stay what it was when the survey was published");
    }
    if new.party != old.party {
        broken("survey.party".to_owned(), "must stay what it was when the survey was published");
    }
    if new.anonymous != old.anonymous {
        broken("survey.anonymous".to_owned(), "must stay what it was when the survey was published");
    }
    for (place, question) in new.questions.iter().enumerate() {
        let Some(was) = old.questions.iter().find(|was| was.id == question.id) else { continue };
        let at = format!("survey.questions[{place}]");
        if question.kind != was.kind {
            broken(format!("{at}.type"), "must stay what it was: use a new question_id for another question");
        }
        if question.measures != was.measures {
            broken(format!("{at}.measures"), "must stay what it was: use a new question_id for another question");
        }
        if question.bounds() != was.bounds() {
            let field = if question.kind == super::QuestionType::Statement { "negative" } else { "scale" };
            broken(format!("{at}.{field}"), "must stay what it was: use a new question_id for another scale");
        }
        if question.statement != was.statement {
            broken(format!("{at}.statement"), "must stay what it was: use a new question_id for another statement");
        }
        for (index, choice) in question.choices.iter().enumerate() {
            let held = was.choices.iter().find(|held| held.id == choice.id);
            if held.is_some_and(|held| held.value != choice.value) {
                broken(format!("{at}.choices[{index}].value"), "must stay what it was: use a new choice_id");
            }
        }
    }
}
