//! Cells: what facts add up to. Changes are added in the transaction of the facts they come from; a cell that holds
//! nothing is no row.

use std::fmt::Write as _;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, Value};

use super::{ROWS, marks, sql};
use crate::domain::cells::{Amount, CellKey, Deltas};
use crate::domain::cuts::month_of;
use crate::domain::facts::Family;

const COLUMNS: usize = 10;

/// Adds what changed to the cells.
///
/// # Errors
/// Where the database fails.
pub async fn add(tx: &Tx, deltas: &Deltas) -> Result<(), Fault> {
    let changes: Vec<_> = deltas.changes().collect();
    for some in changes.chunks(ROWS) {
        let mut text =
            "INSERT INTO cell (tenant, family, hour, dimensions, series, slot, month, facts, units, micros) VALUES "
                .to_owned();
        for row in 0..some.len() {
            let comma = if row == 0 { "" } else { ", " };
            write!(text, "{comma}({})", marks(tx.engine(), row * COLUMNS + 1, COLUMNS)).map_err(Fault::internal)?;
        }
        text.push_str(
            " ON CONFLICT (tenant, family, hour, dimensions, series, slot) DO UPDATE SET facts = cell.facts + excluded.facts, \
             units = cell.units + excluded.units, micros = cell.micros + excluded.micros",
        );
        let values = some.iter().flat_map(|(cell, amount)| values(tx, cell, amount)).collect();
        tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?;
    }
    remove_empty(tx, &deltas.shrinking()).await
}

/// How many records of the tenant were erased.
///
/// # Errors
/// Where the database fails.
pub async fn erased(rx: &Rx) -> Result<i64, Fault> {
    let text = "SELECT facts FROM cell WHERE tenant = $1 AND family = $2";
    let values = vec![Value::from(rx.tenant().uuid()), Value::from(Family::Erased.column())];
    let row = rx.conn().query_one_raw(sql(rx.conn(), text, values)).await.stored()?;
    row.map_or(Ok(0), |row| row.try_get("", "facts").stored())
}

fn values(tx: &Tx, cell: &CellKey, amount: &Amount) -> [Value; COLUMNS] {
    [
        tx.tenant().uuid().into(),
        cell.family.column().into(),
        cell.hour.into(),
        cell.dimensions.into(),
        cell.series.clone().into(),
        cell.slot.clone().into(),
        month_of(cell.hour).into(),
        amount.count.into(),
        amount.units.into(),
        amount.micros.into(),
    ]
}

async fn remove_empty(tx: &Tx, hours: &[(Family, i64)]) -> Result<(), Fault> {
    for of_family in hours.chunk_by(|one, next| one.0 == next.0) {
        let family = of_family[0].0;
        let hours: Vec<i64> = of_family.iter().map(|(_, hour)| *hour).collect();
        for some in hours.chunks(ROWS) {
            let (head, hours) = (marks(tx.engine(), 1, 2), marks(tx.engine(), 3, some.len()));
            let text =
                format!("DELETE FROM cell WHERE (tenant, family) = ({head}) AND facts = 0 AND hour IN ({hours})");
            let head = [Value::from(tx.tenant().uuid()), Value::from(family.column())];
            let values = head.into_iter().chain(some.iter().map(|hour| Value::from(*hour))).collect();
            tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?;
        }
    }
    Ok(())
}
