//! The table of responses.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, Private, SubjectId, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, Condition, IntoActiveModel as _, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::text::FreeText;
use super::{column, revision};
use crate::domain::{Party, Respondent, Response, ResponseId, SurveyId, SurveyKind, Touch};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "response")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    response_id: Uuid,
    survey_id: Uuid,
    kind: String,
    subject_id: Uuid,
    anonymous: bool,
    score: i32,
    comment: FreeText,
    channel: String,
    touchpoint: String,
    stage: String,
    product: String,
    /// JSON: a map of texts.
    dimensions: FreeText,
    party: String,
    answered_at: i64,
    revision: i64,
    created_at: i64,
    updated_at: i64,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where a page ended: the next one goes on below it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// When its last response was answered.
    pub answered_at: Timestamp,
    /// Which that was, among those answered at the same instant.
    pub id: ResponseId,
}

/// Writes a new response.
///
/// # Errors
/// As the database's.
pub async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, response: &Response) -> Result<(), Fault> {
    let row = row(tenant, response)?.into_active_model();
    Entity::insert(row).exec_without_returning(conn).await.stored().map(drop)
}

/// Reads a response.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(conn: &impl ConnectionTrait, tenant: TenantId, id: ResponseId) -> Result<Response, Fault> {
    found(Entity::find_by_id((tenant.uuid(), id.uuid())).one(conn).await.stored()?, id)
}

/// The responses after an id, in the order of ids.
///
/// # Errors
/// As the database's.
pub async fn after(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    after: Option<ResponseId>,
    limit: u64,
) -> Result<Vec<Response>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(tenant.uuid()));
    if let Some(after) = after {
        query = query.filter(Column::ResponseId.gt(after.uuid()));
    }
    let rows = query.order_by_asc(Column::ResponseId).limit(limit).all(conn).await.stored()?;
    rows.into_iter().map(response).collect()
}

/// Reads a response in order to change it: nobody else changes it meanwhile.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn lock(conn: &impl ConnectionTrait, tenant: TenantId, id: ResponseId) -> Result<Response, Fault> {
    found(Entity::find_by_id((tenant.uuid(), id.uuid())).lock_exclusive().one(conn).await.stored()?, id)
}

/// Writes what can change of a response that was locked.
///
/// # Errors
/// As the database's.
pub async fn update(conn: &impl ConnectionTrait, tenant: TenantId, response: &Response) -> Result<(), Fault> {
    let changes = ActiveModel {
        score: Set(i32::from(response.score)),
        comment: Set(FreeText(response.comment.expose().clone())),
        revision: Set(column(response.revision)?),
        updated_at: Set(response.updated_at.micros()),
        ..Default::default()
    };
    let change = Entity::update_many().set(changes);
    let change = change.filter(Column::Tenant.eq(tenant.uuid())).filter(Column::ResponseId.eq(response.id.uuid()));
    change.exec(conn).await.stored().map(drop)
}

/// Deletes a response.
///
/// # Errors
/// As the database's.
pub async fn delete(conn: &impl ConnectionTrait, tenant: TenantId, id: ResponseId) -> Result<(), Fault> {
    Entity::delete_by_id((tenant.uuid(), id.uuid())).exec(conn).await.stored().map(drop)
}

/// Deletes all that subjects said, and answers how much it was.
///
/// # Errors
/// As the database's.
pub async fn erase(conn: &impl ConnectionTrait, tenant: TenantId, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let doomed = Entity::delete_many()
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    Ok(doomed.exec(conn).await.stored()?.rows_affected)
}

/// The responses to a survey below a place, newest first; only those of `subjects` where they are given.
///
/// # Errors
/// As the database's.
pub async fn list(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    survey: SurveyId,
    subjects: Option<&[SubjectId]>,
    below: Option<Place>,
    limit: u64,
) -> Result<Vec<Response>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SurveyId.eq(survey.uuid()));
    if let Some(subjects) = subjects {
        query = query.filter(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    }
    if let Some(Place { answered_at, id }) = below {
        let at = answered_at.micros();
        // The first bound is what an index can start from; the second tells apart what was answered at one instant.
        let after_ties = Condition::any().add(Column::AnsweredAt.lt(at)).add(Column::ResponseId.lt(id.uuid()));
        query = query.filter(Column::AnsweredAt.lte(at)).filter(after_ties);
    }
    let query = query.order_by_desc(Column::AnsweredAt).order_by_desc(Column::ResponseId).limit(limit);
    query.all(conn).await.stored()?.into_iter().map(response).collect()
}

fn found(row: Option<Model>, id: ResponseId) -> Result<Response, Fault> {
    row.map_or_else(|| Err(Fault::not_found("response", id.to_string())), response)
}

fn row(tenant: TenantId, response: &Response) -> Result<Model, Fault> {
    let (touch, respondent) = (&response.touch, &response.respondent);
    Ok(Model {
        tenant: tenant.uuid(),
        response_id: response.id.uuid(),
        survey_id: response.survey.uuid(),
        kind: response.kind.name().to_owned(),
        subject_id: respondent.subject.uuid(),
        anonymous: respondent.anonymous,
        score: i32::from(response.score),
        comment: FreeText(response.comment.expose().clone()),
        channel: touch.channel.clone(),
        touchpoint: touch.touchpoint.clone(),
        stage: touch.stage.clone(),
        product: touch.product.clone(),
        dimensions: FreeText(serde_json::to_string(&respondent.dimensions).map_err(Fault::internal)?),
        party: respondent.party.name().to_owned(),
        answered_at: response.answered_at.micros(),
        revision: column(response.revision)?,
        created_at: response.created_at.micros(),
        updated_at: response.updated_at.micros(),
    })
}

fn response(row: Model) -> Result<Response, Fault> {
    let unreadable = |what: &str| Fault::internal(format!("a response's row holds an unknown {what}"));
    let dimensions = serde_json::from_str(&row.dimensions.0).map_err(|_| unreadable("set of dimensions"))?;
    Ok(Response {
        id: ResponseId::from_uuid(row.response_id),
        survey: SurveyId::from_uuid(row.survey_id),
        kind: SurveyKind::of(&row.kind).ok_or_else(|| unreadable("kind"))?,
        respondent: Respondent {
            subject: SubjectId::from_uuid(row.subject_id),
            anonymous: row.anonymous,
            dimensions,
            party: Party::of(&row.party).ok_or_else(|| unreadable("party"))?,
        },
        score: u8::try_from(row.score).map_err(|_| unreadable("score"))?,
        comment: Private::new(row.comment.0),
        touch: Touch { channel: row.channel, touchpoint: row.touchpoint, stage: row.stage, product: row.product },
        answered_at: Timestamp::from_column(row.answered_at),
        revision: revision(row.revision)?,
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
    })
}
