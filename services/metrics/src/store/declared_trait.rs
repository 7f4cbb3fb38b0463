//! The traits that profiles declared: what figures can be grouped and filtered by.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::ROWS;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "declared_trait")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub revision: i64,
    pub metric_dimension: bool,
}

impl ActiveModelBehavior for ActiveModel {}

/// Notes declarations, each as of a revision; an older one changes nothing.
///
/// # Errors
/// Where the database fails.
pub async fn put(tx: &Tx, traits: &BTreeMap<String, (i64, bool)>) -> Result<(), Fault> {
    let rows: Vec<ActiveModel> = traits
        .iter()
        .map(|(name, (revision, dimension))| ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            name: Set(name.clone()),
            revision: Set(*revision),
            metric_dimension: Set(*dimension),
        })
        .collect();
    for some in rows.chunks(ROWS) {
        let known = OnConflict::columns([Column::Tenant, Column::Name])
            .update_columns([Column::Revision, Column::MetricDimension])
            .action_and_where(Expr::cust("excluded.revision >= declared_trait.revision"))
            .to_owned();
        let insert = Entity::insert_many(some.to_vec()).on_conflict(known);
        insert.exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Those that figures can be grouped by.
///
/// # Errors
/// Where the database fails.
pub async fn dimensions(rx: &Rx) -> Result<BTreeSet<String>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::MetricDimension.eq(true));
    Ok(query.all(rx.conn()).await.stored()?.into_iter().map(|row| row.name).collect())
}
