//! The pages in HTML: what all of them share, and those that only say something. They need no script, load nothing, and
//! set no cookie; the one script there is only looks at the clock. What is written in them is escaped by the template.

mod question;
mod sheet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(super) use sheet::{Sheet, sheet};

use super::language::Tongue;

/// How it looks. It stands in the page itself: the policy names its hash, and nothing else may be applied.
pub(super) const STYLE: &str = include_str!("style.css");

/// What tells how long questions took. It stands in the page like its style.
pub(super) const SCRIPT: &str = include_str!("times.js");

/// A whole page.
fn document(tongue: &Tongue, title: &Markup, header: &Markup, body: &Markup, footer: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(tongue.language) dir=(tongue.direction()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (header) }
                main id="main" { (body) }
                footer { (footer) }
            }
        }
    }
}

/// A page that says something: a heading and a text.
pub(super) fn notice(tongue: &Tongue, [heading, text]: [&str; 2]) -> Markup {
    let body = html! {
        h1 { (tongue.say(heading)) }
        p { (tongue.say(text)) }
    };
    document(tongue, &html! { (heading) }, &html! {}, &body, &html! { (tongue.say(tongue.words.title)) })
}

/// After the last question: the survey's own words, or the page's; and the code of an anonymous answer.
pub(super) fn thanks(tongue: &Tongue, said: &str, code: Option<&str>) -> Markup {
    let words = tongue.words;
    let body = html! {
        h1 { (tongue.say(words.thanks[0])) }
        @if said.is_empty() { p { (tongue.say(words.thanks[1])) } } @else { p.prose { (said) } }
        @if let Some(code) = code {
            h2 { (tongue.say(words.erase[0])) }
            p id="about-code" { (tongue.say(words.code)) }
            code.code dir="ltr" aria-describedby="about-code" { (code) }
            form method="post" action="/erase" {
                input type="hidden" name="lang" value=(tongue.language);
                input type="hidden" name="code" value=(code);
                button.quiet type="submit" { (tongue.say(words.erase_now)) }
            }
            p { a href={ "/erase?lang=" (tongue.language) } { (tongue.say(words.erase[0])) } }
        }
    };
    document(tongue, &html! { (words.thanks[0]) }, &html! {}, &body, &html! { (tongue.say(words.title)) })
}

/// Whether one is to be asked no more.
pub(super) fn unsubscribe(tongue: &Tongue, token: &str) -> Markup {
    let [heading, text, button] = tongue.words.unsubscribe;
    let body = html! {
        h1 { (tongue.say(heading)) }
        p { (tongue.say(text)) }
        form method="post" action={ "/survey/" (token) "/unsubscribe" } {
            // As a mail program sends it (RFC 8058).
            input type="hidden" name="List-Unsubscribe" value="One-Click";
            input type="hidden" name="lang" value=(tongue.language);
            button type="submit" { (tongue.say(button)) }
        }
    };
    document(tongue, &html! { (heading) }, &html! {}, &body, &html! { (tongue.say(tongue.words.title)) })
}

/// Erasing by a code.
pub(super) fn erase(tongue: &Tongue, missing: bool) -> Markup {
    let words = tongue.words;
    let [heading, text, code, button] = words.erase;
    let title = html! { @if missing { (words.error) " " } (heading) };
    let body = html! {
        h1 { (tongue.say(heading)) }
        p id="code.hint" { (tongue.say(text)) }
        form method="post" action="/erase" novalidate {
            input type="hidden" name="lang" value=(tongue.language);
            div.question.is-wrong[missing] {
                label for="code" { (tongue.say(code)) }
                @if missing {
                    p.wrong id="code.wrong" { (tongue.say(words.error)) " " (tongue.say(words.wrong[0])) }
                }
                input.wide type="text" id="code" name="code" dir="ltr" autocomplete="off" autocapitalize="off"
                    spellcheck="false" maxlength="128" aria-required="true" aria-invalid=[missing.then_some("true")]
                    autofocus[missing]
                    aria-describedby=(if missing { "code.wrong code.hint" } else { "code.hint" });
            }
            button type="submit" { (tongue.say(button)) }
        }
    };
    document(tongue, &title, &html! {}, &body, &html! { (tongue.say(words.title)) })
}
