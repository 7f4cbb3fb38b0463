//! Profiles: the records of each customer with all they claim, one row a customer, read by one key; and, of each id
//! that was merged away, where it leads.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait as _};
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use super::{CHUNK, uuids};
use crate::domain::derived::Derived;
use crate::domain::profile::Record;
use crate::domain::relink::Held;

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
    pub derived: Option<Vec<u8>>,
    pub derived_version: i64,
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
    /// What is derived of it.
    pub derived: Arc<Derived>,
}

pub(super) fn row(model: Model) -> Result<Row, Fault> {
    let (revision, updated_at) = (model.revision.cast_unsigned(), Timestamp::from_column(model.updated_at));
    let held = match model.merged_into {
        Some(to) => Held::Redirect { revision, to: CustomerId::from_uuid(to) },
        None => {
            let records = serde_json::from_slice::<Vec<Record>>(&model.records);
            Held::Live { revision, records: records.map_err(|_| Fault::internal("a stored profile is not readable"))? }
        }
    };
    let derived = model.derived.as_deref().filter(|bytes| !bytes.is_empty()).map(serde_json::from_slice::<Derived>);
    let derived = derived.transpose().map_err(|_| Fault::internal("what is derived of a profile is not readable"))?;
    let version = model.derived_version.cast_unsigned();
    let derived = Arc::new(Derived { version, ..derived.unwrap_or_default() });
    Ok(Row { held, updated_at, derived })
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

/// Sets what is held of ids, and what is derived of those that name customers, as of an instant.
pub async fn put(
    tx: &Tx,
    rows: &[(CustomerId, Held)],
    derived: &BTreeMap<CustomerId, Arc<Derived>>,
    at: Timestamp,
) -> Result<(), Fault> {
    let (mut leads, mut all_records, mut made, mut all_derived) = (vec![], vec![], vec![], vec![]);
    for (customer, held) in rows {
        let (merged_into, records, created_at) = match held {
            Held::Live { records, .. } => {
                let first = records.iter().map(|record| record.created_at).min();
                (None, serde_json::to_vec(records), first.unwrap_or(at))
            }
            Held::Redirect { to, .. } => (Some(to.uuid()), Ok(Vec::new()), at),
        };
        leads.push(merged_into);
        all_records.push(records.map_err(|_| Fault::internal("a profile could not be encoded"))?);
        made.push(created_at.micros());
        all_derived.push(derived.get(customer).map(|derived| encoded(derived)).transpose()?);
    }
    let version = |id: &CustomerId| derived.get(id).map_or(0, |derived| derived.version.cast_signed());
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), rows.len()),
        Values::Ids(rows.iter().map(|(customer, _)| customer.uuid()).collect()),
        Values::Numbers(rows.iter().map(|(_, held)| held.revision().cast_signed()).collect()),
        Values::MaybeIds(leads),
        Values::Bytes(all_records),
        Values::Numbers(made),
        Values::same_time(at, rows.len()),
        Values::MaybeBytes(all_derived),
        Values::Numbers(rows.iter().map(|(customer, _)| version(customer)).collect()),
    ];
    PUT.insert(tx.conn(), columns).await
}

const PUT: Bulk = Bulk {
    table: "profile",
    columns: &[
        "tenant",
        "customer_id",
        "revision",
        "merged_into",
        "records",
        "created_at",
        "updated_at",
        "derived",
        "derived_version",
    ],
    suffix: "ON CONFLICT (tenant, customer_id) DO UPDATE SET revision = excluded.revision, merged_into = \
             excluded.merged_into, records = excluded.records, created_at = excluded.created_at, updated_at = \
             excluded.updated_at, derived = excluded.derived, derived_version = excluded.derived_version",
};

fn encoded(derived: &Derived) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(derived).map_err(|_| Fault::internal("what is derived of a profile could not be encoded"))
}

/// Sets what is derived of a customer, by a revision, as of an instant. Its records stay as they are.
pub async fn derive(
    tx: &Tx,
    customer: CustomerId,
    revision: u64,
    derived: &Derived,
    at: Timestamp,
) -> Result<(), Fault> {
    let update = Entity::update_many()
        .col_expr(Column::Revision, Expr::value(revision.cast_signed()))
        .col_expr(Column::UpdatedAt, Expr::value(at.micros()))
        .col_expr(Column::Derived, Expr::value(encoded(derived)?))
        .col_expr(Column::DerivedVersion, Expr::value(derived.version.cast_signed()))
        .filter(Column::Tenant.eq(tx.tenant().uuid()))
        .filter(Column::CustomerId.eq(customer.uuid()));
    update.exec(tx.conn()).await.stored().map(drop)
}

/// The place of a customer among those that older versions of the definitions derived.
pub type Place = (u64, Uuid);

/// The customers after a place that were last derived by an older version of the definitions: by that version, then by
/// their ids. Whoever is derived anew leaves, so that without a place these are the first that are left.
pub async fn behind(rx: &Rx, version: u64, after: Option<Place>, limit: u64) -> Result<Vec<(CustomerId, Row)>, Fault> {
    let mut query = live(rx).filter(Column::DerivedVersion.lt(version.cast_signed()));
    if let Some((version, customer)) = after {
        let place = Expr::tuple([Expr::col(Column::DerivedVersion), Expr::col(Column::CustomerId)]);
        let after = Expr::tuple([Expr::value(version.cast_signed()), Expr::value(customer)]);
        query = query.filter(place.binary(BinOper::GreaterThan, after));
    }
    let query = query.order_by_asc(Column::DerivedVersion).order_by_asc(Column::CustomerId).limit(limit);
    let models = query.all(rx.conn()).await.stored()?;
    models.into_iter().map(|model| Ok((CustomerId::from_uuid(model.customer_id), row(model)?))).collect()
}

/// Whether any customer was last derived by an older version of the definitions.
pub async fn is_any_behind(rx: &Rx, version: u64) -> Result<bool, Fault> {
    let query = live(rx).select_only().column(Column::CustomerId);
    let query = query.filter(Column::DerivedVersion.lt(version.cast_signed()));
    let found =
        query.order_by_asc(Column::DerivedVersion).limit(1).into_tuple::<Uuid>().one(rx.conn()).await.stored()?;
    Ok(found.is_some())
}

/// How many customers were last derived by an older version of the definitions.
pub async fn count_behind(rx: &Rx, version: u64) -> Result<u64, Fault> {
    live(rx).filter(Column::DerivedVersion.lt(version.cast_signed())).count(rx.conn()).await.stored()
}

/// How many customers there are.
pub async fn count_live(rx: &Rx) -> Result<u64, Fault> {
    live(rx).count(rx.conn()).await.stored()
}

/// Customers after one, in the order of their ids.
pub async fn customers_after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<(CustomerId, Row)>, Fault> {
    let query = live(rx).filter(Column::CustomerId.gt(after)).order_by_asc(Column::CustomerId).limit(limit);
    let models = query.all(rx.conn()).await.stored()?;
    models.into_iter().map(|model| Ok((CustomerId::from_uuid(model.customer_id), row(model)?))).collect()
}

/// Notes that customers, which still are at these revisions, are as a version of the definitions derives them.
pub async fn confirm(tx: &Tx, seen: &[(CustomerId, u64)], version: u64) -> Result<(), Fault> {
    for some in seen.chunks(CHUNK / 2) {
        let those = some.iter().fold(Condition::any(), |any, (customer, revision)| {
            let one = Column::CustomerId.eq(customer.uuid()).and(Column::Revision.eq(revision.cast_signed()));
            any.add(one)
        });
        let update = Entity::update_many()
            .col_expr(Column::DerivedVersion, Expr::value(version.cast_signed()))
            .filter(Column::Tenant.eq(tx.tenant().uuid()))
            .filter(Column::DerivedVersion.lt(version.cast_signed()))
            .filter(those);
        update.exec(tx.conn()).await.stored()?;
    }
    Ok(())
}

fn live(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::MergedInto.is_null())
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
