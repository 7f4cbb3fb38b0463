//! What is kept of tickets that are gone, so that what is told of them later is passed over: a hash of the source's name.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, QueryOrder as _, QuerySelect as _};

use super::super::{column, revision};
use super::CHUNK;
use crate::domain::ticket::{Deletion, DeletionReason, TicketId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket_gone")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    pub ticket_id: Uuid,
    pub subject_id: Option<Uuid>,
    pub revision: i64,
    pub opened_at: i64,
    pub reason: String,
    pub deleted_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn deletion(row: &Model) -> Result<Deletion, Fault> {
    Ok(Deletion {
        key: row.key_id,
        id: TicketId::from_uuid(row.ticket_id),
        subject: row.subject_id.map(SubjectId::from_uuid),
        revision: revision(row.revision)?,
        opened_at: Timestamp::from_column(row.opened_at),
    })
}

/// Those of hashes that are gone.
pub async fn of_keys(rx: &Rx, keys: &[Uuid]) -> Result<Vec<Deletion>, Fault> {
    let mut found = Vec::new();
    for some in keys.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        for row in query.filter(Column::KeyId.is_in(some.iter().copied())).all(rx.conn()).await.stored()? {
            found.push(deletion(&row)?);
        }
    }
    Ok(found)
}

/// Notes that tickets are gone. One that is so stays so.
pub async fn add(tx: &Tx, deletions: &[(Deletion, DeletionReason)]) -> Result<(), Fault> {
    let row = |(deletion, reason): &(Deletion, DeletionReason)| {
        Ok(ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            key_id: Set(deletion.key),
            ticket_id: Set(deletion.id.uuid()),
            subject_id: Set(deletion.subject.map(SubjectId::uuid)),
            revision: Set(column(deletion.revision)?),
            opened_at: Set(deletion.opened_at.micros()),
            reason: Set(reason.name().to_owned()),
            deleted_at: Set(tx.now().micros()),
        })
    };
    for some in deletions.chunks(CHUNK) {
        let rows = some.iter().map(row).collect::<Result<Vec<_>, Fault>>()?;
        let there = OnConflict::columns([Column::Tenant, Column::KeyId]).do_nothing().to_owned();
        Entity::insert_many(rows).on_conflict(there).exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Forgets whose they were.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<(), Fault> {
    for some in subjects.chunks(CHUNK) {
        let those = Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid()));
        let update = Entity::update_many().col_expr(Column::SubjectId, Expr::value(Option::<Uuid>::None));
        let update = update.filter(Column::Tenant.eq(tx.tenant().uuid())).filter(those);
        update.exec(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Those after a hash, in their order.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Deletion>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::KeyId.gt(after));
    let rows = query.order_by_asc(Column::KeyId).limit(limit).all(rx.conn()).await.stored()?;
    rows.iter().map(deletion).collect()
}
