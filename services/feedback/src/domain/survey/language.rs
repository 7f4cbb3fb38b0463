//! Telling a survey in a language: that which is asked for, else the one it is a variant of, else the default one.

use std::collections::BTreeSet;

use super::definition::{Definition, Text};

impl Text {
    /// Its words in a language, or in the next best: `pt-BR`, then `pt`, then the default one.
    #[must_use]
    pub fn told(&self, language: &str) -> &str {
        self.exactly(language).unwrap_or(&self.text)
    }

    fn exactly(&self, language: &str) -> Option<&str> {
        let mut tag = language;
        loop {
            let found = self.translations.iter().find(|(other, _)| other.eq_ignore_ascii_case(tag));
            if let Some((_, text)) = found {
                return Some(text);
            }
            tag = tag.rsplit_once('-')?.0;
        }
    }

    /// The same with the words of a language first, and the rest as translations.
    #[must_use]
    pub fn at_home(&self, language: &str) -> Self {
        let translations = self.translations.iter().filter(|(tag, _)| !tag.eq_ignore_ascii_case(language));
        Self {
            text: self.told(language).to_owned(),
            translations: translations.map(|(tag, text)| (tag.clone(), text.clone())).collect(),
        }
    }
}

/// Of languages the one that is asked for, else the one that it is a variant of.
pub(super) fn nearest<'a>(languages: &'a [String], asked: &str) -> Option<&'a String> {
    let mut tag = asked;
    loop {
        if let Some(found) = languages.iter().find(|language| language.eq_ignore_ascii_case(tag)) {
            return Some(found);
        }
        tag = tag.rsplit_once('-')?.0;
    }
}

impl Definition {
    /// The same, told in one language.
    #[must_use]
    pub fn told(mut self, language: &str) -> Self {
        for text in self.texts_mut() {
            text.text = text.told(language).to_owned();
            text.translations.clear();
        }
        self
    }

    /// The languages in which all that a respondent reads is there, the default one first.
    #[must_use]
    pub fn languages(&self) -> Vec<String> {
        let mut whole: Option<BTreeSet<String>> = None;
        for text in self.texts().into_iter().filter(|text| !text.text.is_empty()) {
            let tags: BTreeSet<String> = text.translations.keys().cloned().collect();
            whole = Some(match whole {
                None => tags,
                Some(held) => held.intersection(&tags).cloned().collect(),
            });
        }
        let others = whole.unwrap_or_default().into_iter().filter(|tag| !tag.eq_ignore_ascii_case(&self.language));
        std::iter::once(self.language.clone()).chain(others).collect()
    }

    fn texts(&self) -> Vec<&Text> {
        let mut texts = vec![&self.welcome, &self.thanks];
        for question in &self.questions {
            texts.extend([&question.text, &question.hint]);
            texts.extend(question.choices.iter().chain(&question.rows).map(|choice| &choice.text));
            texts.extend(question.scale.iter().flat_map(|scale| [&scale.min_label, &scale.max_label]));
        }
        texts
    }

    fn texts_mut(&mut self) -> Vec<&mut Text> {
        let mut texts = vec![&mut self.welcome, &mut self.thanks];
        for question in &mut self.questions {
            texts.extend([&mut question.text, &mut question.hint]);
            for choice in question.choices.iter_mut().chain(&mut question.rows) {
                texts.push(&mut choice.text);
            }
            if let Some(scale) = &mut question.scale {
                texts.extend([&mut scale.min_label, &mut scale.max_label]);
            }
        }
        texts
    }
}
