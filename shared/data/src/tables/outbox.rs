//! What was committed and is to be published: pending (no position) → published (a position) → settled (a position
//! that every group has committed; see `relay`).

use rapport_kernel::SubjectId;
use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;

use super::{run, uuids};
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
}

/// Adds a unit's events, in their order.
pub(crate) async fn add(conn: &Conn, tenant: Uuid, events: Vec<New>, at: i64) -> Result<(), DbErr> {
    let rows = events.len();
    let (mut subjects, mut partitions, mut bodies) =
        (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
    for event in events {
        subjects.push(event.subject.uuid());
        partitions.push(event.partition);
        bodies.push(event.body);
    }
    let columns = vec![
        Values::same_id(tenant, rows),
        Values::Ids(subjects),
        Values::Smalls(partitions),
        Values::Bytes(bodies),
        Values::Numbers(vec![at; rows]),
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
pub(crate) async fn sweep(conn: &Conn, partition: i16, settled: i64, before: i64, limit: u64) -> Result<u64, DbErr> {
    let text = format!(
        "DELETE FROM outbox WHERE seq IN (SELECT seq FROM (SELECT seq, recorded_at FROM outbox WHERE partition = $1 \
         AND position IS NOT NULL AND position <= $2 ORDER BY position LIMIT {limit}) AS oldest WHERE recorded_at < $3)"
    );
    Ok(run(conn, text, [partition.into(), settled.into(), before.into()]).await?.rows_affected())
}
