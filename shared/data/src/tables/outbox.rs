//! What was committed and is to be published: pending (no position) → published (a position) → settled (a position
//! that every group has committed; see `relay`).

use rapport_kernel::SubjectId;
use sea_orm::entity::prelude::*;
use sea_orm::{ExprTrait as _, QueryResult};

use super::relay::Placed;
use super::{run, sql, uuids};
use crate::bulk::{Bulk, Column as Values};
use crate::conn::Conn;

const INSERT: Bulk =
    Bulk { table: "outbox", columns: &["tenant", "subject_id", "partition", "body", "recorded_at"], suffix: "" };

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub tenant: Uuid,
    pub subject_id: Uuid,
    pub partition: i16,
    /// The place in the partition: 1, 2, 3, … without gaps. The token of watch streams.
    pub position: Option<i64>,
    /// The encoded event; empty where its subject was erased after it had a position.
    pub body: Vec<u8>,
    pub recorded_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body is an event, and holds personal data.
        f.debug_struct("Outbox").field("seq", &self.seq).field("position", &self.position).finish_non_exhaustive()
    }
}

/// An event to add.
pub(crate) struct New {
    pub(crate) subject: SubjectId,
    pub(crate) partition: i16,
    pub(crate) body: Vec<u8>,
    pub(crate) recorded_at: i64,
}

/// Adds a unit's events, in their order.
pub(crate) async fn add(conn: &Conn, tenant: Uuid, events: Vec<New>) -> Result<(), DbErr> {
    let rows = events.len();
    let (mut subjects, mut partitions) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut bodies, mut instants) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for event in events {
        subjects.push(event.subject.uuid());
        partitions.push(event.partition);
        bodies.push(event.body);
        instants.push(event.recorded_at);
    }
    let columns = vec![
        Values::same_id(tenant, rows),
        Values::Ids(subjects),
        Values::Smalls(partitions),
        Values::Bytes(bodies),
        Values::Numbers(instants),
    ];
    INSERT.run(conn, columns, false).await.map(drop)
}

/// Deletes what has no position, and empties what has: a missing position would look like a loss.
pub(crate) async fn erase(conn: &Conn, tenant: Uuid, subjects: &[SubjectId]) -> Result<(), DbErr> {
    let those = Column::Tenant.eq(tenant).and(Column::SubjectId.is_in(uuids(subjects)));
    Entity::delete_many().filter(those.clone().and(Column::Position.is_null())).exec(conn).await?;
    Entity::update_many()
        .col_expr(Column::Body, Expr::value(Vec::<u8>::new()))
        .col_expr(Column::SubjectId, Expr::value(Uuid::nil()))
        .filter(those.and(Column::Position.is_not_null()))
        .exec(conn)
        .await?;
    Ok(())
}

/// Deletes settled rows of a partition that were recorded before an instant: of the first `limit` by position.
/// Notes how far it came: whoever reads by position must know what it cannot find any more.
pub(crate) async fn sweep(conn: &Conn, partition: i16, settled: i64, before: i64, limit: u64) -> Result<u64, DbErr> {
    let text = format!(
        "DELETE FROM outbox WHERE seq IN (SELECT seq FROM (SELECT seq, recorded_at FROM outbox WHERE partition = $1 \
         AND position IS NOT NULL AND position <= $2 ORDER BY position LIMIT {limit}) AS oldest WHERE recorded_at < $3) \
         RETURNING position"
    );
    let values = [partition.into(), settled.into(), before.into()];
    let mut swept = Vec::new();
    for row in conn.query_all_raw(sql(conn, text, values)).await? {
        swept.push(row.try_get_by_index::<i64>(0)?);
    }
    if let Some(last) = swept.iter().max() {
        let text = "UPDATE relay SET swept = $1 WHERE partition = $2 AND swept < $1";
        run(conn, text, [(*last).into(), partition.into()]).await?;
    }
    Ok(swept.len() as u64)
}

/// Rows of a tenant in a partition with a position after `after` up to `through`, at most `limit`, in order.
pub(crate) async fn between(
    conn: &Conn,
    tenant: Uuid,
    partition: u16,
    (after, through): (u64, u64),
    limit: usize,
) -> Result<Vec<Placed>, DbErr> {
    let text = format!(
        "SELECT position, body FROM outbox WHERE tenant = $1 AND partition = $2 AND position > $3 AND position <= $4 \
         ORDER BY position LIMIT {limit}"
    );
    let partition = i16::try_from(partition).unwrap_or(0);
    let values = [tenant.into(), partition.into(), after.cast_signed().into(), through.cast_signed().into()];
    let rows = conn.query_all_raw(sql(conn, text, values)).await?;
    let placed = |row: &QueryResult| {
        let position = row.try_get_by_index::<i64>(0)?.cast_unsigned();
        Ok(Placed { position, body: row.try_get_by_index(1)? })
    };
    rows.iter().map(placed).collect()
}
