//! Waves, and their members: each with what became of it, until the wave has ended.

use rapport_data::{Bulk, Column, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, OperationId, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, Value};
use uuid::Uuid;

use super::{due, list, sql};
use crate::domain::asking::{Fate, Wave, place};

/// How many subjects one statement asks for.
const CHUNK: usize = 500;

const MEMBERS: Bulk = Bulk {
    table: "wave_member",
    columns: &["tenant", "operation_id", "place", "customer_id", "fate"],
    suffix: "ON CONFLICT DO NOTHING",
};

/// Notes a wave; what is left of it is looked at from an instant on.
///
/// # Errors
/// As the database's.
pub async fn add(tx: &Tx, operation: OperationId, wave: &Wave, look_at: Timestamp) -> Result<(), Fault> {
    let text = "INSERT INTO wave (tenant, operation_id, survey_id, body) VALUES ($1, $2, $3, $4)";
    let body = serde_json::to_string(wave).map_err(Fault::internal)?;
    let values = vec![tx.tenant().uuid().into(), operation.uuid().into(), wave.survey.uuid().into(), body.into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored()?;
    due::set(tx, operation.uuid(), due::WAVE, Some(look_at)).await
}

/// A wave; none where its survey was deleted.
///
/// # Errors
/// As the database's.
pub async fn get(rx: &Rx, operation: OperationId) -> Result<Option<Wave>, Fault> {
    let text = "SELECT body FROM wave WHERE tenant = $1 AND operation_id = $2";
    let values = vec![rx.tenant().uuid().into(), operation.uuid().into()];
    let Some(row) = rx.conn().query_one_raw(sql(rx, text, values)).await.stored()? else { return Ok(None) };
    let body: String = row.try_get_by_index(0).stored()?;
    serde_json::from_str(&body).map(Some).map_err(|_| Fault::internal("a wave's row holds an unreadable body"))
}

/// Adds members, each once.
///
/// # Errors
/// As the database's.
pub async fn gather(tx: &Tx, operation: OperationId, members: &[CustomerId]) -> Result<(), Fault> {
    let columns = vec![
        Column::same_id(tx.tenant().uuid(), members.len()),
        Column::same_id(operation.uuid(), members.len()),
        Column::Numbers(members.iter().map(|member| place(operation, *member)).collect()),
        Column::Ids(members.iter().map(|member| member.uuid()).collect()),
        Column::Texts(vec![String::new(); members.len()]),
    ];
    MEMBERS.insert(tx.conn(), columns).await
}

/// How many members a wave has.
///
/// # Errors
/// As the database's.
pub async fn count(rx: &Rx, operation: OperationId) -> Result<u64, Fault> {
    let text = "SELECT COUNT(*) FROM wave_member WHERE tenant = $1 AND operation_id = $2";
    let values = vec![rx.tenant().uuid().into(), operation.uuid().into()];
    let row = rx.conn().query_one_raw(sql(rx, text, values)).await.stored()?;
    let row = row.ok_or_else(|| Fault::internal("a count counted nothing"))?;
    u64::try_from(row.try_get_by_index::<i64>(0).stored()?).map_err(Fault::internal)
}

/// The next members after a place, of whom nothing has become yet.
///
/// # Errors
/// As the database's.
pub async fn next(
    rx: &Rx,
    operation: OperationId,
    after: Option<(i64, Uuid)>,
    limit: u32,
) -> Result<Vec<(i64, CustomerId)>, Fault> {
    let mut values: Vec<Value> = vec![rx.tenant().uuid().into(), operation.uuid().into()];
    let mut text =
        "SELECT place, customer_id FROM wave_member WHERE tenant = $1 AND operation_id = $2 AND fate = ''".to_owned();
    if let Some((place, member)) = after {
        text.push_str(" AND place >= $3 AND (place > $3 OR customer_id > $4)");
        values.extend([place.into(), member.into()]);
    }
    text.push_str(&format!(" ORDER BY place, customer_id LIMIT {limit}"));
    let rows = rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?;
    let member = |row: &sea_orm::QueryResult| {
        Ok((row.try_get_by_index(0).stored()?, CustomerId::from_uuid(row.try_get_by_index(1).stored()?)))
    };
    rows.iter().map(member).collect()
}

/// Notes what became of a member, which is these subjects by now; whoever else of the wave is the same customer is gone then. Answers
/// false, and changes nothing of the member, where something had become of it, or of such another one, before. Units that do this
/// for the same subjects exclude each other.
///
/// # Errors
/// As the database's.
pub async fn settle(
    tx: &Tx,
    operation: OperationId,
    member: CustomerId,
    subjects: &[SubjectId],
    fate: Fate,
) -> Result<bool, Fault> {
    let theirs: Vec<Uuid> =
        std::iter::once(member.uuid()).chain(subjects.iter().map(|subject| subject.uuid())).collect();
    let (mut waits, mut settled) = (Vec::new(), false);
    for some in theirs.chunks(CHUNK) {
        let text = format!(
            "SELECT customer_id, fate FROM wave_member WHERE tenant = $1 AND operation_id = $2 AND customer_id IN ({})",
            list(2, some.len())
        );
        let mut values: Vec<Value> = vec![tx.tenant().uuid().into(), operation.uuid().into()];
        values.extend(some.iter().map(|id| Value::from(*id)));
        for row in tx.conn().query_all_raw(sql(tx, text, values)).await.stored()? {
            let (id, fate): (Uuid, String) = (row.try_get_by_index(0).stored()?, row.try_get_by_index(1).stored()?);
            if fate.is_empty() {
                waits.push(id);
            } else {
                settled |= fate != Fate::Gone.name();
            }
        }
    }
    let stands = !settled && waits.contains(&member.uuid());
    for id in waits {
        let fate = if stands && id == member.uuid() { fate } else { Fate::Gone };
        let text = "UPDATE wave_member SET fate = $5 WHERE tenant = $1 AND operation_id = $2 AND place = $3 \
                    AND customer_id = $4";
        let values = vec![
            tx.tenant().uuid().into(),
            operation.uuid().into(),
            place(operation, CustomerId::from_uuid(id)).into(),
            id.into(),
            fate.name().into(),
        ];
        tx.conn().execute_raw(sql(tx, text, values)).await.stored()?;
    }
    Ok(stands)
}

/// How many members met each fate.
///
/// # Errors
/// As the database's.
pub async fn fates(rx: &Rx, operation: OperationId) -> Result<Vec<(Fate, u64)>, Fault> {
    let text =
        "SELECT fate, COUNT(*) FROM wave_member WHERE tenant = $1 AND operation_id = $2 AND fate <> '' GROUP BY fate";
    let values = vec![rx.tenant().uuid().into(), operation.uuid().into()];
    let mut found = Vec::new();
    for row in rx.conn().query_all_raw(sql(rx, text, values)).await.stored()? {
        let (name, count): (String, i64) = (row.try_get_by_index(0).stored()?, row.try_get_by_index(1).stored()?);
        let fate = Fate::of(&name).ok_or_else(|| Fault::internal("a member of a wave met an unknown fate"))?;
        found.push((fate, u64::try_from(count).map_err(Fault::internal)?));
    }
    Ok(found)
}

/// Forgets some members of a wave that has ended, and with the last of them the wave; answers whether that was all.
///
/// # Errors
/// As the database's.
pub async fn forget(tx: &Tx, operation: OperationId, limit: u32) -> Result<bool, Fault> {
    let text = format!(
        "DELETE FROM wave_member WHERE tenant = $1 AND operation_id = $2 AND (place, customer_id) IN (SELECT place, \
         customer_id FROM wave_member WHERE tenant = $1 AND operation_id = $2 ORDER BY place, customer_id LIMIT {limit})"
    );
    let values: Vec<Value> = vec![tx.tenant().uuid().into(), operation.uuid().into()];
    let gone = tx.conn().execute_raw(sql(tx, text, values.clone())).await.stored()?.rows_affected();
    if gone >= u64::from(limit) {
        return Ok(false);
    }
    let text = "DELETE FROM wave WHERE tenant = $1 AND operation_id = $2";
    tx.conn().execute_raw(sql(tx, text, values)).await.stored()?;
    due::set(tx, operation.uuid(), due::WAVE, None).await?;
    Ok(true)
}
