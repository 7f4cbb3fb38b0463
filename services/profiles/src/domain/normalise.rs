//! Brings identifiers to one form, so that equal things compare equal. A refusal says what would be right, never what
//! was given.

use phonenumber::country;
use phonenumber::metadata::DATABASE;

/// The region in which telephone numbers without `+` are read.
pub type Region = country::Id;

/// Cuts outer white space.
pub fn trim(value: &str) -> Result<String, &'static str> {
    match value.trim() {
        "" => Err("must hold more than white space"),
        text => Ok(text.to_owned()),
    }
}

/// Cuts outer white space, and makes letters lower case.
pub fn lower(value: &str) -> Result<String, &'static str> {
    Ok(trim(value)?.to_lowercase())
}

/// Digits and signs as ASCII has them: numbers are also typed with the digits of Arabic, Persian and of full width, and
/// pasted with marks that say in which direction they read.
fn plain(value: &str) -> String {
    let digit = |c: char, zero: u32| char::from_digit(u32::from(c).wrapping_sub(zero), 10);
    let plain = |c: char| match c {
        '\u{660}'..='\u{669}' => digit(c, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(c, 0x6f0),
        '\u{ff10}'..='\u{ff19}' => digit(c, 0xff10),
        '\u{ff0b}' => Some('+'),
        '\u{2010}'..='\u{2013}' | '\u{2212}' => Some('-'),
        '\u{2007}' | '\u{2009}' | '\u{202f}' => Some(' '),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' => None,
        _ => Some(c),
    };
    value.chars().filter_map(plain).collect()
}

/// Keeps nothing but the digits.
pub fn digits(value: &str) -> Result<String, &'static str> {
    let digits: String = plain(value).chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { Err("must hold a digit") } else { Ok(digits) }
}

/// An e-mail address in lower case with its domain in ASCII. The local part is RFC 5322's dot-atom without its rule on
/// dots, which real providers break; quoted local parts and bare host names are refused.
pub fn email(value: &str) -> Result<String, &'static str> {
    const FORM: &str = "must be an e-mail address, as anna@example.com";
    let (local, domain) = value.trim().rsplit_once('@').ok_or(FORM)?;
    let local = local.to_lowercase();
    let sensible = |c: char| {
        if c.is_ascii() { c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c) } else { c.is_alphanumeric() }
    };
    if local.is_empty() || local.len() > 64 || !local.chars().all(sensible) {
        return Err(FORM);
    }
    let domain = idna::domain_to_ascii(domain).map_err(|_| FORM)?;
    let labels: Vec<&str> = domain.split('.').collect();
    let label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if labels.len() < 2
        || domain.len() > 253
        || !labels.iter().all(label)
        || labels.last().is_none_or(|top| numeric(top))
    {
        return Err(FORM);
    }
    Ok(format!("{local}@{domain}"))
}

/// A telephone number in E.164. What is accepted is a number of a length that exists under its country code: number
/// plans grow faster than tables of them.
pub fn phone(value: &str, region: Option<&Region>) -> Result<String, &'static str> {
    let plain = plain(value);
    let trimmed = plain.trim();
    // As links have it (RFC 3966).
    let number =
        trimmed.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("tel:")).map_or(trimmed, |_| &trimmed[4..]);
    let number = e164(number, region)?;
    // What a region's own prefixes leave may be no number of its plan: its form must stand for itself.
    if e164(&number, None).as_ref() == Ok(&number) { Ok(number) } else { Err(FORM) }
}

const FORM: &str = "must be a telephone number with its country code, as +4930123456";

fn e164(value: &str, region: Option<&Region>) -> Result<String, &'static str> {
    let text = value.trim();
    if text.len() > 40 || !text.chars().all(|c| c.is_ascii_digit() || "+ -./()\u{a0}".contains(c)) {
        return Err(FORM);
    }
    // A country code in brackets is one.
    let bracketed =
        text.strip_prefix("(+").and_then(|rest| rest.split_once(')')).map(|(code, rest)| format!("+{code} {rest}"));
    let text = bracketed.as_deref().unwrap_or(text);
    // `00` is the prefix for abroad of most countries, but not of all: without a region it says nothing.
    if !text.starts_with('+') && region.is_none() {
        return Err("must begin with + and the country code: no phone_region is configured for numbers without");
    }
    let number = phonenumber::parse(region.copied().filter(|_| !text.starts_with('+')), text).map_err(|_| FORM)?;
    let digits = number.national().to_string().len() + usize::from(number.national().zeros());
    let lengths = |meta: &&phonenumber::Metadata| {
        let plan = meta.descriptors();
        let kinds = [plan.fixed_line(), plan.mobile(), plan.toll_free(), plan.voip(), plan.uan()];
        let mut lengths = kinds.into_iter().flatten().flat_map(|kind| kind.possible_length());
        lengths.any(|length| usize::from(*length) == digits)
    };
    let possible = DATABASE.by_code(&number.code().value()).is_some_and(|metas| metas.iter().any(lengths));
    if possible || number.is_valid() {
        Ok(number.format().mode(phonenumber::Mode::E164).to_string())
    } else {
        Err(FORM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_email_address_is_brought_to_one_form() {
        assert_eq!(email("  Anna.Smith+shop@Example.COM "), Ok("anna.smith+shop@example.com".to_owned()));
        assert_eq!(email("anna@bücher.example"), Ok("anna@xn--bcher-kva.example".to_owned()));
    }

    #[test]
    fn what_is_no_email_address_is_refused() {
        for text in [
            "",
            "anna",
            "anna@",
            "@example.com",
            "anna@localhost",
            "a b@example.com",
            "a@b@c",
            "a@1.2.3.4",
            "a@-x.com",
            "a@x..com",
            "anna@example.com, bob@example.com",
        ] {
            assert!(email(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_telephone_number_is_brought_to_e164() {
        assert_eq!(phone("+49 (30) 123456", None), Ok("+4930123456".to_owned()));
        assert_eq!(phone("+1 202-555-0123", None), Ok("+12025550123".to_owned()));
        assert_eq!(phone("+1 555 123 4567", None), Ok("+15551234567".to_owned()));
        assert_eq!(phone("030 123456", Some(&Region::DE)), Ok("+4930123456".to_owned()));
        assert_eq!(phone("+44 20 7946 0958", Some(&Region::DE)), Ok("+442079460958".to_owned()));
        assert_eq!(phone("+39 06 1234 5678", None), Ok("+390612345678".to_owned()));
        assert_eq!(phone("(+371) 2912 3456", None), Ok("+37129123456".to_owned()));
        assert_eq!(phone("tel:+371-2912-3456", Some(&Region::US)), Ok("+37129123456".to_owned()));
        assert_eq!(phone("Tel:030 123456", Some(&Region::DE)), Ok("+4930123456".to_owned()));
    }

    #[test]
    fn numbers_may_be_typed_with_other_digits_and_pasted_with_marks() {
        let iran = Ok("+989123456789".to_owned());
        assert_eq!(
            phone("+\u{6f9}\u{6f8} \u{6f9}\u{6f1}\u{6f2} \u{6f3}\u{6f4}\u{6f5} \u{6f6}\u{6f7}\u{6f8}\u{6f9}", None),
            iran
        );
        assert_eq!(
            phone("\u{660}\u{669}\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}\u{669}", Some(&Region::IR)),
            iran
        );
        assert_eq!(phone("\u{202a}+49\u{2011}30\u{202f}123456\u{202c}", None), Ok("+4930123456".to_owned()));
        assert_eq!(phone("\u{ff0b}\u{ff14}\u{ff19}30123456", None), Ok("+4930123456".to_owned()));
        assert_eq!(digits("\u{6f1}\u{6f2}-\u{663}"), Ok("123".to_owned()));
    }

    #[test]
    fn what_is_no_telephone_number_is_refused() {
        for text in ["", "+", "call me", "+123", "+999123456789", "+49", "+1202555012345678", "12345 ext 7"] {
            assert!(phone(text, None).is_err(), "{text}");
        }
        assert!(phone("030 123456", None).expect_err("no region").contains("phone_region"));
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic_and_their_answer_is_a_fixed_point(text in "\\PC{0,60}") {
            if let Ok(address) = email(&text) {
                prop_assert_eq!(email(&address), Ok(address.clone()));
            }
            let _ = phone(&text, Some(&Region::DE));
        }

        #[test]
        fn no_digits_make_the_phone_normaliser_panic(text in "\\+?[0-9 ().-]{0,24}") {
            for region in [None, Some(&Region::DE), Some(&Region::US), Some(&Region::IT)] {
                if let Ok(number) = phone(&text, region) {
                    prop_assert_eq!(phone(&number, region), Ok(number.clone()));
                }
            }
        }
    }
}
