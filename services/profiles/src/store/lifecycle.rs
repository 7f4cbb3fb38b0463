//! The stages that a tenant declared.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, OperationId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::domain::segment::Lifecycle;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lifecycle")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    pub stages: String,
    pub revision: i64,
    pub updated_at: i64,
    pub operation_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

/// The lifecycle; that of a tenant that declared none.
pub async fn find(rx: &Rx) -> Result<Lifecycle, Fault> {
    let Some(row) = Entity::find_by_id(rx.tenant().uuid()).one(rx.conn()).await.stored()? else {
        return Ok(Lifecycle::default());
    };
    let (revision, updated_at) = (row.revision.cast_unsigned(), Some(Timestamp::from_column(row.updated_at)));
    let stages = serde_json::from_str::<Vec<_>>(&row.stages);
    let stages = stages.map_err(|_| Fault::internal("a stored lifecycle is not readable"))?;
    let stages = if stages.is_empty() { Lifecycle::default().stages } else { stages };
    Ok(Lifecycle { stages, revision, updated_at, operation: Some(OperationId::from_uuid(row.operation_id)) })
}

/// Sets it, with what finds each customer's stage; without stages it is that of a tenant that declared none.
pub async fn put(tx: &Tx, lifecycle: &Lifecycle, operation: OperationId) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        stages: Set(serde_json::to_string(&lifecycle.stages).map_err(Fault::internal)?),
        revision: Set(lifecycle.revision.cast_signed()),
        updated_at: Set(lifecycle.updated_at.unwrap_or_else(|| tx.now()).micros()),
        operation_id: Set(operation.uuid()),
    };
    let changed = [Column::Stages, Column::Revision, Column::UpdatedAt, Column::OperationId];
    let there = OnConflict::column(Column::Tenant).update_columns(changed).to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}
