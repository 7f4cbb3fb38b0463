//! The words by which customers are found, as their profiles have them: a sieve for searches by text. What it lets through
//! is decided on by the profile itself.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{QuerySelect as _, QueryTrait as _};

use super::candidates::{Leaf, Test};
use super::{CHUNK, delete_customers};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_term")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub term: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A word of a name is personal data: the row prints its id only.
        f.debug_struct("SearchTerm").field("customer_id", &self.customer_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchTerm")
    }
}

/// The customers of whom a word begins so.
pub(super) fn with_prefix(rx: &Rx, prefix: &str) -> Test {
    let query = Entity::find().select_only().column(Column::CustomerId);
    let query = query.filter(Column::Tenant.eq(rx.tenant().uuid()));
    // Words are compared byte by byte, and none has the last character there is.
    let query = query.filter(Column::Term.gte(prefix)).filter(Column::Term.lt(format!("{prefix}\u{10ffff}")));
    Test::One(Box::new(Leaf::new(query.into_query(), (Entity, Column::CustomerId), false)))
}

const INSERT: Bulk = Bulk { table: "search_term", columns: &["tenant", "term", "customer_id"], suffix: "" };

/// Sets the words of customers, of whom these are held: writes what differs.
pub async fn set(
    tx: &Tx,
    wanted: &BTreeMap<CustomerId, BTreeSet<String>>,
    mut held: BTreeMap<CustomerId, BTreeSet<String>>,
) -> Result<(), Fault> {
    let (mut words, mut customers) = (Vec::new(), Vec::new());
    for (customer, terms) in wanted {
        let before = held.remove(customer).unwrap_or_default();
        for term in terms.difference(&before) {
            words.push(term.clone());
            customers.push(customer.uuid());
        }
        let gone: Vec<&String> = before.difference(terms).collect();
        for some in gone.chunks(CHUNK) {
            let those = Column::Tenant.eq(tx.tenant().uuid()).and(Column::CustomerId.eq(customer.uuid()));
            let those = those.and(Column::Term.is_in(some.iter().copied()));
            Entity::delete_many().filter(those).exec(tx.conn()).await.stored()?;
        }
    }
    let columns = vec![Values::same_id(tx.tenant().uuid(), words.len()), Values::Texts(words), Values::Ids(customers)];
    INSERT.insert(tx.conn(), columns).await
}

/// Deletes the words of customers; answers how many rows there were.
pub async fn delete(tx: &Tx, customers: &[CustomerId]) -> Result<u64, Fault> {
    delete_customers(tx, "search_term", customers).await
}
