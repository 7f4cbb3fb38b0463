//! The table of actions: every revision, each valid for a range of policy versions.

use std::time::Duration;

use rapport_data::{Rx, Stored as _};
use rapport_kernel::{Fault, TenantId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, IntoActiveModel as _, QueryOrder as _, QuerySelect as _};

use super::sql;
use crate::domain::{Action, ActionId, ActionKind, Cap, Draft};

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "action")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    action_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    version: i64,
    until_version: Option<i64>,
    name: String,
    kind: String,
    channels: String,
    placements: String,
    eligibility: String,
    value: f64,
    propensity: Option<f64>,
    cap_times: Option<i64>,
    cap_window: Option<i64>,
    start_at: Option<i64>,
    end_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new revision.
///
/// # Errors
/// As the database's.
pub async fn insert(conn: &impl ConnectionTrait, tenant: TenantId, action: &Action) -> Result<(), Fault> {
    let row = row(tenant, action)?.into_active_model();
    Entity::insert(row).exec_without_returning(conn).await.stored().map(drop)
}

/// Ends the current revision: from policy version `until` on it is no more.
///
/// # Errors
/// As the database's.
pub async fn end(conn: &impl ConnectionTrait, tenant: TenantId, id: ActionId, until: i64) -> Result<(), Fault> {
    let end = Entity::update_many().col_expr(Column::UntilVersion, Expr::value(until));
    let end = end.filter(current(tenant)).filter(Column::ActionId.eq(id.uuid()));
    end.exec(conn).await.stored().map(drop)
}

/// Reads an action as it is now.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(conn: &impl ConnectionTrait, tenant: TenantId, id: ActionId) -> Result<Action, Fault> {
    let row = Entity::find().filter(current(tenant)).filter(Column::ActionId.eq(id.uuid())).one(conn).await.stored()?;
    row.map_or_else(|| Err(Fault::not_found("action", id.to_string())), action)
}

/// The actions after a name, by name.
///
/// # Errors
/// As the database's.
pub async fn list(
    conn: &impl ConnectionTrait,
    tenant: TenantId,
    after: Option<String>,
    limit: u64,
) -> Result<Vec<Action>, Fault> {
    let mut query = Entity::find().filter(current(tenant));
    if let Some(after) = after {
        query = query.filter(Column::Name.gt(after));
    }
    let query = query.order_by_asc(Column::Name).limit(limit);
    query.all(conn).await.stored()?.into_iter().map(action).collect()
}

/// Which action carries a name now.
///
/// # Errors
/// As the database's.
pub async fn named(conn: &impl ConnectionTrait, tenant: TenantId, name: &str) -> Result<Option<ActionId>, Fault> {
    let query = Entity::find().filter(current(tenant)).filter(Column::Name.eq(name));
    let id = query.select_only().column(Column::ActionId).into_tuple::<Uuid>().one(conn).await.stored()?;
    Ok(id.map(ActionId::from_uuid))
}

/// How many actions there are now.
///
/// # Errors
/// As the database's.
pub async fn count(conn: &impl ConnectionTrait, tenant: TenantId) -> Result<u64, Fault> {
    Entity::find().filter(current(tenant)).count(conn).await.stored()
}

/// The actions as they stood in a policy version.
///
/// # Errors
/// As the database's.
pub async fn as_of(conn: &impl ConnectionTrait, tenant: TenantId, version: i64) -> Result<Vec<Action>, Fault> {
    let ends_later = Condition::any().add(Column::UntilVersion.is_null()).add(Column::UntilVersion.gt(version));
    let query = Entity::find().filter(Column::Tenant.eq(tenant.uuid())).filter(Column::Version.lte(version));
    query.filter(ends_later).all(conn).await.stored()?.into_iter().map(action).collect()
}

fn current(tenant: TenantId) -> Condition {
    Condition::all().add(Column::Tenant.eq(tenant.uuid())).add(Column::UntilVersion.is_null())
}

fn row(tenant: TenantId, action: &Action) -> Result<Model, Fault> {
    let draft = &action.draft;
    let list = |texts: &[String]| serde_json::to_string(texts).map_err(Fault::internal);
    let window = draft.cap.map(|cap| i64::try_from(cap.window.as_micros()).map_err(Fault::internal)).transpose()?;
    Ok(Model {
        tenant: tenant.uuid(),
        action_id: action.id.uuid(),
        version: action.version,
        until_version: None,
        name: draft.name.clone(),
        kind: kind_name(draft.kind).to_owned(),
        channels: list(&draft.channels)?,
        placements: list(&draft.placements)?,
        eligibility: draft.eligibility.clone(),
        value: draft.value,
        propensity: draft.propensity,
        cap_times: draft.cap.map(|cap| i64::from(cap.times)),
        cap_window: window,
        start_at: draft.start.map(Timestamp::micros),
        end_at: draft.end.map(Timestamp::micros),
        created_at: action.created_at.micros(),
        updated_at: action.updated_at.micros(),
    })
}

fn action(row: Model) -> Result<Action, Fault> {
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).map_err(Fault::internal);
    let draft = Draft {
        kind: kind(&row.kind)?,
        channels: list(&row.channels)?,
        placements: list(&row.placements)?,
        name: row.name,
        eligibility: row.eligibility,
        value: row.value,
        propensity: row.propensity,
        cap: cap(row.cap_times, row.cap_window)?,
        start: row.start_at.map(Timestamp::from_column),
        end: row.end_at.map(Timestamp::from_column),
    };
    Ok(Action {
        id: ActionId::from_uuid(row.action_id),
        draft,
        version: row.version,
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
    })
}

fn cap(times: Option<i64>, window: Option<i64>) -> Result<Option<Cap>, Fault> {
    let (Some(times), Some(window)) = (times, window) else { return Ok(None) };
    let times = u32::try_from(times).map_err(Fault::internal)?;
    let window = Duration::from_micros(u64::try_from(window).map_err(Fault::internal)?);
    Ok(Some(Cap { times, window }))
}

const fn kind_name(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Offer => "offer",
        ActionKind::Recommendation => "recommendation",
        ActionKind::Advice => "advice",
        ActionKind::Service => "service",
    }
}

fn kind(name: &str) -> Result<ActionKind, Fault> {
    match name {
        "offer" => Ok(ActionKind::Offer),
        "recommendation" => Ok(ActionKind::Recommendation),
        "advice" => Ok(ActionKind::Advice),
        "service" => Ok(ActionKind::Service),
        _ => Err(Fault::internal("an action's row holds an unknown kind")),
    }
}

/// The longest window of a cap in force.
///
/// # Errors
/// As the database's.
pub async fn longest_window(rx: &Rx) -> Result<Duration, Fault> {
    let text = "SELECT MAX(cap_window) FROM action WHERE tenant = $1 AND until_version IS NULL";
    let row = rx.conn().query_one_raw(sql(rx.conn(), text, vec![rx.tenant().uuid().into()])).await.stored()?;
    let longest = row.map(|row| row.try_get_by_index::<Option<i64>>(0).stored()).transpose()?.flatten();
    Ok(Duration::from_micros(longest.unwrap_or(0).unsigned_abs()))
}
