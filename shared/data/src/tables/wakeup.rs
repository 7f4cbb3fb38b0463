//! When which subject wants to be looked at again, though nothing happens to it meanwhile.

use std::time::Duration;

use rapport_kernel::{SubjectId, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ExprTrait as _, QuerySelect as _};
use uuid::Uuid;

use super::{run, sql, uuids};
use crate::conn::Conn;
use crate::engine::Engine;
use crate::system::Wakeup;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wakeup")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    pub due_at: i64,
    pub leased_until: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) async fn set(conn: &Conn, tenant: TenantId, subject: SubjectId, due: Timestamp) -> Result<(), DbErr> {
    let text = "INSERT INTO wakeup (tenant, subject_id, due_at, leased_until) VALUES ($1, $2, $3, 0) \
                ON CONFLICT (tenant, subject_id) DO UPDATE SET due_at = excluded.due_at, leased_until = 0";
    run(conn, text, [tenant.uuid().into(), subject.uuid().into(), due.micros().into()]).await.map(|_| ())
}

pub(crate) async fn clear(conn: &Conn, tenant: TenantId, subjects: &[SubjectId]) -> Result<(), DbErr> {
    let those = Column::Tenant.eq(tenant.uuid()).and(Column::SubjectId.is_in(uuids(subjects)));
    Entity::delete_many().filter(those).exec(conn).await.map(|_| ())
}

/// Who is due, in no order.
pub(crate) async fn due(conn: &Conn, tenant: TenantId, now: Timestamp, limit: u64) -> Result<Vec<SubjectId>, DbErr> {
    let query = Entity::find().select_only().column(Column::SubjectId).filter(Column::Tenant.eq(tenant.uuid()));
    let due = query.filter(Column::DueAt.lte(now.micros())).limit(limit).into_tuple::<Uuid>().all(conn).await?;
    Ok(due.into_iter().map(SubjectId::from_uuid).collect())
}

/// Takes what is due and not leased, the longest due first.
pub(crate) async fn take(
    conn: &Conn,
    engine: Engine,
    now: Timestamp,
    limit: u64,
    lease: Duration,
) -> Result<Vec<Wakeup>, DbErr> {
    let text = format!(
        "UPDATE wakeup SET leased_until = {clock} + $1 WHERE (tenant, subject_id) IN (SELECT tenant, subject_id FROM \
         wakeup WHERE due_at <= $2 AND leased_until <= {clock} ORDER BY due_at LIMIT $3 {skip}) \
         RETURNING tenant, subject_id, due_at",
        clock = engine.clock(),
        skip = engine.skip_locked(),
    );
    let lease = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = conn.query_all_raw(sql(conn, text, [lease.into(), now.micros().into(), limit.into()])).await?;
    rows.iter()
        .map(|row| {
            Ok(Wakeup {
                tenant: TenantId::from_uuid(row.try_get_by_index::<Uuid>(0)?),
                subject: SubjectId::from_uuid(row.try_get_by_index::<Uuid>(1)?),
                due: Timestamp::from_column(row.try_get_by_index(2)?),
            })
        })
        .collect()
}
