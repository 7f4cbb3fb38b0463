//! Values that stand for no value: what forms, scripts and people type where nothing is known. They would join everybody
//! who left a field empty, so none links, whatever its namespace. After the values that Segment, RudderStack, Mixpanel and
//! PostHog block by default. Values that anybody may really bear are not among them: those the limits see to.

use super::namespace::Normaliser;

/// What stands for nothing in any namespace, in lower case and without outer punctuation.
const WORDS: &[&str] = &[
    "[object object]",
    "anon",
    "anonymous",
    "blank",
    "default",
    "distinct_id",
    "distinctid",
    "dummy",
    "empty",
    "false",
    "guest",
    "invalid",
    "missing",
    "n.a",
    "n.a.",
    "n/a",
    "na",
    "nan",
    "nil",
    "no_value",
    "none",
    "not applicable",
    "not available",
    "not known",
    "not provided",
    "not set",
    "not specified",
    "not_authenticated",
    "not_set",
    "null",
    "placeholder",
    "tbd",
    "test",
    "true",
    "undefined",
    "unidentified",
    "unknown",
    "void",
    "xxx",
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
    "tester",
    "testing",
    "undefined",
    "unknown",
];

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
    match normaliser {
        Normaliser::Email => word.split_once('@').is_some_and(|(local, domain)| {
            let local = local.split_once('+').map_or(local, |(local, _)| local);
            MAILBOXES.binary_search(&local).is_ok()
                || ((local.len() == 1 || local == "na") && domain.split('.').next() == Some(local))
        }),
        Normaliser::E164 => is_filler(&word),
        Normaliser::Trim | Normaliser::Lower | Normaliser::Digits => false,
    }
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
        ] {
            assert!(is_placeholder(value, Normaliser::Trim), "{value:?}");
        }
        for value in ["test@example.com", "noreply@shop.example", "null@null.com", "a@a.com", "TEST+1@x.org", "none"] {
            assert!(is_placeholder(value, Normaliser::Email), "{value:?}");
        }
        for value in ["0000000000", "+49 1111111", "+1 555 555 5555", "9999999999", "unknown", "+000"] {
            assert!(is_placeholder(value, Normaliser::E164), "{value:?}");
        }
    }

    #[test]
    fn what_somebody_may_bear_is_none() {
        for value in ["1", "10", "100000", "11111", "user-0", "Nulliver", "u-2", "K-1", "nan-cy", "f"] {
            assert!(!is_placeholder(value, Normaliser::Trim), "{value:?}");
        }
        for value in ["anna@example.com", "a@example.com", "info@shop.example", "contest@example.com", "a.b@b.org"] {
            assert!(!is_placeholder(value, Normaliser::Email), "{value:?}");
        }
        for value in ["+4930123456", "+15551234567", "030 123456", "+442079460958", "+12025550123", "+49301000000"] {
            assert!(!is_placeholder(value, Normaliser::E164), "{value:?}");
        }
    }
}
