//! A page of questions: what is wrong on it, the questions, and the ways on.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use super::super::language::{Tongue, name};
use super::super::shown::{NONCE, SHOWN, TIMES};
use super::super::words::{filled, wrong};
use super::question::question;
use crate::domain::fields::{Fields, Wrong};
use crate::domain::questionnaire::{Question, Questionnaire};

/// A page of questions.
pub(in super::super) struct Sheet<'a> {
    /// The language it is told in.
    pub tongue: &'a Tongue,
    /// The invitation's token.
    pub token: &'a str,
    /// The questionnaire.
    pub form: &'a Questionnaire,
    /// The questions of the pages before, and of this one.
    pub pages: &'a [Vec<String>],
    /// The questions of this page.
    pub questions: &'a [&'a Question],
    /// What is filled in.
    pub fields: &'a Fields,
    /// What is wrong.
    pub wrong: &'a BTreeMap<String, Wrong>,
    /// What went wrong with the whole of it; a heading and a text.
    pub trouble: Option<[&'a str; 2]>,
    /// Tells this page, as it is shown now, from any other.
    pub nonce: &'a str,
    /// When it was shown, sealed.
    pub shown: &'a str,
    /// Whether nothing follows it.
    pub last: bool,
}

/// A page of questions.
pub(in super::super) fn sheet(sheet: &Sheet<'_>) -> Markup {
    let (tongue, words) = (sheet.tongue, sheet.tongue.words);
    let is_wrong = !sheet.wrong.is_empty() || sheet.trouble.is_some();
    let progress = progress(sheet);
    let title = html! { @if is_wrong { (words.error) " " } (progress) " – " (words.title) };
    let body = html! {
        h1 { (tongue.say(words.title)) }
        (summary(sheet))
        @if sheet.pages.len() == 1 && !sheet.form.welcome.is_empty() { p.prose { (sheet.form.welcome) } }
        @if sheet.form.anonymous {
            // Whether the link was used is not told: whoever sent it may open it too.
            p { (tongue.say(words.anonymous)) @if sheet.form.once { " " (tongue.say(words.once)) } }
        }
        p.soft { (tongue.say(&progress)) }
        form id="survey" method="post" action={ "/survey/" (sheet.token) } novalidate {
            input type="hidden" name=(NONCE) value=(sheet.nonce);
            input type="hidden" name=(SHOWN) value=(sheet.shown);
            // Filled in by the script, where there is one that runs.
            input type="hidden" name=(TIMES) value=(sheet.fields.one(TIMES)) autocomplete="off";
            input type="hidden" name="lang" value=(tongue.language);
            input type="hidden" name="pages" value=(written(sheet.pages));
            @if sheet.form.anonymous && let Some(response) = &sheet.form.response {
                input type="hidden" name="response" value=(response);
            }
            @for asked in sheet.questions {
                (question(tongue, asked, sheet.fields, sheet.wrong.get(&asked.id).copied()))
            }
            // The way on stands first: it is what the Enter key does.
            div.moves {
                button type="submit" name="go" value="next" {
                    (tongue.say(if sheet.last { words.send } else { words.next }))
                }
                @if sheet.pages.len() > 1 {
                    button.quiet type="submit" name="go" value="back" { (tongue.say(words.back)) }
                }
            }
        }
        @if !(sheet.form.anonymous || sheet.last && sheet.pages.len() == 1) {
            p.soft { (tongue.say(words.resume)) }
        }
        script { (PreEscaped(super::SCRIPT)) }
    };
    let footer = html! {
        a href={ "/survey/" (sheet.token) "/unsubscribe?lang=" (tongue.language) } {
            (tongue.say(words.unsubscribe[2]))
        }
    };
    super::document(tongue, &title, &languages(sheet), &body, &footer)
}

/// The other languages. Their buttons belong to the form, so that what is filled in goes along.
fn languages(sheet: &Sheet<'_>) -> Markup {
    let (tongue, words) = (sheet.tongue, sheet.tongue.words);
    let others: Vec<_> = sheet.form.languages.iter().filter(|tag| **tag != tongue.language).collect();
    html! {
        @if !others.is_empty() {
            nav aria-label=(words.languages) {
                // The form's first button is what the Enter key presses, wherever it stands.
                button form="survey" type="submit" name="go" value="next" hidden tabindex="-1" {}
                div.languages {
                    @for tag in others {
                        button.quiet form="survey" type="submit" name="go" value={ "lang:" (tag) } lang=(tag) {
                            (name(tag))
                        }
                    }
                }
            }
        }
    }
}

/// What is wrong, with a way to each: the first thing that is read when the page comes back.
fn summary(sheet: &Sheet<'_>) -> Markup {
    let (tongue, words) = (sheet.tongue, sheet.tongue.words);
    if sheet.wrong.is_empty() && sheet.trouble.is_none() {
        return html! {};
    }
    let heading = sheet.trouble.map_or(words.problem, |trouble| trouble[0]);
    html! {
        div.summary role="alert" tabindex="-1" autofocus aria-labelledby="problem" {
            h2 id="problem" { (tongue.say(heading)) }
            @if let Some([_, text]) = sheet.trouble { p { (tongue.say(text)) } }
            ul {
                @for asked in sheet.questions {
                    @if let Some(what) = sheet.wrong.get(&asked.id) {
                        li {
                            a href={ "#" (super::question::first(asked)) } {
                                (asked.text) " – " (tongue.say(&wrong(tongue, *what)))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which questions of how many.
fn progress(sheet: &Sheet<'_>) -> String {
    let (tongue, words, all) = (sheet.tongue, sheet.tongue.words, sheet.form.shown.len());
    let before = sheet.pages.split_last().map_or(0, |(_, before)| before.iter().flatten().count());
    let (first, last) = (before + 1, before + sheet.questions.len());
    let figure = |figure: usize| tongue.said_figure(figure);
    if first >= last {
        return filled(words.question, &[figure(first), figure(all.max(first))]);
    }
    filled(words.questions, &[figure(first), figure(last), figure(all.max(last))])
}

/// Pages as the form carries them.
fn written(pages: &[Vec<String>]) -> String {
    pages.iter().map(|page| page.join(" ")).collect::<Vec<_>>().join("|")
}
