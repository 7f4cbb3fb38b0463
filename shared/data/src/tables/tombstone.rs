//! The subjects that were erased. Rows stay for ever: an event or a replay may come late.

use rapport_kernel::{SubjectId, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, QuerySelect as _};

use super::uuids;
use crate::conn::Conn;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tombstone")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    pub erased_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) async fn among(conn: &Conn, tenant: TenantId, subjects: &[SubjectId]) -> Result<Vec<SubjectId>, DbErr> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let query = Entity::find().select_only().column(Column::SubjectId);
    let query = query.filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SubjectId.is_in(uuids(subjects)));
    let found = query.into_tuple::<Uuid>().all(conn).await?;
    Ok(found.into_iter().map(SubjectId::from_uuid).collect())
}

pub(crate) async fn add(conn: &Conn, tenant: TenantId, subjects: &[SubjectId], now: Timestamp) -> Result<(), DbErr> {
    let row = |subject: &SubjectId| ActiveModel {
        tenant: Set(tenant.uuid()),
        subject_id: Set(subject.uuid()),
        erased_at: Set(now.micros()),
    };
    for some in subjects.chunks(500) {
        let there = OnConflict::columns([Column::Tenant, Column::SubjectId]).do_nothing().to_owned();
        Entity::insert_many(some.iter().map(row)).on_conflict(there).exec_without_returning(conn).await?;
    }
    Ok(())
}
