//! The table of tenants. It stands above tenants: only the system's access reaches all of it.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, Reason, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel as _, QueryOrder as _, QuerySelect as _};

use crate::domain::Tenant;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    name: String,
    created_at: i64,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new tenant.
///
/// # Errors
/// ALREADY_EXISTS where another one has the name; else as the database's.
pub async fn insert(conn: &impl ConnectionTrait, tenant: &Tenant) -> Result<(), Fault> {
    let row = Model { tenant: tenant.id.uuid(), name: tenant.name.clone(), created_at: tenant.created_at.micros() };
    let unless_named = OnConflict::column(Column::Name).do_nothing().to_owned();
    let insert = Entity::insert(row.into_active_model()).on_conflict(unless_named);
    match insert.exec_without_returning(conn).await.stored()? {
        0 => Err(Fault::new(Reason::ResourceExists, "a tenant of this name is there already")
            .resource("tenant", tenant.name.clone())),
        _ => Ok(()),
    }
}

/// Reads a tenant.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(conn: &impl ConnectionTrait, id: TenantId) -> Result<Tenant, Fault> {
    let row = Entity::find_by_id(id.uuid()).one(conn).await.stored()?;
    row.map(tenant).ok_or_else(|| Fault::not_found("tenant", id.to_string()))
}

/// Reads the tenant of a name.
///
/// # Errors
/// As the database's.
pub async fn named(conn: &impl ConnectionTrait, name: &str) -> Result<Option<Tenant>, Fault> {
    Ok(Entity::find().filter(Column::Name.eq(name)).one(conn).await.stored()?.map(tenant))
}

/// The tenants whose names come after `after`, by name.
///
/// # Errors
/// As the database's.
pub async fn list(conn: &impl ConnectionTrait, after: Option<String>, limit: u64) -> Result<Vec<Tenant>, Fault> {
    let mut query = Entity::find();
    if let Some(after) = after {
        query = query.filter(Column::Name.gt(after));
    }
    let rows = query.order_by_asc(Column::Name).limit(limit).all(conn).await.stored()?;
    Ok(rows.into_iter().map(tenant).collect())
}

fn tenant(row: Model) -> Tenant {
    let created_at = Timestamp::from_column(row.created_at);
    Tenant { id: TenantId::from_uuid(row.tenant), name: row.name, created_at }
}
