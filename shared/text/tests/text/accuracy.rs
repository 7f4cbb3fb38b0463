//! Accuracy on the labelled sentences of `labelled`: 60 a language, written for this purpose before the lexicons were
//! tuned, and never tuned to (`dev` is what tuning looked at); and on sentences of strangers, `tests/real/sentiment`.

use std::fs;
use std::path::Path;

use rapport_text::{Analyser, Language, Polarity, Taxonomy};
use serde::Deserialize;

struct Score {
    accuracy: f64,
    detected: f64,
}

fn score(analyser: &Analyser, language: Language, file: &str) -> Score {
    let taxonomy = Taxonomy::default();
    let rows: Vec<(&str, &str)> = file.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(rows.len(), 60, "{}", language.code());
    for label in ["positive", "negative", "neutral"] {
        assert_eq!(rows.iter().filter(|(given, _)| *given == label).count(), 20, "{label} in {}", language.code());
    }
    let told: Vec<_> = rows.iter().map(|(label, text)| (*label, analyser.analyse(text, None, &taxonomy))).collect();
    let right = told.iter().filter(|(label, told)| told.sentiment.polarity.name() == *label).count();
    let detected = told.iter().filter(|(_, told)| told.detection.language == Some(language)).count();
    Score { accuracy: right as f64 / 60.0, detected: detected as f64 / 60.0 }
}

#[test]
fn four_of_five_labelled_sentences_are_judged_right_in_each_language() {
    let analyser = Analyser::new();
    for (language, file) in [
        (Language::English, include_str!("labelled/en.tsv")),
        (Language::Russian, include_str!("labelled/ru.tsv")),
        (Language::Persian, include_str!("labelled/fa.tsv")),
        (Language::Romanian, include_str!("labelled/ro.tsv")),
    ] {
        let score = score(&analyser, language, file);
        println!("{}: accuracy {:.3} language {:.3}", language.code(), score.accuracy, score.detected);
        assert!(score.accuracy >= 0.8, "{}: accuracy {:.3}", language.code(), score.accuracy);
        assert!(score.detected >= 0.95, "{}: language {:.3}", language.code(), score.detected);
    }
}

/// A stranger's sentence: 1 is positive, 0 negative.
#[derive(Deserialize)]
struct Sentence {
    text: String,
    class: Option<u8>,
}

/// The share that is judged right, and the share that is judged the opposite; the rest is left neutral, which none is.
fn strangers(analyser: &Analyser, file: &str) -> (f64, f64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/sentiment").join(file);
    let text = fs::read_to_string(path).expect("the file is there");
    let sentences: Vec<Sentence> = serde_json::from_str(&text).expect("a list of sentences");
    let taxonomy = Taxonomy::default();
    let judged = |text: &str| analyser.analyse(text, None, &taxonomy).sentiment.polarity;
    let told: Vec<(u8, Polarity)> =
        sentences.iter().filter_map(|sentence| Some((sentence.class?, judged(&sentence.text)))).collect();
    assert_eq!(told.len(), 1_000, "{file}");
    let share = |positive: Polarity, negative: Polarity| {
        let is = |&&(class, polarity): &&(u8, Polarity)| polarity == if class == 1 { positive } else { negative };
        told.iter().filter(is).count() as f64 / 1_000.0
    };
    (share(Polarity::Positive, Polarity::Negative), share(Polarity::Negative, Polarity::Positive))
}

#[test]
fn strangers_reviews_are_judged_right_four_times_in_five_and_seldom_the_wrong_way_round() {
    let analyser = Analyser::new();
    for (file, least, most) in [("amazon.json", 0.8, 0.08), ("imdb.json", 0.75, 0.15)] {
        let (right, opposite) = strangers(&analyser, file);
        println!("{file}: right {right:.3} opposite {opposite:.3}");
        assert!(right >= least && opposite <= most, "{file}: right {right:.3} opposite {opposite:.3}");
    }
}
