//! By what customers are found: their words and the values of their traits, in two tables that change together. What is
//! held of both is read at once, and only what differs is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{CHUNK, marks, rows, search_term, trait_value};
use crate::domain::profile::Profile;

/// What is held of customers.
#[derive(Default)]
struct Held {
    words: BTreeMap<CustomerId, BTreeSet<String>>,
    traits: trait_value::Rows,
}

/// Sets by what customers are found; of those that are new nothing is held.
pub async fn set(
    tx: &Tx,
    live: &[Arc<Profile>],
    words: &BTreeMap<CustomerId, BTreeSet<String>>,
    new: &BTreeSet<CustomerId>,
) -> Result<(), Fault> {
    let known: Vec<CustomerId> = live.iter().map(|it| it.customer).filter(|id| !new.contains(id)).collect();
    let Held { words: before, traits } = held(tx, &known).await?;
    search_term::set(tx, words, before).await?;
    trait_value::set(tx, live, traits).await
}

async fn held(rx: &Rx, customers: &[CustomerId]) -> Result<Held, Fault> {
    let mut held = Held::default();
    for some in customers.chunks(CHUNK) {
        let those = format!("tenant = $1 AND customer_id IN ({})", marks(2, some.len()));
        let text = format!(
            "SELECT customer_id, name, place, number, text, instant, flag, item FROM trait_value WHERE {those} \
             UNION ALL SELECT customer_id, term, NULL, NULL, NULL, NULL, NULL, NULL FROM search_term WHERE {those}"
        );
        let ids = some.iter().map(|id| Value::from(id.uuid()));
        for row in rows(rx, &text, std::iter::once(Value::from(rx.tenant().uuid())).chain(ids)).await? {
            held.add(rx, &row).stored()?;
        }
    }
    for rows in held.traits.values_mut() {
        rows.sort_by_key(|row| row.place);
    }
    Ok(held)
}

impl Held {
    fn add(&mut self, rx: &Rx, row: &QueryResult) -> Result<(), sea_orm::DbErr> {
        let (customer_id, name) = (row.try_get_by_index::<Uuid>(0)?, row.try_get_by_index::<String>(1)?);
        let Some(place) = row.try_get_by_index::<Option<i32>>(2)? else {
            self.words.entry(CustomerId::from_uuid(customer_id)).or_default().insert(name);
            return Ok(());
        };
        let value = trait_value::Model {
            tenant: rx.tenant().uuid(),
            customer_id,
            name: name.clone(),
            place,
            number: row.try_get_by_index(3)?,
            text: row.try_get_by_index(4)?,
            instant: row.try_get_by_index(5)?,
            flag: row.try_get_by_index(6)?,
            item: row.try_get_by_index(7)?,
        };
        self.traits.entry((customer_id, name)).or_default().push(value);
        Ok(())
    }
}
