//! The languages the suite reads, and nothing about how they are told apart (see `detect`).

/// A language whose texts are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English.
    English,
    /// Russian, in Cyrillic or transliterated.
    Russian,
    /// Persian, in Arabic script or transliterated ("Finglish").
    Persian,
    /// Romanian, with or without diacritics.
    Romanian,
}

impl Language {
    /// Every language, in the order in which tables are laid out.
    pub const ALL: [Language; 4] = [Language::English, Language::Russian, Language::Persian, Language::Romanian];

    /// The two-letter code of ISO 639-1.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Russian => "ru",
            Language::Persian => "fa",
            Language::Romanian => "ro",
        }
    }

    /// The language of a BCP 47 tag (`ru`, `ru-RU`, `fa_IR`), whatever its case.
    pub fn from_code(code: &str) -> Option<Language> {
        let primary = code.split(['-', '_']).next().unwrap_or(code);
        Language::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// Its place in tables of four.
    pub(crate) fn index(self) -> usize {
        match self {
            Language::English => 0,
            Language::Russian => 1,
            Language::Persian => 2,
            Language::Romanian => 3,
        }
    }
}
