//! Values of traits and of the contact's context.

use std::collections::BTreeMap;

use rapport_api::common::v1::{TextList, Value, value::Kind};
use rapport_kernel::Fault;

use super::{instant, time};
use crate::domain::Datum;

/// Checked values by name. One without a kind, which a newer version may have made, is passed over.
///
/// # Errors
/// INTERNAL where an instant was not checked before.
pub fn parse(values: BTreeMap<String, Value>) -> Result<BTreeMap<String, Datum>, Fault> {
    let mut data = BTreeMap::new();
    for (name, value) in values {
        let datum = match value.kind {
            Some(Kind::BoolValue(value)) => Datum::Bool(value),
            Some(Kind::NumberValue(value)) => Datum::Number(value),
            Some(Kind::TextValue(text)) => Datum::Text(text),
            Some(Kind::TimeValue(at)) => match instant(Some(&at))? {
                Some(at) => Datum::Time(at),
                None => continue,
            },
            Some(Kind::ListValue(list)) => Datum::Texts(list.values),
            None => continue,
        };
        data.insert(name, datum);
    }
    Ok(data)
}

/// Values as the contract has them.
#[must_use]
pub fn render(data: &BTreeMap<String, Datum>) -> BTreeMap<String, Value> {
    let value = |datum: &Datum| match datum {
        Datum::Bool(value) => Kind::BoolValue(*value),
        Datum::Number(value) => Kind::NumberValue(*value),
        Datum::Text(text) => Kind::TextValue(text.clone()),
        Datum::Time(at) => Kind::TimeValue(time(*at).unwrap_or_default()),
        Datum::Texts(texts) => Kind::ListValue(TextList { values: texts.clone() }),
    };
    data.iter().map(|(name, datum)| (name.clone(), Value { kind: Some(value(datum)) })).collect()
}
