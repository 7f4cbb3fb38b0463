//! The subjects of erasures. They outlive the erasure: by them a customer that was erased is known again.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, SubjectId, TenantId};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel as _, QueryOrder as _};

use crate::domain::{Erasure, ErasureId};

/// Rows of one statement.
const ROWS: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure_subject")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    erasure_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    subject_id: Uuid,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(super) async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, erasure: &Erasure) -> Result<(), Fault> {
    let (tenant, erasure_id) = (tenant.uuid(), erasure.id.uuid());
    for some in erasure.subjects.chunks(ROWS) {
        let row = |subject: &SubjectId| Model { tenant, erasure_id, subject_id: subject.uuid() }.into_active_model();
        Entity::insert_many(some.iter().map(row)).exec_without_returning(conn).await.stored()?;
    }
    Ok(())
}

pub(super) async fn of(conn: &impl ConnectionTrait, tenant: TenantId, id: ErasureId) -> Result<Vec<SubjectId>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::ErasureId.eq(id.uuid()));
    let rows = query.order_by_asc(Column::SubjectId).all(conn).await.stored()?;
    Ok(rows.into_iter().map(|row| SubjectId::from_uuid(row.subject_id)).collect())
}

/// The erasures of a subject, the newest first.
pub(super) async fn erasures_of(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<Vec<ErasureId>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SubjectId.eq(subject.uuid()));
    let rows = query.order_by_desc(Column::ErasureId).all(conn).await.stored()?;
    Ok(rows.into_iter().map(|row| ErasureId::from_uuid(row.erasure_id)).collect())
}
