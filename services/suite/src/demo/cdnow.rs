//! The demo's purchases: CDNOW, 69,659 real ones of 23,570 real customers, compiled in. Origin and licence:
//! `tests/real/cdnow`.

use chrono::NaiveDate;
use rapport_api::common::v1::{CustomerRef, Identifier, customer_ref};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::Interaction;

const FILE: &str = include_str!("../../../../tests/real/cdnow/CDNOW_master.txt");

/// The source name of the purchases.
pub const SOURCE: &str = "cdnow";
/// The namespace their customers are known in.
pub const NAMESPACE: &str = "customer_number";

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The line's number, from 1: the purchase has no other name.
    pub line: u32,
    /// The customer, as the file has it.
    pub customer: &'static str,
    /// The day.
    pub day: NaiveDate,
    /// Cents.
    pub cents: i64,
}

/// All purchases, in the file's order.
pub fn purchases() -> impl Iterator<Item = Purchase> {
    FILE.lines().skip(1).zip(1_u32..).filter_map(|(text, line)| parse(text, line))
}

fn parse(text: &'static str, line: u32) -> Option<Purchase> {
    let mut columns = text.split_ascii_whitespace();
    let customer = columns.next()?;
    let day = NaiveDate::parse_from_str(columns.next()?, "%Y%m%d").ok()?;
    let (dollars, cents) = columns.nth(1)?.split_once('.')?;
    Some(Purchase { line, customer, day, cents: dollars.parse::<i64>().ok()? * 100 + cents.parse::<i64>().ok()? })
}

/// Names a customer of the file.
pub fn customer(number: &str) -> CustomerRef {
    let identifier = Identifier { namespace: NAMESPACE.to_owned(), value: number.to_owned() };
    CustomerRef { r#ref: Some(customer_ref::Ref::Identifier(identifier)) }
}

/// A purchase as an interaction. The file has days only: noon UTC stands for the day.
pub fn interaction(purchase: Purchase) -> Interaction {
    let noon = purchase.day.and_hms_opt(12, 0, 0).map_or(0, |at| at.and_utc().timestamp());
    let nanos = i32::try_from(purchase.cents % 100 * 10_000_000).unwrap_or_default();
    Interaction {
        customer: Some(customer(purchase.customer)),
        source: SOURCE.to_owned(),
        external_id: format!("line-{}", purchase.line),
        version: 1,
        r#type: "purchase".to_owned(),
        channel: "web".to_owned(),
        stage: "purchase".to_owned(),
        product: "cd".to_owned(),
        occurred_at: Some(prost_types::Timestamp { seconds: noon, nanos: 0 }),
        value: Some(Money { currency_code: "USD".to_owned(), units: purchase.cents / 100, nanos }),
        ..Interaction::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_whole_file_is_read() {
        let all: Vec<_> = purchases().collect();
        assert_eq!(all.len(), 69_659);
        assert_eq!(all.iter().map(|purchase| purchase.customer).collect::<BTreeSet<_>>().len(), 23_570);
        assert_eq!(all[0].cents, 1_177);
    }
}
