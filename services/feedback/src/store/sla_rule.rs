//! Calendars and policies of service levels, and the version of both: what was compiled of them holds for as long as that
//! stands.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, Id, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ActiveValue::Set, QueryOrder as _, QuerySelect as _, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{column, revision};
use crate::domain::sla::{Calendar, CalendarId, Policy, PolicyId};
use crate::domain::ticket::Windows;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_rule")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule_id: Uuid,
    pub kind: String,
    pub name: String,
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub body: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A condition may name personal data: the row prints its id only.
        f.debug_struct("SlaRule").field("rule_id", &self.rule_id).finish_non_exhaustive()
    }
}

/// What is kept here: a calendar, a policy, or the lengths by which tickets are judged.
pub trait Rule: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of its kind.
    const KIND: &'static str;

    /// Its own name.
    fn name(&self) -> &str;
}

impl Rule for Calendar {
    const KIND: &'static str = "calendar";

    fn name(&self) -> &str {
        &self.name
    }
}

impl Rule for Policy {
    const KIND: &'static str = "policy";

    fn name(&self) -> &str {
        &self.name
    }
}

impl Rule for Windows {
    const KIND: &'static str = "windows";

    fn name(&self) -> &str {
        Self::KIND
    }
}

/// A rule as it is held.
#[derive(Clone)]
pub struct Kept<T> {
    /// Its id.
    pub id: Id<T>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What it says.
    pub rule: T,
}

fn kept<T: Rule>(row: &Model) -> Result<Kept<T>, Fault> {
    Ok(Kept {
        id: Id::from_uuid(row.rule_id),
        revision: revision(row.revision)?,
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
        rule: serde_json::from_str(&row.body).map_err(|_| Fault::internal("a rule's row is not readable"))?,
    })
}

fn of_kind<T: Rule>(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Kind.eq(T::KIND))
}

/// One rule.
pub async fn find<T: Rule>(rx: &Rx, id: Id<T>) -> Result<Option<Kept<T>>, Fault> {
    let row = of_kind::<T>(rx).filter(Column::RuleId.eq(id.uuid())).one(rx.conn()).await.stored()?;
    row.as_ref().map(kept).transpose()
}

/// The rule of a name.
pub async fn by_name<T: Rule>(rx: &Rx, name: &str) -> Result<Option<Kept<T>>, Fault> {
    let row = of_kind::<T>(rx).filter(Column::Name.eq(name)).one(rx.conn()).await.stored()?;
    row.as_ref().map(kept).transpose()
}

/// How many there are.
pub async fn count<T: Rule>(rx: &Rx) -> Result<u64, Fault> {
    of_kind::<T>(rx).count(rx.conn()).await.stored()
}

/// Rules after one, oldest first, one more than `size`.
pub async fn page<T: Rule>(rx: &Rx, after: Option<Uuid>, size: usize) -> Result<Vec<Kept<T>>, Fault> {
    let query = of_kind::<T>(rx).filter(Column::RuleId.gt(after.unwrap_or(Uuid::nil())));
    let rows = query.order_by_asc(Column::RuleId).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    rows.iter().map(kept).collect()
}

/// Adds a rule, or replaces it by its new state.
pub async fn put<T: Rule>(tx: &Tx, kept: &Kept<T>) -> Result<(), Fault> {
    let body = serde_json::to_string(&kept.rule).map_err(|_| Fault::internal("a rule could not be encoded"))?;
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        rule_id: Set(kept.id.uuid()),
        kind: Set(T::KIND.to_owned()),
        name: Set(kept.rule.name().to_owned()),
        revision: Set(column(kept.revision)?),
        created_at: Set(kept.created_at.micros()),
        updated_at: Set(kept.updated_at.micros()),
        body: Set(body),
    };
    if kept.revision == 1 {
        return Entity::insert(row).exec_without_returning(tx.conn()).await.stored().map(drop);
    }
    Entity::update(row).exec(tx.conn()).await.stored().map(drop)
}

/// Deletes a rule.
pub async fn delete<T: Rule>(tx: &Tx, id: Id<T>) -> Result<(), Fault> {
    let those = Column::Tenant.eq(tx.tenant().uuid()).and(Column::RuleId.eq(id.uuid()));
    Entity::delete_many().filter(those).exec(tx.conn()).await.stored().map(drop)
}

/// All that is promised, and the calendars it is measured by.
pub struct All {
    /// The policies.
    pub policies: Vec<(PolicyId, Policy)>,
    /// The calendars.
    pub calendars: BTreeMap<CalendarId, Calendar>,
    /// By which lengths tickets are judged.
    pub windows: Windows,
}

/// All rules of a tenant.
pub async fn all(rx: &Rx) -> Result<All, Fault> {
    let policies = of_kind::<Policy>(rx).all(rx.conn()).await.stored()?;
    let calendars = of_kind::<Calendar>(rx).all(rx.conn()).await.stored()?;
    let windows = find::<Windows>(rx, Id::from_uuid(Uuid::nil())).await?.map(|kept| kept.rule).unwrap_or_default();
    let policies = policies.iter().map(|row| kept::<Policy>(row).map(|kept| (kept.id, kept.rule)));
    let calendars = calendars.iter().map(|row| kept::<Calendar>(row).map(|kept| (kept.id, kept.rule)));
    Ok(All { policies: policies.collect::<Result<_, _>>()?, calendars: calendars.collect::<Result<_, _>>()?, windows })
}

/// The version of a tenant's rules: 0 where it never had any.
pub async fn version(rx: &Rx) -> Result<i64, Fault> {
    let text = "SELECT version FROM sla_version WHERE tenant = $1";
    let statement = Statement::from_sql_and_values(rx.engine().backend(), text, [rx.tenant().uuid().into()]);
    let row = rx.conn().query_one_raw(statement).await.stored()?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0).stored())
}

/// Counts a change of a tenant's rules. Such changes exclude one another from here on.
pub async fn changed(tx: &Tx) -> Result<(), Fault> {
    let text = "INSERT INTO sla_version (tenant, version) VALUES ($1, 1) \
                ON CONFLICT (tenant) DO UPDATE SET version = sla_version.version + 1";
    let statement = Statement::from_sql_and_values(tx.engine().backend(), text, [tx.tenant().uuid().into()]);
    tx.conn().execute_raw(statement).await.stored().map(drop)
}
