//! Which traits' definitions changed of late, and as far as which customer profiles were folded anew since.

use std::collections::BTreeSet;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refold")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    pub traits: String,
    pub after_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

/// What is left to be folded anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refold {
    /// The traits whose definitions changed.
    pub traits: BTreeSet<String>,
    /// The last customer that was looked at.
    pub after: Uuid,
}

/// What is left of the tenant's customers.
pub async fn find(rx: &Rx) -> Result<Option<Refold>, Fault> {
    let Some(row) = Entity::find_by_id(rx.tenant().uuid()).one(rx.conn()).await.stored()? else { return Ok(None) };
    let traits = serde_json::from_str(&row.traits).map_err(Fault::internal)?;
    Ok(Some(Refold { traits, after: row.after_id }))
}

/// Notes what is left.
pub async fn put(tx: &Tx, left: &Refold) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        traits: Set(serde_json::to_string(&left.traits).map_err(Fault::internal)?),
        after_id: Set(left.after),
    };
    let there = OnConflict::column(Column::Tenant).update_columns([Column::Traits, Column::AfterId]).to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// Nothing is left.
pub async fn clear(tx: &Tx) -> Result<(), Fault> {
    Entity::delete_by_id(tx.tenant().uuid()).exec(tx.conn()).await.stored().map(drop)
}
