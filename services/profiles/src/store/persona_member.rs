//! Which persona each customer has: written with its profile, to count and to scan by.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault};
use sea_orm::Value;
use uuid::Uuid;

use super::{CHUNK, rows, run, uuids};
use crate::domain::persona::PersonaId;

/// The personas that customers have.
pub async fn of(rx: &Rx, customers: &[CustomerId]) -> Result<BTreeMap<CustomerId, PersonaId>, Fault> {
    let mut found = BTreeMap::new();
    for some in customers.chunks(CHUNK) {
        let text = format!(
            "SELECT customer_id, persona_id FROM persona_member WHERE tenant = $1 AND customer_id IN ({})",
            marks(some.len(), 2)
        );
        let ids = uuids(some).into_iter().map(Value::from);
        for row in rows(rx, &text, std::iter::once(rx.tenant().uuid().into()).chain(ids)).await? {
            found.insert(customer(&row, 0)?, persona(&row, 1)?);
        }
    }
    Ok(found)
}

/// Customers after one, in their order, with their personas.
pub async fn after(rx: &Rx, customer: Uuid, limit: i64) -> Result<Vec<(CustomerId, PersonaId)>, Fault> {
    let text = "SELECT customer_id, persona_id FROM persona_member WHERE tenant = $1 AND customer_id > $2 \
                ORDER BY customer_id LIMIT $3";
    let found = rows(rx, text, [rx.tenant().uuid().into(), customer.into(), limit.into()]).await?;
    found.iter().map(|row| Ok((self::customer(row, 0)?, persona(row, 1)?))).collect()
}

/// Customers after one, in their order, with their personas and what each has for a number of a trait.
pub async fn numbers(
    rx: &Rx,
    after: Uuid,
    limit: i64,
    name: &str,
) -> Result<Vec<(CustomerId, PersonaId, Option<f64>)>, Fault> {
    let text = "SELECT m.customer_id, m.persona_id, t.number \
                FROM (SELECT customer_id, persona_id FROM persona_member WHERE tenant = $1 AND customer_id > $2 \
                ORDER BY customer_id LIMIT $3) m \
                LEFT JOIN trait_value t ON t.tenant = $1 AND t.customer_id = m.customer_id AND t.name = $4 \
                AND t.place = 0 ORDER BY m.customer_id";
    let values = [rx.tenant().uuid().into(), after.into(), limit.into(), name.into()];
    let number = |row: &sea_orm::QueryResult| -> Result<_, Fault> {
        let number: Option<f64> = row.try_get_by_index(2).stored()?;
        Ok((customer(row, 0)?, persona(row, 1)?, number))
    };
    rows(rx, text, values).await?.iter().map(number).collect()
}

/// How many customers have each persona.
pub async fn counts(rx: &Rx) -> Result<BTreeMap<PersonaId, u64>, Fault> {
    let text = "SELECT persona_id, COUNT(*) FROM persona_member WHERE tenant = $1 GROUP BY persona_id";
    let found = rows(rx, text, [rx.tenant().uuid().into()]).await?;
    let count = |row| -> Result<_, Fault> {
        let count: i64 = sea_orm::QueryResult::try_get_by_index(row, 1).stored()?;
        Ok((persona(row, 0)?, count.cast_unsigned()))
    };
    found.iter().map(count).collect()
}

/// Notes which personas customers have; `None`: none.
pub async fn put(tx: &Tx, members: &[(CustomerId, Option<PersonaId>)]) -> Result<(), Fault> {
    let none: Vec<CustomerId> =
        members.iter().filter(|(_, persona)| persona.is_none()).map(|(customer, _)| *customer).collect();
    delete(tx, &none).await?;
    let some: Vec<_> = members.iter().filter_map(|(customer, persona)| Some((*customer, (*persona)?))).collect();
    for some in some.chunks(CHUNK) {
        let places: Vec<String> = (0..some.len()).map(|at| format!("($1, ${}, ${})", at * 2 + 2, at * 2 + 3)).collect();
        let text = format!(
            "INSERT INTO persona_member (tenant, customer_id, persona_id) VALUES {} \
             ON CONFLICT (tenant, customer_id) DO UPDATE SET persona_id = excluded.persona_id",
            places.join(", ")
        );
        let ids = some.iter().flat_map(|(customer, persona)| [customer.uuid().into(), persona.uuid().into()]);
        run(tx, &text, std::iter::once(tx.tenant().uuid().into()).chain(ids)).await?;
    }
    Ok(())
}

/// Forgets the personas of customers; answers how many had one.
pub async fn delete(tx: &Tx, customers: &[CustomerId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in customers.chunks(CHUNK) {
        let text =
            format!("DELETE FROM persona_member WHERE tenant = $1 AND customer_id IN ({})", marks(some.len(), 2));
        let ids = uuids(some).into_iter().map(Value::from);
        deleted += run(tx, &text, std::iter::once(tx.tenant().uuid().into()).chain(ids)).await?;
    }
    Ok(deleted)
}

fn marks(count: usize, first: usize) -> String {
    let marks: Vec<String> = (0..count).map(|at| format!("${}", at + first)).collect();
    marks.join(", ")
}

fn customer(row: &sea_orm::QueryResult, at: usize) -> Result<CustomerId, Fault> {
    row.try_get_by_index::<Uuid>(at).stored().map(CustomerId::from_uuid)
}

fn persona(row: &sea_orm::QueryResult, at: usize) -> Result<PersonaId, Fault> {
    row.try_get_by_index::<Uuid>(at).stored().map(PersonaId::from_uuid)
}
