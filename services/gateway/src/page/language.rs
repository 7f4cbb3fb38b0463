//! Languages: which one a page is told in, which way it is written, and what it is called by those who speak it.

use maud::{Markup, html};

use super::words::Words;

/// Languages that are written from right to left, and scripts.
const LEFTWARD: [&str; 10] = ["ar", "fa", "he", "ur", "ps", "sd", "ug", "yi", "dv", "ckb"];
const LEFTWARD_SCRIPTS: [&str; 6] = ["arab", "hebr", "thaa", "syrc", "nkoo", "adlm"];

/// What languages are called by those who speak them.
const NAMES: [(&str, &str); 34] = [
    ("ar", "العربية"),
    ("az", "Azərbaycanca"),
    ("be", "Беларуская"),
    ("bg", "Български"),
    ("ckb", "کوردیی ناوەندی"),
    ("cs", "Čeština"),
    ("da", "Dansk"),
    ("de", "Deutsch"),
    ("el", "Ελληνικά"),
    ("en", "English"),
    ("es", "Español"),
    ("fa", "فارسی"),
    ("fi", "Suomi"),
    ("fr", "Français"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("hu", "Magyar"),
    ("hy", "Հայերեն"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("ka", "ქართული"),
    ("kk", "Қазақша"),
    ("ko", "한국어"),
    ("nb", "Norsk bokmål"),
    ("nl", "Nederlands"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ro", "Română"),
    ("ru", "Русский"),
    ("sv", "Svenska"),
    ("tr", "Türkçe"),
    ("uk", "Українська"),
    ("ur", "اردو"),
    ("zh", "中文"),
];

/// The language of a page, and the words of the page itself: where those are not there in it, in English.
pub struct Tongue {
    /// The language (BCP 47).
    pub language: String,
    /// The page's own words.
    pub words: &'static Words,
}

impl Tongue {
    /// A language.
    #[must_use]
    pub fn of(language: &str) -> Self {
        Self { language: language.to_owned(), words: Words::of(base(language)) }
    }

    /// The first language of a browser's that the page's own words are there in.
    #[must_use]
    pub fn asked(accepted: &str) -> Self {
        let known = |wanted: &String| Words::all().iter().find(|words| words.tag == base(wanted));
        let tag = by_weight(accepted).iter().find_map(known).map_or("en", |words| words.tag);
        Self::of(tag)
    }

    /// Which way it is written.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        direction(&self.language)
    }

    /// Some of the page's own words, marked where they are of another language than the page.
    #[must_use]
    pub fn say(&self, text: &str) -> Markup {
        if base(&self.language) == self.words.tag {
            return html! { (text) };
        }
        html! { span lang=(self.words.tag) dir=(direction(self.words.tag)) { (text) } }
    }

    /// A figure in the digits of the language.
    #[must_use]
    pub fn figure(&self, figure: impl ToString) -> String {
        digits(base(&self.language), &figure.to_string())
    }

    /// A figure among the page's own words.
    #[must_use]
    pub fn said_figure(&self, figure: impl ToString) -> String {
        digits(self.words.tag, &figure.to_string())
    }
}

fn digits(base: &str, text: &str) -> String {
    if base != "fa" {
        return text.to_owned();
    }
    let persian = |digit: char| match digit.to_digit(10) {
        Some(value) => char::from_u32(0x06f0 + value).unwrap_or(digit),
        None => digit,
    };
    // Between words of a language that is written to the left, a sign would else change sides.
    let mark = if text.starts_with('-') { "\u{200e}" } else { "" };
    mark.chars().chain(text.chars().map(persian)).collect()
}

/// The language of a tag, without region and script.
fn base(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

/// Which way a language is written.
#[must_use]
pub fn direction(tag: &str) -> &'static str {
    let script = tag.split('-').nth(1).filter(|part| part.len() == 4).map(str::to_ascii_lowercase);
    let leftward = match script {
        Some(script) => LEFTWARD_SCRIPTS.contains(&script.as_str()),
        None => LEFTWARD.contains(&base(tag).to_ascii_lowercase().as_str()),
    };
    if leftward { "rtl" } else { "ltr" }
}

/// What a language is called by those who speak it; else its tag.
#[must_use]
pub fn name(tag: &str) -> &str {
    NAMES.iter().find(|(known, _)| base(tag).eq_ignore_ascii_case(known)).map_or(tag, |(_, name)| name)
}

/// The language of those there are that comes next to a wanted one: it, one it is a variant of, or a variant of the same.
#[must_use]
pub fn nearest<'a>(there: &'a [String], wanted: &str) -> Option<&'a String> {
    let exactly = there.iter().find(|tag| tag.eq_ignore_ascii_case(wanted));
    exactly.or_else(|| there.iter().find(|tag| base(tag).eq_ignore_ascii_case(base(wanted))))
}

/// The language of those there are that a browser likes best (RFC 9110, 12.5.4).
#[must_use]
pub fn accepted<'a>(there: &'a [String], header: &str) -> Option<&'a String> {
    by_weight(header).iter().find_map(|wanted| nearest(there, wanted))
}

/// What a browser asks for, what it likes best first.
fn by_weight(header: &str) -> Vec<String> {
    let one = |part: &str| {
        let mut halves = part.split(';');
        let tag = halves.next()?.trim();
        let weight = halves.find_map(|half| half.trim().strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
        let sound = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        weight.filter(|weight: &f32| sound && *weight > 0.0).map(|weight| (tag.to_ascii_lowercase(), weight))
    };
    let mut all: Vec<_> = header.split(',').take(50).filter_map(one).collect();
    all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    all.into_iter().map(|(tag, _)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_what_it_likes_best_of_what_there_is() {
        let there = ["en".to_owned(), "ro".to_owned(), "fa-IR".to_owned()];
        for (header, language) in [
            ("fa", Some("fa-IR")),
            ("de, ro;q=0.8, en;q=0.9", Some("en")),
            ("ro-MD,ro;q=0.9", Some("ro")),
            ("en;q=0, fa-AF;q=0.1", Some("fa-IR")),
            ("de,fr", None),
            ("*", None),
            ("", None),
            ("ro;q=x", None),
        ] {
            assert_eq!(accepted(&there, header).map(String::as_str), language, "{header}");
        }
    }

    #[test]
    fn scripts_decide_which_way_one_writes() {
        for (tag, way) in [("fa", "rtl"), ("fa-IR", "rtl"), ("ru", "ltr"), ("az-Arab", "rtl"), ("ur-Latn", "ltr")] {
            assert_eq!(direction(tag), way, "{tag}");
        }
    }

    #[test]
    fn figures_stand_in_the_digits_of_the_language() {
        assert_eq!(Tongue::of("fa").figure(-10), "\u{200e}-۱۰");
        assert_eq!(Tongue::of("ru").figure(10), "10");
    }

    #[test]
    fn words_of_another_language_are_marked() {
        assert_eq!(Tongue::of("de").say("Send").into_string(), "<span lang=\"en\" dir=\"ltr\">Send</span>");
        assert_eq!(Tongue::of("ro-MD").say("Trimite").into_string(), "Trimite");
    }
}
