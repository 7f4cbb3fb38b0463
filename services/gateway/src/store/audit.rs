//! The table of administrative acts: who, what, when. Ids only; rows are never changed.

use rapport_data::Stored as _;
use rapport_kernel::Fault;
use sea_orm::IntoActiveModel as _;
use sea_orm::entity::prelude::*;

use crate::domain::AuditEntry;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    audit_id: Uuid,
    key_id: Uuid,
    action: String,
    target: Uuid,
    at: i64,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes an act, in the transaction that does it.
///
/// # Errors
/// As the database's.
pub async fn note(conn: &impl ConnectionTrait, entry: AuditEntry) -> Result<(), Fault> {
    let row = Model {
        tenant: entry.tenant.uuid(),
        audit_id: Uuid::now_v7(),
        key_id: entry.key,
        action: entry.action.name().to_owned(),
        target: entry.target,
        at: entry.at.micros(),
    };
    Entity::insert(row.into_active_model()).exec_without_returning(conn).await.stored().map(drop)
}
