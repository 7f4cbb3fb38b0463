//! What tenants set for themselves that figures depend on.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_setting")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    pub revision: i64,
    pub suppression_threshold: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// Notes the tenant's threshold as of a revision of its settings; an older one changes nothing.
///
/// # Errors
/// Where the database fails.
pub async fn put(tx: &Tx, revision: i64, threshold: i64) -> Result<(), Fault> {
    let row =
        ActiveModel { tenant: Set(tx.tenant().uuid()), revision: Set(revision), suppression_threshold: Set(threshold) };
    let known = OnConflict::column(Column::Tenant)
        .update_columns([Column::Revision, Column::SuppressionThreshold])
        .action_and_where(Expr::cust("excluded.revision >= tenant_setting.revision"))
        .to_owned();
    Entity::insert(row).on_conflict(known).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// The tenant's threshold, where it set one.
///
/// # Errors
/// Where the database fails.
pub async fn threshold(rx: &Rx) -> Result<Option<i64>, Fault> {
    let row = Entity::find_by_id(rx.tenant().uuid()).one(rx.conn()).await.stored()?;
    Ok(row.map(|row| row.suppression_threshold).filter(|threshold| *threshold > 0))
}
