//! What is masked by the word before it: the code on a card's back, PINs and one-time codes, passwords.

use super::{Span, digit, persian};

/// What the code on a card's back is called, in lower case; the longer of two that begin alike stands first.
const CARD_CODES: [&str; 18] = [
    "cvv2",
    "cvv",
    "cvc2",
    "cvc",
    "csc",
    "cvn",
    "card verification",
    "security code",
    "код безопасности",
    "код cvv",
    "цвв",
    "cod de securitate",
    "codul de securitate",
    "cod cvv",
    "کد امنیتی",
    "کد cvv",
    "سی وی وی",
    "رمز دوم",
];

/// What short secret numbers are called.
const CODES: [&str; 47] = [
    "pin",
    "pincode",
    "passcode",
    "otp",
    "one time code",
    "one-time code",
    "verification code",
    "confirmation code from sms",
    "sms code",
    "login code",
    "access code",
    "пин",
    "пинкод",
    "пин код",
    "пин-код",
    "пина",
    "пин-кода",
    "код из смс",
    "код из sms",
    "смс-код",
    "смс код",
    "sms-код",
    "код подтверждения",
    "код доступа",
    "одноразовый код",
    "одноразовый пароль",
    "pin-ul",
    "pinul",
    "codul pin",
    "cod pin",
    "cod de verificare",
    "codul de verificare",
    "cod de acces",
    "codul de acces",
    "codul otp",
    "codul sms",
    "codul din sms",
    "پین",
    "پین کد",
    "پینکد",
    "رمز اول",
    "رمز دوم",
    "رمز پویا",
    "رمز کارت",
    "رمز کارتم",
    "کد تایید",
    "کد یکبار مصرف",
];

/// What passwords and keys are called.
const PASSWORDS: [&str; 44] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pass phrase",
    "passcode",
    "pwd",
    "pass",
    "psw",
    "api key",
    "api-key",
    "apikey",
    "api_key",
    "secret key",
    "secret",
    "access key",
    "access token",
    "auth token",
    "token",
    "security answer",
    "пароль",
    "пароля",
    "паролем",
    "паролю",
    "пасс",
    "кодовое слово",
    "секретное слово",
    "ключ доступа",
    "токен",
    "parola",
    "parolă",
    "parolei",
    "parolele",
    "cheia secretă",
    "cheie api",
    "رمز",
    "رمزم",
    "رمز عبور",
    "رمز عبورم",
    "پسورد",
    "پسوردم",
    "گذرواژه",
    "کلمه عبور",
    "توکن",
];

/// Words that may stand between the word and its secret, and tell nothing.
const LINKS: [&str; 52] = [
    "is",
    "was",
    "are",
    "my",
    "the",
    "of",
    "for",
    "card",
    "code",
    "number",
    "no",
    "nr",
    "account",
    "here",
    "it",
    "этот",
    "это",
    "был",
    "была",
    "мой",
    "моя",
    "от",
    "карты",
    "карте",
    "моей",
    "код",
    "номер",
    "вот",
    "у",
    "меня",
    "такой",
    "este",
    "e",
    "era",
    "meu",
    "mea",
    "mele",
    "cardului",
    "card-ului",
    "codul",
    "contului",
    "numărul",
    "ul",
    "است",
    "هست",
    "بود",
    "من",
    "کارت",
    "کارتم",
    "ام",
    "م",
    "اینه",
];

/// Links at most.
const MOST_LINKS: usize = 4;

/// How far after its word the code of a card may stand: "is", a colon, "number".
const CODE_GAP: usize = 16;

/// The longest secret that is looked for, in characters.
const LONGEST: usize = 128;

pub(super) fn find(letters: &[(usize, char)], spans: &mut Vec<Span>) {
    for at in 0..letters.len() {
        let begins = letters[at].1.is_alphabetic() && (at == 0 || !letters[at - 1].1.is_alphanumeric());
        // What was masked before is no word for it.
        if !begins || (at > 0 && letters[at - 1].1 == '[') {
            continue;
        }
        let head = Head::read(letters, at);
        if let Some(after) = head.begins_with(&CARD_CODES) {
            card_code(letters, at + after, spans);
        }
        if let Some(after) = head.word(&CODES) {
            code(letters, at + after, spans);
        }
        if let Some(after) = head.word(&PASSWORDS) {
            password(letters, at + after, spans);
        }
    }
}

/// The longest word of the lists, in characters, and one to see where it ends.
const HEAD: usize = 28;

/// The next few characters in lower case, as the lists write them.
struct Head {
    letters: [char; HEAD],
    length: usize,
}

impl Head {
    fn read(letters: &[(usize, char)], from: usize) -> Head {
        let mut head = Head { letters: ['\0'; HEAD], length: 0 };
        for (slot, (_, letter)) in head.letters.iter_mut().zip(&letters[from..]) {
            let plain = persian(*letter);
            *slot = plain.to_lowercase().next().unwrap_or(plain);
            head.length += 1;
        }
        head
    }

    fn starts(&self, word: &str) -> Option<usize> {
        let mut count = 0;
        for letter in word.chars() {
            if count >= self.length || self.letters[count] != letter {
                return None;
            }
            count += 1;
        }
        Some(count)
    }

    /// Where the first of these that stands here ends.
    fn begins_with(&self, words: &[&str]) -> Option<usize> {
        words.iter().find_map(|word| self.starts(word))
    }

    /// Where the longest of these that stands here as a whole word ends.
    fn word(&self, words: &[&str]) -> Option<usize> {
        let ends = |count: &usize| *count >= self.length || !self.letters[*count].is_alphanumeric();
        words.iter().filter_map(|word| self.starts(word)).filter(ends).max()
    }
}

/// How many digits stand in a row.
fn digits(letters: &[(usize, char)]) -> usize {
    letters.iter().take_while(|(_, letter)| digit(*letter).is_some()).count()
}

fn card_code(letters: &[(usize, char)], after: usize, spans: &mut Vec<Span>) {
    let gap = letters[after..].iter().take(CODE_GAP + 1).position(|(_, letter)| digit(*letter).is_some());
    let Some(start) = gap.map(|gap| after + gap) else { return };
    let parted = letters[after..start].iter().any(|(_, letter)| matches!(letter, '.' | '!' | '?' | '؟' | '\n' | '['));
    let end = start + digits(&letters[start..]);
    let whole = letters.get(end).is_none_or(|(_, next)| !next.is_alphabetic());
    if !parted && whole && (3..=4).contains(&(end - start)) {
        spans.push(Span { start, end, word: "[cvv]" });
    }
}

/// Where the secret begins, and how it was led to.
struct Place {
    start: usize,
    /// A colon, an equals sign or a quotation mark stands before it: whatever follows is meant.
    pointed: bool,
    quote: Option<char>,
}

/// Goes over blanks, colons and the like and a few words that only lead on.
fn lead(letters: &[(usize, char)], after: usize) -> Option<Place> {
    let (mut at, mut pointed, mut quote, mut links, mut parted) = (after, false, None, 0, false);
    while let Some((_, letter)) = letters.get(at) {
        let closing = match letter {
            '"' => Some('"'),
            '\'' => Some('\''),
            '`' => Some('`'),
            '«' => Some('»'),
            '“' | '„' => Some('”'),
            _ => None,
        };
        match letter {
            ':' | '=' | '：' => (pointed, parted) = (true, true),
            '-' | '–' | '—' | '→' | '>' => parted = true,
            ' ' | '\t' | '\u{a0}' | '\u{200c}' => parted = true,
            _ if closing.is_some() => (quote, pointed) = (closing, true),
            _ => {
                if !parted && quote.is_none() {
                    return None;
                }
                let length = letters[at..].iter().take(16).take_while(|(_, letter)| letter.is_alphabetic()).count();
                let ends = letters.get(at + length).is_none_or(|(_, next)| matches!(next, ' ' | ':' | '=' | '\u{a0}'));
                let head = Head::read(letters, at);
                let is_link = length > 0 && ends && quote.is_none() && head.word(&LINKS) == Some(length);
                if !is_link || pointed || links == MOST_LINKS {
                    return Some(Place { start: at, pointed, quote });
                }
                links += 1;
                at += length;
                continue;
            }
        }
        at += 1;
        if at - after > 64 || quote.is_some() {
            break;
        }
    }
    letters.get(at).map(|_| Place { start: at, pointed, quote })
}

/// Four to eight digits that stand for themselves.
fn code(letters: &[(usize, char)], after: usize, spans: &mut Vec<Span>) {
    let Some(place) = lead(letters, after) else { return };
    let end = place.start + digits(&letters[place.start..]);
    let next = letters.get(end).map(|(_, next)| *next);
    let further = letters.get(end + 1).is_some_and(|(_, next)| next.is_alphanumeric());
    let whole = next.is_none_or(|next| {
        let joins = further && matches!(next, '-' | '/' | '.' | ':' | '_' | '‑' | '@');
        !(next.is_alphanumeric() || joins)
    });
    if whole && (4..=8).contains(&(end - place.start)) {
        spans.push(Span { start: place.start, end, word: "[secret]" });
    }
}

fn password(letters: &[(usize, char)], after: usize, spans: &mut Vec<Span>) {
    let Some(place) = lead(letters, after) else { return };
    let ends = |letter: char| match place.quote {
        Some(quote) => letter == quote || letter == '\n',
        None => letter.is_whitespace() || matches!(letter, ',' | ';' | '"' | '»' | '”' | '،' | '؛' | '[' | ']' | '<'),
    };
    let run = letters[place.start..].iter().take(LONGEST).take_while(|(_, letter)| !ends(*letter)).count();
    let mut end = place.start + run;
    // The sentence's own marks are not the secret's.
    while end > place.start && matches!(letters[end - 1].1, '.' | '!' | '?' | '؟' | ')' | ':' | '\'' | '…') {
        end -= 1;
    }
    let secret = &letters[place.start..end];
    let rest = &letters[end..];
    let alone = rest.iter().take_while(|(_, letter)| *letter != '\n').all(|(_, letter)| !letter.is_alphanumeric())
        || rest.first().is_some_and(|(_, next)| matches!(next, ',' | ';' | '،' | '؛' | '.' | '!'));
    if is_secret(secret, &place, alone) {
        spans.push(Span { start: place.start, end, word: "[secret]" });
    }
}

/// Whether it can be one: by a digit or a sign in it, or because it is pointed at and nothing else is said there.
fn is_secret(secret: &[(usize, char)], place: &Place, alone: bool) -> bool {
    let count = |is: fn(char) -> bool| secret.iter().filter(|(_, letter)| is(*letter)).count();
    let (digits, letters) = (count(|letter| digit(letter).is_some()), count(char::is_alphabetic));
    let inner = secret.len().saturating_sub(2);
    let signs = secret.iter().skip(1).take(inner).filter(|(_, letter)| "@#$%^&*!+~?|\\".contains(*letter)).count();
    let text: String = secret.iter().take(8).map(|(_, letter)| letter.to_ascii_lowercase()).collect();
    if secret.len() < 3 || text.starts_with("http") {
        return false;
    }
    // "15min", "24h", "2fa": a count with its unit.
    let unit = secret.iter().position(|(_, letter)| digit(*letter).is_none()).unwrap_or(0);
    let counted =
        (1..=3).contains(&unit) && secret.len() - unit <= 5 && secret[unit..].iter().all(|(_, l)| l.is_alphabetic());
    let telling = (digits > 0 && letters > 0 && !counted && secret.len() > 4)
        || (signs > 0 && letters + digits > 2)
        || (letters == 0 && digits >= 4 && digits == secret.len());
    let quoted = place.quote.is_some() && !secret.iter().any(|(_, letter)| letter.is_whitespace());
    telling || (place.pointed && (digits > 0 || quoted || alone))
}
