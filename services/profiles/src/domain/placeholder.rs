//! Values that stand for no value: what forms, scripts and people type where nothing is known. They would join everybody
//! who left a field empty, so none links, whatever its namespace. After the values that Segment, RudderStack, Mixpanel and
//! PostHog block by default. Values that anybody may really bear are not among them: those the limits see to.

use super::namespace::Normaliser;

/// What stands for nothing in any namespace, in lower case and without outer punctuation.
const WORDS: &[&str] = &[
    "#n/a",
    "#name?",
    "#null!",
    "#ref!",
    "#value!",
    "[object object]",
    "anon",
    "anonymous",
    "asdf",
    "asdfgh",
    "blank",
    "default",
    "distinct_id",
    "distinctid",
    "dummy",
    "empty",
    "false",
    "fara",
    "foo",
    "foobar",
    "fără",
    "guest",
    "inexistent",
    "invalid",
    "lipsa",
    "lipsește",
    "lipsă",
    "missing",
    "n.a",
    "n.a.",
    "n.d.",
    "n/a",
    "na",
    "nan",
    "necunoscut",
    "necunoscută",
    "nespecificat",
    "nil",
    "no data",
    "no e-mail",
    "no email",
    "no name",
    "no phone",
    "no value",
    "no_value",
    "none",
    "none given",
    "not applicable",
    "not available",
    "not given",
    "not known",
    "not provided",
    "not set",
    "not specified",
    "not_authenticated",
    "not_set",
    "nothing",
    "null",
    "null@null",
    "placeholder",
    "qwerty",
    "tbd",
    "test",
    "test user",
    "test_user",
    "testing",
    "testuser",
    "true",
    "undefined",
    "unidentified",
    "unknown",
    "unknown user",
    "void",
    "xxx",
    "не известно",
    "не указан",
    "не указано",
    "неизвестен",
    "неизвестна",
    "неизвестно",
    "нет",
    "нет данных",
    "нет информации",
    "отсутствует",
    "пусто",
    "خالی",
    "ناشناس",
    "نامشخص",
    "نامعلوم",
    "ندارد",
    "هیچ",
];

/// Local parts of addresses that nobody reads, or that stand for nobody.
const MAILBOXES: &[&str] = &[
    "anonymous",
    "do-not-reply",
    "do_not_reply",
    "donotreply",
    "dummy",
    "fake",
    "invalid",
    "mailer-daemon",
    "n.a",
    "no-email",
    "no-mail",
    "no-reply",
    "no.email",
    "no.reply",
    "no_email",
    "no_reply",
    "nobody",
    "noemail",
    "nomail",
    "none",
    "noreply",
    "not-provided",
    "notprovided",
    "null",
    "postmaster",
    "test",
    "test1",
    "test123",
    "test2",
    "tester",
    "testing",
    "testuser",
    "undefined",
    "unknown",
];

/// What stands before the @ of an address of a domain that is kept for examples, where somebody copied one.
const EXAMPLES: &[&str] = &["email", "example", "mail", "name", "sample", "user", "username", "your.email", "yourname"];
/// What is typed before and after the @ to be done with it.
const KEYS: &[&str] =
    &["aaa", "abc", "asd", "asdf", "bla", "email", "foo", "mail", "na", "no", "none", "qwerty", "xxx"];
/// Digits in the order of the keys, at least so many of them.
const ROW: &str = "01234567890";
const ROW_DIGITS: usize = 7;
/// How many equal digits, at least, make a telephone number that was only typed to fill a field.
const SAME_DIGITS: usize = 6;

/// Whether a raw value of a namespace with this normaliser stands for no value.
#[must_use]
pub fn is_placeholder(value: &str, normaliser: Normaliser) -> bool {
    let word = value.trim().to_lowercase();
    let bare = word.trim_matches(|c: char| "()<>{}\"'-_.*?# ".contains(c));
    if bare.is_empty() || WORDS.binary_search(&word.as_str()).is_ok() || WORDS.binary_search(&bare).is_ok() {
        return true;
    }
    // Zeros, also as a UUID of nothing but zeros (or of nothing but Fs), and "-1".
    let digits = || word.chars().filter(|c| !"-{}.,+ ".contains(*c));
    if digits().all(|c| c == '0') || word == "-1" {
        return true;
    }
    if word.len() >= 32 && digits().count() == 32 && digits().all(|c| c == 'f') {
        return true;
    }
    // What a template was to fill in.
    if (word.starts_with("{{") && word.ends_with("}}")) || (word.starts_with("${") && word.ends_with('}')) {
        return true;
    }
    // Trackers send addresses as ids, too.
    if let Some((local, domain)) = word.split_once('@') {
        return is_nobody(local, domain);
    }
    match normaliser {
        Normaliser::E164 => is_filler(&word),
        Normaliser::Email | Normaliser::Trim | Normaliser::Lower | Normaliser::Digits => is_typed(&word),
    }
}

/// An address that nobody reads, or that stands for nobody.
fn is_nobody(local: &str, domain: &str) -> bool {
    let local = local.split_once('+').map_or(local, |(local, _)| local);
    let first = domain.split('.').next().unwrap_or_default();
    let is_key = |word: &str| word.len() == 1 || KEYS.contains(&word);
    MAILBOXES.binary_search(&local).is_ok()
        || (is_key(local) && (first == local || (KEYS.contains(&local) && KEYS.contains(&first))))
        || (first == "example" && EXAMPLES.contains(&local))
}

/// An id that is one digit over and over, or a row of keys.
fn is_typed(value: &str) -> bool {
    let first = value.chars().next();
    let digits = value.chars().all(|c| c.is_ascii_digit());
    digits
        && ((value.len() >= SAME_DIGITS && value.chars().all(|c| Some(c) == first))
            || (value.len() >= ROW_DIGITS && ROW.contains(value)))
}

/// A telephone number whose last digits, as many as make it a number, are one and the same.
fn is_filler(value: &str) -> bool {
    let digits: Vec<char> = value.chars().filter(char::is_ascii_digit).collect();
    let last = digits.last().copied();
    let same = digits.iter().rev().take_while(|digit| Some(**digit) == last).count();
    // Country codes have three digits at most, so that only they, and a leading zero, may differ.
    same >= SAME_DIGITS && digits.len() - same <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_for_the_search() {
        assert!(WORDS.iter().all(|word| WORDS.binary_search(word).is_ok()));
        assert!(MAILBOXES.iter().all(|word| MAILBOXES.binary_search(word).is_ok()));
    }

    #[test]
    fn what_stands_for_nothing_is_a_placeholder() {
        for value in [
            "",
            " ",
            "unknown",
            "NULL",
            "N/A",
            "(none)",
            "<null>",
            "undefined",
            "0",
            "000-000",
            "-1",
            "-",
            "not set",
            "00000000-0000-0000-0000-000000000000",
            "[object Object]",
            "Anonymous",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "111111111",
            "99999999",
            "1234567890",
            "test@test.com",
            "{{email}}",
            "#REF!",
            "None given",
            "нет данных",
            "Necunoscut",
            "نامشخص",
        ] {
            assert!(is_placeholder(value, Normaliser::Trim), "{value:?}");
        }
        for value in [
            "test@example.com",
            "noreply@shop.example",
            "null@null.com",
            "a@a.com",
            "TEST+1@x.org",
            "none",
            "email@example.com",
            "user@example.com",
            "test1@test.example",
            "asdf@asdf.com",
            "no@email.com",
        ] {
            assert!(is_placeholder(value, Normaliser::Email), "{value:?}");
        }
        for value in ["0000000000", "+49 1111111", "+1 555 555 5555", "9999999999", "unknown", "+000"] {
            assert!(is_placeholder(value, Normaliser::E164), "{value:?}");
        }
    }

    #[test]
    fn what_somebody_may_bear_is_none() {
        for value in [
            "1", "10", "100000", "11111", "user-0", "Nulliver", "u-2", "K-1", "nan-cy", "f", "123456", "1112111",
            "2345",
        ] {
            assert!(!is_placeholder(value, Normaliser::Trim), "{value:?}");
        }
        for value in [
            "anna@example.com",
            "a@example.com",
            "info@shop.example",
            "contest@example.com",
            "a.b@b.org",
            "abc@firm.de",
            "user@firm.de",
        ] {
            assert!(!is_placeholder(value, Normaliser::Email), "{value:?}");
        }
        for value in ["+4930123456", "+15551234567", "030 123456", "+442079460958", "+12025550123", "+49301000000"] {
            assert!(!is_placeholder(value, Normaliser::E164), "{value:?}");
        }
    }
}
