//! How the golden files write types and values: `{"int": "5"}`, `{"list": […]}`, and so on.

use std::collections::BTreeMap;

use rapport_conditions::{Owned, Timestamp, Type};
use serde_json::{Value as Json, json};

/// A type: its name, or `["list", element]`, or `["map", value]`.
pub fn kind(json: &Json) -> Type {
    match json {
        Json::String(name) => match name.as_str() {
            "dyn" => Type::Dyn,
            "bool" => Type::Bool,
            "int" => Type::Int,
            "double" => Type::Double,
            "string" => Type::String,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            other => panic!("{other} is no type"),
        },
        Json::Array(parts) if parts[0] == "list" => Type::list(kind(&parts[1])),
        Json::Array(parts) if parts[0] == "map" => Type::map(kind(&parts[1])),
        other => panic!("{other} is no type"),
    }
}

/// A value from its golden form.
pub fn value(json: &Json) -> Owned {
    let (kind, inner) = json.as_object().and_then(|object| object.iter().next()).expect("one kind and its value");
    let number = || inner.as_str().and_then(|text| text.parse::<i64>().ok()).expect("a number in quotes");
    match kind.as_str() {
        "null" => Owned::Null,
        "bool" => Owned::Bool(inner.as_bool().expect("a bool")),
        "int" => Owned::Int(number()),
        "double" => Owned::Double(inner.as_str().and_then(|text| text.parse().ok()).expect("a double in quotes")),
        "string" => Owned::from(inner.as_str().expect("a string")),
        "timestamp" => Owned::Timestamp(Timestamp::from_micros(number()).expect("in range")),
        "duration" => Owned::Duration(number()),
        "list" => Owned::List(inner.as_array().expect("a list").iter().map(value).collect()),
        "map" => {
            let entries = inner.as_array().expect("entries").iter();
            Owned::Map(entries.map(|entry| (entry[0].as_str().expect("a key").to_owned(), value(&entry[1]))).collect())
        }
        other => panic!("{other} is no kind"),
    }
}

/// The golden form of a value.
pub fn json(value: &Owned) -> Json {
    match value {
        Owned::Null => json!({ "null": null }),
        Owned::Bool(value) => json!({ "bool": value }),
        Owned::Int(value) => json!({ "int": value.to_string() }),
        Owned::Double(value) => json!({ "double": value.to_string() }),
        Owned::String(text) => json!({ "string": text }),
        Owned::Timestamp(at) => json!({ "timestamp": at.micros().to_string() }),
        Owned::Duration(micros) => json!({ "duration": micros.to_string() }),
        Owned::List(list) => json!({ "list": list.iter().map(json).collect::<Vec<_>>() }),
        Owned::Map(map) => json!({ "map": entries(map) }),
        Owned::Object(fields) => {
            json!({ "object": fields.iter().map(|field| field.as_ref().map(json)).collect::<Vec<_>>() })
        }
    }
}

fn entries(map: &BTreeMap<String, Owned>) -> Vec<Json> {
    map.iter().map(|(key, value)| json!([key, json(value)])).collect()
}

/// Whether two values are the same as CEL's conformance tests see it: numbers of one kind, NaN like NaN.
pub fn same(left: &Owned, right: &Owned) -> bool {
    match (left, right) {
        (Owned::Double(left), Owned::Double(right)) => left == right || (left.is_nan() && right.is_nan()),
        (Owned::List(left), Owned::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Owned::Map(left), Owned::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| left.0 == right.0 && same(left.1, right.1))
        }
        _ => left == right,
    }
}
