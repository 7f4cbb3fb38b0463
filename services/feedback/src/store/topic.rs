//! Topics, and the version of the taxonomy: what was compiled of it holds for as long as that stands. A tenant that never
//! changed the taxonomy has no rows here: version 0 is the one that ships.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, Statement};

use super::{column, revision};
use crate::domain::topic::{Topic, TopicId};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "topic")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub topic_id: Uuid,
    pub name_key: String,
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
        f.debug_struct("Topic").field("topic_id", &self.topic_id).finish_non_exhaustive()
    }
}

/// A topic as it is held.
#[derive(Clone)]
pub struct Kept {
    /// Its id.
    pub id: TopicId,
    /// Grows with every change; 0: it ships, and was never changed.
    pub revision: u64,
    /// When it was made; none: it ships.
    pub created_at: Option<Timestamp>,
    /// When it was last changed; none: never.
    pub updated_at: Option<Timestamp>,
    /// What it says.
    pub topic: Topic,
}

fn kept(row: &Model) -> Result<Kept, Fault> {
    let time = |column: i64| (column != 0).then(|| Timestamp::from_column(column));
    Ok(Kept {
        id: TopicId::from_uuid(row.topic_id),
        revision: revision(row.revision)?,
        created_at: time(row.created_at),
        updated_at: time(row.updated_at),
        topic: serde_json::from_str(&row.body).map_err(|_| Fault::internal("a topic's row is not readable"))?,
    })
}

/// All topics of a tenant that are held: at most a few hundred.
pub async fn all(rx: &Rx) -> Result<Vec<Kept>, Fault> {
    let rows = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).all(rx.conn()).await.stored()?;
    rows.iter().map(kept).collect()
}

/// Adds a topic, or replaces it by its new state.
pub async fn put(tx: &Tx, kept: &Kept, is_new: bool) -> Result<(), Fault> {
    let body = serde_json::to_string(&kept.topic).map_err(|_| Fault::internal("a topic could not be encoded"))?;
    let time = |at: Option<Timestamp>| at.map_or(0, Timestamp::micros);
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        topic_id: Set(kept.id.uuid()),
        name_key: Set(kept.topic.key()),
        revision: Set(column(kept.revision)?),
        created_at: Set(time(kept.created_at)),
        updated_at: Set(time(kept.updated_at)),
        body: Set(body),
    };
    if is_new {
        return Entity::insert(row).exec_without_returning(tx.conn()).await.stored().map(drop);
    }
    Entity::update(row).exec(tx.conn()).await.stored().map(drop)
}

/// Deletes a topic.
pub async fn delete(tx: &Tx, id: TopicId) -> Result<(), Fault> {
    let those = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
    those.filter(Column::TopicId.eq(id.uuid())).exec(tx.conn()).await.stored().map(drop)
}

/// The version of a tenant's taxonomy: 0 where it never changed it.
pub async fn version(rx: &Rx) -> Result<i64, Fault> {
    let text = "SELECT version FROM topic_version WHERE tenant = $1";
    let statement = Statement::from_sql_and_values(rx.engine().backend(), text, [rx.tenant().uuid().into()]);
    let row = rx.conn().query_one_raw(statement).await.stored()?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0).stored())
}

/// Counts a change of a tenant's taxonomy. Such changes exclude one another from here on.
pub async fn changed(tx: &Tx) -> Result<(), Fault> {
    let text = "INSERT INTO topic_version (tenant, version) VALUES ($1, 1) \
                ON CONFLICT (tenant) DO UPDATE SET version = topic_version.version + 1";
    let statement = Statement::from_sql_and_values(tx.engine().backend(), text, [tx.tenant().uuid().into()]);
    tx.conn().execute_raw(statement).await.stored().map(drop)
}
