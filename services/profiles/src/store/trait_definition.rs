//! Declared traits.

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::domain::computed::Recipe;
use crate::domain::declared::TraitDefinition;
use crate::domain::value::TraitType;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "trait_definition")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub r#type: String,
    pub metric_dimension: bool,
    pub description: String,
    pub created_at: i64,
    pub computed: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

fn definition(row: Model) -> Result<TraitDefinition, Fault> {
    let kind = match row.r#type.as_str() {
        "bool" => TraitType::Bool,
        "number" => TraitType::Number,
        "text" => TraitType::Text,
        "time" => TraitType::Time,
        "list" => TraitType::List,
        _ => return Err(Fault::internal("a stored trait definition has an unknown type")),
    };
    Ok(TraitDefinition {
        name: row.name,
        kind,
        metric_dimension: row.metric_dimension,
        description: row.description,
        created_at: Timestamp::from_column(row.created_at),
        computed: row.computed.as_deref().map(recipe).transpose()?,
    })
}

fn recipe(text: &str) -> Result<Recipe, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::internal("a stored recipe of a trait is not readable"))
}

/// All definitions.
pub async fn all(rx: &Rx) -> Result<Vec<TraitDefinition>, Fault> {
    let rows = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).all(rx.conn()).await.stored()?;
    rows.into_iter().map(definition).collect()
}

/// The definition of a name.
pub async fn find(rx: &Rx, name: &str) -> Result<Option<TraitDefinition>, Fault> {
    let query = Entity::find_by_id((rx.tenant().uuid(), name.to_owned()));
    query.one(rx.conn()).await.stored()?.map(definition).transpose()
}

/// The definitions after a name, one more than `size`.
pub async fn page(rx: &Rx, after: Option<&str>, size: usize) -> Result<Vec<TraitDefinition>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    if let Some(after) = after {
        query = query.filter(Column::Name.gt(after));
    }
    let rows = query.order_by_asc(Column::Name).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    rows.into_iter().map(definition).collect()
}

/// Adds a definition; answers false where there is one of that name.
pub async fn add(tx: &Tx, definition: &TraitDefinition) -> Result<bool, Fault> {
    let kind = match definition.kind {
        TraitType::Bool => "bool",
        TraitType::Number => "number",
        TraitType::Text => "text",
        TraitType::Time => "time",
        TraitType::List => "list",
    };
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        name: Set(definition.name.clone()),
        r#type: Set(kind.to_owned()),
        metric_dimension: Set(definition.metric_dimension),
        description: Set(definition.description.clone()),
        created_at: Set(definition.created_at.micros()),
        computed: Set(definition.computed.as_ref().map(serde_json::to_string).transpose().map_err(Fault::internal)?),
    };
    let there = OnConflict::columns([Column::Tenant, Column::Name]).do_nothing().to_owned();
    let insert = Entity::insert(row).try_insert().on_conflict(there);
    Ok(insert.exec_without_returning(tx.conn()).await.stored()? > 0)
}
