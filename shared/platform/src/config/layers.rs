//! The tree of a configuration's keys and values, onto which the layers are laid one by one.
//!
//! Its shape is the default's. An empty table in the default is open: its keys are names of the operator's choosing.

use std::collections::BTreeMap;

use config::{Map, Value as Typed, ValueKind};
use rapport_kernel::Fault;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Origin, refused};

/// Values by key; a table within a table is a section.
pub(super) struct Tree {
    root: Value,
    /// Dotted keys of the open tables.
    open: Vec<String>,
}

/// Whether `key` is `of`, or lies in the section `of`.
pub(super) fn is_at_or_below(key: &str, of: &str) -> bool {
    key.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn below(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

impl Tree {
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Fault> {
        let root = serde_json::to_value(value).map_err(Fault::internal)?;
        let mut open = Vec::new();
        find_open(&root, "", &mut open);
        Ok(Self { root, open })
    }

    /// Every key that holds a value, with the value as text.
    pub(super) fn leaves(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        gather(&self.root, "", &mut leaves);
        leaves
    }

    /// Lays a file's table over what is there.
    pub(super) fn merge(
        &mut self,
        table: &toml::Table,
        origin: &Origin,
        origins: &mut BTreeMap<String, Origin>,
    ) -> Result<(), Fault> {
        let mut found = Vec::new();
        flatten(table, "", &mut found);
        for (key, value) in found {
            let value = serde_json::to_value(value).map_err(Fault::internal)?;
            self.put(&key, value, origin, origins)?;
        }
        Ok(())
    }

    /// Sets one key from text: a list is written with commas.
    pub(super) fn set(
        &mut self,
        key: &str,
        text: &str,
        origin: &Origin,
        origins: &mut BTreeMap<String, Origin>,
    ) -> Result<(), Fault> {
        let listed = self.get(key).is_some_and(Value::is_array);
        let value = if listed {
            Value::Array(text.split(',').map(|item| Value::from(item.trim())).filter(|item| item != "").collect())
        } else {
            Value::from(text)
        };
        self.put(key, value, origin, origins)
    }

    /// The typed configuration; texts become numbers and truths where the type wants them.
    pub(super) fn into_value<T: DeserializeOwned>(self, origins: &BTreeMap<String, Origin>) -> Result<T, Fault> {
        let typed = typed(self.root, "", origins);
        typed.try_deserialize().map_err(|why| refused(format!("the configuration is not valid: {why}")))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        key.split('.').try_fold(&self.root, |at, part| at.get(part))
    }

    fn is_open(&self, key: &str) -> bool {
        self.open.iter().any(|open| open != key && is_at_or_below(key, open))
    }

    fn put(
        &mut self,
        key: &str,
        value: Value,
        origin: &Origin,
        origins: &mut BTreeMap<String, Origin>,
    ) -> Result<(), Fault> {
        let section = self.get(key).is_some_and(|at| at.is_object() && !self.open.iter().any(|open| open == key));
        if section && !value.is_object() {
            return Err(refused(format!("{origin}: {key} is a section, not a value")));
        }
        if self.get(key).is_none() && !self.is_open(key) {
            let nearest = self.nearest(key).map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default();
            return Err(refused(format!("{origin}: there is no key {key}{nearest}")));
        }
        let mut at = &mut self.root;
        for part in key.split('.') {
            if !at.is_object() {
                *at = Value::Object(serde_json::Map::new());
            }
            at = at.as_object_mut().expect("it was just made one").entry(part).or_insert(Value::Null);
        }
        *at = value;
        origins.retain(|of, _| !is_at_or_below(of, key));
        origins.insert(key.to_owned(), origin.clone());
        Ok(())
    }

    fn nearest(&self, key: &str) -> Option<String> {
        let known = self.leaves().into_iter().map(|(known, _)| known);
        let ranked = known.map(|known| (distance(&known, key), known)).min()?;
        (ranked.0 <= key.len().max(3) / 2).then_some(ranked.1)
    }
}

fn find_open(value: &Value, at: &str, open: &mut Vec<String>) {
    if let Value::Object(map) = value {
        if map.is_empty() {
            open.push(at.to_owned());
        }
        for (key, value) in map {
            find_open(value, &below(at, key), open);
        }
    }
}

fn gather(value: &Value, at: &str, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                gather(value, &below(at, key), leaves);
            }
        }
        Value::Null => leaves.push((at.to_owned(), "(not set)".to_owned())),
        other => leaves.push((at.to_owned(), other.to_string())),
    }
}

fn flatten<'a>(table: &'a toml::Table, at: &str, found: &mut Vec<(String, &'a toml::Value)>) {
    for (key, value) in table {
        let key = below(at, key);
        match value {
            toml::Value::Table(table) => flatten(table, &key, found),
            value => found.push((key, value)),
        }
    }
}

/// As the `config` crate's value, which converts texts by the type that asks, and names the origin in its errors.
fn typed(value: Value, at: &str, origins: &BTreeMap<String, Origin>) -> Typed {
    let origin = origins.get(at).map(ToString::to_string);
    let kind = match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(truth) => ValueKind::Boolean(truth),
        Value::String(text) => ValueKind::String(text),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => ValueKind::I64(number),
            (_, Some(number), _) => ValueKind::U64(number),
            (_, _, number) => ValueKind::Float(number.unwrap_or_default()),
        },
        Value::Array(items) => ValueKind::Array(items.into_iter().map(|item| typed(item, at, origins)).collect()),
        Value::Object(map) => {
            let entry = |(key, value): (String, Value)| {
                let value = typed(value, &below(at, &key), origins);
                (key, value)
            };
            ValueKind::Table(map.into_iter().map(entry).collect::<Map<_, _>>())
        }
    };
    Typed::new(origin.as_ref(), kind)
}

/// Levenshtein's distance: how many letters to add, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let change = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
