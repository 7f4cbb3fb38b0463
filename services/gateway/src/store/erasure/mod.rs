//! The tables of erasures: the erasure itself, its subjects, and a receipt for each service.

mod receipt;
mod subject;

use std::collections::BTreeSet;

use rapport_data::Stored as _;
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _, QueryOrder as _, QuerySelect as _};

use crate::domain::{Erasure, ErasureId};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    erasure_id: Uuid,
    customer_id: Uuid,
    created_at: i64,
    completed_at: Option<i64>,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new erasure.
///
/// # Errors
/// As the database's.
pub async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, erasure: &Erasure) -> Result<(), Fault> {
    let row = Model {
        tenant: tenant.uuid(),
        erasure_id: erasure.id.uuid(),
        customer_id: erasure.customer.uuid(),
        created_at: erasure.created_at.micros(),
        completed_at: erasure.completed_at.map(Timestamp::micros),
    };
    Entity::insert(row.into_active_model()).exec_without_returning(conn).await.stored()?;
    subject::insert(conn, tenant, erasure).await?;
    receipt::insert(conn, tenant, erasure).await
}

/// Reads an erasure.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(conn: &impl ConnectionTrait, tenant: TenantId, id: ErasureId) -> Result<Erasure, Fault> {
    let row = Entity::find_by_id((tenant.uuid(), id.uuid())).one(conn).await.stored()?;
    whole(conn, tenant, id, row).await
}

/// Reads an erasure in order to change it: nobody else changes it meanwhile.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn lock(conn: &impl ConnectionTrait, tenant: TenantId, id: ErasureId) -> Result<Erasure, Fault> {
    let row = Entity::find_by_id((tenant.uuid(), id.uuid())).lock_exclusive().one(conn).await.stored()?;
    whole(conn, tenant, id, row).await
}

/// Writes what can change of an erasure that was locked.
///
/// # Errors
/// As the database's.
pub async fn update(conn: &impl ConnectionTrait, tenant: TenantId, erasure: &Erasure) -> Result<(), Fault> {
    let completed_at = Set(erasure.completed_at.map(Timestamp::micros));
    let change = Entity::update_many().set(ActiveModel { completed_at, ..Default::default() });
    let change = change.filter(Column::Tenant.eq(tenant.uuid())).filter(Column::ErasureId.eq(erasure.id.uuid()));
    change.exec(conn).await.stored()?;
    receipt::update(conn, tenant, erasure).await
}

/// The newest erasure that covers all of these subjects.
///
/// # Errors
/// As the database's.
pub async fn covering(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    subjects: &[SubjectId],
) -> Result<Option<Erasure>, Fault> {
    let Some(first) = subjects.first() else { return Ok(None) };
    let wanted: BTreeSet<_> = subjects.iter().collect();
    for id in subject::erasures_of(conn, tenant, *first).await? {
        let erasure = get(conn, tenant, id).await?;
        if wanted.is_subset(&erasure.subjects.iter().collect()) {
            return Ok(Some(erasure));
        }
    }
    Ok(None)
}

/// The erasures of all tenants that are not complete, the oldest first.
///
/// # Errors
/// As the database's.
pub async fn running(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<(TenantId, ErasureId)>, Fault> {
    let query = Entity::find().filter(Column::CompletedAt.is_null()).order_by_asc(Column::CreatedAt).limit(limit);
    let rows = query.all(conn).await.stored()?;
    Ok(rows.into_iter().map(|row| (TenantId::from_uuid(row.tenant), ErasureId::from_uuid(row.erasure_id))).collect())
}

async fn whole(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    id: ErasureId,
    row: Option<Model>,
) -> Result<Erasure, Fault> {
    let row = row.ok_or_else(|| Fault::not_found("erasure", id.to_string()))?;
    Ok(Erasure {
        id,
        customer: CustomerId::from_uuid(row.customer_id),
        subjects: subject::of(conn, tenant, id).await?,
        receipts: receipt::of(conn, tenant, id).await?,
        created_at: Timestamp::from_column(row.created_at),
        completed_at: row.completed_at.map(Timestamp::from_column),
    })
}
