//! Long work, one row for each operation: pending → running → done, failed or cancelled. Leases and pauses are by the
//! database's clock, what callers see is by the unit's.

use std::time::Duration;

use rapport_kernel::{OperationId, TenantId, Timestamp};
use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _, Value};

use super::{run, sql};
use crate::conn::Conn;
use crate::engine::Engine;
use crate::operations::State;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operation")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub unit: String,
    pub state: i16,
    pub request: Vec<u8>,
    /// Where the next step begins; empty before the first.
    pub cursor: Vec<u8>,
    pub done: i64,
    pub total: i64,
    pub cancelling: bool,
    /// The caller has deleted it; the row goes when it has ended.
    pub hidden: bool,
    /// How often in a row its present step failed.
    pub tries: i32,
    pub result_type: Option<String>,
    pub result: Option<Vec<u8>>,
    /// The encoded `google.rpc.Status`.
    pub error: Option<Vec<u8>>,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub updated_at: i64,
    pub finished_at: Option<i64>,
    /// Not before, by the database's clock.
    pub due_at: i64,
    /// Who took it: an id for each taking, so that whoever lost it knows.
    pub holder: Option<Uuid>,
    /// 0 where it was given back; else it is free after this instant, by the database's clock.
    pub leased_until: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// An operation that was taken, and by whom: what every later statement names, so that it changes nothing once
/// another has taken it.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) id: OperationId,
    pub(crate) holder: Uuid,
}

/// What was taken.
pub(crate) struct Taken {
    pub(crate) key: Key,
    pub(crate) kind: String,
    pub(crate) request: Vec<u8>,
    pub(crate) cursor: Vec<u8>,
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) cancelling: bool,
    pub(crate) tries: u32,
}

/// How an operation ends.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) state: State,
    /// How much was done in all, where the last step says so.
    pub(crate) done: Option<u64>,
    pub(crate) result: Option<(String, Vec<u8>)>,
    pub(crate) error: Option<Vec<u8>>,
}

/// How far a step came.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) cursor: Vec<u8>,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}
fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// One to add.
pub(crate) struct New {
    pub(crate) id: OperationId,
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) request: Vec<u8>,
}

pub(crate) async fn add(conn: &Conn, engine: Engine, tenant: TenantId, new: New, now: Timestamp) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO operation (tenant, id, kind, unit, state, request, cursor, done, total, cancelling, hidden, tries, \
         created_at, updated_at, due_at, leased_until) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, FALSE, FALSE, 0, $8, \
         $8, {}, 0)",
        engine.clock()
    );
    let values = [
        tenant.uuid().into(),
        new.id.uuid().into(),
        new.kind.into(),
        new.unit.into(),
        State::Pending.column().into(),
        new.request.into(),
        Vec::<u8>::new().into(),
        now.micros().into(),
    ];
    run(conn, text, values).await.map(|_| ())
}

/// One that its caller has not deleted.
pub(crate) async fn find(conn: &Conn, tenant: TenantId, id: OperationId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((tenant.uuid(), id.uuid())).filter(Column::Hidden.eq(false)).one(conn).await
}

/// What a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// Only those of a kind.
    pub kind: Option<String>,
    /// Only those that have ended, or only those that have not.
    pub ended: Option<bool>,
}

/// The newest first.
pub(crate) async fn list(
    conn: &Conn,
    tenant: TenantId,
    filter: &OperationFilter,
    after: Option<OperationId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut rows = Entity::find().filter(Column::Tenant.eq(tenant.uuid()).and(Column::Hidden.eq(false)));
    if let Some(kind) = &filter.kind {
        rows = rows.filter(Column::Kind.eq(kind.as_str()));
    }
    match filter.ended {
        Some(true) => rows = rows.filter(Column::FinishedAt.is_not_null()),
        Some(false) => rows = rows.filter(Column::FinishedAt.is_null()),
        None => {}
    }
    if let Some(after) = after {
        rows = rows.filter(Column::Id.lt(after.uuid()));
    }
    rows.order_by_desc(Column::Id).limit(limit).all(conn).await
}

/// What may be taken now, as a condition; the kinds are `$1`, `$2`, ….
fn free(engine: Engine, kinds: usize) -> String {
    let marks: Vec<String> = (1..=kinds).map(|at| format!("${at}")).collect();
    let clock = engine.clock();
    format!(
        "finished_at IS NULL AND (due_at <= {clock} OR cancelling) AND leased_until <= {clock} AND kind IN ({})",
        marks.join(", ")
    )
}

fn values(kinds: &[&'static str]) -> Vec<Value> {
    kinds.iter().map(|kind| Value::from(*kind)).collect()
}

/// Whether there is one to be taken.
pub(crate) async fn is_any_free(conn: &Conn, engine: Engine, kinds: &[&'static str]) -> Result<bool, DbErr> {
    let text = format!("SELECT 1 FROM operation WHERE {} LIMIT 1", free(engine, kinds.len()));
    Ok(conn.query_one_raw(sql(conn, text, values(kinds))).await?.is_some())
}

/// Takes the one that has waited longest. One that was not given back by who had it counts as a try that failed.
pub(crate) async fn take(
    conn: &Conn,
    engine: Engine,
    kinds: &[&'static str],
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Taken>, DbErr> {
    let (holder, count) = (Uuid::now_v7(), kinds.len());
    let text = format!(
        "UPDATE operation SET state = ${state}, holder = ${holder}, leased_until = {clock} + ${lease}, \
         started_at = COALESCE(started_at, ${now}), tries = tries + CASE WHEN leased_until > 0 THEN 1 ELSE 0 END \
         WHERE (tenant, id) = (SELECT tenant, id FROM operation WHERE {free} ORDER BY due_at LIMIT 1 {skip}) \
         RETURNING tenant, id, kind, request, cursor, done, total, cancelling, tries",
        state = count + 1,
        holder = count + 2,
        lease = count + 3,
        now = count + 4,
        clock = engine.clock(),
        free = free(engine, count),
        skip = engine.skip_locked(),
    );
    let mut values = values(kinds);
    values.extend([State::Running.column().into(), holder.into(), micros(lease).into(), now.micros().into()]);
    let Some(row) = conn.query_one_raw(sql(conn, text, values)).await? else { return Ok(None) };
    let tenant = TenantId::from_uuid(row.try_get_by_index(0)?);
    let id = OperationId::from_uuid(row.try_get_by_index(1)?);
    Ok(Some(Taken {
        key: Key { tenant, id, holder },
        kind: row.try_get_by_index(2)?,
        request: row.try_get_by_index(3)?,
        cursor: row.try_get_by_index(4)?,
        done: number(row.try_get_by_index(5)?),
        total: number(row.try_get_by_index(6)?),
        cancelling: row.try_get_by_index(7)?,
        tries: u32::try_from(row.try_get_by_index::<i32>(8)?).unwrap_or(0),
    }))
}

/// Whether the taker still has it; until the unit ends nobody else takes it.
pub(crate) async fn hold(conn: &Conn, engine: Engine, key: Key) -> Result<bool, DbErr> {
    let text = format!(
        "SELECT 1 FROM operation WHERE tenant = $1 AND id = $2 AND holder = $3 AND finished_at IS NULL {}",
        engine.for_update()
    );
    Ok(conn.query_one_raw(sql(conn, text, own(key))).await?.is_some())
}

fn own(key: Key) -> Vec<Value> {
    vec![key.tenant.uuid().into(), key.id.uuid().into(), key.holder.into()]
}

/// Renews the lease. Answers whether it is to be cancelled; `None` where the taker has it no longer.
pub(crate) async fn renew(conn: &Conn, engine: Engine, key: Key, lease: Duration) -> Result<Option<bool>, DbErr> {
    let text = format!("leased_until = {} + $4", engine.clock());
    change(conn, &text, key, [micros(lease).into()]).await
}

/// Notes how far a step came; what is done never becomes less. As [`renew`] answers.
pub(crate) async fn save(conn: &Conn, key: Key, progress: &Progress, now: Timestamp) -> Result<Option<bool>, DbErr> {
    let text = "cursor = $4, done = CASE WHEN done > $5 THEN done ELSE $5 END, total = $6, tries = 0, updated_at = $7";
    let values = [
        progress.cursor.clone().into(),
        column(progress.done).into(),
        column(progress.total).into(),
        now.micros().into(),
    ];
    change(conn, text, key, values).await
}

/// Gives it back: it may be taken again after `pause`. As [`renew`] answers.
pub(crate) async fn give_back(
    conn: &Conn,
    engine: Engine,
    key: Key,
    pause: Duration,
    tries: u32,
) -> Result<Option<bool>, DbErr> {
    let text = format!("leased_until = 0, due_at = {} + $4, tries = $5", engine.clock());
    let tries = i32::try_from(tries).unwrap_or(i32::MAX);
    change(conn, &text, key, [micros(pause).into(), tries.into()]).await
}

/// Ends it. Answers whether the taker still had it.
pub(crate) async fn end(conn: &Conn, key: Key, end: End, now: Timestamp) -> Result<bool, DbErr> {
    let text = "state = $4, result_type = $5, result = $6, error = $7, finished_at = $8, updated_at = $8, \
                leased_until = 0, done = COALESCE($9, done), total = COALESCE($9, total)";
    let (result_type, result) = end.result.unzip();
    let done = end.done.map(column);
    let values = [
        end.state.column().into(),
        result_type.into(),
        result.into(),
        end.error.into(),
        now.micros().into(),
        done.into(),
    ];
    Ok(change(conn, text, key, values).await?.is_some())
}

async fn change(
    conn: &Conn,
    set: &str,
    key: Key,
    more: impl IntoIterator<Item = Value>,
) -> Result<Option<bool>, DbErr> {
    let text = format!(
        "UPDATE operation SET {set} WHERE tenant = $1 AND id = $2 AND holder = $3 AND finished_at IS NULL \
         RETURNING cancelling"
    );
    let mut values = own(key);
    values.extend(more);
    let row = conn.query_one_raw(sql(conn, text, values)).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// Asks that it be cancelled. Answers whether nobody is at it; `None` where it is not there, or has ended.
pub(crate) async fn cancel(
    conn: &Conn,
    engine: Engine,
    tenant: TenantId,
    id: OperationId,
    now: Timestamp,
) -> Result<Option<bool>, DbErr> {
    let text = format!(
        "UPDATE operation SET cancelling = TRUE, updated_at = $3 WHERE tenant = $1 AND id = $2 AND NOT hidden \
         AND finished_at IS NULL RETURNING leased_until <= {} AS free",
        engine.clock()
    );
    let values = [tenant.uuid().into(), id.uuid().into(), now.micros().into()];
    let row = conn.query_one_raw(sql(conn, text, values)).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// Ends one that nobody is at, in the unit that found it so.
pub(crate) async fn end_free(
    conn: &Conn,
    tenant: TenantId,
    id: OperationId,
    state: State,
    error: Vec<u8>,
    now: Timestamp,
) -> Result<(), DbErr> {
    // Whoever had it and is late has it no longer.
    let text = "UPDATE operation SET state = $3, error = $4, finished_at = $5, holder = NULL, leased_until = 0 \
                WHERE tenant = $1 AND id = $2";
    let values = [tenant.uuid().into(), id.uuid().into(), state.column().into(), error.into(), now.micros().into()];
    run(conn, text, values).await.map(|_| ())
}

/// Hides it from its caller; what is under way goes on. Answers whether it was there.
pub(crate) async fn hide(conn: &Conn, tenant: TenantId, id: OperationId) -> Result<bool, DbErr> {
    let text = "UPDATE operation SET hidden = TRUE WHERE tenant = $1 AND id = $2 AND NOT hidden";
    Ok(run(conn, text, [tenant.uuid().into(), id.uuid().into()]).await?.rows_affected() == 1)
}
