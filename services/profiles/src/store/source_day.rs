//! How well each source told, day by day. Nothing here is of a person.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ActiveValue::Set;
use sea_orm::QueryOrder as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::domain::quality::Counts;

/// How many days are kept.
const KEPT: i64 = 400;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "source_day")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i64,
    pub counts: String,
}

impl ActiveModelBehavior for ActiveModel {}

fn counts(row: &Model) -> Result<Counts, Fault> {
    serde_json::from_str(&row.counts).map_err(Fault::internal)
}

/// Adds counts to those of days. Units of one tenant do so one after another.
pub async fn add(tx: &Tx, counted: &BTreeMap<(String, i64), Counts>) -> Result<(), Fault> {
    tx.lock(&["source_day".to_owned()]).await?;
    for ((source, day), more) in counted {
        let key = (tx.tenant().uuid(), source.clone(), *day);
        let mut sum = match Entity::find_by_id(key).one(tx.conn()).await.stored()? {
            Some(row) => counts(&row)?,
            None => {
                // A day begins: those of long ago go.
                let old = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
                let old = old.filter(Column::Source.eq(source.as_str())).filter(Column::Day.lt(day - KEPT));
                old.exec(tx.conn()).await.stored()?;
                Counts::default()
            }
        };
        sum.add(more);
        let row = ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            source: Set(source.clone()),
            day: Set(*day),
            counts: Set(serde_json::to_string(&sum).map_err(Fault::internal)?),
        };
        let mut key = OnConflict::columns([Column::Tenant, Column::Source, Column::Day]);
        let key = key.update_column(Column::Counts).to_owned();
        Entity::insert(row).on_conflict(key).exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// The sums of some days, by source.
pub async fn sums(rx: &Rx, source: &str, (from, to): (i64, i64)) -> Result<BTreeMap<String, Counts>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    if !source.is_empty() {
        query = query.filter(Column::Source.eq(source));
    }
    let query = query.filter(Column::Day.gte(from)).filter(Column::Day.lte(to));
    let mut sums = BTreeMap::<String, Counts>::new();
    for row in query.order_by_asc(Column::Source).all(rx.conn()).await.stored()? {
        sums.entry(row.source.clone()).or_default().add(&counts(&row)?);
    }
    Ok(sums)
}
