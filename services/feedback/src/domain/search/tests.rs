//! What a search means, by examples and by laws.

use std::sync::LazyLock;

use proptest::prelude::*;
use rapport_text::Analyser;

use super::*;

static ANALYSER: LazyLock<Analyser> = LazyLock::new(Analyser::new);

fn document(texts: &[&str]) -> Document {
    let passages: Vec<_> = texts.iter().map(|&text| Passage { place: "q", text }).collect();
    Document::of(&passages, None, &ANALYSER)
}

fn finds(query: &str, text: &str) -> bool {
    query.parse::<Query>().expect("a query").finds(&document(&[text]))
}

#[test]
fn words_are_found_in_each_form_and_spelling() {
    for (query, text) in [
        ("delivery", "Two deliveries were late"),
        ("доставку", "Ужасная доставка!"),
        ("ёлка", "купили елку"),
        ("еще", "Ещё раз"),
        ("mulțumesc", "MULTUMESC mult"),
        ("şedinţă", "o ședință lungă"),
        ("كيفيت", "کیفیت خوب بود"),
        ("کتاب", "كتاب‌هاي خوب"),
        ("۱۲۳", "order 123"),
        ("-late fast", "fast courier"),
        ("fast OR late", "so late"),
        ("courier (fast | late)", "late courier"),
        ("\"late courier\"", "A late, late courier"),
        ("deliv*", "delivered"),
        ("\"unclosed phrase", "an unclosed phrase"),
        ("(open courier", "courier open"),
        ("wi-fi", "the Wi-Fi is down"),
        ("-slow", "fast"),
    ] {
        assert!(finds(query, text), "{query} in {text}");
    }
}

#[test]
fn what_was_not_said_is_not_found() {
    for (query, text) in [
        ("\"courier late\"", "A late courier"),
        ("fast courier", "a courier"),
        ("fast -courier", "fast courier"),
        ("deliv*", "undelivered"),
        ("-(fast OR late)", "late"),
        // English "car" is not what is left of "care" by Romanian rules.
        ("care", "My car is red and it was washed"),
    ] {
        assert!(!finds(query, text), "{query} in {text}");
    }
    let phrase = "\"one two\"".parse::<Query>().expect("a query");
    assert!(!phrase.finds(&document(&["number one", "two numbers"])), "a phrase does not go over two answers");
}

#[test]
fn what_cannot_be_looked_for_is_said() {
    let misread = |text: &str| text.parse::<Query>().expect_err("misread");
    assert_eq!(misread(" - :) () OR \"\""), Misread::Empty);
    assert_eq!(misread("good a*"), Misread::Short);
    assert_eq!(misread(&"word ".repeat(MOST_LEAVES + 1)), Misread::Long);
    assert_eq!(misread(&format!("{}word", "(a ".repeat(MOST_DEEP + 1))), Misread::Deep);
}

#[test]
fn snippets_show_where_it_stands() {
    let long = format!("{} the courier was LATE and {}", "before ".repeat(40), "after ".repeat(60));
    let query = "late -early".parse::<Query>().expect("a query");
    let passages = [Passage { place: "a", text: "Опоздал, but late" }, Passage { place: "b", text: &long }];
    let found = snippets(&query, &passages, None, &ANALYSER);
    assert_eq!(found[0].text.expose(), "Опоздал, but late");
    assert!(matches!(found[0].spans.as_slice(), [span] if *span == (13..17)));
    let piece: Vec<char> = found[1].text.expose().chars().collect();
    assert!(piece.first() == Some(&'…') && piece.last() == Some(&'…') && piece.len() <= LENGTH_AND_DOTS);
    let shown: String = piece[found[1].spans[0].clone()].iter().collect();
    assert_eq!(shown, "LATE");
    assert!(!piece[1].is_whitespace());
}

const LENGTH_AND_DOTS: usize = 203;

proptest! {
    #[test]
    fn whatever_is_typed_is_read_or_refused(text in "\\PC{0,80}", query in "[a-zа-я\"()|*\\- OR]{0,80}") {
        for typed in [&text, &query] {
            if let Ok(read) = typed.parse::<Query>() {
                let passage = [Passage { place: "q", text: &text }];
                let found = snippets(&read, &passage, None, &ANALYSER);
                for snippet in &found {
                    let length = snippet.text.expose().chars().count();
                    prop_assert!(snippet.spans.iter().all(|span| span.start < span.end && span.end <= length));
                }
            }
        }
    }

    #[test]
    fn what_was_said_is_found_by_its_own_words(text in "[a-zA-Zа-яА-Яă-ț ,.!]{1,60}") {
        let document = document(&[&text]);
        if let Ok(query) = format!("\"{text}\"").parse::<Query>() {
            prop_assert!(query.finds(&document));
        }
    }
}
