//! Texts that nobody means well with: no panic, spans that cut no character, time in proportion to the length.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rapport_text::{Analyser, Language, Taxonomy, fold_word, stem};

fn checked(analyser: &Analyser, taxonomy: &Taxonomy, text: &str) {
    let told = analyser.analyse(text, None, taxonomy);
    assert!(told.sentiment.value.is_finite() && told.sentiment.value.abs() <= 1.0);
    assert!((0.0..=1.0).contains(&told.sentiment.confidence) && (0.0..=1.0).contains(&told.detection.confidence));
    for evidence in &told.sentiment.evidence {
        assert!(!text[evidence.start..evidence.end].is_empty());
    }
    for cue in &told.efforts {
        assert!(!text[cue.start..cue.end].is_empty());
    }
    for (start, end) in told.topics.iter().flat_map(|topic| &topic.spans) {
        assert!(!text[*start..*end].is_empty());
    }
    assert!(told.emotions.iter().all(|score| score.strength > 0.0 && score.strength <= 1.0));
}

#[test]
fn a_megabyte_of_anything_is_read_in_no_time() {
    let (analyser, taxonomy) = reader();
    let pieces = [
        "a",
        "aa ",
        "ш",
        "\u{301}",
        "a\u{301}",
        "\"",
        "((",
        "))",
        ":(",
        "😡",
        "\u{200d}",
        "\u{200c}",
        "not ",
        "но ",
        "but not ",
        "very ",
        "!",
        "?",
        "\n",
        "good ",
        "хорошо ",
        "نمی",
        "می ",
        "عالی ",
        "1",
        "1.",
        "a'",
        "http://",
        "x@",
        "although ",
        "!good",
        "call 3 times ",
        "\u{202e}",
        "ﷺ",
        "漢",
        "-",
        "terible ",
        "aaaaaab ",
        "no one ",
        "without without ",
    ];
    for piece in pieces {
        let text = piece.repeat(1_000_000 / piece.len());
        let begun = Instant::now();
        checked(&analyser, &taxonomy, &text);
        // Generous, for loaded machines without optimisation: a quadratic step would take minutes.
        assert!(begun.elapsed() < Duration::from_secs(5), "{piece:?} took {:?}", begun.elapsed());
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn no_text_panics() {
    let (analyser, taxonomy) = reader();
    proptest!(cases(), |(text in "\\PC{0,200}")| {
        checked(&analyser, &taxonomy, &text);
    });
}

#[test]
fn no_mixture_of_the_four_languages_panics() {
    let (analyser, taxonomy) = reader();
    let pieces = vec![
        "not",
        "good",
        "but",
        "BAD",
        "не",
        "хорошо",
        "нет",
        "но",
        "نیست",
        "خوب",
        "نمی\u{200c}",
        "می",
        "ولی",
        "nu",
        "bun",
        "dar",
        "!!",
        "?",
        ",",
        ".",
        ":)",
        "😡",
        "3",
        "раз",
        "times",
        "called",
        "don't",
        "n-am",
        "\u{301}",
        "\u{200c}",
        "soooo",
    ];
    let words = prop::collection::vec(prop::sample::select(pieces), 0..60);
    proptest!(cases(), |(words in words, joined in any::<bool>())| {
        checked(&analyser, &taxonomy, &words.join(if joined { "" } else { " " }));
    });
}

#[test]
fn stemming_never_panics_nor_grows() {
    proptest!(cases(), |(word in "\\PC{0,30}")| {
        let folded = fold_word(&word).text;
        for language in Language::ALL {
            prop_assert!(stem(language, &folded).chars().count() <= folded.chars().count() + 1);
        }
    });
}

fn reader() -> (Analyser, Taxonomy) {
    (Analyser::new(), Taxonomy::compile(&Taxonomy::standard()).expect("the taxonomy that ships compiles"))
}
