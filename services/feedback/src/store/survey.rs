//! The table of surveys.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _, QueryOrder as _, QuerySelect as _};

use super::text::FreeText;
use super::{column, revision, small, time, version};
use crate::domain::survey::Which;
use crate::domain::{Party, Survey, SurveyId, SurveyKind, SurveyState};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "survey")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    survey_id: Uuid,
    name: String,
    description: String,
    kind: String,
    party: String,
    state: String,
    version: i32,
    revision: i64,
    created_at: i64,
    updated_at: i64,
    published_at: Option<i64>,
    closed_at: Option<i64>,
    /// JSON: it may name personal data.
    asking: FreeText,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new survey.
///
/// # Errors
/// As the database's.
pub async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, survey: &Survey) -> Result<(), Fault> {
    let row = row(tenant, survey)?.into_active_model();
    Entity::insert(row).exec_without_returning(conn).await.stored().map(drop)
}

/// Reads a survey.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId) -> Result<Survey, Fault> {
    found(Entity::find_by_id((tenant.uuid(), id.uuid())).one(conn).await.stored()?, id)
}

/// Reads a survey in order to change it: nobody else changes it meanwhile.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn lock(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId) -> Result<Survey, Fault> {
    found(Entity::find_by_id((tenant.uuid(), id.uuid())).lock_exclusive().one(conn).await.stored()?, id)
}

/// Reads a survey and keeps it from being changed or deleted until the unit ends.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn hold(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId) -> Result<Survey, Fault> {
    found(Entity::find_by_id((tenant.uuid(), id.uuid())).lock_shared().one(conn).await.stored()?, id)
}

/// Writes what can change of a survey that was locked.
///
/// # Errors
/// As the database's.
pub async fn update(conn: &impl ConnectionTrait, tenant: TenantId, survey: &Survey) -> Result<(), Fault> {
    let changes = ActiveModel {
        name: Set(survey.name.clone()),
        description: Set(survey.description.clone()),
        kind: Set(survey.kind.name().to_owned()),
        party: Set(survey.party.name().to_owned()),
        state: Set(survey.state.name().to_owned()),
        version: Set(small(survey.version)?),
        revision: Set(column(survey.revision)?),
        updated_at: Set(survey.updated_at.micros()),
        published_at: Set(survey.published_at.map(Timestamp::micros)),
        closed_at: Set(survey.closed_at.map(Timestamp::micros)),
        asking: Set(asking(survey)?),
        ..Default::default()
    };
    let change = Entity::update_many().set(changes);
    let change = change.filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SurveyId.eq(survey.id.uuid()));
    change.exec(conn).await.stored().map(drop)
}

/// Deletes a survey.
///
/// # Errors
/// As the database's.
pub async fn delete(conn: &impl ConnectionTrait, tenant: TenantId, id: SurveyId) -> Result<(), Fault> {
    Entity::delete_by_id((tenant.uuid(), id.uuid())).exec(conn).await.stored().map(drop)
}

/// The surveys made before `before`, newest first. Ids sort by the time of their making.
///
/// # Errors
/// As the database's.
pub async fn list(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    which: &Which,
    before: Option<SurveyId>,
    limit: u64,
) -> Result<Vec<Survey>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(tenant.uuid()));
    if let Some(before) = before {
        query = query.filter(Column::SurveyId.lt(before.uuid()));
    }
    if let Some(kind) = which.kind {
        query = query.filter(Column::Kind.eq(kind.name()));
    }
    if let Some(state) = which.state {
        query = query.filter(Column::State.eq(state.name()));
    }
    if let Some(party) = which.party {
        query = query.filter(Column::Party.eq(party.name()));
    }
    let query = query.order_by_desc(Column::SurveyId).limit(limit);
    query.all(conn).await.stored()?.into_iter().map(survey).collect()
}

fn found(row: Option<Model>, id: SurveyId) -> Result<Survey, Fault> {
    row.map_or_else(|| Err(Fault::not_found("survey", id.to_string())), survey)
}

fn row(tenant: TenantId, survey: &Survey) -> Result<Model, Fault> {
    Ok(Model {
        tenant: tenant.uuid(),
        survey_id: survey.id.uuid(),
        name: survey.name.clone(),
        description: survey.description.clone(),
        kind: survey.kind.name().to_owned(),
        party: survey.party.name().to_owned(),
        state: survey.state.name().to_owned(),
        version: small(survey.version)?,
        revision: column(survey.revision)?,
        created_at: survey.created_at.micros(),
        updated_at: survey.updated_at.micros(),
        published_at: survey.published_at.map(Timestamp::micros),
        closed_at: survey.closed_at.map(Timestamp::micros),
        asking: asking(survey)?,
    })
}

fn asking(survey: &Survey) -> Result<FreeText, Fault> {
    serde_json::to_string(&survey.asking).map(FreeText).map_err(Fault::internal)
}

fn survey(row: Model) -> Result<Survey, Fault> {
    let unknown = |what: &str| Fault::internal(format!("a survey's row holds an unknown {what}"));
    Ok(Survey {
        id: SurveyId::from_uuid(row.survey_id),
        name: row.name,
        description: row.description,
        kind: SurveyKind::of(&row.kind).ok_or_else(|| unknown("kind"))?,
        party: Party::of(&row.party).ok_or_else(|| unknown("party"))?,
        state: SurveyState::of(&row.state).ok_or_else(|| unknown("state"))?,
        version: version(row.version)?,
        revision: revision(row.revision)?,
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
        published_at: time(row.published_at),
        closed_at: time(row.closed_at),
        // What is wrong in it is not told.
        asking: serde_json::from_str(&row.asking.0).map_err(|_| unknown("way of asking"))?,
    })
}
