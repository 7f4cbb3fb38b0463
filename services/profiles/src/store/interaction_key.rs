//! Where the interaction of a source's id lies: what makes that id unique, whatever the timeline is partitioned by; and
//! that it was deleted, so that the timeline holds what stands and nothing else.

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Id, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::domain::interaction::{Held, InteractionKey, Tombstone};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "interaction_key")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    pub interaction_id: Uuid,
    pub subject_id: Option<Uuid>,
    pub occurred_at: Option<i64>,
    pub version: i64,
    pub revision: i64,
    pub state: i16,
}

/// The states: on the timeline, or deleted.
const LIVE: i16 = 0;
pub(super) const DELETED: i16 = 1;

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("InteractionKey").field("interaction_id", &self.interaction_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InteractionKey")
    }
}

/// Where those of the keys lie that are held.
pub(crate) async fn places(tx: &Rx, keys: &[InteractionKey]) -> Result<Vec<Model>, Fault> {
    let mut by_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in keys {
        by_source.entry(&key.source).or_default().push(key.external_id.expose());
    }
    let mut found = Vec::new();
    for (source, ids) in by_source {
        for some in ids.chunks(1_000) {
            let query = Entity::find().filter(Column::Tenant.eq(tx.tenant().uuid())).filter(Column::Source.eq(source));
            let query = query.filter(Column::ExternalId.is_in(some.iter().copied()));
            found.extend(query.all(tx.conn()).await.stored()?);
        }
    }
    Ok(found)
}

/// The key of one interaction's id.
pub(crate) async fn by_id(rx: &Rx, id: Uuid) -> Result<Option<Model>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::InteractionId.eq(id));
    query.one(rx.conn()).await.stored()
}

/// Deletions that others were told of, after one, in the order of the interactions' ids.
pub(crate) async fn deleted_after(rx: &Rx, id: Uuid, limit: u64) -> Result<Vec<Tombstone>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::InteractionId.gt(id));
    // Written out, so that both engines see that the index of deletions holds all of it.
    let query = query.filter(Expr::cust("state = 1")).order_by_asc(Column::InteractionId).limit(limit);
    query.all(rx.conn()).await.stored()?.into_iter().map(tombstone).collect()
}

/// A deletion.
pub(super) fn tombstone(row: Model) -> Result<Tombstone, Fault> {
    Ok(Tombstone {
        id: Id::from_uuid(row.interaction_id),
        subject: row.subject_id.map(SubjectId::from_uuid),
        key: InteractionKey { source: row.source, external_id: Private::new(row.external_id) },
        version: row.version,
        occurred_at: row.occurred_at.map(Timestamp::from_column),
        revision: u64::try_from(row.revision).map_err(Fault::internal)?,
    })
}

const INSERT: Bulk = Bulk {
    table: "interaction_key",
    columns: &[
        "tenant",
        "source",
        "external_id",
        "interaction_id",
        "subject_id",
        "occurred_at",
        "version",
        "revision",
        "state",
    ],
    suffix: "",
};

/// Adds keys that were not held.
pub(crate) async fn add(tx: &Tx, all: &[&Held]) -> Result<(), Fault> {
    let entries: Vec<Entry> = all.iter().map(|held| Entry::of(held)).collect::<Result<_, _>>()?;
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), entries.len()),
        Values::Texts(all.iter().map(|held| held.key().source.clone()).collect()),
        Values::Texts(all.iter().map(|held| held.key().external_id.expose().clone()).collect()),
        Values::Ids(entries.iter().map(|entry| entry.id).collect()),
        Values::MaybeIds(entries.iter().map(|entry| entry.subject).collect()),
        Values::MaybeNumbers(entries.iter().map(|entry| entry.occurred_at).collect()),
        Values::Numbers(entries.iter().map(|entry| entry.version).collect()),
        Values::Numbers(entries.iter().map(|entry| entry.revision).collect()),
        Values::Smalls(entries.iter().map(|entry| entry.state).collect()),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// Writes what is held now of a key that was held before.
pub(crate) async fn replace(tx: &Tx, held: &Held) -> Result<(), Fault> {
    let Entry { id: _, subject, occurred_at, version, revision, state } = Entry::of(held)?;
    let update = Entity::update_many()
        .col_expr(Column::SubjectId, Expr::value(subject))
        .col_expr(Column::OccurredAt, Expr::value(occurred_at))
        .col_expr(Column::Version, Expr::value(version))
        .col_expr(Column::Revision, Expr::value(revision))
        .col_expr(Column::State, Expr::value(state))
        .filter(Column::Tenant.eq(tx.tenant().uuid()))
        .filter(Column::Source.eq(held.key().source.as_str()))
        .filter(Column::ExternalId.eq(held.key().external_id.expose().as_str()));
    update.exec(tx.conn()).await.stored()?;
    Ok(())
}

/// Forgets the keys of subjects, those of deletions too; answers how many there were.
pub(crate) async fn erase(tx: &Tx, subjects: &[Uuid]) -> Result<u64, Fault> {
    let rows = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
    let rows = rows.filter(Column::SubjectId.is_in(subjects.iter().copied()));
    Ok(rows.exec(tx.conn()).await.stored()?.rows_affected)
}

/// What a row says of its key.
struct Entry {
    id: Uuid,
    subject: Option<Uuid>,
    occurred_at: Option<i64>,
    version: i64,
    revision: i64,
    state: i16,
}

impl Entry {
    fn of(held: &Held) -> Result<Self, Fault> {
        let (id, version, occurred_at, state) = match held {
            Held::Live(of) => (of.id, of.version, Some(of.content.occurred_at), LIVE),
            Held::Deleted(of) => (of.id, of.version, of.occurred_at, DELETED),
        };
        Ok(Self {
            id: id.uuid(),
            subject: held.subject().map(|subject| subject.uuid()),
            occurred_at: occurred_at.map(Timestamp::micros),
            version,
            revision: i64::try_from(held.revision()).map_err(Fault::internal)?,
            state,
        })
    }
}
