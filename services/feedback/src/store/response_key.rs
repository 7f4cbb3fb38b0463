//! The table of what responses are elsewhere: each record of a source is taken once. The key of a deleted response stays, so
//! that a late copy does not bring it back; that of an erased one does not.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, SubjectId, TenantId};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _, QuerySelect as _};

use super::text::FreeText;
use crate::domain::response::Origin;
use crate::domain::{Response, ResponseId};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "response_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    external_id: FreeText,
    response_id: Uuid,
    subject_id: Uuid,
    version: i64,
    deleted: bool,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is held of a record.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The response that it is.
    pub response: ResponseId,
    /// Its version at the source.
    pub version: i64,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// Finds a record, and keeps others from changing what is held of it.
///
/// # Errors
/// As the database's.
pub async fn find(conn: &impl ConnectionTrait, tenant: TenantId, origin: &Origin) -> Result<Option<Held>, Fault> {
    let found = Entity::find()
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::Source.eq(&origin.source))
        .filter(Column::ExternalId.eq(origin.external_id.expose()))
        .lock_exclusive()
        .one(conn)
        .await
        .stored()?;
    Ok(found.map(|row| Held {
        response: ResponseId::from_uuid(row.response_id),
        version: row.version,
        deleted: row.deleted,
    }))
}

/// Writes which record a response is, where it is one.
///
/// # Errors
/// As the database's.
pub async fn put(conn: &impl ConnectionTrait, tenant: TenantId, response: &Response) -> Result<(), Fault> {
    let Some(origin) = &response.origin else { return Ok(()) };
    let row = Model {
        tenant: tenant.uuid(),
        source: origin.source.clone(),
        external_id: FreeText(origin.external_id.expose().clone()),
        response_id: response.id.uuid(),
        subject_id: response.respondent.subject.uuid(),
        version: origin.version,
        deleted: false,
    };
    let over = OnConflict::columns([Column::Tenant, Column::Source, Column::ExternalId])
        .update_columns([Column::Version])
        .to_owned();
    let insert = Entity::insert(row.into_active_model()).on_conflict(over);
    insert.exec_without_returning(conn).await.stored().map(drop)
}

/// Notes that responses were deleted.
///
/// # Errors
/// As the database's.
pub async fn delete(conn: &impl ConnectionTrait, tenant: TenantId, responses: &[ResponseId]) -> Result<(), Fault> {
    let change = Entity::update_many().set(ActiveModel { deleted: Set(true), ..Default::default() });
    let change = change
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::ResponseId.is_in(responses.iter().map(|id| id.uuid())));
    change.exec(conn).await.stored().map(drop)
}

/// Deletes the keys of what subjects said.
///
/// # Errors
/// As the database's.
pub async fn erase(conn: &impl ConnectionTrait, tenant: TenantId, subjects: &[SubjectId]) -> Result<(), Fault> {
    let doomed = Entity::delete_many()
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    doomed.exec(conn).await.stored().map(drop)
}
