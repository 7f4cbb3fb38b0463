//! What is kept of mentions that are gone, so that what is told of them later is passed over: a hash of the source's name.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, QueryOrder as _, QuerySelect as _, Statement};

use super::super::{column, revision};
use super::CHUNK;
use crate::domain::mention::{Gone, MentionId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mention_gone")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    pub mention_id: Uuid,
    pub subject_id: Option<Uuid>,
    pub revision: i64,
    pub said_at: i64,
    pub deleted_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn gone(row: &Model) -> Result<Gone, Fault> {
    Ok(Gone {
        key: row.key_id,
        id: MentionId::from_uuid(row.mention_id),
        subject: row.subject_id.map(SubjectId::from_uuid),
        revision: revision(row.revision)?,
        said_at: Timestamp::from_column(row.said_at),
    })
}

/// Whether the mention of a hash is gone.
pub async fn is(rx: &Rx, key: Uuid) -> Result<bool, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::KeyId.eq(key));
    Ok(query.one(rx.conn()).await.stored()?.is_some())
}

/// Notes that a mention is gone. One that is so stays so.
pub async fn add(tx: &Tx, gone: &Gone) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        key_id: Set(gone.key),
        mention_id: Set(gone.id.uuid()),
        subject_id: Set(gone.subject.map(SubjectId::uuid)),
        revision: Set(column(gone.revision)?),
        said_at: Set(gone.said_at.micros()),
        deleted_at: Set(tx.now().micros()),
    };
    let there = OnConflict::columns([Column::Tenant, Column::KeyId]).do_nothing().to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// Forgets whose they were.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<(), Fault> {
    for some in subjects.chunks(CHUNK) {
        let marks: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 2)).collect();
        let marks = marks.join(", ");
        let text = format!("UPDATE mention_gone SET subject_id = NULL WHERE tenant = $1 AND subject_id IN ({marks})");
        let values = std::iter::once(sea_orm::Value::from(tx.tenant().uuid()));
        let values = values.chain(some.iter().map(|subject| subject.uuid().into()));
        let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
        tx.conn().execute_raw(statement).await.stored()?;
    }
    Ok(())
}

/// Those after a hash, in their order.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Gone>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::KeyId.gt(after));
    let rows = query.order_by_asc(Column::KeyId).limit(limit).all(rx.conn()).await.stored()?;
    rows.iter().map(gone).collect()
}
