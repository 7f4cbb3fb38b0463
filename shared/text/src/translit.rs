//! Russian and Persian in Latin letters.
//!
//! Russian: a Latin word is written in Cyrillic by the commonest reading; what is ambiguous (e or э, h or х, the soft
//! sign) is settled by a key in which the readings fall together. Persian leaves its short vowels unwritten, so no rule
//! leads from "khoob" to خوب: a list of the commonest words does (`data/fa.finglish.txt`), by a key as well.

/// Latin letters and the Cyrillic ones they stand for, longest first.
const CYRILLIC: [(&str, &str); 50] = [
    ("shch", "щ"),
    ("sch", "щ"),
    ("zh", "ж"),
    ("kh", "х"),
    ("ts", "ц"),
    ("tz", "ц"),
    ("ch", "ч"),
    ("sh", "ш"),
    ("yu", "ю"),
    ("ju", "ю"),
    ("iu", "ю"),
    ("ya", "я"),
    ("ja", "я"),
    ("ia", "ия"),
    ("yo", "е"),
    ("jo", "е"),
    ("ye", "е"),
    ("je", "е"),
    ("yi", "ый"),
    ("iy", "ий"),
    ("yj", "ый"),
    ("ij", "ий"),
    ("ey", "ей"),
    ("oy", "ой"),
    ("ay", "ай"),
    ("uy", "уй"),
    ("a", "а"),
    ("b", "б"),
    ("v", "в"),
    ("w", "в"),
    ("g", "г"),
    ("d", "д"),
    ("e", "е"),
    ("z", "з"),
    ("i", "и"),
    ("j", "й"),
    ("k", "к"),
    ("l", "л"),
    ("m", "м"),
    ("n", "н"),
    ("o", "о"),
    ("p", "п"),
    ("r", "р"),
    ("s", "с"),
    ("t", "т"),
    ("u", "у"),
    ("f", "ф"),
    ("h", "х"),
    ("c", "ц"),
    ("y", "ы"),
];

/// The Cyrillic reading of a Latin word.
pub(crate) fn to_cyrillic(word: &str) -> String {
    let mut out = String::with_capacity(word.len() * 2);
    // The soft sign is seldom written; endings tell where it belongs: "ponravilos", "zakazat".
    let soft = word.len() > 5 && ["los", "las", "lis", "at"].iter().any(|ending| word.ends_with(ending));
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        match CYRILLIC.iter().find(|(latin, _)| rest.starts_with(latin)) {
            Some((latin, cyrillic)) => {
                out.push_str(cyrillic);
                rest = &rest[latin.len()..];
            }
            None => {
                match first {
                    '4' => out.push('ч'),
                    '6' => out.push('ш'),
                    'q' => out.push('к'),
                    'x' => out.push('х'),
                    '\'' => {}
                    other => out.push(other),
                }
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if soft {
        out.push('ь');
    }
    out
}

/// A key in which the readings of a Cyrillic word in Latin letters fall together.
pub(crate) fn russian_key(word: &str) -> String {
    let mut key = String::with_capacity(word.len());
    for letter in word.chars() {
        let plain = match letter {
            'ь' | 'ъ' | '\'' => continue,
            'э' | 'ё' => 'е',
            'ы' | 'й' => 'и',
            'щ' => 'ш',
            'ц' => 'с',
            other => other,
        };
        if !key.ends_with(plain) {
            key.push(plain);
        }
    }
    key
}

/// A key in which the ways of writing a Persian word in Latin letters fall together.
pub(crate) fn persian_key(word: &str) -> String {
    const PAIRS: [(&str, &str); 16] = [
        ("kh", "x"),
        ("gh", "q"),
        ("oo", "u"),
        ("ou", "u"),
        ("ee", "i"),
        ("aa", "a"),
        ("sh", "$"),
        ("ch", "%"),
        ("zh", "j"),
        ("ei", "ey"),
        ("ai", "ay"),
        ("w", "v"),
        ("ph", "f"),
        ("ck", "k"),
        ("c", "k"),
        ("y", "i"),
    ];
    let mut key = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = PAIRS
            .iter()
            .find(|(latin, _)| rest.starts_with(latin))
            .map_or((&rest[..first.len_utf8()], first.len_utf8()), |(latin, piece)| (*piece, latin.len()));
        if !key.ends_with(piece) {
            key.push_str(piece);
        }
        rest = &rest[length..];
    }
    key.replace('y', "i")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_russian_meets_cyrillic() {
        for (latin, cyrillic) in
            [("uzhasno", "ужасно"), ("ochen", "очень"), ("bolshe", "больше"), ("horosho", "хорошо")]
        {
            assert_eq!(russian_key(&to_cyrillic(latin)), russian_key(cyrillic), "{latin}");
        }
    }

    #[test]
    fn ways_to_write_finglish_meet() {
        for (left, right) in [("khoob", "khub"), ("kheyli", "kheili"), ("aali", "ali"), ("ghashang", "qashang")] {
            assert_eq!(persian_key(left), persian_key(right));
        }
    }
}
