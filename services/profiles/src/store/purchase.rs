//! What the customers with a persona have bought, over all their subjects as they are linked now: read from the timeline
//! and from links, so that neither a merge nor a correction has a sum to put right.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Rx, Stored as _};
use rapport_kernel::{CustomerId, Fault};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{CHUNK, rows, uuids};
use crate::domain::persona::PersonaId;

/// The type of the interactions that are purchases.
const PURCHASE: &str = "purchase";

fn get<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<T, Fault> {
    row.try_get_by_index(at).stored()
}

/// What a customer's purchases come to.
pub struct Spent {
    /// The customer.
    pub customer: CustomerId,
    /// Its persona.
    pub persona: PersonaId,
    /// The sum, in millionths.
    pub micros: i64,
}

/// What customers after one, in their order, have spent in a currency.
pub async fn spent(rx: &Rx, after: Uuid, limit: i64, currency: &str) -> Result<Vec<Spent>, Fault> {
    let text = "SELECT m.customer_id, m.persona_id, CAST(COALESCE(SUM(i.amount_micros), 0) AS BIGINT) \
                FROM (SELECT customer_id, persona_id FROM persona_member WHERE tenant = $1 AND customer_id > $2 \
                ORDER BY customer_id LIMIT $3) m \
                LEFT JOIN link l ON l.tenant = $1 AND l.customer_id = m.customer_id AND l.ended_at IS NULL \
                LEFT JOIN interaction i ON i.tenant = $1 AND i.subject_id = l.subject_id AND i.kind = $4 \
                AND i.currency = $5 GROUP BY m.customer_id, m.persona_id ORDER BY m.customer_id";
    let values: [Value; 5] = [rx.tenant().uuid().into(), after.into(), limit.into(), PURCHASE.into(), currency.into()];
    let spent = |row: &QueryResult| {
        Ok(Spent {
            customer: CustomerId::from_uuid(get(row, 0)?),
            persona: PersonaId::from_uuid(get(row, 1)?),
            micros: get(row, 2)?,
        })
    };
    rows(rx, text, values).await?.iter().map(spent).collect()
}

/// The purchases of customers with a persona: `FROM` and `WHERE`, with `$1` the tenant and `$2` the type.
const PURCHASES: &str = "FROM interaction i \
     JOIN link l ON l.tenant = $1 AND l.subject_id = i.subject_id AND l.ended_at IS NULL \
     JOIN persona_member m ON m.tenant = $1 AND m.customer_id = l.customer_id \
     WHERE i.tenant = $1 AND i.kind = $2";

/// The currency of most purchases; of two with as many the first by name.
pub async fn currency(rx: &Rx) -> Result<Option<String>, Fault> {
    let text = format!(
        "SELECT i.currency, COUNT(*) {PURCHASES} AND i.currency IS NOT NULL \
         GROUP BY i.currency ORDER BY COUNT(*) DESC, i.currency LIMIT 1"
    );
    let found = rows(rx, &text, [rx.tenant().uuid().into(), PURCHASE.into()]).await?;
    found.first().map(|row| get(row, 0)).transpose()
}

/// Of each persona how many customers have bought each product, where they are at least so many.
pub async fn buyers(rx: &Rx, least: u64) -> Result<BTreeMap<PersonaId, Vec<(String, u64)>>, Fault> {
    let text = format!(
        "SELECT m.persona_id, i.product, COUNT(DISTINCT m.customer_id) {PURCHASES} AND i.product <> '' \
         GROUP BY m.persona_id, i.product HAVING COUNT(DISTINCT m.customer_id) >= $3"
    );
    let values: [Value; 3] = [rx.tenant().uuid().into(), PURCHASE.into(), least.cast_signed().into()];
    let mut buyers = BTreeMap::<PersonaId, Vec<(String, u64)>>::new();
    for row in rows(rx, &text, values).await? {
        let count: i64 = get(&row, 2)?;
        let of = buyers.entry(PersonaId::from_uuid(get(&row, 0)?)).or_default();
        of.push((get(&row, 1)?, count.cast_unsigned()));
    }
    Ok(buyers)
}

/// The products that customers have bought.
pub async fn bought(rx: &Rx, customers: &[CustomerId]) -> Result<BTreeMap<CustomerId, BTreeSet<String>>, Fault> {
    let mut bought = BTreeMap::<CustomerId, BTreeSet<String>>::new();
    for some in customers.chunks(CHUNK) {
        let marks: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 3)).collect();
        let text = format!(
            "SELECT DISTINCT l.customer_id, i.product FROM link l \
             JOIN interaction i ON i.tenant = $1 AND i.subject_id = l.subject_id AND i.kind = $2 AND i.product <> '' \
             WHERE l.tenant = $1 AND l.ended_at IS NULL AND l.customer_id IN ({})",
            marks.join(", ")
        );
        let head: [Value; 2] = [rx.tenant().uuid().into(), PURCHASE.into()];
        let ids = uuids(some).into_iter().map(Value::from);
        for row in rows(rx, &text, head.into_iter().chain(ids)).await? {
            bought.entry(CustomerId::from_uuid(get(&row, 0)?)).or_default().insert(get(&row, 1)?);
        }
    }
    Ok(bought)
}
