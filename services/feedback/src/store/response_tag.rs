//! The table of tags: which responses have one. What tags a response has, its own row says too.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, SubjectId, TenantId};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel as _, QuerySelect as _};

use crate::domain::{Response, ResponseId};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "response_tag")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    tag: String,
    #[sea_orm(primary_key, auto_increment = false)]
    response_id: Uuid,
    subject_id: Uuid,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes the tags of a response that has none yet.
///
/// # Errors
/// As the database's.
pub async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, response: &Response) -> Result<(), Fault> {
    if response.tags.is_empty() {
        return Ok(());
    }
    let row = |tag: &String| Model {
        tenant: tenant.uuid(),
        tag: tag.clone(),
        response_id: response.id.uuid(),
        subject_id: response.respondent.subject.uuid(),
    };
    let rows = response.tags.iter().map(|tag| row(tag).into_active_model());
    Entity::insert_many(rows).exec_without_returning(conn).await.stored().map(drop)
}

/// Deletes the tags of responses.
///
/// # Errors
/// As the database's.
pub async fn delete(conn: &impl ConnectionTrait, tenant: TenantId, responses: &[ResponseId]) -> Result<(), Fault> {
    let doomed = Entity::delete_many()
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::ResponseId.is_in(responses.iter().map(|id| id.uuid())));
    doomed.exec(conn).await.stored().map(drop)
}

/// Deletes the tags of what subjects said.
///
/// # Errors
/// As the database's.
pub async fn erase(conn: &impl ConnectionTrait, tenant: TenantId, subjects: &[SubjectId]) -> Result<(), Fault> {
    let doomed = Entity::delete_many()
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    doomed.exec(conn).await.stored().map(drop)
}

/// The responses that have a tag, as a subquery.
pub(super) fn having(tenant: TenantId, tag: &str) -> sea_orm::sea_query::SelectStatement {
    let query = Entity::find().select_only().column(Column::ResponseId);
    let query = query.filter(Column::Tenant.eq(tenant.uuid())).filter(Column::Tag.eq(tag));
    sea_orm::QueryTrait::into_query(query)
}
