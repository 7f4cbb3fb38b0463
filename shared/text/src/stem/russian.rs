//! Snowball's Russian stemmer (snowballstem.org, the algorithm; the code is ours), over words folded to е for ё.

const PERFECTIVE_A: [&str; 3] = ["вшись", "вши", "в"];
const PERFECTIVE: [&str; 6] = ["ившись", "ывшись", "ивши", "ывши", "ив", "ыв"];
const ADJECTIVE: [&str; 26] = [
    "ими", "ыми", "его", "ого", "ему", "ому", "ее", "ие", "ые", "ое", "ей", "ий", "ый", "ой", "ем", "им", "ым", "ом",
    "их", "ых", "ую", "юю", "ая", "яя", "ою", "ею",
];
const PARTICIPLE_A: [&str; 5] = ["ем", "нн", "вш", "ющ", "щ"];
const PARTICIPLE: [&str; 3] = ["ивш", "ывш", "ующ"];
const VERB_A: [&str; 17] =
    ["нно", "ете", "йте", "ешь", "ла", "на", "ли", "ем", "ло", "но", "ет", "ют", "ны", "ть", "й", "л", "н"];
const VERB: [&str; 29] = [
    "ейте", "уйте", "ила", "ыла", "ена", "ите", "или", "ыли", "ило", "ыло", "ено", "ует", "уют", "ены", "ить", "ыть",
    "ишь", "ей", "уй", "ил", "ыл", "им", "ым", "ен", "ят", "ит", "ыт", "ую", "ю",
];
const NOUN: [&str; 36] = [
    "иями", "ями", "ами", "ией", "иям", "ием", "иях", "ев", "ов", "ие", "ье", "еи", "ии", "ей", "ой", "ий", "ям", "ем",
    "ам", "ом", "ах", "ях", "ию", "ью", "ия", "ья", "а", "е", "и", "й", "о", "у", "ы", "ь", "ю", "я",
];

pub(super) fn stem(word: &str) -> String {
    let Some(first) = word.char_indices().find(|&(_, letter)| is_vowel(letter)) else { return word.to_owned() };
    let region = first.0 + first.1.len_utf8();
    let (head, tail) = word.split_at(region);
    let second = second_region(word).saturating_sub(region).min(tail.len());

    let mut kept = strip_endings(tail);
    kept = kept.strip_suffix('и').unwrap_or(kept);
    if let Some(base) = ["ость", "ост"].iter().find_map(|ending| kept.strip_suffix(ending))
        && base.len() >= second
    {
        kept = base;
    }
    if let Some(base) = kept.strip_suffix("нн") {
        return format!("{head}{base}н");
    }
    let base = ["ейше", "ейш"].iter().find_map(|ending| kept.strip_suffix(ending));
    if let Some(base) = base {
        return format!("{head}{}", base.strip_suffix("нн").map_or(base.to_owned(), |short| format!("{short}н")));
    }
    format!("{head}{}", kept.strip_suffix('ь').unwrap_or(kept))
}

/// Where R2 begins: after the second non-vowel that follows a vowel.
fn second_region(word: &str) -> usize {
    let mut found = 0;
    let mut after_vowel = false;
    for (at, letter) in word.char_indices() {
        if is_vowel(letter) {
            after_vowel = true;
        } else if after_vowel {
            found += 1;
            after_vowel = false;
            if found == 2 {
                return at + letter.len_utf8();
            }
        }
    }
    word.len()
}

/// Step 1: a perfective gerund, or else the reflexive and then an adjective, a verb or a noun.
fn strip_endings(tail: &str) -> &str {
    if let Some(base) = longest(tail, &PERFECTIVE).or_else(|| after_a(tail, &PERFECTIVE_A)) {
        return base;
    }
    let tail = longest(tail, &["ся", "сь"]).unwrap_or(tail);
    if let Some(base) = longest(tail, &ADJECTIVE) {
        return longest(base, &PARTICIPLE).or_else(|| after_a(base, &PARTICIPLE_A)).unwrap_or(base);
    }
    longest(tail, &VERB).or_else(|| after_a(tail, &VERB_A)).or_else(|| longest(tail, &NOUN)).unwrap_or(tail)
}

fn longest<'w>(word: &'w str, endings: &[&str]) -> Option<&'w str> {
    endings.iter().find_map(|ending| word.strip_suffix(ending))
}

/// An ending that counts only after а or я.
fn after_a<'w>(word: &'w str, endings: &[&str]) -> Option<&'w str> {
    longest(word, endings).filter(|base| base.ends_with(['а', 'я']))
}

fn is_vowel(letter: char) -> bool {
    matches!(letter, 'а' | 'е' | 'и' | 'о' | 'у' | 'ы' | 'э' | 'ю' | 'я')
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_forms_of_a_word_meet() {
        for forms in [
            ["доставка", "доставки", "доставкой", "доставке"],
            ["удобный", "удобная", "удобные", "удобного"],
            ["довольна", "довольны", "довольна", "довольной"],
            ["сломался", "сломалась", "сломалось", "сломались"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
    }

    #[test]
    fn published_pairs_are_reproduced() {
        // From the sample vocabulary of snowballstem.org.
        for (word, expected) in [
            ("важная", "важн"),
            ("важнейшие", "важн"),
            ("важничал", "важнича"),
            ("валандался", "валанда"),
            ("вальсе", "вальс"),
        ] {
            assert_eq!(stem(word), expected);
        }
    }
}
