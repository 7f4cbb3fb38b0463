//! A light English stemmer: plurals, -ed, -ing, -ly, -ness, final e and y.

use super::without;

pub(super) fn stem(word: &str) -> String {
    if word.len() < 4 || !word.is_ascii() {
        return word.to_owned();
    }
    let mut base = singular(word);
    if let Some(short) = without(&base, &["fulness", "ness"], 3) {
        base = if base.ends_with("fulness") { format!("{short}ful") } else { short.to_owned() };
    }
    if let Some(short) = without(&base, &["ly"], 3).filter(|short| !short.ends_with('p')) {
        base = short.to_owned();
    }
    if let Some(short) = without(&base, &["ing", "ed"], 3).filter(|short| has_vowel(short)) {
        let mut single = single_end(short);
        if single.len() == 3 && single == short && !single.ends_with(['y', 'w', 'x']) {
            // "caring" is of care, not of car.
            single.push('e');
        }
        base = single;
    }
    if base.len() > 4 && base.ends_with('e') && !base.ends_with("ee") {
        base.pop();
    }
    if base.ends_with('y') && base.len() > 2 {
        base.pop();
        base.push('i');
    }
    base
}

fn singular(word: &str) -> String {
    if let Some(base) = word.strip_suffix("ies").or_else(|| word.strip_suffix("ied")).filter(|base| base.len() > 1) {
        return format!("{base}y");
    }
    for double in ["sses", "shes", "ches", "xes", "zes"] {
        if word.ends_with(double) {
            return word[..word.len() - 2].to_owned();
        }
    }
    let kept = ["ss", "us", "is"].iter().any(|ending| word.ends_with(ending));
    match word.strip_suffix('s') {
        Some(base) if !kept => base.to_owned(),
        _ => word.to_owned(),
    }
}

fn has_vowel(word: &str) -> bool {
    word.bytes().any(|letter| matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y'))
}

/// "stopp" of "stopped" is "stop"; ll, ss and zz stay.
fn single_end(word: &str) -> String {
    let letters = word.as_bytes();
    let doubled = letters.len() > 3
        && letters[letters.len() - 1] == letters[letters.len() - 2]
        && !matches!(letters[letters.len() - 1], b'l' | b's' | b'z' | b'e' | b'o');
    word[..word.len() - usize::from(doubled)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_forms_of_a_word_meet() {
        for forms in [
            ["care", "cares", "cared", "caring"],
            ["crash", "crashes", "crashed", "crashing"],
            ["love", "loves", "loved", "loving"],
            ["easy", "easily", "easy", "easiness"],
            ["stop", "stops", "stopped", "stopping"],
            ["reply", "replies", "replied", "replying"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
    }
}
