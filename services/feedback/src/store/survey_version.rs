//! The table of what each version of a survey asks. Once its survey was published a row never changes.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel as _, QueryOrder as _};

use super::text::FreeText;
use super::{small, version};
use crate::domain::SurveyId;
use crate::domain::survey::Version;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "survey_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    survey_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    version: i32,
    /// JSON.
    definition: FreeText,
    created_at: i64,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a version; of a draft, over what it was.
///
/// # Errors
/// As the database's.
pub async fn put(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId, version: &Version) -> Result<(), Fault> {
    let row = Model {
        tenant: tenant.uuid(),
        survey_id: id.uuid(),
        version: small(version.number)?,
        definition: FreeText(serde_json::to_string(&version.definition).map_err(Fault::internal)?),
        created_at: version.created_at.micros(),
    };
    let over = OnConflict::columns([Column::Tenant, Column::SurveyId, Column::Version])
        .update_columns([Column::Definition, Column::CreatedAt])
        .to_owned();
    let insert = Entity::insert(row.into_active_model()).on_conflict(over);
    insert.exec_without_returning(conn).await.stored().map(drop)
}

/// Reads a version.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId, number: u32) -> Result<Version, Fault> {
    // A number that no column holds is none of a version.
    let missing = || Fault::not_found("survey", id.to_string()).with("version", number);
    let key = (tenant.uuid(), id.uuid(), small(number).map_err(|_| missing())?);
    Entity::find_by_id(key).one(conn).await.stored()?.ok_or_else(missing).and_then(read)
}

/// Reads all versions, the oldest first.
///
/// # Errors
/// As the database's.
pub async fn all(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId) -> Result<Vec<Version>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SurveyId.eq(id.uuid()));
    query.order_by_asc(Column::Version).all(conn).await.stored()?.into_iter().map(read).collect()
}

/// Deletes all versions of a survey.
///
/// # Errors
/// As the database's.
pub async fn delete(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId) -> Result<(), Fault> {
    let doomed = Entity::delete_many().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SurveyId.eq(id.uuid()));
    doomed.exec(conn).await.stored().map(drop)
}

fn read(row: Model) -> Result<Version, Fault> {
    // What is wrong in it is not told: its conditions may name personal data.
    let unreadable = || Fault::internal("a survey's row holds an unreadable version");
    Ok(Version {
        number: version(row.version)?,
        definition: serde_json::from_str(&row.definition.0).map_err(|_| unreadable())?,
        created_at: Timestamp::from_column(row.created_at),
    })
}
