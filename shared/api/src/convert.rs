//! Plain values of the kernel to and from the contract's forms. A refusal says what the field must be.

use std::fmt;

use rapport_kernel::money::MoneyError;
use rapport_kernel::{Money, Timestamp};

/// An instant as the contract has it.
#[must_use]
pub fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = at.parts();
    prost_types::Timestamp { seconds, nanos }
}

/// A received instant is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must lie between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z")
    }
}

/// A received instant, cut to microseconds.
///
/// # Errors
/// Where it is out of the contract's range.
pub fn instant(at: &prost_types::Timestamp) -> Result<Timestamp, OutOfRange> {
    Timestamp::from_parts(at.seconds, at.nanos).ok_or(OutOfRange)
}

/// An amount as the contract has it.
#[must_use]
pub fn money(money: Money) -> crate::google::r#type::Money {
    let (units, nanos) = money.parts();
    crate::google::r#type::Money { currency_code: money.currency.to_string(), units, nanos }
}

/// A received amount.
///
/// # Errors
/// Where it is no money, or finer than a millionth of a unit.
pub fn amount(money: &crate::google::r#type::Money) -> Result<Money, MoneyError> {
    Money::from_parts(&money.currency_code, money.units, money.nanos)
}

impl From<crate::profiles::v1::Interaction> for crate::profiles::v1::RecordInteractionsRequest {
    fn from(interaction: crate::profiles::v1::Interaction) -> Self {
        Self { item: Some(crate::profiles::v1::record_interactions_request::Item::Interaction(Box::new(interaction))) }
    }
}
