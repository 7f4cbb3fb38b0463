//! A light Persian stemmer: plural, comparative and possessive endings, the ezafe's ی, the verbal prefix می and the
//! personal endings after it.

use super::without;

/// Endings of nouns and adjectives, longest first.
const ENDINGS: [&str; 36] = [
    "هایمان",
    "هایتان",
    "هایشان",
    "ترینها",
    "هایی",
    "هایم",
    "هایت",
    "هایش",
    "ترین",
    "های",
    "ترم",
    "تری",
    "مان",
    "تان",
    "شان",
    "گان",
    "یان",
    "انه",
    "ها",
    "تر",
    "ات",
    "اش",
    "ام",
    "ان",
    "یم",
    "ید",
    "ند",
    "یی",
    "یش",
    "ست",
    "ه",
    "ی",
    "م",
    "ت",
    "ش",
    "ا",
];

/// Personal endings after می.
const PERSONS: [&str; 10] = ["یدش", "ندش", "مش", "ید", "یم", "ند", "ن", "ه", "د", "م"];

pub(super) fn stem(word: &str) -> String {
    if let Some(verb) = word.strip_prefix("می").filter(|verb| verb.chars().nth(1).is_some()) {
        return without(verb, &PERSONS, 2).or_else(|| verb.strip_suffix('ی')).unwrap_or(verb).to_owned();
    }
    let base = without(word, &ENDINGS, 3).unwrap_or(word);
    if base.len() == word.len() || base.chars().count() < 5 {
        return base.to_owned();
    }
    // Endings stack: کیفیت‌هایش. A second one is taken off long words only.
    without(base, &["ها", "های", "تر", "ی"], 4).unwrap_or(base).to_owned()
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_forms_of_a_word_meet() {
        for forms in [
            ["مشکل", "مشکلم", "مشکلات", "مشکلی"],
            ["قطع", "قطعی", "قطع", "قطعه"],
            ["میکند", "میکنم", "میکنند", "میکنید"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
    }
}
