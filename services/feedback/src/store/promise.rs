//! Promises, and the hashes of the records of those that were deleted.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Private, SubjectId, TenantId, Timestamp};
use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::column;
use super::sql::{Clause, decoded, encoded, locking, run};
use crate::domain::promise::{Promise, PromiseId, Standing};

const TABLE: &str = "promise";

/// The hash of a record's name.
#[must_use]
pub fn key(tenant: TenantId, source: &str, external_id: &Private<String>) -> Option<Uuid> {
    if external_id.expose().is_empty() {
        return None;
    }
    let hash = Sha256::new().chain_update(tenant.uuid().as_bytes()).chain_update(source).chain_update([0]);
    let hash = hash.chain_update(external_id.expose()).finalize();
    Some(Uuid::from_slice(&hash[..16]).expect("sixteen bytes are a UUID"))
}

fn promise(row: &QueryResult) -> Result<Promise, Fault> {
    decoded(&row.try_get_by_index::<Vec<u8>>(0).stored()?)
}

/// Adds a promise, or replaces it by its new state.
pub async fn put(tx: &Tx, one: &Promise) -> Result<(), Fault> {
    let text = "INSERT INTO promise (tenant, promise_id, key_id, subject_id, status, agent, team, ticket_id, given_at, \
                due_at, changed_at, revision, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
                ON CONFLICT (tenant, promise_id) DO UPDATE SET status = excluded.status, agent = excluded.agent, \
                team = excluded.team, ticket_id = excluded.ticket_id, given_at = excluded.given_at, \
                due_at = excluded.due_at, changed_at = excluded.changed_at, revision = excluded.revision, \
                body = excluded.body";
    let values = vec![
        tx.tenant().uuid().into(),
        one.id.uuid().into(),
        key(tx.tenant(), &one.source, &one.external_id).into(),
        one.subject.uuid().into(),
        one.standing().name().into(),
        one.said.agent.expose().as_str().into(),
        one.said.team.as_str().into(),
        one.said.ticket.into(),
        one.said.at.micros().into(),
        one.said.due.map(Timestamp::micros).into(),
        one.changed_at.micros().into(),
        column(one.revision)?.into(),
        encoded(one)?.into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// A promise.
pub async fn find(rx: &Rx, id: PromiseId) -> Result<Option<Promise>, Fault> {
    let mut those = Clause::of(rx);
    those.and("promise_id = {}", id.uuid());
    those.select(rx, "body", TABLE, "").await?.first().map(promise).transpose()
}

/// A promise that nobody else changes meanwhile.
pub async fn lock(tx: &Tx, id: PromiseId) -> Result<Option<Promise>, Fault> {
    let mut those = Clause::of(tx);
    those.and("promise_id = {}", id.uuid());
    those.select(tx, "body", TABLE, locking(tx)).await?.first().map(promise).transpose()
}

/// The promise of a record, which nobody else changes meanwhile.
pub async fn lock_key(tx: &Tx, key: Uuid) -> Result<Option<Promise>, Fault> {
    let mut those = Clause::of(tx);
    those.and("key_id = {}", key);
    those.select(tx, "body", TABLE, locking(tx)).await?.first().map(promise).transpose()
}

/// Whether the promise of a record was deleted.
pub async fn is_gone(rx: &Rx, key: Uuid) -> Result<bool, Fault> {
    let mut those = Clause::of(rx);
    those.and("key_id = {}", key);
    Ok(!those.select(rx, "1", "promise_gone", "").await?.is_empty())
}

/// Deletes a promise; what is told of its record later is passed over.
pub async fn delete(tx: &Tx, one: &Promise) -> Result<(), Fault> {
    if let Some(key) = key(tx.tenant(), &one.source, &one.external_id) {
        let text = "INSERT INTO promise_gone (tenant, key_id) VALUES ($1, $2) ON CONFLICT (tenant, key_id) DO NOTHING";
        run(tx, text, vec![tx.tenant().uuid().into(), key.into()]).await?;
    }
    let mut those = Clause::of(tx);
    those.and("promise_id = {}", one.id.uuid());
    those.delete(tx, TABLE).await.map(drop)
}

/// Which promises.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// Only those of these subjects.
    pub subjects: Option<Vec<SubjectId>>,
    /// Only those that stand so; empty: all.
    pub statuses: Vec<Standing>,
    /// Only those that this one gave; empty: all.
    pub agent: Private<String>,
    /// Only those that this team gave; empty: all.
    pub team: String,
    /// Only those about this ticket.
    pub ticket: Option<Uuid>,
    /// Only those given from then on.
    pub start: Option<Timestamp>,
    /// Only those given before then.
    pub end: Option<Timestamp>,
    /// In which order.
    pub order: Order,
}

/// In which order promises are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last given first.
    NewestFirst,
    /// The first given first.
    OldestFirst,
    /// What is due first first.
    DueFirst,
}

impl Order {
    /// All, with what calls them.
    pub const ALL: [(&'static str, Self); 3] =
        [("promise_time desc", Self::NewestFirst), ("promise_time", Self::OldestFirst), ("due", Self::DueFirst)];
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// By what it is ordered.
    pub at: i64,
    /// Which of those alike in that.
    pub id: Uuid,
}

/// The place of a promise.
#[must_use]
pub fn place(one: &Promise, order: Order) -> Place {
    let at = match order {
        Order::NewestFirst | Order::OldestFirst => one.said.at,
        Order::DueFirst => one.said.due.unwrap_or(Timestamp::MAX),
    };
    Place { at: at.micros(), id: one.id.uuid() }
}

/// The next promises after a place.
pub async fn page(rx: &Rx, sieve: &Sieve, after: Option<Place>, limit: u64) -> Result<Vec<Promise>, Fault> {
    let mut those = Clause::of(rx);
    if let Some(subjects) = &sieve.subjects {
        those.among("subject_id", subjects.iter().map(|subject| subject.uuid()));
    }
    if !sieve.statuses.is_empty() {
        those.among("status", sieve.statuses.iter().map(|status| status.name()));
    }
    for (column, value) in [("agent", sieve.agent.expose()), ("team", &sieve.team)] {
        if !value.is_empty() {
            those.and(&format!("{column} = {{}}"), value.as_str());
        }
    }
    if let Some(ticket) = sieve.ticket {
        those.and("ticket_id = {}", ticket);
    }
    if let Some(start) = sieve.start {
        those.and("given_at >= {}", start.micros());
    }
    if let Some(end) = sieve.end {
        those.and("given_at < {}", end.micros());
    }
    let (by, falling) = match sieve.order {
        Order::NewestFirst => ("given_at", true),
        Order::OldestFirst => ("given_at", false),
        Order::DueFirst => ("due_at", false),
    };
    if sieve.order == Order::DueFirst {
        those.only("due_at IS NOT NULL");
    }
    if let Some(Place { at, id }) = after {
        those.beyond((by, "promise_id"), falling, (at, id));
    }
    let way = if falling { "DESC" } else { "ASC" };
    let rest = format!(" ORDER BY {by} {way}, promise_id {way} LIMIT {limit}");
    those.select(rx, "body", TABLE, &rest).await?.iter().map(promise).collect()
}

/// Promises after one, in the order of their ids.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Promise>, Fault> {
    let mut those = Clause::of(rx);
    those.and("promise_id > {}", after);
    let rest = format!(" ORDER BY promise_id LIMIT {limit}");
    those.select(rx, "body", TABLE, &rest).await?.iter().map(promise).collect()
}

/// Deletes the promises given to subjects; answers how many rows that were.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let theirs = |tx: &Tx| {
        let mut those = Clause::of(tx);
        those.among("subject_id", subjects.iter().map(|subject| subject.uuid()));
        those
    };
    let found = theirs(tx).select(tx, "promise_id", TABLE, "").await?;
    let mut rows = 0;
    for row in &found {
        let mut those = Clause::of(tx);
        those.and("item_id = {}", row.try_get_by_index::<Uuid>(0).stored()?);
        rows += those.delete(tx, "loop_due").await?;
    }
    Ok(rows + theirs(tx).delete(tx, TABLE).await?)
}
