//! The partitions of the outbox: who relays each, how far positions were given, and how far all groups have come.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbErr};
use uuid::Uuid;

use super::{run, sql};
use crate::conn::Conn;
use crate::engine::Engine;

/// A row that was given its position.
pub(crate) struct Placed {
    pub(crate) position: u64,
    pub(crate) body: Vec<u8>,
}

fn list(partitions: &[u16]) -> String {
    let numbers: Vec<String> = partitions.iter().map(u16::to_string).collect();
    numbers.join(", ")
}

fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Takes or renews the leases of partitions. Answers those held, with how far each was settled.
pub(crate) async fn lease(
    conn: &Conn,
    engine: Engine,
    partitions: u16,
    holder: Uuid,
    length: Duration,
) -> Result<BTreeMap<u16, u64>, DbErr> {
    let rows: Vec<String> =
        (0..partitions).map(|partition| format!("({partition}, $1, {} + $2, 0, 0)", engine.clock())).collect();
    let text = format!(
        "INSERT INTO relay (partition, holder, expires_at, position, settled) VALUES {rows} ON CONFLICT (partition) \
         DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
         WHERE relay.holder = excluded.holder OR relay.expires_at <= {clock} RETURNING partition, settled",
        rows = rows.join(", "),
        clock = engine.clock(),
    );
    let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    let rows = conn.query_all_raw(sql(conn, text, [holder.into(), length.into()])).await?;
    rows.iter()
        .map(|row| {
            let partition: i16 = row.try_get_by_index(0)?;
            Ok((u16::try_from(partition).unwrap_or(0), number(row.try_get_by_index(1)?)))
        })
        .collect()
}

pub(crate) async fn release(conn: &Conn, holder: Uuid) -> Result<(), DbErr> {
    run(conn, "UPDATE relay SET expires_at = 0 WHERE holder = $1", [holder.into()]).await.map(|_| ())
}

/// The partitions that hold rows without a position.
pub(crate) async fn pending(conn: &Conn) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM outbox WHERE position IS NULL LIMIT 1";
    Ok(conn.query_one_raw(sql(conn, text, [])).await?.is_some())
}

/// Gives positions to rows that have none, in the order of their writing, in those of the partitions that `holder`
/// still holds.
pub(crate) async fn place(
    conn: &Conn,
    engine: Engine,
    holder: Uuid,
    partitions: &[u16],
    limit: usize,
) -> Result<BTreeMap<u16, Vec<Placed>>, DbErr> {
    // The rows of the relay are locked first: another instance cannot take a partition over meanwhile. The inner
    // selection locks before rows are numbered, so that one that an erasure deletes leaves no gap.
    let text = format!(
        "SELECT partition FROM relay WHERE holder = $1 AND expires_at > {} AND partition IN ({}) ORDER BY partition {}",
        engine.clock(),
        list(partitions),
        engine.for_update(),
    );
    let rows = conn.query_all_raw(sql(conn, text, [holder.into()])).await?;
    let mut held = Vec::new();
    for row in &rows {
        held.push(u16::try_from(row.try_get_by_index::<i16>(0)?).unwrap_or(0));
    }
    if held.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = format!(
        "UPDATE outbox SET position = numbered.position FROM (SELECT batch.seq, relay.position + row_number() OVER \
         (PARTITION BY batch.partition ORDER BY batch.seq) AS position FROM (SELECT seq, partition FROM outbox WHERE \
         position IS NULL AND partition IN ({held}) ORDER BY seq LIMIT {limit} {lock}) AS batch JOIN relay ON \
         relay.partition = batch.partition) AS numbered WHERE outbox.seq = numbered.seq \
         RETURNING outbox.partition, outbox.position, outbox.body",
        held = list(&held),
        lock = engine.for_update(),
    );
    let rows = conn.query_all_raw(sql(conn, text, [])).await?;
    let mut placed: BTreeMap<u16, Vec<Placed>> = BTreeMap::new();
    for row in &rows {
        let partition = u16::try_from(row.try_get_by_index::<i16>(0)?).unwrap_or(0);
        let position = number(row.try_get_by_index(1)?);
        let row = Placed { position, body: row.try_get_by_index(2)? };
        placed.entry(partition).or_default().push(row);
    }
    for (partition, rows) in &mut placed {
        rows.sort_by_key(|row| row.position);
        let last = column(rows.last().map_or(0, |row| row.position));
        let text = "UPDATE relay SET position = $1 WHERE partition = $2";
        let partition = i16::try_from(*partition).unwrap_or(0);
        run(conn, text, [last.into(), partition.into()]).await?;
    }
    Ok(placed)
}

/// Rows of a partition that have a position after `after`, in order.
pub(crate) async fn placed_after(conn: &Conn, partition: u16, after: u64, limit: usize) -> Result<Vec<Placed>, DbErr> {
    let text = format!(
        "SELECT position, body FROM outbox WHERE partition = $1 AND position > $2 ORDER BY position LIMIT {limit}"
    );
    let partition = i16::try_from(partition).unwrap_or(0);
    let rows = conn.query_all_raw(sql(conn, text, [partition.into(), column(after).into()])).await?;
    rows.iter()
        .map(|row| {
            let position = number(row.try_get_by_index(0)?);
            Ok(Placed { position, body: row.try_get_by_index(1)? })
        })
        .collect()
}

/// Notes how far all groups have come. Never goes back.
pub(crate) async fn settle(conn: &Conn, settled: &BTreeMap<u16, u64>) -> Result<(), DbErr> {
    for (partition, through) in settled {
        let text = "UPDATE relay SET settled = $1 WHERE partition = $2 AND settled < $1";
        let partition = i16::try_from(*partition).unwrap_or(0);
        run(conn, text, [column(*through).into(), partition.into()]).await?;
    }
    Ok(())
}

/// How far each partition is settled.
pub(crate) async fn settled(conn: &Conn) -> Result<Vec<(i16, i64)>, DbErr> {
    let rows = conn.query_all_raw(sql(conn, "SELECT partition, settled FROM relay", [])).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// How far positions were given in each partition, and up to which some are gone.
pub(crate) async fn heads(conn: &Conn) -> Result<BTreeMap<u16, (u64, u64)>, DbErr> {
    let rows = conn.query_all_raw(sql(conn, "SELECT partition, position, swept FROM relay", [])).await?;
    let head = |row: &sea_orm::QueryResult| {
        let partition = u16::try_from(row.try_get_by_index::<i16>(0)?).unwrap_or(0);
        Ok((partition, (number(row.try_get_by_index(1)?), number(row.try_get_by_index(2)?))))
    };
    rows.iter().map(head).collect()
}
