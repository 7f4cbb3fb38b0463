//! A questionnaire as the respondents' page shows it: its questions told in one language, what is held of the answers,
//! and how it is cut into pages. Pure: without a script a page can only be left by sending it, so a question that depends on
//! another one's answer must stand on a later page than that.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::Private;

/// The choice that stands for what is said in words. No question has another one of this name.
pub const OTHER: &str = "other";
/// How many questions a page has at most.
const MOST: usize = 6;

/// What was taken.
pub struct Taken {
    /// The answer.
    pub response: String,
    /// The code by which it can be erased, where it is anonymous and whole.
    pub code: Option<Private<String>>,
}

/// What the holder of an invitation is asked.
pub struct Questionnaire {
    /// What was taken by the request that was asked about; then nothing is asked any more.
    pub taken: Option<Taken>,
    /// Whether the link can be used once only.
    pub once: bool,
    /// The partial answer that is gone on with.
    pub response: Option<String>,
    /// Whether nobody can be tied to the answer.
    pub anonymous: bool,
    /// The language it is told in.
    pub language: String,
    /// Whether the partial answer or the invitation names a language.
    pub language_is_named: bool,
    /// The languages in which all of it is there, the survey's own first.
    pub languages: Vec<String>,
    /// What is said before the first question.
    pub welcome: String,
    /// What is said after the last one.
    pub thanks: String,
    /// All questions, in the order of this answer.
    pub questions: Vec<Question>,
    /// Those that are shown after the answers held.
    pub shown: Vec<String>,
    /// The answers held.
    pub answers: BTreeMap<String, Answer>,
}

/// A question.
pub struct Question {
    /// Its name.
    pub id: String,
    /// The question itself.
    pub text: String,
    /// A word of explanation; may be empty.
    pub hint: String,
    /// Whether it must be answered.
    pub required: bool,
    /// How it is answered.
    pub kind: Kind,
    /// The condition under which it is shown; empty: always.
    pub show_if: String,
    /// Whether its answer decides where to go on.
    pub branches: bool,
}

/// How a question is answered.
pub enum Kind {
    /// By a figure.
    Scale(Scale),
    /// By how far one agrees, from 1 to 5.
    Agreement,
    /// By one of several choices, or something else.
    Single(Vec<Choice>, bool),
    /// By any of several choices.
    Multiple {
        /// What may be chosen.
        choices: Vec<Choice>,
        /// Whether something else may be.
        other: bool,
        /// How many at least, where any is.
        least: usize,
        /// How many at most.
        most: usize,
    },
    /// In words: at most so many characters.
    Text(usize),
    /// Row by row, by a figure.
    Figures(Vec<Choice>, Scale),
    /// Row by row, by one of several choices.
    Choices(Vec<Choice>, Vec<Choice>),
    /// By an order of choices: at least and at most so many of them.
    Ranking(Vec<Choice>, usize, usize),
    /// By a day.
    Date,
}

/// A scale of whole figures.
pub struct Scale {
    /// The least.
    pub min: i32,
    /// The greatest.
    pub max: i32,
    /// What the least means; may be empty.
    pub min_label: String,
    /// What the greatest means; may be empty.
    pub max_label: String,
}

/// Something that may be chosen, or a row.
pub struct Choice {
    /// Its name.
    pub id: String,
    /// Its text.
    pub text: String,
    /// Whether it stands alone.
    pub exclusive: bool,
}

/// An answer, and what was said where "other" was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub value: Value,
    /// What "other" is; may be empty.
    pub other: Private<String>,
}

/// An answer by the question's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A figure.
    Figure(i32),
    /// A choice.
    Choice(String),
    /// Choices, in order where order counts.
    Several(Vec<String>),
    /// Words.
    Text(Private<String>),
    /// A figure for each row.
    Figures(BTreeMap<String, i32>),
    /// A choice for each row.
    Choices(BTreeMap<String, String>),
    /// A day, as "2026-03-21".
    Date(String),
}

impl Questionnaire {
    /// A question by its name.
    #[must_use]
    pub fn question(&self, id: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.id == id)
    }

    /// Whether a question is shown after the answers held.
    #[must_use]
    pub fn shows(&self, id: &str) -> bool {
        self.shown.iter().any(|shown| shown == id)
    }

    /// The questions of the next page after those seen; none where no more is to be asked.
    #[must_use]
    pub fn next(&self, seen: &BTreeSet<&str>) -> Vec<&Question> {
        let mut page: Vec<&Question> = Vec::new();
        for question in self.questions.iter().filter(|question| !seen.contains(question.id.as_str())) {
            if page.len() == MOST || page.iter().any(|before| question.reads(&before.id)) {
                break;
            }
            if self.shows(&question.id) {
                page.push(question);
                if question.branches {
                    break;
                }
            }
        }
        page
    }

    /// Whether nothing can follow a page, whatever is answered on it.
    #[must_use]
    pub fn ends_with(&self, seen: &BTreeSet<&str>, page: &[&Question]) -> bool {
        let is_here = |id: &str| seen.contains(id) || page.iter().any(|here| here.id == id);
        let mut after = self.questions.iter().filter(|question| !is_here(&question.id));
        let branches = page.iter().any(|here| here.branches);
        !after.any(|after| branches || self.shows(&after.id) || page.iter().any(|here| after.reads(&here.id)))
    }

    /// The pages that were left behind, and the one to go on with: the first that is not answered whole, else the last.
    #[must_use]
    pub fn resume(&self) -> Vec<Vec<&Question>> {
        let (mut pages, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let page = self.next(&seen);
            if page.is_empty() {
                return pages;
            }
            seen.extend(page.iter().map(|question| question.id.as_str()));
            let answered = page.iter().all(|question| self.answers.contains_key(&question.id));
            pages.push(page);
            if !answered {
                return pages;
            }
        }
    }
}

impl Question {
    /// Whether it may depend on another one's answer. It looks for the name only: a page too many does no harm.
    fn reads(&self, id: &str) -> bool {
        self.show_if.contains("answers") && self.show_if.contains(id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn question(id: &str, kind: Kind) -> Question {
        Question {
            id: id.to_owned(),
            text: format!("{id}?"),
            hint: String::new(),
            required: false,
            kind,
            show_if: String::new(),
            branches: false,
        }
    }

    fn asked(questions: Vec<Question>, shown: &[&str]) -> Questionnaire {
        Questionnaire {
            taken: None,
            once: true,
            response: None,
            anonymous: false,
            language: "en".to_owned(),
            language_is_named: false,
            languages: vec!["en".to_owned()],
            welcome: String::new(),
            thanks: String::new(),
            questions,
            shown: shown.iter().map(|id| (*id).to_owned()).collect(),
            answers: BTreeMap::new(),
        }
    }

    fn ids(page: &[&Question]) -> Vec<String> {
        page.iter().map(|question| question.id.clone()).collect()
    }

    fn text(id: &str) -> Question {
        question(id, Kind::Text(100))
    }

    #[test]
    fn a_question_never_shares_a_page_with_one_it_depends_on() {
        let why = Question { show_if: "answers.nps <= 6".to_owned(), ..text("why") };
        let form = asked(vec![text("nps"), text("free"), why, text("last")], &["nps", "free", "last"]);
        // Not shown yet, it ends the page all the same: the answer may bring it up.
        assert_eq!(ids(&form.next(&BTreeSet::new())), ["nps", "free"]);
        assert_eq!(ids(&form.next(&BTreeSet::from(["nps", "free"]))), ["last"]);
        assert!(!form.ends_with(&BTreeSet::new(), &form.next(&BTreeSet::new())));
        assert!(form.ends_with(&BTreeSet::from(["nps", "free"]), &form.next(&BTreeSet::from(["nps", "free"]))));
    }

    #[test]
    fn a_question_that_branches_ends_its_page() {
        let fork = Question { branches: true, ..text("fork") };
        let form = asked(vec![fork, text("left"), text("right")], &["fork", "left", "right"]);
        assert_eq!(ids(&form.next(&BTreeSet::new())), ["fork"]);
        assert!(!form.ends_with(&BTreeSet::new(), &form.next(&BTreeSet::new())));
    }

    #[test]
    fn pages_hold_every_question_once_and_few_enough() {
        let names: Vec<String> = (0..20).map(|at| format!("q{at:02}")).collect();
        let shown: Vec<&str> = names.iter().map(String::as_str).collect();
        let form = asked(names.iter().map(|id| text(id)).collect(), &shown);
        let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
        loop {
            let page = form.next(&seen);
            assert!(page.len() <= MOST);
            if page.is_empty() {
                break;
            }
            all.extend(ids(&page));
            seen.extend(page.iter().map(|question| question.id.as_str()));
        }
        assert_eq!(all, names);
    }

    #[test]
    fn one_goes_on_where_one_left() {
        let names: Vec<String> = (0..8).map(|at| format!("q{at}")).collect();
        let shown: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut form = asked(names.iter().map(|id| text(id)).collect(), &shown);
        assert_eq!(form.resume().len(), 1, "at the beginning");
        for id in &names[..6] {
            let value = Value::Text(Private::new("said".to_owned()));
            form.answers.insert(id.clone(), Answer { value, other: Private::default() });
        }
        let pages = form.resume();
        assert_eq!(pages.len(), 2);
        assert_eq!(ids(&pages[1]), ["q6", "q7"]);
    }
}
