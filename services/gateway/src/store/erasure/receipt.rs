//! The receipts of erasures, one for each service.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};

use crate::domain::{Erasure, ErasureId, Receipt, SERVICES};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure_receipt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    erasure_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    service: String,
    deleted_rows: i64,
    erased_at: Option<i64>,
    bus_clear: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(super) async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, erasure: &Erasure) -> Result<(), Fault> {
    let rows = erasure.receipts.iter().map(|receipt| row(tenant, erasure.id, receipt).map(Model::into_active_model));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Entity::insert_many(rows).exec_without_returning(conn).await.stored().map(drop)
}

pub(super) async fn update(conn: &impl ConnectionTrait, tenant: TenantId, erasure: &Erasure) -> Result<(), Fault> {
    for receipt in &erasure.receipts {
        let Model { service, deleted_rows, erased_at, bus_clear, .. } = row(tenant, erasure.id, receipt)?;
        let changes = ActiveModel {
            deleted_rows: Set(deleted_rows),
            erased_at: Set(erased_at),
            bus_clear: Set(bus_clear),
            ..Default::default()
        };
        let change = Entity::update_many().set(changes).filter(Column::Tenant.eq(tenant.uuid()));
        let change = change.filter(Column::ErasureId.eq(erasure.id.uuid())).filter(Column::Service.eq(service));
        change.exec(conn).await.stored()?;
    }
    Ok(())
}

pub(super) async fn of(conn: &impl ConnectionTrait, tenant: TenantId, id: ErasureId) -> Result<Vec<Receipt>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::ErasureId.eq(id.uuid()));
    let rows = query.all(conn).await.stored()?;
    let mut receipts = Vec::new();
    for service in SERVICES {
        if let Some(row) = rows.iter().find(|row| row.service == service) {
            receipts.push(Receipt {
                service,
                deleted_rows: u64::try_from(row.deleted_rows).map_err(Fault::internal)?,
                erased_at: row.erased_at.map(Timestamp::from_column),
                bus_clear: row.bus_clear,
            });
        }
    }
    Ok(receipts)
}

fn row(tenant: TenantId, id: ErasureId, receipt: &Receipt) -> Result<Model, Fault> {
    Ok(Model {
        tenant: tenant.uuid(),
        erasure_id: id.uuid(),
        service: receipt.service.to_owned(),
        deleted_rows: i64::try_from(receipt.deleted_rows).map_err(Fault::internal)?,
        erased_at: receipt.erased_at.map(Timestamp::micros),
        bus_clear: receipt.bus_clear,
    })
}
