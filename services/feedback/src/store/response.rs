//! The table of responses.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, Private, SubjectId, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, SelectStatement};
use sea_orm::{ActiveValue::NotSet, Condition, IntoActiveModel as _, Order, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::text::FreeText;
use super::text_reading::{self, Source};
use super::{column, response_tag, revision, small, time, version};
use crate::domain::response::{Filter, Origin};
use crate::domain::{Party, Respondent, Response, ResponseId, SurveyId, SurveyKind, Touch};

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "response")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    response_id: Uuid,
    survey_id: Uuid,
    version: i32,
    kind: String,
    subject_id: Uuid,
    anonymous: bool,
    party: String,
    complete: bool,
    is_test: bool,
    aside: bool,
    score: Option<i32>,
    weight: f64,
    /// JSON.
    content: FreeText,
    /// JSON: a list of texts.
    tags: String,
    channel: String,
    touchpoint: String,
    stage: String,
    product: String,
    campaign: String,
    agent: FreeText,
    team: String,
    language: String,
    ticket_id: Option<Uuid>,
    interaction_id: Option<Uuid>,
    invitation_id: Option<Uuid>,
    source: String,
    external_id: FreeText,
    source_version: i64,
    /// JSON: a map of texts.
    dimensions: FreeText,
    started_at: Option<i64>,
    answered_at: i64,
    completed_at: Option<i64>,
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

/// The responses that count after an id, in the order of ids.
///
/// # Errors
/// As the database's.
pub async fn after(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    after: Option<ResponseId>,
    limit: u64,
) -> Result<Vec<Response>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::Aside.eq(false));
    if let Some(after) = after {
        query = query.filter(Column::ResponseId.gt(after.uuid()));
    }
    let rows = query.order_by_asc(Column::ResponseId).limit(limit).all(conn).await.stored()?;
    rows.into_iter().map(response).collect()
}

/// Responses by their ids.
///
/// # Errors
/// As the database's.
pub async fn of_ids(conn: &impl ConnectionTrait, tenant: TenantId, ids: &[Uuid]) -> Result<Vec<Response>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid()));
    let rows = query.filter(Column::ResponseId.is_in(ids.iter().copied())).all(conn).await.stored()?;
    rows.into_iter().map(response).collect()
}

/// Reads a response in order to change it: nobody else changes it meanwhile.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn lock(conn: &impl ConnectionTrait, tenant: TenantId, id: ResponseId) -> Result<Response, Fault> {
    found(Entity::find_by_id((tenant.uuid(), id.uuid())).lock_exclusive().one(conn).await.stored()?, id)
}

/// Writes a response that was locked over what it was.
///
/// # Errors
/// As the database's.
pub async fn update(conn: &impl ConnectionTrait, tenant: TenantId, response: &Response) -> Result<(), Fault> {
    let mut changes = row(tenant, response)?.into_active_model().reset_all();
    // What it hangs on never changes.
    changes.tenant = NotSet;
    changes.response_id = NotSet;
    changes.survey_id = NotSet;
    changes.subject_id = NotSet;
    changes.created_at = NotSet;
    let change = Entity::update_many().set(changes);
    let change = change.filter(Column::Tenant.eq(tenant.uuid())).filter(Column::ResponseId.eq(response.id.uuid()));
    change.exec(conn).await.stored().map(drop)
}

/// Some of the responses to a survey that count, which nobody else changes meanwhile.
///
/// # Errors
/// As the database's.
pub async fn some_of_survey(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    survey: SurveyId,
    limit: u64,
) -> Result<Vec<Response>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::SurveyId.eq(survey.uuid()));
    query
        .filter(Column::Aside.eq(false))
        .limit(limit)
        .lock_exclusive()
        .all(conn)
        .await
        .stored()?
        .into_iter()
        .map(response)
        .collect()
}

/// Deletes responses.
///
/// # Errors
/// As the database's.
pub async fn delete(conn: &impl ConnectionTrait, tenant: TenantId, ids: &[ResponseId]) -> Result<(), Fault> {
    let doomed = Entity::delete_many()
        .filter(Column::Tenant.eq(tenant.uuid()))
        .filter(Column::ResponseId.is_in(ids.iter().map(|id| id.uuid())));
    doomed.exec(conn).await.stored().map(drop)
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

/// The responses that a filter lets through beyond a place, newest first, or oldest first; only those of `subjects` where
/// they are given.
///
/// # Errors
/// As the database's.
pub async fn list(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    (filter, ascending): (&Filter, bool),
    subjects: Option<&[SubjectId]>,
    beyond: Option<Place>,
    limit: u64,
) -> Result<Vec<Response>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(condition(tenant, filter));
    if let Some(subjects) = subjects {
        query = query.filter(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    }
    if let Some(Place { answered_at, id }) = beyond {
        let (at, id) = (answered_at.micros(), id.uuid());
        // The first bound is what an index can start from; the second tells apart what was answered at one instant.
        let (bound, ties) = if ascending {
            (Column::AnsweredAt.gte(at), [Column::AnsweredAt.gt(at), Column::ResponseId.gt(id)])
        } else {
            (Column::AnsweredAt.lte(at), [Column::AnsweredAt.lt(at), Column::ResponseId.lt(id)])
        };
        let [later, tied] = ties;
        query = query.filter(bound).filter(Condition::any().add(later).add(tied));
    }
    let order = if ascending { Order::Asc } else { Order::Desc };
    let query = query.order_by(Column::AnsweredAt, order.clone()).order_by(Column::ResponseId, order).limit(limit);
    query.all(conn).await.stored()?.into_iter().map(response).collect()
}

/// Asks of an item that was found whether a filter lets it through, as `search::find` takes it.
#[must_use]
pub fn narrowing(tenant: TenantId, filter: &Filter) -> SelectStatement {
    let same = Expr::col((Entity, Column::ResponseId)).equals(("search_text", "item_id"));
    let query = Entity::find().select_only().column(Column::ResponseId).filter(Column::Tenant.eq(tenant.uuid()));
    sea_orm::QueryTrait::into_query(query.filter(same).filter(condition(tenant, filter)))
}

/// Selects of the ids of all that a filter could let through, each by an index of its own: by the survey, the ticket, each tag,
/// the topic. None of them heeds the rest of the filter.
pub fn candidates(tenant: TenantId, filter: &Filter) -> Vec<SelectStatement> {
    let of = |condition: Expr| {
        let query = Entity::find().select_only().column(Column::ResponseId).filter(Column::Tenant.eq(tenant.uuid()));
        sea_orm::QueryTrait::into_query(query.filter(condition))
    };
    let mut all: Vec<SelectStatement> = Vec::new();
    all.extend(filter.survey.map(|survey| of(Column::SurveyId.eq(survey.uuid()))));
    all.extend(filter.ticket.map(|ticket| of(Column::TicketId.eq(ticket))));
    all.extend(filter.tags.iter().map(|tag| response_tag::having(tenant, tag)));
    all.extend(filter.tone.topic.as_ref().map(|topic| text_reading::about(tenant, Source::Response, topic)));
    all
}

/// These responses, in any order.
///
/// # Errors
/// As the database's.
pub async fn some(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    ids: impl Iterator<Item = ResponseId>,
) -> Result<Vec<Response>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid()));
    let query = query.filter(Column::ResponseId.is_in(ids.map(|id| id.uuid())));
    query.all(conn).await.stored()?.into_iter().map(response).collect()
}

fn condition(tenant: TenantId, filter: &Filter) -> Condition {
    let mut all = Condition::all()
        .add(Column::Aside.eq(false))
        .add_option(filter.survey.map(|survey| Column::SurveyId.eq(survey.uuid())))
        .add_option(filter.kind.map(|kind| Column::Kind.eq(kind.name())))
        .add_option(filter.version.map(|version| Column::Version.eq(version)))
        .add_option(filter.complete.map(|complete| Column::Complete.eq(complete)))
        .add_option(filter.from.map(|from| Column::AnsweredAt.gte(from.micros())))
        .add_option(filter.until.map(|until| Column::AnsweredAt.lt(until.micros())))
        .add_option(filter.ticket.map(|ticket| Column::TicketId.eq(ticket)))
        .add_option(filter.interaction.map(|interaction| Column::InteractionId.eq(interaction)))
        .add_option(filter.min_score.map(|score| Column::Score.gte(score)))
        .add_option(filter.max_score.map(|score| Column::Score.lte(score)))
        .add_option((!filter.tests).then(|| Column::IsTest.eq(false)));
    let said = |value: &Option<String>, column: Column| value.as_ref().map(|value| column.eq(value));
    let touch = &filter.touch;
    for (value, column) in [
        (&touch.channel, Column::Channel),
        (&touch.touchpoint, Column::Touchpoint),
        (&touch.stage, Column::Stage),
        (&touch.product, Column::Product),
        (&touch.campaign, Column::Campaign),
        (&touch.agent.as_ref().map(|agent| agent.expose().clone()), Column::Agent),
        (&touch.team, Column::Team),
        (&touch.language, Column::Language),
    ] {
        all = all.add_option(said(value, column));
    }
    for tag in &filter.tags {
        all = all.add(Column::ResponseId.in_subquery(response_tag::having(tenant, tag)));
    }
    all.add(text_reading::read_so(tenant, Source::Response, ("response", "response_id"), &filter.tone))
}

fn found(row: Option<Model>, id: ResponseId) -> Result<Response, Fault> {
    row.map_or_else(|| Err(Fault::not_found("response", id.to_string())), response)
}

fn row(tenant: TenantId, response: &Response) -> Result<Model, Fault> {
    let (touch, respondent, origin) = (&response.touch, &response.respondent, response.origin.as_ref());
    Ok(Model {
        tenant: tenant.uuid(),
        response_id: response.id.uuid(),
        survey_id: response.survey.uuid(),
        version: small(response.version)?,
        kind: response.kind.name().to_owned(),
        subject_id: respondent.subject.uuid(),
        anonymous: respondent.anonymous,
        party: respondent.party.name().to_owned(),
        complete: response.complete,
        is_test: response.is_test,
        aside: response.aside,
        score: response.score(),
        weight: response.weight,
        content: FreeText(serde_json::to_string(&response.content).map_err(Fault::internal)?),
        tags: serde_json::to_string(&response.tags).map_err(Fault::internal)?,
        channel: touch.channel.clone(),
        touchpoint: touch.touchpoint.clone(),
        stage: touch.stage.clone(),
        product: touch.product.clone(),
        campaign: touch.campaign.clone(),
        agent: FreeText(touch.agent.clone()),
        team: touch.team.clone(),
        language: touch.language.clone(),
        ticket_id: touch.ticket,
        interaction_id: touch.interaction,
        invitation_id: touch.invitation,
        source: origin.map(|origin| origin.source.clone()).unwrap_or_default(),
        external_id: FreeText(origin.map(|origin| origin.external_id.expose().clone()).unwrap_or_default()),
        source_version: origin.map_or(0, |origin| origin.version),
        dimensions: FreeText(serde_json::to_string(&respondent.dimensions).map_err(Fault::internal)?),
        started_at: response.started_at.map(Timestamp::micros),
        answered_at: response.answered_at.micros(),
        completed_at: response.completed_at.map(Timestamp::micros),
        revision: column(response.revision)?,
        created_at: response.created_at.micros(),
        updated_at: response.updated_at.micros(),
    })
}

fn response(row: Model) -> Result<Response, Fault> {
    let unreadable = |what: &str| Fault::internal(format!("a response's row holds an unknown {what}"));
    let dimensions = serde_json::from_str(&row.dimensions.0).map_err(|_| unreadable("set of dimensions"))?;
    let external_id = Private::new(row.external_id.0);
    let origin = Origin { source: row.source, external_id, version: row.source_version };
    Ok(Response {
        id: ResponseId::from_uuid(row.response_id),
        survey: SurveyId::from_uuid(row.survey_id),
        version: version(row.version)?,
        kind: SurveyKind::of(&row.kind).ok_or_else(|| unreadable("kind"))?,
        respondent: Respondent {
            subject: SubjectId::from_uuid(row.subject_id),
            anonymous: row.anonymous,
            dimensions,
            party: Party::of(&row.party).ok_or_else(|| unreadable("party"))?,
        },
        complete: row.complete,
        // What is wrong in it is not told: it is private.
        content: serde_json::from_str(&row.content.0).map_err(|_| unreadable("content"))?,
        touch: Touch {
            channel: row.channel,
            touchpoint: row.touchpoint,
            stage: row.stage,
            product: row.product,
            campaign: row.campaign,
            agent: row.agent.0,
            team: row.team,
            ticket: row.ticket_id,
            interaction: row.interaction_id,
            invitation: row.invitation_id,
            language: row.language,
        },
        origin: Some(origin).filter(|origin| !origin.source.is_empty()),
        weight: row.weight,
        is_test: row.is_test,
        aside: row.aside,
        tags: serde_json::from_str(&row.tags).map_err(|_| unreadable("set of tags"))?,
        started_at: time(row.started_at),
        answered_at: Timestamp::from_column(row.answered_at),
        completed_at: time(row.completed_at),
        revision: revision(row.revision)?,
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
    })
}
