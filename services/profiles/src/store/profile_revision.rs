//! When customers reached which revision: a narrow row for each state that an event told of, but for those by which a
//! customer was made, of which the link of its home record tells. Nothing else knows what the clock, a score or a new
//! definition changed when, and nobody's erasure takes the revisions of a customer that goes on.

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::delete_customers;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "profile_revision")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A revision that a customer reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The customer.
    pub customer: CustomerId,
    /// Its revision.
    pub revision: u64,
    /// When.
    pub at: Timestamp,
}

const INSERT: Bulk =
    Bulk { table: "profile_revision", columns: &["tenant", "customer_id", "revision", "updated_at"], suffix: "" };

/// Adds revisions.
pub async fn add(tx: &Tx, reached: &[Reached]) -> Result<(), Fault> {
    if reached.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), reached.len()),
        Values::Ids(reached.iter().map(|one| one.customer.uuid()).collect()),
        Values::Numbers(reached.iter().map(|one| one.revision.cast_signed()).collect()),
        Values::Numbers(reached.iter().map(|one| one.at.micros()).collect()),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// The last revision that a customer had reached by an instant, and when; the least of both where no row tells.
pub async fn at(rx: &Rx, customer: CustomerId, at: Timestamp) -> Result<(u64, Timestamp), Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    let query = query.filter(Column::CustomerId.eq(customer.uuid())).filter(Column::UpdatedAt.lte(at.micros()));
    let last = query.order_by_desc(Column::Revision).limit(1).one(rx.conn()).await.stored()?;
    let reached = |row: Model| (row.revision.cast_unsigned(), Timestamp::from_column(row.updated_at));
    Ok(last.map_or((0, Timestamp::MIN), reached))
}

/// Deletes all revisions of customers; answers how many rows there were.
pub async fn delete(tx: &Tx, customers: &[CustomerId]) -> Result<u64, Fault> {
    delete_customers(tx, "profile_revision", customers).await
}
