//! Money: an exact amount in one currency. Amounts in different currencies cannot be added.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An ISO 4217 code: three capital letters. Which codes exist is not checked: they change, and a new currency must
/// not wait for a release.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Why a text or an amount is not money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("a currency is three capital letters (ISO 4217), as EUR")]
    Currency,
    /// `units` and `nanos` differ in sign, or `nanos` is a whole unit or more.
    #[error("units and nanos must have the same sign, and nanos must lie within ±999,999,999")]
    Sign,
    /// Finer than a millionth of a unit.
    #[error("amounts are kept to a millionth of a unit: nanos must be a multiple of 1,000")]
    Precision,
    /// Beyond ±9,000,000,000,000 units.
    #[error("amounts lie within ±9,000,000,000,000 units")]
    Range,
}

impl Currency {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters")
    }
}
impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::Currency),
        }
    }
}
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An exact amount: millionths of a unit of its currency, which both engines add without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The currency.
    pub currency: Currency,
    /// Millionths of a unit.
    pub micros: i64,
}

impl Money {
    const MAX_UNITS: i64 = 9_000_000_000_000;

    /// From `google.type.Money`'s parts.
    ///
    /// # Errors
    /// Where the parts disagree in sign, are too fine or too large.
    pub fn from_parts(currency: &str, units: i64, nanos: i32) -> Result<Self, MoneyError> {
        let currency = currency.parse()?;
        if (units > 0 && nanos < 0) || (units < 0 && nanos > 0) || nanos.unsigned_abs() > 999_999_999 {
            return Err(MoneyError::Sign);
        }
        if nanos % 1_000 != 0 {
            return Err(MoneyError::Precision);
        }
        if units.checked_abs().is_none_or(|units| units > Self::MAX_UNITS) {
            return Err(MoneyError::Range);
        }
        Ok(Self { currency, micros: units * 1_000_000 + i64::from(nanos / 1_000) })
    }

    /// Whole units and nanos, of one sign.
    #[must_use]
    pub fn parts(self) -> (i64, i32) {
        let nanos = i32::try_from(self.micros % 1_000_000 * 1_000).expect("below 10^9");
        (self.micros / 1_000_000, nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_round_trip(micros in -9_000_000_000_000_000_000_i64..=9_000_000_000_000_000_000) {
            let money = Money { currency: Currency(*b"EUR"), micros };
            let (units, nanos) = money.parts();
            prop_assert_eq!(Money::from_parts("EUR", units, nanos), Ok(money));
        }
    }

    #[test]
    fn parts_of_different_sign_are_refused() {
        assert_eq!(Money::from_parts("EUR", 1, -5_000), Err(MoneyError::Sign));
        assert_eq!(Money::from_parts("eur", 1, 0), Err(MoneyError::Currency));
        assert_eq!(Money::from_parts("EUR", 1, 1), Err(MoneyError::Precision));
        assert_eq!(Money::from_parts("EUR", i64::MIN, 0), Err(MoneyError::Range));
        assert_eq!(Money::from_parts("EUR", 0, i32::MIN), Err(MoneyError::Sign));
    }
}
