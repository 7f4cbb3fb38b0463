//! What was filled in on a page, as a browser sends it, and the answers that it makes. What is wrong with any of them is
//! told question by question, all at once.

use std::collections::BTreeMap;

use rapport_kernel::Private;

use super::questionnaire::{Answer, Choice, Kind, OTHER, Question, Scale, Value};

/// How many characters the words for "other" may have, by the contract.
const OTHER_MOST: usize = 1_000;

/// The fields of a form: what a name holds. Nothing prints it: respondents' words are in it.
#[derive(Clone, Default)]
pub struct Fields(BTreeMap<String, Vec<String>>);

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is missing.
    Missing,
    /// Some rows of it are missing.
    Rows,
    /// It is no whole figure from the one to the other.
    Range(i32, i32),
    /// It has fewer choices than this.
    Few(usize),
    /// It has more choices than this.
    Many(usize),
    /// It has more characters than this.
    Long(usize),
    /// Something is chosen beside what stands alone.
    Alone,
    /// Two choices have the same place.
    Twice,
    /// It is no day.
    Day,
    /// Something else was said in words, but not chosen.
    Unchosen,
    /// The survey does not take it.
    Refused,
}

impl Fields {
    /// From names and what they hold.
    pub fn new(pairs: impl Iterator<Item = (String, String)>) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.add(name, value);
        }
        fields
    }

    /// The first that a name holds, without the spaces around it; empty where it holds nothing.
    #[must_use]
    pub fn one(&self, name: &str) -> &str {
        self.0.get(name).and_then(|all| all.first()).map_or("", |text| text.trim())
    }

    /// Whether a name holds something.
    #[must_use]
    pub fn holds(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_some_and(|all| all.iter().any(|held| held == value))
    }

    /// Adds what a name holds.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.entry(name.into()).or_default().push(value.into());
    }

    /// Takes away what names hold.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        names.iter().for_each(|name| drop(self.0.remove(*name)));
        self
    }

    /// Fills in an answer that is held.
    pub fn fill(&mut self, question: &Question, answer: &Answer) {
        let name = question.field();
        match &answer.value {
            Value::Figure(figure) => self.add(name, figure.to_string()),
            Value::Choice(choice) | Value::Date(choice) => self.add(name, choice),
            Value::Text(text) => self.add(name, text.expose()),
            Value::Several(all) => {
                for (place, choice) in all.iter().enumerate() {
                    match question.kind {
                        Kind::Ranking(..) => self.add(question.part(choice), (place + 1).to_string()),
                        _ => self.add(&name, choice),
                    }
                }
            }
            Value::Figures(rows) => rows.iter().for_each(|(row, figure)| {
                self.add(question.part(row), figure.to_string());
            }),
            Value::Choices(rows) => rows.iter().for_each(|(row, choice)| self.add(question.part(row), choice)),
        }
        if !answer.other.expose().is_empty() {
            self.add(question.part(OTHER), answer.other.expose());
        }
    }
}

impl Question {
    /// The name of its field.
    #[must_use]
    pub fn field(&self) -> String {
        format!("q-{}", self.id)
    }

    /// The name of the field of a row, of a ranked choice, or of the words for "other".
    #[must_use]
    pub fn part(&self, of: &str) -> String {
        format!("q-{}-{of}", self.id)
    }

    /// What was answered to it; `None`: nothing, and it need not be.
    ///
    /// # Errors
    /// What is wrong.
    pub fn read(&self, fields: &Fields) -> Result<Option<Answer>, Wrong> {
        let other = fields.one(&self.part(OTHER));
        let value = match &self.kind {
            Kind::Scale(scale) => figure(fields.one(&self.field()), scale)?.map(Value::Figure),
            Kind::Agreement => figure(fields.one(&self.field()), &Scale::agreement())?.map(Value::Figure),
            Kind::Single(choices, open) => self.single(fields, choices, *open)?,
            Kind::Multiple { choices, other, least, most } => {
                let chosen = self.several(fields, choices, *other)?;
                counted(chosen, choices, (*least, *most))?.map(Value::Several)
            }
            Kind::Text(most) => words(fields.one(&self.field()), *most)?.map(Value::Text),
            Kind::Figures(rows, scale) => {
                let read = |row: &Choice| figure(fields.one(&self.part(&row.id)), scale);
                self.rows(rows, read)?.map(Value::Figures)
            }
            Kind::Choices(rows, columns) => {
                let read = |row: &Choice| listed(fields.one(&self.part(&row.id)), columns);
                self.rows(rows, read)?.map(Value::Choices)
            }
            Kind::Ranking(choices, least, most) => {
                counted(self.ranked(fields, choices)?, choices, (*least, *most))?.map(Value::Several)
            }
            Kind::Date => day(fields.one(&self.field()))?.map(Value::Date),
        };
        let Some(value) = value else { return if self.required { Err(Wrong::Missing) } else { Ok(None) } };
        let says_other = match &value {
            Value::Choice(choice) => choice == OTHER,
            Value::Several(all) => all.iter().any(|choice| choice == OTHER),
            _ => false,
        };
        let other = if says_other { words(other, OTHER_MOST)?.unwrap_or_default() } else { Private::default() };
        Ok(Some(Answer { value, other }))
    }

    /// Who writes what else it is has chosen that, unless something is chosen too.
    fn single(&self, fields: &Fields, choices: &[Choice], open: bool) -> Result<Option<Value>, Wrong> {
        let (chosen, other) = (fields.one(&self.field()), fields.one(&self.part(OTHER)));
        let says = open && !other.is_empty();
        match chosen {
            "" if says => Ok(Some(Value::Choice(OTHER.to_owned()))),
            OTHER if open => Ok(Some(Value::Choice(OTHER.to_owned()))),
            _ if says => Err(Wrong::Unchosen),
            chosen => Ok(listed(chosen, choices)?.map(Value::Choice)),
        }
    }

    fn several(&self, fields: &Fields, choices: &[Choice], open: bool) -> Result<Vec<String>, Wrong> {
        let name = self.field();
        let chosen = choices.iter().filter(|choice| fields.holds(&name, &choice.id));
        let mut all: Vec<String> = chosen.map(|choice| choice.id.clone()).collect();
        if open && (fields.holds(&name, OTHER) || !fields.one(&self.part(OTHER)).is_empty()) {
            all.push(OTHER.to_owned());
        }
        let alone = |id: &String| choices.iter().any(|choice| choice.id == *id && choice.exclusive);
        if all.len() > 1 && all.iter().any(alone) { Err(Wrong::Alone) } else { Ok(all) }
    }

    fn ranked(&self, fields: &Fields, choices: &[Choice]) -> Result<Vec<String>, Wrong> {
        let last = i32::try_from(choices.len()).unwrap_or(i32::MAX);
        let places = Scale { min: 1, max: last, min_label: String::new(), max_label: String::new() };
        let mut ranked = BTreeMap::new();
        for choice in choices {
            let Some(place) = figure(fields.one(&self.part(&choice.id)), &places)? else { continue };
            if ranked.insert(place, choice.id.clone()).is_some() {
                return Err(Wrong::Twice);
            }
        }
        Ok(ranked.into_values().collect())
    }

    fn rows<T>(
        &self,
        rows: &[Choice],
        read: impl Fn(&Choice) -> Result<Option<T>, Wrong>,
    ) -> Result<Option<BTreeMap<String, T>>, Wrong> {
        let mut all = BTreeMap::new();
        for row in rows {
            if let Some(value) = read(row)? {
                all.insert(row.id.clone(), value);
            }
        }
        if all.is_empty() {
            return Ok(None);
        }
        if self.required && all.len() < rows.len() { Err(Wrong::Rows) } else { Ok(Some(all)) }
    }
}

impl Scale {
    /// How far one agrees.
    #[must_use]
    pub const fn agreement() -> Self {
        Self { min: 1, max: 5, min_label: String::new(), max_label: String::new() }
    }
}

fn figure(text: &str, scale: &Scale) -> Result<Option<i32>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let figure = latin(text).parse().ok().filter(|figure| (scale.min..=scale.max).contains(figure));
    figure.map(Some).ok_or(Wrong::Range(scale.min, scale.max))
}

fn listed(id: &str, choices: &[Choice]) -> Result<Option<String>, Wrong> {
    if id.is_empty() {
        return Ok(None);
    }
    if choices.iter().any(|choice| choice.id == id) { Ok(Some(id.to_owned())) } else { Err(Wrong::Refused) }
}

/// What was chosen, where it is enough and not too much; none where nothing was.
fn counted(all: Vec<String>, choices: &[Choice], (least, most): (usize, usize)) -> Result<Option<Vec<String>>, Wrong> {
    let alone = |id: &String| choices.iter().any(|choice| choice.id == *id && choice.exclusive);
    match all.len() {
        0 => Ok(None),
        few if few < least && !all.iter().any(alone) => Err(Wrong::Few(least)),
        many if many > most => Err(Wrong::Many(most)),
        _ => Ok(Some(all)),
    }
}

/// Browsers send lines as they did on paper tape.
fn words(text: &str, most: usize) -> Result<Option<Private<String>>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.chars().count() > most { Err(Wrong::Long(most)) } else { Ok(Some(Private::new(text))) }
}

/// A day of the Gregorian calendar.
fn day(text: &str) -> Result<Option<String>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = latin(text);
    let mut parts = text.split('-').map(|part| (part.len(), part.parse::<u32>().ok()));
    let whole = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some((4, Some(year))), Some((2, Some(month))), Some((2, Some(date))), None) = whole else {
        return Err(Wrong::Day);
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    if year > 0 && (1..=last).contains(&date) { Ok(Some(text)) } else { Err(Wrong::Day) }
}

/// Digits as Persian and Arabic keyboards type them, in Latin ones.
fn latin(text: &str) -> String {
    let digit = |from: char, zero: char| char::from_digit(u32::from(from) - u32::from(zero), 10).unwrap_or(from);
    let one = |letter| match letter {
        '\u{6f0}'..='\u{6f9}' => digit(letter, '\u{6f0}'),
        '\u{660}'..='\u{669}' => digit(letter, '\u{660}'),
        '\u{2212}' => '-',
        other => other,
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::questionnaire::tests::question;
    use super::*;

    fn choices(ids: &[&str]) -> Vec<Choice> {
        let choice = |id: &&str| Choice { id: (*id).to_owned(), text: (*id).to_owned(), exclusive: *id == "none" };
        ids.iter().map(choice).collect()
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn scale(min: i32, max: i32) -> Scale {
        Scale { min, max, min_label: String::new(), max_label: String::new() }
    }

    fn value(question: &Question, pairs: &[(&str, &str)]) -> Result<Option<Value>, Wrong> {
        question.read(&fields(pairs)).map(|answer| answer.map(|answer| answer.value))
    }

    #[test]
    fn figures_are_read_in_the_digits_of_the_respondents_keyboard() {
        let asked = question("nps", Kind::Scale(scale(0, 10)));
        for (text, figure) in [("7", 7), ("۷", 7), (" ۱۰ ", 10), ("٣", 3), ("0", 0)] {
            assert_eq!(value(&asked, &[("q-nps", text)]), Ok(Some(Value::Figure(figure))), "{text}");
        }
        for text in ["11", "-1", "x", "7.5"] {
            assert_eq!(value(&asked, &[("q-nps", text)]), Err(Wrong::Range(0, 10)), "{text}");
        }
        assert_eq!(value(&asked, &[]), Ok(None));
        assert_eq!(value(&Question { required: true, ..asked }, &[("q-nps", "")]), Err(Wrong::Missing));
    }

    #[test]
    fn what_else_it_is_counts_as_chosen_unless_something_else_is() {
        let asked = question("why", Kind::Single(choices(&["price", "speed"]), true));
        let said = asked.read(&fields(&[("q-why-other", "the weather")])).expect("an answer").expect("an answer");
        assert_eq!(said.value, Value::Choice(OTHER.to_owned()));
        assert_eq!(said.other.expose(), "the weather");
        assert_eq!(value(&asked, &[("q-why", "price"), ("q-why-other", "rain")]), Err(Wrong::Unchosen));
        assert_eq!(value(&asked, &[("q-why", "absent")]), Err(Wrong::Refused));
        let closed = question("why", Kind::Single(choices(&["price"]), false));
        assert_eq!(value(&closed, &[("q-why", OTHER)]), Err(Wrong::Refused));
    }

    #[test]
    fn several_choices_keep_their_bounds() {
        let kind = Kind::Multiple { choices: choices(&["a", "b", "c", "none"]), other: true, least: 2, most: 2 };
        let asked = question("m", kind);
        let of = |ids: &[&str]| value(&asked, &ids.iter().map(|id| ("q-m", *id)).collect::<Vec<_>>());
        assert_eq!(of(&["b", "a"]), Ok(Some(Value::Several(vec!["a".to_owned(), "b".to_owned()]))));
        assert_eq!(of(&["a"]), Err(Wrong::Few(2)));
        assert_eq!(of(&["a", "b", "c"]), Err(Wrong::Many(2)));
        assert_eq!(of(&["none"]), Ok(Some(Value::Several(vec!["none".to_owned()]))));
        assert_eq!(of(&["none", "a"]), Err(Wrong::Alone));
    }

    #[test]
    fn a_ranking_is_in_the_order_of_its_places_and_no_place_is_taken_twice() {
        let asked = question("r", Kind::Ranking(choices(&["a", "b", "c"]), 1, 3));
        let ranked = value(&asked, &[("q-r-a", "3"), ("q-r-b", ""), ("q-r-c", "1")]);
        assert_eq!(ranked, Ok(Some(Value::Several(vec!["c".to_owned(), "a".to_owned()]))));
        assert_eq!(value(&asked, &[("q-r-a", "1"), ("q-r-b", "1")]), Err(Wrong::Twice));
        assert_eq!(value(&asked, &[("q-r-a", "4")]), Err(Wrong::Range(1, 3)));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let asked = question("d", Kind::Date);
        for text in ["2026-03-21", "2000-02-29", "۲۰۲۶-۰۳-۲۱"] {
            assert!(value(&asked, &[("q-d", text)]).is_ok_and(|day| day.is_some()), "{text}");
        }
        for text in ["2026-02-29", "1900-02-29", "2026-13-01", "2026-3-1", "0000-01-01", "tomorrow", "2026-03-21-1"] {
            assert_eq!(value(&asked, &[("q-d", text)]), Err(Wrong::Day), "{text}");
        }
    }

    #[test]
    fn a_required_matrix_is_answered_row_by_row() {
        let asked = Question { required: true, ..question("x", Kind::Figures(choices(&["a", "b"]), scale(1, 5))) };
        assert_eq!(value(&asked, &[("q-x-a", "1")]), Err(Wrong::Rows));
        let whole = value(&asked, &[("q-x-a", "1"), ("q-x-b", "5")]);
        assert_eq!(whole, Ok(Some(Value::Figures(BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 5)])))));
    }

    #[test]
    fn what_is_filled_in_is_read_back_as_it_was() {
        let rows = || choices(&["a", "b"]);
        let text = |words: &str| Value::Text(Private::new(words.to_owned()));
        let several = |ids: &[&str]| Value::Several(ids.iter().map(|id| (*id).to_owned()).collect());
        let multiple = Kind::Multiple { choices: rows(), other: true, least: 1, most: 9 };
        for (kind, value, other) in [
            (Kind::Scale(scale(-5, 5)), Value::Figure(-5), ""),
            (Kind::Agreement, Value::Figure(5), ""),
            (Kind::Single(rows(), true), Value::Choice(OTHER.to_owned()), "words"),
            (multiple, several(&["a", OTHER]), "words"),
            (Kind::Text(50), text("two\nlines & <b>"), ""),
            (Kind::Figures(rows(), scale(1, 5)), Value::Figures(BTreeMap::from([("b".to_owned(), 2)])), ""),
            (Kind::Choices(rows(), rows()), Value::Choices(BTreeMap::from([("a".into(), "b".into())])), ""),
            (Kind::Ranking(rows(), 1, 2), several(&["b", "a"]), ""),
            (Kind::Date, Value::Date("2026-03-21".to_owned()), ""),
        ] {
            let (asked, answer) = (question("q", kind), Answer { value, other: Private::new(other.to_owned()) });
            let mut fields = Fields::default();
            fields.fill(&asked, &answer);
            assert_eq!(asked.read(&fields), Ok(Some(answer)));
        }
    }
}
