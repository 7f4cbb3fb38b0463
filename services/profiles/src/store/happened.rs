//! What conditions read of interactions, a subject's in one row: a history of thousands is read for each change of its
//! customer, and a row for each of them would cost more than all that is made of it.

use std::collections::BTreeMap;

use rapport_data::{Engine, Rx, Stored as _};
use rapport_kernel::{Currency, Fault, Money, SubjectId, Timestamp};
use sea_orm::Value;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{CHUNK, marks, rows};
use crate::domain::happened::{Ends, Event, Occurrence};
use crate::domain::value;

/// An interaction as the database packs it.
#[derive(Deserialize)]
struct Packed(
    i64,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<BTreeMap<String, value::Value>>,
);

const COLUMNS: &str =
    "occurred_at, source, external_id, kind, channel, touchpoint, stage, product, amount_micros, currency";

/// Of so few subjects each is asked for by itself.
const FEW: usize = 8;

/// The newest that happened to subjects, at least so many of all together: of some types, or of all; as recorded by an instant,
/// if one is given.
///
/// # Errors
/// Where the database fails.
pub async fn newest(
    rx: &Rx,
    subjects: &[SubjectId],
    kinds: Option<&[String]>,
    recorded_by: Option<Timestamp>,
    limit: u64,
) -> Result<Vec<(SubjectId, Occurrence)>, Fault> {
    let mut found = Vec::new();
    // Of one subject they lie in order already; of many they are put in order, so that no more are read than are wanted.
    let size = if subjects.len() <= FEW { 1 } else { CHUNK };
    for some in subjects.chunks(size) {
        let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
        let mut which = match some.len() {
            1 => "tenant = $1 AND subject_id = $2".to_owned(),
            count => format!("tenant = $1 AND subject_id IN ({})", marks(2, count)),
        };
        values.extend(some.iter().map(|subject| Value::from(subject.uuid())));
        if let Some(kinds) = kinds {
            which.push_str(&format!(" AND kind IN ({})", marks(values.len() + 1, kinds.len())));
            values.extend(kinds.iter().map(|kind| Value::from(kind.clone())));
        }
        if let Some(by) = recorded_by {
            values.push(by.micros().into());
            which.push_str(&format!(" AND recorded_at <= ${}", values.len()));
        }
        let text = packing(rx.engine(), &which, some.len() == 1, limit);
        for row in rows(rx, &text, values).await? {
            // Of nothing Postgres makes nothing.
            let Some(packed) = row.try_get_by_index::<Option<String>>(0).stored()? else { continue };
            let subject = match some {
                [subject] => *subject,
                _ => SubjectId::from_uuid(row.try_get_by_index::<Uuid>(1).stored()?),
            };
            for one in unpacked::<Vec<Packed>>(&packed)? {
                found.push((subject, happened(one)?));
            }
        }
    }
    Ok(found)
}

/// How much there is of types of each subject, the first of each and the last.
///
/// # Errors
/// Where the database fails.
pub async fn ends(rx: &Rx, subjects: &[SubjectId], kinds: &[String]) -> Result<Vec<(SubjectId, Ends)>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
        values.extend(some.iter().map(|subject| Value::from(subject.uuid())));
        values.extend(kinds.iter().map(|kind| Value::from(kind.clone())));
        let text = counting(rx.engine(), &marks(2, some.len()), &marks(some.len() + 2, kinds.len()));
        for row in rows(rx, &text, values).await? {
            let subject = SubjectId::from_uuid(row.try_get_by_index::<Uuid>(0).stored()?);
            let count = usize::try_from(row.try_get_by_index::<i64>(1).stored()?).unwrap_or(usize::MAX);
            let mut edges = Vec::with_capacity(2);
            for at in (2..4).take(count) {
                edges.push(happened(unpacked(&row.try_get_by_index::<String>(at).stored()?)?)?);
            }
            found.push((subject, Ends { count, edges }));
        }
    }
    Ok(found)
}

/// The statement that counts by subject and type, and shows the first and the last in the order of a history. A subject's
/// rows lie together: they are gone through once to be counted, and the ends are sought.
fn counting(engine: Engine, subjects: &str, kinds: &str) -> String {
    let (pack, attributes) = (pack(engine), attributes(engine));
    let end = |at: &str, order: &str| {
        format!(
            "(SELECT CAST({pack}({COLUMNS}, {attributes}) AS TEXT) FROM interaction WHERE tenant = $1 AND subject_id = whose \
             AND kind = which AND occurred_at = {at} ORDER BY source {order}, external_id {order} LIMIT 1)"
        )
    };
    format!(
        "SELECT whose, count, {}, {} FROM \
         (SELECT subject_id AS whose, kind AS which, count(*) AS count, min(occurred_at) AS first, max(occurred_at) AS last \
         FROM interaction WHERE tenant = $1 AND subject_id IN ({subjects}) AND kind IN ({kinds}) \
         GROUP BY subject_id, kind) counted",
        end("first", "ASC"),
        end("last", "DESC")
    )
}

/// The statement that packs what a condition lets through; of one subject no subject is told.
fn packing(engine: Engine, which: &str, is_one: bool, limit: u64) -> String {
    let (pack, attributes) = (pack(engine), attributes(engine));
    let group = match engine {
        Engine::Sqlite => "json_group_array",
        Engine::Postgres => "json_agg",
    };
    let (whose, each) = if is_one { ("NULL", "") } else { ("subject_id", "GROUP BY subject_id") };
    format!(
        "SELECT CAST({group}({pack}({COLUMNS}, {attributes})) AS TEXT), {whose} \
         FROM (SELECT subject_id, {COLUMNS}, attributes FROM interaction WHERE {which} \
         ORDER BY occurred_at DESC, interaction_id DESC LIMIT {limit}) newest {each}"
    )
}

/// What makes one JSON of an interaction's columns.
const fn pack(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "json_array",
        Engine::Postgres => "json_build_array",
    }
}

/// The attributes as a part of it: most have none, and what is there is JSON already.
const fn attributes(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "CASE WHEN attributes = '{}' THEN NULL ELSE json(attributes) END",
        Engine::Postgres => "CASE WHEN attributes = '{}' THEN NULL ELSE attributes::json END",
    }
}

fn unpacked<T: DeserializeOwned>(packed: &str) -> Result<T, Fault> {
    // serde's text could quote what it read: it is not passed on.
    serde_json::from_str(packed).map_err(|_| Fault::internal("a stored interaction cannot be read"))
}

fn happened(packed: Packed) -> Result<Occurrence, Fault> {
    let Packed(at, source, external_id, kind, channel, touchpoint, stage, product, micros, currency, attributes) =
        packed;
    let currency = currency.as_deref().map(str::parse::<Currency>).transpose().map_err(Fault::internal)?;
    let value = micros.zip(currency).map(|(micros, currency)| Money { currency, micros });
    let (at, attributes) = (Timestamp::from_column(at), attributes.unwrap_or_default());
    let mut event = Event::worth(value);
    (event.kind, event.at, event.source, event.attributes) = (kind, at, source, attributes);
    (event.channel, event.touchpoint, event.stage, event.product) = (channel, touchpoint, stage, product);
    Ok(Occurrence { external_id, event })
}
