//! A question as it is filled in without a script: of each kind the plain controls of HTML, named and grouped, so that
//! whoever hears the page knows which question a choice belongs to. A matrix is a group for each row and no table: it
//! fits the smallest screen.

use maud::{Markup, html};

use super::super::language::Tongue;
use super::super::words::{filled, wrong};
use crate::domain::fields::{Fields, Wrong};
use crate::domain::questionnaire::{Choice, Kind, OTHER, Question, Scale};

/// Up to how many figures a scale stands as buttons side by side; a longer one is written.
const POINTS: i64 = 21;
/// How many characters the words for "other" may have, by the contract.
const OTHER_MOST: usize = 1_000;

/// What is being drawn.
struct Drawn<'a> {
    tongue: &'a Tongue,
    question: &'a Question,
    fields: &'a Fields,
    wrong: Option<Wrong>,
}

/// A question, with what is filled in and what is wrong with it.
pub(super) fn question(tongue: &Tongue, question: &Question, fields: &Fields, wrong: Option<Wrong>) -> Markup {
    let drawn = Drawn { tongue, question, fields, wrong };
    let name = question.field();
    match &question.kind {
        Kind::Scale(scale) if is_long(scale) => drawn.line(&drawn.written(&name, scale), &range(tongue, scale)),
        Kind::Scale(scale) => drawn.group("radiogroup", &ends(tongue, scale), &drawn.points(&name, scale, &name)),
        Kind::Agreement => drawn.group("radiogroup", "", &drawn.agreement(&name)),
        Kind::Single(choices, other) => drawn.group("radiogroup", "", &drawn.single(&name, choices, *other)),
        Kind::Multiple { choices, other, least, most } => {
            let all = choices.len() + usize::from(*other);
            drawn.group("group", &counts(tongue, *least, *most, all), &drawn.multiple(&name, choices, *other))
        }
        Kind::Text(most) => drawn.line(&drawn.text(&name, *most), ""),
        Kind::Figures(rows, scale) => drawn.group("group", &ends(tongue, scale), &drawn.figures(rows, scale)),
        Kind::Choices(rows, columns) => drawn.group("group", "", &drawn.choices(rows, columns)),
        Kind::Ranking(choices, least, most) => {
            let counted = counts(tongue, *least, *most, choices.len());
            let hint = format!("{} {counted}", tongue.words.ranking);
            drawn.group("group", hint.trim(), &drawn.ranking(choices))
        }
        Kind::Date => drawn.line(&drawn.date(&name), tongue.words.day),
    }
}

/// The id of the first control of a question.
pub(super) fn first(question: &Question) -> String {
    let name = question.field();
    match &question.kind {
        Kind::Scale(scale) if is_long(scale) => name,
        Kind::Text(_) | Kind::Date => name,
        Kind::Scale(_) | Kind::Agreement | Kind::Single(..) | Kind::Multiple { .. } => format!("{name}.0"),
        Kind::Figures(rows, _) | Kind::Choices(rows, _) => {
            rows.first().map_or(name, |row| format!("{}.0", question.part(&row.id)))
        }
        Kind::Ranking(choices, ..) => choices.first().map_or(name, |choice| question.part(&choice.id)),
    }
}

const fn is_long(scale: &Scale) -> bool {
    scale.max as i64 - scale.min as i64 >= POINTS
}

/// What the ends of a scale mean.
fn ends(tongue: &Tongue, scale: &Scale) -> String {
    let end = |figure: i32, label: &str| format!("{} – {label}", tongue.figure(figure));
    let both = [(scale.min, &scale.min_label), (scale.max, &scale.max_label)];
    let said = both.into_iter().filter(|(_, label)| !label.is_empty()).map(|(figure, label)| end(figure, label));
    said.collect::<Vec<_>>().join(" · ")
}

fn range(tongue: &Tongue, scale: &Scale) -> String {
    let figures = [tongue.said_figure(scale.min), tongue.said_figure(scale.max)];
    format!("{} {}", filled(tongue.words.range, &figures), ends(tongue, scale)).trim().to_owned()
}

/// How many may be chosen, where not all and any may.
fn counts(tongue: &Tongue, least: usize, most: usize, all: usize) -> String {
    let figure = |figure: usize| tongue.said_figure(figure);
    match (least, most.min(all)) {
        (least, most) if least > 1 => filled(tongue.words.between, &[figure(least), figure(most)]),
        (_, most) if most < all => filled(tongue.words.up_to, &[figure(most)]),
        _ => String::new(),
    }
}

impl Drawn<'_> {
    /// A question of several controls.
    fn group(&self, role: &str, hint: &str, controls: &Markup) -> Markup {
        let name = self.question.field();
        let required = (self.question.required && role == "radiogroup").then_some("true");
        html! {
            fieldset.is-wrong[self.wrong.is_some()] id=(name) role=(role) aria-required=[required]
                aria-describedby=[self.described(hint)] data-question=(self.question.id) {
                legend { (self.question.text) (self.optional()) }
                (self.notes(hint))
                (controls)
            }
        }
    }

    /// A question of one control.
    fn line(&self, control: &Markup, hint: &str) -> Markup {
        html! {
            div.question.is-wrong[self.wrong.is_some()] data-question=(self.question.id) {
                label for=(self.question.field()) { (self.question.text) (self.optional()) }
                (self.notes(hint))
                (control)
            }
        }
    }

    fn optional(&self) -> Markup {
        html! { @if !self.question.required { " " span.soft { "(" (self.tongue.say(self.tongue.words.optional)) ")" } } }
    }

    /// The survey's hint, the page's own, and what is wrong.
    fn notes(&self, hint: &str) -> Markup {
        let (name, tongue) = (self.question.field(), self.tongue);
        html! {
            @if !self.question.hint.is_empty() { p.hint.prose id={ (name) ".about" } { (self.question.hint) } }
            @if !hint.is_empty() { p.hint id={ (name) ".hint" } { (tongue.say(hint)) } }
            @if let Some(what) = self.wrong {
                p.wrong id={ (name) ".wrong" } { (tongue.say(tongue.words.error)) " " (tongue.say(&wrong(tongue, what))) }
            }
        }
    }

    /// The ids of the notes there are.
    fn described(&self, hint: &str) -> Option<String> {
        let name = self.question.field();
        let there =
            [("wrong", self.wrong.is_some()), ("about", !self.question.hint.is_empty()), ("hint", !hint.is_empty())];
        let ids: Vec<_> = there.iter().filter(|(_, there)| *there).map(|(what, _)| format!("{name}.{what}")).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn invalid(&self) -> Option<&'static str> {
        self.wrong.map(|_| "true")
    }

    /// One of several: a radio button.
    fn radio(&self, name: &str, at: usize, value: &str, text: &Markup) -> Markup {
        let chosen = self.fields.one(name) == value;
        html! {
            label.choice {
                input type="radio" id={ (name) "." (at) } name=(name) value=(value) checked[chosen && !value.is_empty()];
                span { (text) }
            }
        }
    }

    /// The way back from a choice: a radio button cannot be let go of.
    fn none(&self, name: &str, at: usize) -> Markup {
        html! { @if !self.question.required { (self.radio(name, at, "", &self.tongue.say(self.tongue.words.no_answer))) } }
    }

    fn points(&self, name: &str, scale: &Scale, field: &str) -> Markup {
        let chosen = self.fields.one(name);
        html! {
            div.points {
                @for (at, figure) in (scale.min..=scale.max).enumerate() {
                    label.point {
                        input type="radio" id={ (field) "." (at) } name=(name) value=(figure)
                            checked[chosen == figure.to_string()];
                        span { (self.tongue.figure(figure)) }
                    }
                }
            }
            (self.none(name, usize::try_from(scale.max - scale.min + 1).unwrap_or(usize::MAX)))
        }
    }

    fn agreement(&self, name: &str) -> Markup {
        html! {
            @for (at, text) in self.tongue.words.agreement.iter().enumerate() {
                (self.radio(name, at, &(at + 1).to_string(), &self.tongue.say(text)))
            }
            (self.none(name, 5))
        }
    }

    fn single(&self, name: &str, choices: &[Choice], other: bool) -> Markup {
        html! {
            @for (at, choice) in choices.iter().enumerate() {
                (self.radio(name, at, &choice.id, &html! { (choice.text) }))
            }
            @if other {
                (self.radio(name, choices.len(), OTHER, &self.tongue.say(self.tongue.words.other)))
                (self.other_words())
            }
            (self.none(name, choices.len() + 1))
        }
    }

    fn multiple(&self, name: &str, choices: &[Choice], other: bool) -> Markup {
        let one = |at: usize, id: &str, text: &Markup| {
            html! {
                label.choice {
                    input type="checkbox" id={ (name) "." (at) } name=(name) value=(id)
                        checked[self.fields.holds(name, id)];
                    span { (text) }
                }
            }
        };
        html! {
            @for (at, choice) in choices.iter().enumerate() { (one(at, &choice.id, &html! { (choice.text) })) }
            @if other {
                (one(choices.len(), OTHER, &self.tongue.say(self.tongue.words.other)))
                (self.other_words())
            }
        }
    }

    fn other_words(&self) -> Markup {
        let name = self.question.part(OTHER);
        html! {
            input.wide type="text" name=(name) value=(self.fields.one(&name)) maxlength=(OTHER_MOST)
                aria-label=(self.tongue.words.other_words) autocomplete="off" dir="auto";
        }
    }

    fn text(&self, name: &str, most: usize) -> Markup {
        html! {
            textarea id=(name) name=(name) rows="5" maxlength=(most) dir="auto" aria-invalid=[self.invalid()]
                aria-required=[self.question.required.then_some("true")] aria-describedby=[self.described("")] {
                // The first line break within is not the text's.
                "\n" (self.fields.one(name))
            }
        }
    }

    /// A figure of a long scale.
    fn written(&self, name: &str, scale: &Scale) -> Markup {
        let keyboard = if scale.min < 0 { "text" } else { "numeric" };
        html! {
            input type="text" inputmode=(keyboard) id=(name) name=(name) value=(self.fields.one(name)) size="6"
                autocomplete="off" aria-invalid=[self.invalid()]
                aria-required=[self.question.required.then_some("true")] aria-describedby=[self.described("·")];
        }
    }

    fn date(&self, name: &str) -> Markup {
        html! {
            input type="date" id=(name) name=(name) value=(self.fields.one(name)) autocomplete="off"
                aria-invalid=[self.invalid()] aria-required=[self.question.required.then_some("true")]
                aria-describedby=[self.described("·")];
        }
    }

    fn figures(&self, rows: &[Choice], scale: &Scale) -> Markup {
        html! {
            @for row in rows {
                @let name = self.question.part(&row.id);
                @if is_long(scale) {
                    div.place {
                        label for={ (name) ".0" } { (row.text) }
                        input type="text" id={ (name) ".0" } name=(name) value=(self.fields.one(&name)) size="6"
                            autocomplete="off";
                    }
                } @else {
                    fieldset { legend { (row.text) } (self.points(&name, scale, &name)) }
                }
            }
        }
    }

    fn choices(&self, rows: &[Choice], columns: &[Choice]) -> Markup {
        html! {
            @for row in rows {
                @let name = self.question.part(&row.id);
                fieldset {
                    legend { (row.text) }
                    @for (at, column) in columns.iter().enumerate() {
                        (self.radio(&name, at, &column.id, &html! { (column.text) }))
                    }
                    (self.none(&name, columns.len()))
                }
            }
        }
    }

    fn ranking(&self, choices: &[Choice]) -> Markup {
        html! {
            @for choice in choices {
                @let name = self.question.part(&choice.id);
                div.place {
                    select id=(name) name=(name) {
                        option value="" { "–" }
                        @for place in 1..=choices.len() {
                            option value=(place) selected[self.fields.one(&name) == place.to_string()] {
                                (self.tongue.figure(place))
                            }
                        }
                    }
                    label for=(name) { (choice.text) }
                }
            }
        }
    }
}
