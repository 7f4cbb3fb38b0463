//! Plain JSON and texts of cells as the contract's values.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use prost_types::Timestamp;
use rapport_api::common::v1::{TextList, Value, value::Kind};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::TraitType;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::Wrong;
use super::lines::Content;

/// The object that a line of JSON is. No object in it may say one key twice: nothing would tell which of the two is meant.
pub fn object(content: &Content) -> Result<Map<String, Json>, Wrong> {
    let Content::Json(text) = content else { return Err(Wrong::one("line", "must be an object of JSON")) };
    let parsed: Parsed = serde_json::from_str(text).map_err(|why| {
        // Its own text may quote the line.
        Wrong::one("line", format!("must be an object of JSON: it is wrong at column {}", why.column()))
    })?;
    let mut twice = Wrong::default();
    let json = parsed.json("", &mut twice);
    match json {
        _ if !twice.0.is_empty() => Err(twice),
        Json::Object(object) => Ok(object),
        _ => Err(Wrong::one("line", "must be an object of JSON")),
    }
}

/// JSON with all the keys of its objects, as they stand.
enum Parsed {
    Plain(Json),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Parsed {
    /// As the JSON that it is; the keys that an object says twice are wrong.
    fn json(self, path: &str, twice: &mut Wrong) -> Json {
        match self {
            Self::Plain(json) => json,
            Self::List(items) => Json::Array(
                items.into_iter().enumerate().map(|(at, it)| it.json(&format!("{path}[{at}]"), twice)).collect(),
            ),
            Self::Object(parts) => {
                let mut object = Map::new();
                for (key, part) in parts {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let json = part.json(&path, twice);
                    if object.insert(key, json).is_some() && !twice.0.iter().any(|(known, _)| *known == path) {
                        twice.0.push((path, "is there twice: say it once".to_owned()));
                    }
                }
                Json::Object(object)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfParsed)
    }
}

struct OfParsed;

impl<'de> Visitor<'de> for OfParsed {
    type Value = Parsed;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Plain(Json::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Plain(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Plain(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Parsed, E> {
        Ok(Parsed::Plain(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Plain(value.into()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Parsed, E> {
        Ok(Parsed::Plain(value.into()))
    }
    fn visit_string<E>(self, value: String) -> Result<Parsed, E> {
        Ok(Parsed::Plain(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parsed, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            found.push(item);
        }
        Ok(Parsed::List(found))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Parsed, A::Error> {
        let mut found = Vec::new();
        while let Some(part) = parts.next_entry()? {
            found.push(part);
        }
        Ok(Parsed::Object(found))
    }
}

/// A text of JSON: of a number as well, as ids often are.
pub fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// An instant: RFC 3339, a date, or seconds or milliseconds since 1970.
pub fn instant(json: &Json) -> Option<Timestamp> {
    let of = |at: DateTime<chrono::Utc>| {
        let nanos = i32::try_from(at.timestamp_subsec_nanos()).ok()?;
        Some(Timestamp { seconds: at.timestamp(), nanos: nanos.min(999_999_999) })
    };
    match json {
        Json::String(text) => {
            let text = text.trim();
            if let Ok(at) = DateTime::parse_from_rfc3339(text) {
                return of(at.to_utc());
            }
            for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
                if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
                    return of(at.and_utc());
                }
            }
            if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                return of(day.and_hms_opt(0, 0, 0)?.and_utc());
            }
            text.parse::<i64>().ok().and_then(epoch)
        }
        Json::Number(number) => number.as_i64().and_then(epoch),
        _ => None,
    }
}

/// Seconds since 1970, or, from 1973 on as milliseconds, those.
fn epoch(number: i64) -> Option<Timestamp> {
    if (-100_000_000_000..100_000_000_000).contains(&number) {
        return Some(Timestamp { seconds: number, nanos: 0 });
    }
    let nanos = i32::try_from(number.rem_euclid(1_000) * 1_000_000).ok()?;
    Some(Timestamp { seconds: number.div_euclid(1_000), nanos })
}

/// An amount of a currency, exact to a millionth; `None` where it is no number.
pub fn money(json: &Json, currency: &str) -> Option<Money> {
    let text = text(json)?;
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (units, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || !plain(units) || !plain(rest) || (units.is_empty() && rest.is_empty()) {
        // As 1e3, or what a program computed.
        let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite() && number.abs() < 9e12)?;
        return money(&Json::String(format!("{number:.6}")), currency);
    }
    let micros: String = rest.chars().chain("000000".chars()).take(6).collect();
    let nanos = sign * micros.parse::<i32>().ok()? * 1_000;
    let units = i64::from(sign) * if units.is_empty() { 0 } else { units.parse::<i64>().ok()? };
    Some(Money { currency_code: currency.trim().to_ascii_uppercase(), units, nanos })
}

/// A value, of a type or as the JSON has it; else what it must be.
pub fn value(json: &Json, kind: Option<TraitType>) -> Result<Value, &'static str> {
    let kind = match (kind, json) {
        (Some(TraitType::Unspecified) | None, Json::Object(object)) => return typed(object),
        (Some(TraitType::Unspecified) | None, Json::Bool(_)) => TraitType::Bool,
        (Some(TraitType::Unspecified) | None, Json::Number(_)) => TraitType::Number,
        (Some(TraitType::Unspecified) | None, Json::Array(_)) => TraitType::List,
        (Some(TraitType::Unspecified) | None, _) => TraitType::Text,
        (Some(kind), _) => kind,
    };
    let made = match kind {
        TraitType::Bool => truth(json).map(Kind::BoolValue).ok_or("must be true or false"),
        TraitType::Number => number(json).map(Kind::NumberValue).ok_or("must be a number"),
        TraitType::Time => instant(json).map(Kind::TimeValue).ok_or("must be an instant, as 2024-05-01T12:00:00Z"),
        TraitType::List => list(json).map(Kind::ListValue).ok_or("must be texts, in a cell with | between them"),
        TraitType::Text | TraitType::Unspecified => text(json).map(Kind::TextValue).ok_or("must be a text"),
    };
    Ok(Value { kind: Some(made?) })
}

/// A value as the contract's JSON has it.
fn typed(object: &Map<String, Json>) -> Result<Value, &'static str> {
    const MUST: &str = "must be a plain value, or one of textValue, numberValue, boolValue, timeValue, listValue";
    let (name, json) = object.iter().next().filter(|_| object.len() == 1).ok_or(MUST)?;
    match name.as_str() {
        "textValue" | "text_value" => value(json, Some(TraitType::Text)),
        "numberValue" | "number_value" => value(json, Some(TraitType::Number)),
        "boolValue" | "bool_value" => value(json, Some(TraitType::Bool)),
        "timeValue" | "time_value" => value(json, Some(TraitType::Time)),
        "listValue" | "list_value" => value(json.get("values").unwrap_or(json), Some(TraitType::List)),
        _ => Err(MUST),
    }
}

fn number(json: &Json) -> Option<f64> {
    let number = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// True or false, as people write it.
pub fn truth(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(value) => Some(*value),
        Json::Number(number) => number.as_i64().filter(|number| (0..=1).contains(number)).map(|number| number == 1),
        Json::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" | "granted" | "consent_state_granted" => Some(true),
            "false" | "no" | "n" | "0" | "denied" | "consent_state_denied" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn list(json: &Json) -> Option<TextList> {
    let values = match json {
        Json::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>()?,
        Json::String(text) => text.split('|').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect(),
        _ => return None,
    };
    Some(TextList { values })
}

/// A name as the contract has them: lower case, words apart by `_`, beginning with a letter; `None` where nothing is left.
pub fn name(raw: &str) -> Option<String> {
    let mut name = String::with_capacity(raw.len() + 4);
    let mut before = None;
    for character in raw.chars() {
        if character.is_ascii_alphanumeric() {
            let hump = character.is_ascii_uppercase()
                && before.is_some_and(|it: char| it.is_ascii_lowercase() || it.is_ascii_digit());
            if hump {
                name.push('_');
            }
            name.push(character.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        before = Some(character);
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "n_");
    }
    name.truncate(64);
    let name = name.trim_end_matches('_');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_brought_to_one_form() {
        for (raw, wanted) in [
            ("firstName", "first_name"),
            ("Order Completed", "order_completed"),
            ("product_id", "product_id"),
            ("  SKU ", "sku"),
            ("2fa", "n_2fa"),
            ("a--b..c", "a_b_c"),
        ] {
            assert_eq!(name(raw).as_deref(), Some(wanted), "{raw}");
        }
        assert_eq!((name("—"), name("")), (None, None));
    }

    #[test]
    fn a_key_that_is_there_twice_is_named_with_where_it_is() {
        let read = |text: &str| object(&Content::Json(text.to_owned()));
        let sound = r#"{"a":[1,-2,2.5,"x\u00e9",null,true,{"k":{}}],"b":{"a":1},"c":18446744073709551615}"#;
        assert_eq!(read(sound).map(Json::Object), Ok(serde_json::from_str(sound).expect("JSON")));
        let text = r#"{"external_id":"1","traits":{"dup":1,"dup":2,"dup":3},"list":[{},{"k":"x","k":"x"}]}"#;
        let wrong = read(text).expect_err("twice");
        let fields: Vec<&str> = wrong.0.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["traits.dup", "list[1].k"]);
        assert!(read("{\"a\":1").expect_err("no JSON").0[0].1.contains("column 6"));
    }

    #[test]
    fn amounts_are_exact() {
        let parts = |json: Json| money(&json, "eur").map(|it| (it.currency_code, it.units, it.nanos));
        assert_eq!(parts(json!("-12.5")), Some(("EUR".to_owned(), -12, -500_000_000)));
        assert_eq!(parts(json!(19.99)), Some(("EUR".to_owned(), 19, 990_000_000)));
        assert_eq!(parts(json!("-0.05")), Some(("EUR".to_owned(), 0, -50_000_000)));
        assert_eq!((parts(json!("x")), parts(json!("")), parts(json!("1,5"))), (None, None, None));
    }

    #[test]
    fn instants_are_read_as_they_are_written() {
        let seconds = |json: Json| instant(&json).map(|at| (at.seconds, at.nanos));
        let noon = Some((1_714_564_800, 0));
        for json in [json!("2024-05-01T12:00:00Z"), json!("2024-05-01T14:00:00+02:00"), json!("2024-05-01 12:00:00")] {
            assert_eq!(seconds(json), noon);
        }
        assert_eq!((seconds(json!(1_714_564_800)), seconds(json!("1714564800000"))), (noon, noon));
        assert_eq!(seconds(json!("2024-05-01")), Some((1_714_521_600, 0)));
        assert_eq!((seconds(json!("01.05.2024")), seconds(json!(null))), (None, None));
    }
}
