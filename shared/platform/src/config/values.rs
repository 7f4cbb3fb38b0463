//! Values of the configuration that are more than plain numbers and texts: times, secrets, addresses with secrets.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rapport_kernel::Private;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands in the place of a secret.
pub const REDACTED: &str = "‹secret›";

/// A length of time, written as a number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// Milliseconds.
    #[must_use]
    pub const fn millis(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }
    /// Seconds.
    #[must_use]
    pub const fn secs(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }
    /// As the standard library's type.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(at);
        let unit = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        let millis = count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit)).filter(|_| unit > 0);
        millis.map(Self::millis).ok_or_else(|| format!("{text:?} is no length of time: write 250ms, 5s, 2m, 1h or 7d"))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
            if millis >= unit && millis.is_multiple_of(unit) {
                return write!(f, "{}{name}", millis / unit);
            }
        }
        write!(f, "{millis}ms")
    }
}
impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A secret text: it can be used, but neither printed nor written back.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Private<String>);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Private::new(text.into()))
    }
    /// The secret itself, for whoever needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The address of a database or a broker, as `postgres://user:password@host/name`. Printed without what is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Private<String>);

impl Address {
    /// Wraps an address.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Private::new(text.into()))
    }
    /// The address with its secrets, for whoever connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.expose();
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        let separator = if scheme.is_empty() { "" } else { "://" };
        // A query may hold a password as well (`?password=…`).
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let query = query.map_or(String::new(), |_| format!("?{REDACTED}"));
        match rest.rsplit_once('@') {
            None => write!(f, "{scheme}{separator}{rest}{query}"),
            Some((user, host)) => {
                let (user, colon) = user.split_once(':').map_or((user, ""), |(user, _)| (user, ":"));
                let password = if colon.is_empty() { "" } else { REDACTED };
                write!(f, "{scheme}{separator}{user}{colon}{password}@{host}{query}")
            }
        }
    }
}
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_survives_its_text_form() {
        for text in ["250ms", "5s", "2m", "1h", "7d", "0ms"] {
            assert_eq!(text.parse::<Period>().expect(text).to_string(), text);
        }
        for text in ["", "5", "s", "-1s", "5 parsecs", "99999999999999999999s"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_secret_is_not_printed() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret} {secret:?} {}", serde_json::to_string(&secret).expect("text")).contains("hunter2"));
        for (address, printed) in [
            (
                "postgres://anna:hunter2@db:5432/profiles?password=hunter2",
                "postgres://anna:‹secret›@db:5432/profiles?‹secret›",
            ),
            ("redis://:hunter2@cache", "redis://:‹secret›@cache"),
            ("redis://cache:6379", "redis://cache:6379"),
            ("postgres://anna@db/x", "postgres://anna@db/x"),
        ] {
            assert_eq!(Address::new(address).to_string(), printed);
        }
    }
}
