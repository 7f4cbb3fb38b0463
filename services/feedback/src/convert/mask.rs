//! What must not be stored is taken out of what callers send, here and nowhere else: whatever they can write freely goes
//! through one of these before it is a value of the domain. Ids, keys of other systems, conditions and the wording of
//! questionnaires, which the tenant publishes itself, stay as they are.
//!
//! A filter that compares with what is stored goes the same way.

use std::borrow::Cow;

use rapport_kernel::Private;

/// What somebody wrote.
pub(super) fn text(text: String) -> Private<String> {
    match rapport_text::mask(&text) {
        Cow::Borrowed(_) => Private::new(text),
        Cow::Owned(masked) => Private::new(masked),
    }
}

/// What a system or a person calls something: a product, an agent, a place, the value of a hidden field. Nothing but a
/// card's number is looked for in a word of letters and digits: it is a key. One of up to 14 digits, as goods are numbered
/// (GTIN), is one as well, though every tenth of them could be a card's.
pub(crate) fn name(text: String) -> String {
    if text.len() <= GTIN && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text;
    }
    match rapport_text::mask(&text) {
        Cow::Owned(masked) if masked.contains("[card]") || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            masked
        }
        Cow::Owned(_) | Cow::Borrowed(_) => text,
    }
}

/// Names of which each stands once.
pub(crate) fn names(all: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut masked: Vec<String> = Vec::new();
    for one in all.into_iter().map(name) {
        if !masked.contains(&one) {
            masked.push(one);
        }
    }
    masked
}

/// A tag: a mask's own brackets are none of its letters.
pub(super) fn tag(text: String) -> String {
    name(text).replace(['[', ']'], "")
}

/// An address. Its parts are looked at one by one, as they read when they are decoded; tokens and signatures in it stay,
/// for it would lead nowhere without them, and so does a number that begins with 1, as those of posts do and those of
/// cards do not.
pub(super) fn link(url: String) -> String {
    let mut masked = String::with_capacity(url.len());
    for part in url.split_inclusive(['/', '?', '&', '=', '#', ';']) {
        let (part, end) = part.split_at(part.trim_end_matches(['/', '?', '&', '=', '#', ';']).len());
        masked.push_str(&link_part(part));
        masked.push_str(end);
    }
    masked
}

fn link_part(part: &str) -> Cow<'_, str> {
    let is_post = part.starts_with('1') && part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = decoded(part);
    match rapport_text::mask(&plain) {
        Cow::Owned(masked) if !is_post && KEPT_IN_LINKS.iter().all(|word| !masked.contains(word)) => {
            Cow::Owned(masked.replace(' ', "%20"))
        }
        Cow::Owned(_) | Cow::Borrowed(_) => Cow::Borrowed(part),
    }
}

/// The longest number of a kind of goods.
const GTIN: usize = 14;

/// What an address is not broken for.
const KEPT_IN_LINKS: [&str; 2] = ["[secret]", "[cvv]"];

/// A part of an address without its percent signs; as it is where it does not read as text then.
fn decoded(part: &str) -> Cow<'_, str> {
    if !part.contains(['%', '+']) {
        return Cow::Borrowed(part);
    }
    let (bytes, mut plain, mut at) = (part.as_bytes(), Vec::with_capacity(part.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let code = part.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    String::from_utf8(plain).map_or(Cow::Borrowed(part), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{link, name, names, tag};

    #[rstest]
    #[case::card("4111111111111111", "[card]")]
    #[case::spaced("card 4111 1111 1111 1111", "card [card]")]
    #[case::persian("۴۱۱۱۱۱۱۱۱۱۱۱۱۱۱۱", "[card]")]
    #[case::goods("4006381333908", "4006381333908")]
    #[case::hexadecimal("9f86d081884c7d659a2feaa0c55ad015", "9f86d081884c7d659a2feaa0c55ad015")]
    #[case::mixed("aB3dEf6hIj9kLm2nOp5qRs8t", "aB3dEf6hIj9kLm2nOp5qRs8t")]
    #[case::glued("order4111111111111111", "order[card]")]
    #[case::plain("Ann Lee", "Ann Lee")]
    fn a_name_holds_no_card_and_a_key_stays(#[case] given: &str, #[case] kept: &str) {
        assert_eq!(name(given.to_owned()), kept);
    }

    #[test]
    fn names_that_a_mask_makes_equal_are_one() {
        let given = ["4111111111111111", "lamp", "5500005555555559"].map(str::to_owned);
        assert_eq!(names(given), ["[card]", "lamp"]);
    }

    #[test]
    fn a_masked_tag_is_a_tag() {
        assert_eq!(tag("paid-4111-1111-1111-1111".to_owned()), "paid-card");
        assert_eq!(tag("vip".to_owned()), "vip");
    }

    #[rstest]
    #[case::path("https://a.example/4111111111111111/x", "https://a.example/[card]/x")]
    #[case::file("https://a.example/scan-4111-1111-1111-1111.png", "https://a.example/scan-[card].png")]
    #[case::query("https://a.example/?q=4111+1111+1111+1111&p=2", "https://a.example/?q=[card]&p=2")]
    #[case::coded("https://a.example/my%204111%201111%201111%201111", "https://a.example/my%20[card]")]
    #[case::persian("https://a.example/%DB%B4۱۱۱ ۱۱۱۱ ۱۱۱۱ ۱۱۱۱", "https://a.example/[card]")]
    #[case::post("https://x.example/a/status/1234567890123456785", "https://x.example/a/status/1234567890123456785")]
    #[case::signed(
        "https://a.example/f?sig=aB3dEf6hIj9kLm2nOp5qRs8t",
        "https://a.example/f?sig=aB3dEf6hIj9kLm2nOp5qRs8t"
    )]
    #[case::odd("https://a.example/100%/%zz+", "https://a.example/100%/%zz+")]
    fn an_address_holds_no_card_and_leads_on(#[case] given: &str, #[case] kept: &str) {
        assert_eq!(link(given.to_owned()), kept);
    }
}
