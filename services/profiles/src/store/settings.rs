//! What tenants set for themselves, one row a tenant.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::domain::settings::Settings;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_settings")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    pub revision: i64,
    pub updated_at: i64,
    pub body: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The tenant's settings; the defaults where it changed none.
pub async fn find(rx: &Rx) -> Result<Settings, Fault> {
    let Some(row) = Entity::find_by_id(rx.tenant().uuid()).one(rx.conn()).await.stored()? else {
        return Ok(Settings::default());
    };
    serde_json::from_slice(&row.body).map_err(|_| Fault::internal("stored settings cannot be read"))
}

/// Sets them.
pub async fn put(tx: &Tx, settings: &Settings) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        revision: Set(settings.revision.cast_signed()),
        updated_at: Set(settings.updated_at.unwrap_or(tx.now()).micros()),
        body: Set(serde_json::to_vec(settings).map_err(Fault::internal)?),
    };
    let there = OnConflict::column(Column::Tenant)
        .update_columns([Column::Revision, Column::UpdatedAt, Column::Body])
        .to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}
