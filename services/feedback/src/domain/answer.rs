//! Answers: what they may be, and taking them in by the version of the survey that they were given to. What is wrong with
//! any of them is named, all at once.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{Private, Timestamp, Violations};
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::survey::{Bounds, Choice, Definition, Form, LONGEST, OTHER, Question, QuestionType};

/// An answer by its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A figure.
    Number(i32),
    /// One choice.
    Choice(String),
    /// Several, in order where order counts.
    Choices(Vec<String>),
    /// Words.
    Text(Private<String>),
    /// A choice for each row.
    Chosen(BTreeMap<String, String>),
    /// A figure for each row.
    Numbers(BTreeMap<String, i32>),
    /// A day: its name, and the instant at which it begins in UTC, in microseconds.
    Date(String, i64),
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// The answer.
    pub value: Given,
    /// What was said where "other" was chosen.
    #[serde(default)]
    pub other: Private<String>,
    /// The scale it was given on, where that is not the survey's.
    #[serde(default)]
    pub scale: Option<Bounds>,
}

/// Answers, each question's at most one, in order of the questions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answers(Vec<Answer>);

impl Answers {
    /// The answer to a question.
    #[must_use]
    pub fn get(&self, question: &str) -> Option<&Answer> {
        self.0.iter().find(|answer| answer.question == question)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Answer> {
        self.0.iter()
    }
    /// The figure answered to a question on the survey's own scale.
    #[must_use]
    pub fn number(&self, question: &str) -> Option<i32> {
        match self.get(question) {
            Some(Answer { value: Given::Number(figure), scale: None, .. }) => Some(*figure),
            _ => None,
        }
    }
    /// The words answered to a question.
    #[must_use]
    pub fn words(&self, question: &str) -> Option<&Private<String>> {
        match &self.get(question)?.value {
            Given::Text(text) => Some(text),
            _ => None,
        }
    }
    /// About how many bytes they are on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        let value = |answer: &Answer| match &answer.value {
            Given::Number(_) | Given::Date(..) => 12,
            Given::Choice(text) => text.len(),
            Given::Text(text) => text.expose().len(),
            Given::Choices(all) => all.iter().map(|text| text.len() + 2).sum(),
            Given::Chosen(all) => all.iter().map(|(row, text)| row.len() + text.len() + 6).sum(),
            Given::Numbers(all) => all.keys().map(|row| row.len() + 10).sum(),
        };
        self.0.iter().map(|answer| answer.question.len() + answer.other.expose().len() + value(answer) + 12).sum()
    }

    fn put(&mut self, answer: Answer) {
        self.take(&answer.question.clone());
        self.0.push(answer);
    }
    fn take(&mut self, question: &str) {
        self.0.retain(|held| held.question != question);
    }
}

/// Lends an answer to a condition.
#[must_use]
pub fn lend(value: &Given) -> Option<rapport_conditions::Value<'_>> {
    use rapport_conditions::Value;
    Some(match value {
        Given::Number(figure) => Value::Int(i64::from(*figure)),
        Given::Choice(text) => Value::String(text),
        Given::Text(text) => Value::String(text.expose()),
        Given::Choices(all) => Value::List(all),
        Given::Chosen(all) => Value::Map(all),
        Given::Numbers(_) => return Some(Value::MadeMap(rows(value))),
        Given::Date(_, begins) => Value::Timestamp(Timestamp::from_column(*begins)),
    })
}

fn rows(value: &Given) -> std::sync::Arc<BTreeMap<String, rapport_conditions::Value<'_>>> {
    let Given::Numbers(all) = value else { return std::sync::Arc::default() };
    let lent = |(row, figure): (&String, &i32)| (row.clone(), rapport_conditions::Value::Int(i64::from(*figure)));
    std::sync::Arc::new(all.iter().map(lent).collect())
}

/// What is said to a question.
#[derive(Clone, Debug)]
pub struct Said {
    /// Where it stands in the request, as `answers[2]` or `score`.
    pub field: String,
    /// The question; none: the field names one that the survey has not.
    pub question: Option<String>,
    /// The answer; none: it is taken back.
    pub value: Option<Given>,
    /// What "other" is.
    pub other: Private<String>,
    /// The scale it was given on, where that is not the survey's.
    pub scale: Option<Bounds>,
}

/// What was taken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The answers held now.
    pub answers: Answers,
    /// The places of the questions that are shown after them.
    pub shown: Vec<usize>,
}

impl Form {
    /// Takes answers in over those held. Answers held to questions that are skipped now go; one given to such a question
    /// is a violation, as is, where the response is completed, a required question that is shown and not answered.
    ///
    /// # Errors
    /// Every violation.
    pub fn settle(&self, held: Answers, said: &[Said], facts: &Facts, complete: bool) -> Result<Settled, Violations> {
        let definition = self.definition();
        let (mut out, mut answers) = (Violations::new(), held);
        check_hidden(definition, facts, &mut out);
        let (hidden, mut broken) = (!out.is_empty(), BTreeSet::new());
        for (index, one) in said.iter().enumerate() {
            let question = one.question.as_deref().and_then(|id| definition.place(id));
            let Some(question) = question.map(|place| &definition.questions[place]) else {
                out.add(&one.field, "answer.question", "must be to a question that this version of the survey has");
                continue;
            };
            if said[..index].iter().any(|other| other.question == one.question) {
                out.add(&one.field, "answer.unique", "must not be to a question that was answered before");
                broken.insert(question.id.as_str());
                continue;
            }
            match &one.value {
                None => answers.take(&question.id),
                Some(value) => match check(question, value, one) {
                    Ok(value) => answers.put(Answer {
                        question: question.id.clone(),
                        value,
                        other: one.other.clone(),
                        scale: one.scale,
                    }),
                    Err(text) => {
                        out.add(&one.field, "answer.value", text);
                        broken.insert(question.id.as_str());
                    }
                },
            }
        }
        let shown = self.shown(&answers, facts);
        let is_shown = |id: &str| shown.iter().any(|place| definition.questions[*place].id == id);
        for one in said.iter().filter(|one| one.value.is_some()) {
            // Where the answer itself is wrong, what follows from it is not known.
            let skipped = |id: &String| answers.get(id).is_some() && !is_shown(id);
            if one.question.as_ref().is_some_and(skipped) {
                out.add(&one.field, "answer.skipped", "must be absent: the branching skips its question");
            }
        }
        answers.0.retain(|answer| is_shown(&answer.question));
        answers.0.sort_by_key(|answer| definition.place(&answer.question));
        if complete {
            let sure = self.sure(&shown, &broken, hidden);
            let missing = self.missing(&answers, &sure).filter(|id| !broken.contains(id.as_str()));
            self.note_missing(missing, said, &mut out);
        }
        if out.is_empty() { Ok(Settled { answers, shown }) } else { Err(out) }
    }

    /// Notes the required questions that are missing.
    fn note_missing<'a>(&self, missing: impl Iterator<Item = &'a String>, said: &[Said], out: &mut Violations) {
        let definition = self.definition();
        // Whoever says the score alone is told of the score.
        let short = said.iter().all(|one| !one.field.starts_with("answers"));
        let principal = definition.principal().map(|place| &definition.questions[place].id);
        for id in missing {
            let field = if short && principal == Some(id) { "score".to_owned() } else { format!("answers[\"{id}\"]") };
            out.add(field, "answer.required", "must be answered");
        }
    }

    /// The required questions among those shown that are not answered.
    pub fn missing<'a>(&'a self, answers: &'a Answers, shown: &'a [usize]) -> impl Iterator<Item = &'a String> {
        let questions = shown.iter().map(|place| &self.definition().questions[*place]);
        questions
            .filter(|question| question.required && answers.get(&question.id).is_none())
            .map(|question| &question.id)
    }
}

fn check_hidden(definition: &Definition, facts: &Facts, out: &mut Violations) {
    for (name, value) in &facts.hidden {
        match definition.hidden.iter().find(|field| field.name == *name) {
            None => out.add(format!("hidden[\"{name}\"]"), "answer.hidden", "must be a hidden field of the survey"),
            Some(field) if !field.values.is_empty() && !field.values.contains(value.expose()) => {
                out.add(format!("hidden[\"{name}\"]"), "answer.hidden", "must be one of the listed values");
            }
            Some(_) => {}
        }
    }
}

/// The answer as it is kept; else what it must be.
fn check(question: &Question, value: &Given, said: &Said) -> Result<Given, String> {
    let says_other = match value {
        Given::Choice(choice) => choice == OTHER,
        Given::Choices(all) => all.iter().any(|choice| choice == OTHER),
        _ => false,
    };
    if !says_other && !said.other.expose().is_empty() {
        return Err("must have no words for \"other\" where that was not chosen".to_owned());
    }
    let bounds = said.scale.or_else(|| question.bounds());
    match (question.kind, value) {
        (QuestionType::Scale | QuestionType::Statement, Given::Number(figure)) => {
            in_bounds(bounds, *figure)?;
            Ok(value.clone())
        }
        (QuestionType::Single, Given::Choice(choice)) => {
            chosen(question, choice)?;
            Ok(value.clone())
        }
        (QuestionType::Multiple | QuestionType::Ranking, Given::Choices(all)) => several(question, all),
        (QuestionType::Text, Given::Text(text)) => {
            let most = if question.max_length == 0 { LONGEST } else { question.max_length };
            if text.expose().is_empty() {
                return Err("must have at least 1 character".to_owned());
            }
            if text.expose().chars().count() > most as usize {
                let characters = if most == 1 { "character" } else { "characters" };
                return Err(format!("must have at most {most} {characters}"));
            }
            Ok(value.clone())
        }
        (QuestionType::Matrix, Given::Chosen(rows)) if question.scale.is_none() => {
            rows_of(question, rows.keys())?;
            rows.values().try_for_each(|choice| listed(&question.choices, choice))?;
            Ok(value.clone())
        }
        (QuestionType::Matrix, Given::Numbers(rows)) if question.scale.is_some() => {
            rows_of(question, rows.keys())?;
            rows.values().try_for_each(|figure| in_bounds(bounds, *figure))?;
            Ok(value.clone())
        }
        (QuestionType::Date, Given::Date(day, _)) => {
            let begins = day_begins(day).ok_or("must be a day of the calendar, as 2026-03-21")?;
            Ok(Given::Date(day.clone(), begins))
        }
        _ => Err(format!("must be {}", form_of(question))),
    }
}

fn form_of(question: &Question) -> &'static str {
    match question.kind {
        QuestionType::Scale | QuestionType::Statement => "a number",
        QuestionType::Single => "a choice",
        QuestionType::Multiple | QuestionType::Ranking => "choices",
        QuestionType::Text => "a text",
        QuestionType::Matrix if question.scale.is_some() => "a matrix of numbers",
        QuestionType::Matrix => "a matrix of choices",
        QuestionType::Date => "a date",
    }
}

fn in_bounds(bounds: Option<Bounds>, figure: i32) -> Result<(), String> {
    match bounds {
        Some(bounds) if !bounds.hold(figure) => Err(format!("must lie between {} and {}", bounds.min, bounds.max)),
        _ => Ok(()),
    }
}

fn listed(choices: &[Choice], id: &str) -> Result<(), String> {
    let known = choices.iter().any(|choice| choice.id == id);
    if known { Ok(()) } else { Err("must be among the question's choices".to_owned()) }
}

fn chosen(question: &Question, id: &str) -> Result<(), String> {
    if question.other && id == OTHER { Ok(()) } else { listed(&question.choices, id) }
}

fn rows_of<'a>(question: &Question, mut rows: impl ExactSizeIterator<Item = &'a String>) -> Result<(), String> {
    if rows.len() == 0 {
        return Err("must answer at least one row".to_owned());
    }
    if question.required && rows.len() < question.rows.len() {
        return Err("must answer every row: the question is required".to_owned());
    }
    let known = rows.all(|row| question.rows.iter().any(|known| known.id == *row));
    if known { Ok(()) } else { Err("must be about the question's rows".to_owned()) }
}

fn several(question: &Question, all: &[String]) -> Result<Given, String> {
    all.iter().try_for_each(|id| chosen(question, id))?;
    let repeated = (1..all.len()).any(|index| all[..index].contains(&all[index]));
    if repeated {
        return Err("must not hold a choice twice".to_owned());
    }
    let least = question.min_choices.max(1) as usize;
    let most = if question.max_choices == 0 { usize::MAX } else { question.max_choices as usize };
    let alone = |id: &String| question.choices.iter().any(|choice| choice.id == *id && choice.exclusive);
    if all.len() > 1 && all.iter().any(alone) {
        return Err("must hold nothing beside a choice that stands alone".to_owned());
    }
    let too_few = all.len() < least && !all.iter().any(alone);
    if all.is_empty() || too_few || all.len() > most {
        let text = if most == usize::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
        return Err(format!("must hold {text} choices"));
    }
    let mut all = all.to_vec();
    if question.kind == QuestionType::Multiple {
        // No order counts: as the question has them, what was said in words last.
        all.sort_by_key(|id| question.choices.iter().position(|choice| choice.id == *id).unwrap_or(usize::MAX));
    }
    Ok(Given::Choices(all))
}

/// When a day begins in UTC, in microseconds; none where the calendar has no such day.
fn day_begins(day: &str) -> Option<i64> {
    let mut parts = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, date) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1 || !(1..=longest).contains(&date) {
        return None;
    }
    // Days since 1970-01-01 of the proleptic Gregorian calendar: H. Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(day_begins("1970-01-01"), Some(0));
        assert_eq!(day_begins("2000-02-29"), Some(951_782_400_000_000));
        assert_eq!(day_begins("2026-03-21"), Some(1_774_051_200_000_000));
        for wrong in ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "0000-01-01", "2026-01-00"]
        {
            assert_eq!(day_begins(wrong), None, "{wrong}");
        }
    }
}
