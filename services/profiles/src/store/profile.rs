//! Profiles: the records of each customer with all they claim, one row a customer, read by one key; and, of each id
//! that was merged away, where it leads.

use std::collections::BTreeMap;

use rapport_conditions::Sieve;
use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait as _, OnConflict};
use sea_orm::{Condition, Order as Direction, QueryOrder as _, QuerySelect as _};

use super::{CHUNK, search_term, trait_value, uuids};
use crate::domain::profile::Record;
use crate::domain::relink::Held;
use crate::domain::search::{By, Order};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "profile")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: Uuid,
    pub revision: i64,
    pub merged_into: Option<Uuid>,
    pub records: Vec<u8>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("Profile").field("customer_id", &self.customer_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile")
    }
}

/// What is held of a customer id, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is held.
    pub held: Held,
    /// When it last changed.
    pub updated_at: Timestamp,
}

fn row(model: Model) -> Result<Row, Fault> {
    let (revision, updated_at) = (model.revision.cast_unsigned(), Timestamp::from_column(model.updated_at));
    let held = match model.merged_into {
        Some(to) => Held::Redirect { revision, to: CustomerId::from_uuid(to) },
        None => {
            let records = serde_json::from_slice::<Vec<Record>>(&model.records);
            Held::Live { revision, records: records.map_err(|_| Fault::internal("a stored profile is not readable"))? }
        }
    };
    Ok(Row { held, updated_at })
}

/// What is held of an id.
pub async fn find(rx: &Rx, id: CustomerId) -> Result<Option<Row>, Fault> {
    let query = Entity::find_by_id((rx.tenant().uuid(), id.uuid()));
    query.one(rx.conn()).await.stored()?.map(row).transpose()
}

/// What is held of ids.
pub async fn by_ids(rx: &Rx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Row>, Fault> {
    let mut found = BTreeMap::new();
    for some in ids.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        for model in query.filter(Column::CustomerId.is_in(uuids(some))).all(rx.conn()).await.stored()? {
            found.insert(CustomerId::from_uuid(model.customer_id), row(model)?);
        }
    }
    Ok(found)
}

/// The ids that lead to a customer.
pub async fn merged_into(rx: &Rx, customer: CustomerId) -> Result<Vec<CustomerId>, Fault> {
    let query = Entity::find().select_only().column(Column::CustomerId);
    let query = query.filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::MergedInto.eq(customer.uuid()));
    let ids = query.order_by_asc(Column::CustomerId).into_tuple::<Uuid>().all(rx.conn()).await.stored()?;
    Ok(ids.into_iter().map(CustomerId::from_uuid).collect())
}

/// How many ids there are.
pub async fn count(rx: &Rx) -> Result<u64, Fault> {
    use sea_orm::PaginatorTrait as _;

    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).count(rx.conn()).await.stored()
}

/// The ids of all customers.
pub async fn live_ids(rx: &Rx) -> Result<Vec<CustomerId>, Fault> {
    let query = Entity::find().select_only().column(Column::CustomerId);
    let query = query.filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::MergedInto.is_null());
    let ids = query.into_tuple::<Uuid>().all(rx.conn()).await.stored()?;
    Ok(ids.into_iter().map(CustomerId::from_uuid).collect())
}

/// What is held of ids after one, in their order.
pub async fn after(rx: &Rx, id: Uuid, limit: u64) -> Result<Vec<(CustomerId, Row)>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::CustomerId.gt(id));
    let models = query.order_by_asc(Column::CustomerId).limit(limit).all(rx.conn()).await.stored()?;
    models.into_iter().map(|model| Ok((CustomerId::from_uuid(model.customer_id), row(model)?))).collect()
}

/// Which customers a search looks at: the next ones in its order, narrowed by what the database can tell.
pub struct Candidates<'a> {
    /// The order.
    pub order: Order,
    /// After this place in it.
    pub after: Option<(Timestamp, CustomerId)>,
    /// Only those that a sieve lets through.
    pub sieve: &'a Sieve,
    /// Only those of whom a word begins so, and those that are named.
    pub word: Option<Word<'a>>,
    /// How many.
    pub limit: u64,
}

/// How a text narrows a search.
pub struct Word<'a> {
    /// The beginning of a word.
    pub prefix: &'a str,
    /// Customers that may be found by an identifier.
    pub named: &'a [CustomerId],
}

/// Customers that a search may find, in its order.
pub async fn candidates(rx: &Rx, asked: &Candidates<'_>) -> Result<Vec<(CustomerId, Row)>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::MergedInto.is_null());
    let at = match asked.order.by {
        By::Id => None,
        By::Created => Some(Column::CreatedAt),
        By::Updated => Some(Column::UpdatedAt),
    };
    let mut query = query;
    if let Some((instant, id)) = asked.after {
        let beyond = if asked.order.descending { BinOper::SmallerThan } else { BinOper::GreaterThan };
        let id = Expr::value(id.uuid());
        let rest = match at {
            None => Expr::col(Column::CustomerId).binary(beyond, id),
            Some(at) => {
                let place = Expr::tuple([Expr::col(at), Expr::col(Column::CustomerId)]);
                place.binary(beyond, Expr::tuple([Expr::value(instant.micros()), id]))
            }
        };
        query = query.filter(rest);
    }
    if let Some(sieve) = trait_value::condition(rx, asked.sieve) {
        query = query.filter(sieve);
    }
    if let Some(word) = &asked.word {
        let mut any = Condition::any().add(Column::CustomerId.in_subquery(search_term::with_prefix(rx, word.prefix)));
        if !word.named.is_empty() {
            any = any.add(Column::CustomerId.is_in(uuids(word.named)));
        }
        query = query.filter(any);
    }
    let direction = if asked.order.descending { Direction::Desc } else { Direction::Asc };
    if let Some(at) = at {
        query = query.order_by(at, direction.clone());
    }
    let models = query.order_by(Column::CustomerId, direction).limit(asked.limit).all(rx.conn()).await.stored()?;
    models.into_iter().map(|model| Ok((CustomerId::from_uuid(model.customer_id), row(model)?))).collect()
}

/// Sets what is held of ids, as of an instant.
pub async fn put(tx: &Tx, rows: &[(CustomerId, Held)], at: Timestamp) -> Result<(), Fault> {
    let mut models = Vec::with_capacity(rows.len());
    for (customer, held) in rows {
        let (merged_into, records, created_at) = match held {
            Held::Live { records, .. } => {
                let first = records.iter().map(|record| record.created_at).min();
                (None, serde_json::to_vec(records), first.unwrap_or(at))
            }
            Held::Redirect { to, .. } => (Some(to.uuid()), Ok(Vec::new()), at),
        };
        models.push(ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            customer_id: Set(customer.uuid()),
            revision: Set(held.revision().cast_signed()),
            merged_into: Set(merged_into),
            records: Set(records.map_err(|_| Fault::internal("a profile could not be encoded"))?),
            created_at: Set(created_at.micros()),
            updated_at: Set(at.micros()),
        });
    }
    for some in models.chunks(CHUNK) {
        let changed = [Column::Revision, Column::MergedInto, Column::Records, Column::CreatedAt, Column::UpdatedAt];
        let there = OnConflict::columns([Column::Tenant, Column::CustomerId]).update_columns(changed).to_owned();
        let insert = Entity::insert_many(some.to_vec()).on_conflict(there);
        insert.exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Deletes what is held of ids; answers how many rows there were.
pub async fn delete(tx: &Tx, ids: &[CustomerId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in ids.chunks(CHUNK) {
        let those = Column::Tenant.eq(tx.tenant().uuid()).and(Column::CustomerId.is_in(uuids(some)));
        deleted += Entity::delete_many().filter(those).exec(tx.conn()).await.stored()?.rows_affected;
    }
    Ok(deleted)
}
