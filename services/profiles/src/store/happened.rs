//! What conditions read of interactions, a subject's in one row: a history of thousands is read for each change of its
//! customer, and a row for each of them would cost more than all that is made of it.

use std::collections::BTreeMap;

use rapport_data::{Engine, Rx, Stored as _};
use rapport_kernel::{Currency, Fault, Money, SubjectId, Timestamp};
use sea_orm::Value;
use serde::Deserialize;
use uuid::Uuid;

use super::{CHUNK, marks, rows};
use crate::domain::happened::{Event, Occurrence};
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

/// The newest that happened to subjects: of some types, or of all; as recorded by an instant, if one is given.
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
    let (pack, group, json) = match rx.engine() {
        Engine::Sqlite => ("json_array", "json_group_array", "json"),
        Engine::Postgres => ("json_build_array", "json_agg", "CAST"),
    };
    // Most have none, and what is there is JSON already.
    let attributes = match rx.engine() {
        Engine::Sqlite => format!("CASE WHEN attributes = '{{}}' THEN NULL ELSE {json}(attributes) END"),
        Engine::Postgres => format!("CASE WHEN attributes = '{{}}' THEN NULL ELSE {json}(attributes AS json) END"),
    };
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
        let mut which = format!("tenant = $1 AND subject_id IN ({})", marks(2, some.len()));
        values.extend(some.iter().map(|subject| Value::from(subject.uuid())));
        if let Some(kinds) = kinds {
            which.push_str(&format!(" AND kind IN ({})", marks(values.len() + 1, kinds.len())));
            values.extend(kinds.iter().map(|kind| Value::from(kind.clone())));
        }
        if let Some(by) = recorded_by {
            values.push(by.micros().into());
            which.push_str(&format!(" AND recorded_at <= ${}", values.len()));
        }
        let text = format!(
            "SELECT subject_id, CAST({group}({pack}({COLUMNS}, {attributes})) AS TEXT) FROM (SELECT subject_id, {COLUMNS}, \
             attributes FROM interaction WHERE {which} ORDER BY occurred_at DESC, interaction_id DESC LIMIT {limit}) newest \
             GROUP BY subject_id"
        );
        for row in rows(rx, &text, values).await? {
            let subject = SubjectId::from_uuid(row.try_get_by_index::<Uuid>(0).stored()?);
            let packed = row.try_get_by_index::<String>(1).stored()?;
            // serde's text could quote what it read: it is not passed on.
            let packed: Vec<Packed> =
                serde_json::from_str(&packed).map_err(|_| Fault::internal("a stored interaction cannot be read"))?;
            for one in packed {
                found.push((subject, happened(one)?));
            }
        }
    }
    Ok(found)
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
