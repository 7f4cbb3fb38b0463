//! When which ticket is to be looked at again, though nothing is told of it meanwhile. The clock reads it over all
//! tenants.

use rapport_data::{Bulk, Column, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, TenantId};
use sea_orm::{ConnectionTrait as _, Statement};
use uuid::Uuid;

use crate::domain::ticket::{Ticket, TicketId};

const DUE: Bulk = Bulk {
    table: "ticket_due",
    columns: &["tenant", "ticket_id", "due_at"],
    suffix: "ON CONFLICT (tenant, ticket_id) DO UPDATE SET due_at = excluded.due_at",
};

/// Notes when tickets are to be looked at again, each with whether it was noted before.
pub async fn put(tx: &Tx, tickets: &[(&Ticket, bool)]) -> Result<(), Fault> {
    let waking = tickets.iter().filter_map(|(ticket, _)| Some((ticket.id.uuid(), ticket.wakes()?.micros())));
    let (ids, times): (Vec<Uuid>, Vec<i64>) = waking.unzip();
    let columns = vec![Column::same_id(tx.tenant().uuid(), ids.len()), Column::Ids(ids), Column::Numbers(times)];
    DUE.insert(tx.conn(), columns).await?;
    let asleep = tickets.iter().filter(|(ticket, noted)| *noted && ticket.wakes().is_none());
    for (ticket, _) in asleep {
        let text = "DELETE FROM ticket_due WHERE tenant = $1 AND ticket_id = $2";
        let values = [tx.tenant().uuid().into(), ticket.id.uuid().into()];
        let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
        tx.conn().execute_raw(statement).await.stored()?;
    }
    Ok(())
}

/// Has every ticket that is not solved looked at now.
pub async fn all_open(tx: &Tx) -> Result<(), Fault> {
    let text = "INSERT INTO ticket_due (tenant, ticket_id, due_at) SELECT tenant, ticket_id, $2 FROM ticket \
                WHERE tenant = $1 AND merged_into IS NULL AND status NOT IN ('solved', 'closed') \
                ON CONFLICT (tenant, ticket_id) DO UPDATE SET due_at = excluded.due_at";
    let values = [tx.tenant().uuid().into(), tx.now().micros().into()];
    let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
    tx.conn().execute_raw(statement).await.stored().map(drop)
}

/// Those that are due, the longest due first: over all tenants.
pub async fn due(rx: &Rx, limit: u32) -> Result<Vec<(TenantId, TicketId)>, Fault> {
    let text = "SELECT tenant, ticket_id FROM ticket_due WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    let values = [rx.now().micros().into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(rx.engine().backend(), text, values);
    let rows = rx.conn().query_all_raw(statement).await.stored()?;
    let read = rows.iter().map(|row| {
        let (tenant, ticket) = (row.try_get_by_index::<Uuid>(0)?, row.try_get_by_index::<Uuid>(1)?);
        Ok((TenantId::from_uuid(tenant), TicketId::from_uuid(ticket)))
    });
    read.collect::<Result<_, sea_orm::DbErr>>().stored()
}

/// Forgets that tickets are due: they are not there.
pub async fn clear(tx: &Tx, tickets: &[TicketId]) -> Result<(), Fault> {
    for ticket in tickets {
        let text = "DELETE FROM ticket_due WHERE tenant = $1 AND ticket_id = $2";
        let values = [tx.tenant().uuid().into(), ticket.uuid().into()];
        let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
        tx.conn().execute_raw(statement).await.stored()?;
    }
    Ok(())
}
