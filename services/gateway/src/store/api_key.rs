//! The table of keys. A key is looked up by its hash before it is known whose it is: by the system's access.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, Scope, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _, QueryOrder as _, QuerySelect as _};

use crate::domain::{ApiKey, ApiKeyId, KeyHash};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    key_id: Uuid,
    hash: Vec<u8>,
    name: String,
    /// With spaces between.
    scopes: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new key.
///
/// # Errors
/// As the database's.
pub async fn insert(conn: &impl ConnectionTrait, key: &ApiKey, hash: KeyHash) -> Result<(), Fault> {
    let row = Model {
        tenant: key.tenant.uuid(),
        key_id: key.id.uuid(),
        hash: hash.bytes().to_vec(),
        name: key.name.clone(),
        scopes: key.scopes.iter().map(Scope::to_string).collect::<Vec<_>>().join(" "),
        created_at: key.created_at.micros(),
        revoked_at: key.revoked_at.map(Timestamp::micros),
    };
    Entity::insert(row.into_active_model()).exec_without_returning(conn).await.stored().map(drop)
}

/// Reads a key in order to change it, with its hash: nobody else changes it meanwhile.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn lock(conn: &impl ConnectionTrait, tenant: TenantId, id: ApiKeyId) -> Result<(KeyHash, ApiKey), Fault> {
    let row = Entity::find_by_id((tenant.uuid(), id.uuid())).lock_exclusive().one(conn).await.stored()?;
    row.map_or_else(|| Err(Fault::not_found("api_key", id.to_string())), key)
}

/// Writes that a key was revoked.
///
/// # Errors
/// As the database's.
pub async fn revoke(conn: &impl ConnectionTrait, key: &ApiKey) -> Result<(), Fault> {
    let revoked_at = Set(key.revoked_at.map(Timestamp::micros));
    let change = Entity::update_many().set(ActiveModel { revoked_at, ..Default::default() });
    let change = change.filter(Column::Tenant.eq(key.tenant.uuid())).filter(Column::KeyId.eq(key.id.uuid()));
    change.exec(conn).await.stored().map(drop)
}

/// The keys of a tenant that were made before `before`, newest first. Ids sort by the time of their making.
///
/// # Errors
/// As the database's.
pub async fn list(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    before: Option<ApiKeyId>,
    limit: u64,
) -> Result<Vec<ApiKey>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(tenant.uuid()));
    if let Some(before) = before {
        query = query.filter(Column::KeyId.lt(before.uuid()));
    }
    let rows = query.order_by_desc(Column::KeyId).limit(limit).all(conn).await.stored()?;
    rows.into_iter().map(|row| key(row).map(|(_, key)| key)).collect()
}

/// The keys of these hashes, revoked ones as well, whosever they are.
///
/// # Errors
/// As the database's.
pub async fn by_hash(conn: &impl ConnectionTrait, hashes: &[KeyHash]) -> Result<Vec<(KeyHash, ApiKey)>, Fault> {
    let hashes = hashes.iter().map(|hash| hash.bytes().to_vec());
    let rows = Entity::find().filter(Column::Hash.is_in(hashes)).all(conn).await.stored()?;
    rows.into_iter().map(key).collect()
}

fn key(row: Model) -> Result<(KeyHash, ApiKey), Fault> {
    let hash = KeyHash::from_bytes(&row.hash).ok_or_else(|| Fault::internal("a key's hash has not 32 bytes"))?;
    let scopes = row.scopes.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>();
    let key = ApiKey {
        id: ApiKeyId::from_uuid(row.key_id),
        tenant: TenantId::from_uuid(row.tenant),
        name: row.name,
        scopes: scopes.map_err(Fault::internal)?,
        created_at: Timestamp::from_column(row.created_at),
        revoked_at: row.revoked_at.map(Timestamp::from_column),
    };
    Ok((hash, key))
}
