//! Declared traits, each version of each: the current one has no end. What a profile was known as at an instant is folded
//! by the definitions of then.

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::domain::declared::TraitDefinition;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "trait_definition")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub deleted: bool,
    pub body: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A version of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The definition; the last one, where it was taken back.
    pub definition: TraitDefinition,
    /// Whether the declaration was taken back.
    pub deleted: bool,
}

fn version(row: &Model) -> Result<Version, Fault> {
    let definition = serde_json::from_slice(&row.body);
    let definition = definition.map_err(|_| Fault::internal("a stored trait definition cannot be read"))?;
    Ok(Version { definition, deleted: row.deleted })
}

fn definitions(rows: &[Model]) -> Result<Vec<TraitDefinition>, Fault> {
    rows.iter().map(|row| Ok(version(row)?.definition)).collect()
}

fn declared(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Deleted.eq(false))
}

/// All that are declared.
pub async fn all(rx: &Rx) -> Result<Vec<TraitDefinition>, Fault> {
    definitions(&declared(rx).filter(Column::EndedAt.is_null()).all(rx.conn()).await.stored()?)
}

/// All that were declared at an instant.
pub async fn as_of(rx: &Rx, at: Timestamp) -> Result<Vec<TraitDefinition>, Fault> {
    let ended = Condition::any().add(Column::EndedAt.is_null()).add(Column::EndedAt.gt(at.micros()));
    let query = declared(rx).filter(Column::StartedAt.lte(at.micros())).filter(ended);
    definitions(&query.all(rx.conn()).await.stored()?)
}

/// The newest version of every name, those taken back among them.
pub async fn newest(rx: &Rx) -> Result<Vec<Version>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::EndedAt.is_null());
    query.all(rx.conn()).await.stored()?.iter().map(version).collect()
}

/// The newest version of a name.
pub async fn find(rx: &Rx, name: &str) -> Result<Option<Version>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Name.eq(name));
    query.filter(Column::EndedAt.is_null()).one(rx.conn()).await.stored()?.as_ref().map(version).transpose()
}

/// The definitions after a name, one more than `size`.
pub async fn page(rx: &Rx, after: Option<&str>, size: usize) -> Result<Vec<TraitDefinition>, Fault> {
    let mut query = declared(rx).filter(Column::EndedAt.is_null());
    if let Some(after) = after {
        query = query.filter(Column::Name.gt(after));
    }
    definitions(&query.order_by_asc(Column::Name).limit(keyset::limit(size)).all(rx.conn()).await.stored()?)
}

/// Adds a version: it begins when it was updated, and ends the one before.
pub async fn add(tx: &Tx, version: &Version) -> Result<(), Fault> {
    let (definition, at) = (&version.definition, version.definition.updated_at.micros());
    let end = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(at))
        .filter(Column::Tenant.eq(tx.tenant().uuid()))
        .filter(Column::Name.eq(&definition.name))
        .filter(Column::EndedAt.is_null());
    end.exec(tx.conn()).await.stored()?;
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        name: Set(definition.name.clone()),
        revision: Set(definition.revision.cast_signed()),
        started_at: Set(at),
        ended_at: Set(None),
        deleted: Set(version.deleted),
        body: Set(serde_json::to_vec(definition).map_err(Fault::internal)?),
    };
    Entity::insert(row).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// Replaces what is held of the newest version of a definition, where nothing of it changed but what looks at customers.
pub async fn amend(tx: &Tx, definition: &TraitDefinition) -> Result<(), Fault> {
    let update = Entity::update_many()
        .col_expr(Column::Body, Expr::value(serde_json::to_vec(definition).map_err(Fault::internal)?))
        .filter(Column::Tenant.eq(tx.tenant().uuid()))
        .filter(Column::Name.eq(&definition.name))
        .filter(Column::EndedAt.is_null());
    update.exec(tx.conn()).await.stored().map(drop)
}
