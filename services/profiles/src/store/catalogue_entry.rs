//! The catalogue. What was deleted keeps its row and its revision, so that a later entry of that name tells of itself under
//! a higher one.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ExprTrait as _, QueryOrder as _, QuerySelect as _};

use crate::domain::catalogue::{Entry, Kind, Settings};

/// The states: it stands, or it was deleted.
const LIVE: i16 = 0;
const DELETED: i16 = 1;
/// The settings lie among the entries, under a kind of their own.
const SETTINGS: i16 = 0;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_entry")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub state: i16,
    pub revision: i64,
    pub body: String,
    pub created_at: i64,
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A row: an entry, or the revision at which one was deleted.
pub enum Row {
    /// It stands.
    Live(Entry),
    /// It was deleted, at a revision.
    Deleted(Kind, String, u64, Timestamp),
}

const fn column(kind: Kind) -> i16 {
    match kind {
        Kind::Source => 1,
        Kind::Channel => 2,
        Kind::Touchpoint => 3,
        Kind::Stage => 4,
        Kind::EventType => 5,
        Kind::Product => 6,
    }
}

fn read(row: Model) -> Result<Row, Fault> {
    let unreadable = || Fault::internal("a stored entry of the catalogue cannot be read");
    let kind = Kind::ALL.into_iter().find(|kind| column(*kind) == row.kind).ok_or_else(unreadable)?;
    let (revision, updated_at) = (row.revision.cast_unsigned(), Timestamp::from_column(row.updated_at));
    if row.state != LIVE {
        return Ok(Row::Deleted(kind, row.name, revision, updated_at));
    }
    let body = serde_json::from_str(&row.body).map_err(|_| unreadable())?;
    let (created_at, updated_at) = (Some(Timestamp::from_column(row.created_at)), Some(updated_at));
    Ok(Row::Live(Entry { name: row.name, body, revision, created_at, updated_at }))
}

fn live(rows: Vec<Model>) -> Result<Vec<Entry>, Fault> {
    let rows = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let entry = |row| match row {
        Row::Live(entry) => Some(entry),
        Row::Deleted(..) => None,
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

fn of_kind(rx: &Rx, kind: Kind) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Kind.eq(column(kind)))
}

/// What every call needs: the settings, and all entries but products.
pub async fn rules(rx: &Rx) -> Result<(Vec<Entry>, Settings), Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    let rows = query.filter(Column::Kind.lt(column(Kind::Product))).all(rx.conn()).await.stored()?;
    let (settings, entries): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.kind == SETTINGS);
    let settings = settings.into_iter().next().map(settings_of).transpose()?.unwrap_or_default();
    Ok((live(entries)?, settings))
}

/// What the table holds of a name.
pub async fn find(rx: &Rx, kind: Kind, name: &str) -> Result<Option<Row>, Fault> {
    let query = Entity::find_by_id((rx.tenant().uuid(), column(kind), name.to_owned()));
    query.one(rx.conn()).await.stored()?.map(read).transpose()
}

/// All entries of a kind, by name.
pub async fn all(rx: &Rx, kind: Kind) -> Result<Vec<Entry>, Fault> {
    live(of_kind(rx, kind).order_by_asc(Column::Name).all(rx.conn()).await.stored()?)
}

/// The entries of a kind after a name, by name.
pub async fn page(rx: &Rx, kind: Kind, after: Option<&str>, limit: u64) -> Result<Vec<Entry>, Fault> {
    let mut query = of_kind(rx, kind).filter(Column::State.eq(LIVE));
    if let Some(after) = after {
        query = query.filter(Column::Name.gt(after));
    }
    live(query.order_by_asc(Column::Name).limit(limit).all(rx.conn()).await.stored()?)
}

/// How many entries of a kind there are.
pub async fn count(rx: &Rx, kind: Kind) -> Result<u64, Fault> {
    of_kind(rx, kind).filter(Column::State.eq(LIVE)).count(rx.conn()).await.stored()
}

/// Rows of all kinds after one, deletions too, in the table's own order.
pub async fn after(rx: &Rx, after: Option<(Kind, String)>, limit: u64) -> Result<Vec<Row>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Kind.ne(SETTINGS));
    if let Some((kind, name)) = after {
        let same = Column::Kind.eq(column(kind)).and(Column::Name.gt(name));
        query = query.filter(Column::Kind.gt(column(kind)).or(same));
    }
    let rows = query.order_by_asc(Column::Kind).order_by_asc(Column::Name).limit(limit).all(rx.conn()).await;
    rows.stored()?.into_iter().map(read).collect()
}

/// Writes an entry, over what is held of its name.
pub async fn put(tx: &Tx, entry: &Entry) -> Result<(), Fault> {
    let body = serde_json::to_string(&entry.body).map_err(Fault::internal)?;
    let created_at = entry.created_at.unwrap_or_else(|| tx.now());
    write(tx, (column(entry.kind()), &entry.name), (LIVE, entry.revision), body, created_at).await
}

/// Notes that an entry was deleted.
pub async fn delete(tx: &Tx, kind: Kind, name: &str, revision: u64) -> Result<(), Fault> {
    write(tx, (column(kind), name), (DELETED, revision), String::new(), tx.now()).await
}

/// The settings.
pub async fn settings(rx: &Rx) -> Result<Settings, Fault> {
    let row = Entity::find_by_id((rx.tenant().uuid(), SETTINGS, String::new())).one(rx.conn()).await.stored()?;
    Ok(row.map(settings_of).transpose()?.unwrap_or_default())
}

/// Writes the settings.
pub async fn put_settings(tx: &Tx, settings: &Settings) -> Result<(), Fault> {
    let body = serde_json::to_string(settings).map_err(Fault::internal)?;
    write(tx, (SETTINGS, ""), (LIVE, settings.revision), body, tx.now()).await
}

fn settings_of(row: Model) -> Result<Settings, Fault> {
    let settings: Settings = serde_json::from_str(&row.body).map_err(Fault::internal)?;
    Ok(Settings { revision: row.revision.cast_unsigned(), ..settings })
}

async fn write(
    tx: &Tx,
    (kind, name): (i16, &str),
    (state, revision): (i16, u64),
    body: String,
    created_at: Timestamp,
) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        kind: Set(kind),
        name: Set(name.to_owned()),
        state: Set(state),
        revision: Set(revision.cast_signed()),
        body: Set(body),
        created_at: Set(created_at.micros()),
        updated_at: Set(tx.now().micros()),
    };
    let changed = [Column::State, Column::Revision, Column::Body, Column::CreatedAt, Column::UpdatedAt];
    let key = OnConflict::columns([Column::Tenant, Column::Kind, Column::Name]).update_columns(changed).to_owned();
    Entity::insert(row).on_conflict(key).exec_without_returning(tx.conn()).await.stored()?;
    Ok(())
}
