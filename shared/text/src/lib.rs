//! Text understanding for customer feedback in English, Russian, Persian and Romanian.
//!
//! The engine that feedback's reading of texts is built on, pure and proved by itself.
//!
//! Pure: no clock, no I/O, no state. An [`Analyser`] holds the lexicons; [`Analyser::analyse`] tells of a text its
//! language, sentiment with the words that decided it, emotions, effort cues and topics. What it costs is bounded
//! whatever the text: every step is linear, and no more than [`MOST_TOKENS`] tokens are read.
//!
//! Sentiment comes from a [`SentimentModel`]; the one that ships goes by lexicons (`data/`, their origins in
//! `data/ORIGIN.md`) with negation, intensifiers, contrast, emoji, transliteration and misspellings.
//!
//! ```
//! use rapport_text::{Analyser, Language, Polarity, Taxonomy};
//!
//! let analyser = Analyser::new();
//! let taxonomy = Taxonomy::compile(&Taxonomy::standard())?;
//! let analysis = analyser.analyse("The courier was not polite at all.", None, &taxonomy);
//! assert_eq!(analysis.detection.language, Some(Language::English));
//! assert_eq!(analysis.sentiment.polarity, Polarity::Negative);
//! # Ok::<(), rapport_text::TaxonomyFault>(())
//! ```

mod analyser;
mod context;
mod detect;
mod emotion;
mod fold;
mod language;
mod lexical;
mod mask;
mod pack;
mod pattern;
mod phrase;
mod picture;
mod reading;
mod search;
mod sentiment;
mod spelling;
mod stem;
mod token;
mod topic;
mod translit;

pub use analyser::{Analyser, Analysis};
pub use detect::Detection;
pub use emotion::{EffortCue, EffortKind, Emotion, EmotionScore};
pub use fold::{Folded, LONGEST_WORD, fold_word};
pub use language::Language;
pub use lexical::LexicalModel;
pub use mask::mask;
pub use reading::Reading;
pub use search::{SearchTerm, search_words};
pub use sentiment::{Evidence, Polarity, Sentiment, SentimentModel};
pub use stem::stem;
pub use token::{MOST_BYTES, MOST_TOKENS, Token, TokenKind, Tokens, tokenise};
pub use topic::{Taxonomy, TaxonomyFault, Topic, TopicMatch};
