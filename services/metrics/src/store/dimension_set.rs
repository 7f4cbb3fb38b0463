//! The sets of dimensions that facts have, each once, under the name that its content gives it. One that no cell has any
//! longer goes: the value of a trait may be personal.

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::{ROWS, list, sql, unreadable};
use crate::domain::dimensions::{Dimension, Dimensions, EMPLOYEE};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "dimension_set")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub body: String,
    /// Whether they are of somebody who works for the company: most figures leave those out.
    pub employee: bool,
}

impl ActiveModelBehavior for ActiveModel {}

/// Sets of the tenant, at most `limit` of them, after one.
///
/// # Errors
/// Where the database fails.
pub async fn after(rx: &Rx, after: Option<Uuid>, limit: u64) -> Result<Vec<(Uuid, Dimensions)>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let rows = query.order_by_asc(Column::Id).limit(limit).all(rx.conn()).await.stored()?;
    let set = |row: Model| {
        let dimensions = serde_json::from_str(&row.body).map_err(|_| unreadable("dimension_set"))?;
        Ok((row.id, dimensions))
    };
    rows.into_iter().map(set).collect()
}

/// Keeps sets, those that are new.
///
/// # Errors
/// Where the database fails.
pub async fn keep(tx: &Tx, sets: &[(Uuid, &Dimensions)]) -> Result<(), Fault> {
    for some in sets.chunks(ROWS) {
        let mut rows = Vec::with_capacity(some.len());
        for (id, dimensions) in some {
            let body = serde_json::to_string(dimensions).map_err(|_| unreadable("dimension_set"))?;
            let employee = Set(dimensions.get(Dimension::Party) == EMPLOYEE);
            rows.push(ActiveModel { tenant: Set(tx.tenant().uuid()), id: Set(*id), body: Set(body), employee });
        }
        let there = OnConflict::columns([Column::Tenant, Column::Id]).do_nothing().to_owned();
        Entity::insert_many(rows).on_conflict(there).exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Removes those of the sets that no cell has any longer.
///
/// # Errors
/// Where the database fails.
pub async fn remove_unused(tx: &Tx, sets: &[Uuid]) -> Result<(), Fault> {
    if sets.is_empty() {
        return Ok(());
    }
    let leaving = match tx.engine() {
        Engine::Sqlite => "SELECT unhex(value) FROM json_each($2)",
        Engine::Postgres => "SELECT value::uuid FROM jsonb_array_elements_text($2::jsonb)",
    };
    let text = format!(
        "DELETE FROM dimension_set WHERE tenant = $1 AND id IN ({leaving}) AND NOT EXISTS (SELECT 1 FROM cell \
         WHERE cell.tenant = dimension_set.tenant AND cell.dimensions = dimension_set.id)"
    );
    let values = vec![tx.tenant().uuid().into(), list(sets.iter().copied())];
    tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?;
    Ok(())
}
