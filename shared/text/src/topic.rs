//! What a text is about: topics that a tenant edits, each a list of words and phrases per language.
//!
//! A rule is a word or a phrase ("late parcel", words by their stems), a word in its exact form (`=app`), with `#` for a
//! number. A text may have any number of topics. The taxonomy that ships is in `data/topics.txt`.

use std::collections::HashSet;
use std::fmt;

use crate::language::Language;
use crate::phrase::{LONGEST_PHRASE, PhraseIndex};
use crate::reading::Reading;

/// A topic as it is edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// Its stable name.
    pub id: String,
    /// What speaks of it: a language and a rule; a rule without a language holds in all.
    pub rules: Vec<(Option<Language>, String)>,
}

/// Why a taxonomy was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaxonomyFault {
    /// More than [`Taxonomy::MOST_TOPICS`].
    TooManyTopics,
    /// A topic has more than [`Taxonomy::MOST_RULES`].
    TooManyRules {
        /// The topic.
        topic: String,
    },
    /// A rule without a word in it, or with too many.
    BadRule {
        /// The topic.
        topic: String,
        /// The rule.
        rule: String,
    },
    /// Two topics have one name.
    Twice {
        /// The name.
        topic: String,
    },
}

impl fmt::Display for TaxonomyFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaxonomyFault::TooManyTopics => write!(out, "more than {} topics", Taxonomy::MOST_TOPICS),
            TaxonomyFault::TooManyRules { topic } => {
                write!(out, "topic {topic} has more than {} rules", Taxonomy::MOST_RULES)
            }
            TaxonomyFault::BadRule { topic, rule } => {
                write!(out, "rule {rule:?} of topic {topic} needs one to {LONGEST_PHRASE} words")
            }
            TaxonomyFault::Twice { topic } => write!(out, "topic {topic} stands there twice"),
        }
    }
}

impl std::error::Error for TaxonomyFault {}

/// A topic found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicMatch {
    /// The topic's name.
    pub topic: String,
    /// Where: spans of bytes, at most eight.
    pub spans: Vec<(usize, usize)>,
    /// The mean sentiment of the sentences that speak of it.
    pub sentiment: f32,
}

/// Topics compiled: built when they are edited, shared by all who read.
#[derive(Clone, Debug, Default)]
pub struct Taxonomy {
    names: Vec<String>,
    rules: [PhraseIndex<Vec<u32>>; 4],
}

/// Spans kept of one topic.
const MOST_SPANS: usize = 8;

impl Taxonomy {
    /// Topics in one taxonomy.
    pub const MOST_TOPICS: usize = 500;

    /// Rules of one topic.
    pub const MOST_RULES: usize = 1_000;

    /// Compiles topics.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn compile(topics: &[Topic]) -> Result<Taxonomy, TaxonomyFault> {
        if topics.len() > Self::MOST_TOPICS {
            return Err(TaxonomyFault::TooManyTopics);
        }
        let mut taxonomy = Taxonomy::default();
        let mut seen = HashSet::new();
        for (number, topic) in (0_u32..).zip(topics) {
            if !seen.insert(topic.id.as_str()) {
                return Err(TaxonomyFault::Twice { topic: topic.id.clone() });
            }
            if topic.rules.len() > Self::MOST_RULES {
                return Err(TaxonomyFault::TooManyRules { topic: topic.id.clone() });
            }
            taxonomy.names.push(topic.id.clone());
            for (language, rule) in &topic.rules {
                taxonomy
                    .add(number, *language, rule)
                    .ok_or_else(|| TaxonomyFault::BadRule { topic: topic.id.clone(), rule: rule.clone() })?;
            }
        }
        Ok(taxonomy)
    }

    fn add(&mut self, number: u32, language: Option<Language>, rule: &str) -> Option<()> {
        let chosen = Language::ALL.into_iter().filter(|candidate| language.is_none_or(|only| only == *candidate));
        for language in chosen {
            let mut spellings = vec![rule.replace('\u{200c}', " ")];
            if rule.contains('\u{200c}') {
                spellings.push(rule.to_owned());
            }
            for spelling in spellings {
                self.rules[language.index()].entry(language, &spelling)?.push(number);
            }
        }
        Some(())
    }

    /// The taxonomy that ships: delivery, price, quality, staff, app, billing, refund, connection, information, waiting.
    pub fn standard() -> Vec<Topic> {
        let mut topics: Vec<Topic> = Vec::new();
        for line in include_str!("../data/topics.txt").lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split_whitespace();
            let (Some(id), Some(code)) = (fields.next(), fields.next()) else { continue };
            if topics.last().is_none_or(|last| last.id != id) {
                topics.push(Topic { id: id.to_owned(), rules: Vec::new() });
            }
            if let Some(topic) = topics.last_mut() {
                topic.rules.extend(fields.map(|rule| (Language::from_code(code), rule.replace('_', " "))));
            }
        }
        topics
    }

    /// The topics of a text, those first that it speaks of most.
    pub(crate) fn find(
        &self,
        reading: &Reading<'_>,
        numbers: &HashSet<String>,
        sentence_of: &[usize],
        sentences: &[f32],
    ) -> Vec<TopicMatch> {
        let mut found: Vec<Option<(TopicMatch, f32)>> = vec![None; self.names.len()];
        let rules = &self.rules[reading.language.index()];
        for at in 0..reading.tokens.len() {
            rules.each(&reading.tokens, at, numbers, |end, topics| {
                let span = (reading.tokens[at].start, reading.tokens[end - 1].end);
                let sentence =
                    sentence_of.get(at).and_then(|&sentence| sentences.get(sentence)).copied().unwrap_or(0.0);
                for &topic in topics {
                    let fresh = || {
                        let topic = self.names[topic as usize].clone();
                        (TopicMatch { topic, spans: Vec::new(), sentiment: 0.0 }, 0.0)
                    };
                    let (hit, times) = found[topic as usize].get_or_insert_with(fresh);
                    if hit.spans.len() < MOST_SPANS && !hit.spans.contains(&span) {
                        hit.spans.push(span);
                    }
                    hit.sentiment += sentence;
                    *times += 1.0;
                }
            });
        }
        let mut hits: Vec<(TopicMatch, f32)> = found.into_iter().flatten().collect();
        hits.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        hits.into_iter().map(|(hit, times)| TopicMatch { sentiment: hit.sentiment / times, ..hit }).collect()
    }
}
