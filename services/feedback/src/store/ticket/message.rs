//! Messages of tickets.

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use crate::domain::ticket::{Message, MessageId, TicketId};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket_message")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ticket_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    pub message_id: Uuid,
    pub said_at: i64,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketMessage").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// A message keeps the id under which it was first taken.
const MESSAGES: Bulk = Bulk {
    table: "ticket_message",
    columns: &["tenant", "ticket_id", "external_id", "message_id", "said_at", "body"],
    suffix: "ON CONFLICT (tenant, ticket_id, external_id) DO UPDATE SET said_at = excluded.said_at, body = excluded.body",
};

/// Adds messages, or replaces them by their newer tellings: each once.
pub async fn put(tx: &Tx, messages: &[&Message]) -> Result<(), Fault> {
    let bodies = messages.iter().map(serde_json::to_vec).collect::<Result<_, _>>();
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), messages.len()),
        Values::Ids(messages.iter().map(|message| message.ticket.uuid()).collect()),
        Values::Texts(messages.iter().map(|message| message.external_id.expose().clone()).collect()),
        Values::Ids(messages.iter().map(|message| message.id.uuid()).collect()),
        Values::Numbers(messages.iter().map(|message| message.said.at.micros()).collect()),
        Values::Bytes(bodies.map_err(|_| Fault::internal("a message could not be encoded"))?),
    ];
    MESSAGES.insert(tx.conn(), columns).await
}

fn message(row: &Model) -> Result<Message, Fault> {
    let held: Message =
        serde_json::from_slice(&row.body).map_err(|_| Fault::internal("a message's row is not readable"))?;
    Ok(Message { id: MessageId::from_uuid(row.message_id), ..held })
}

/// One message.
pub async fn find(rx: &Rx, ticket: TicketId, external_id: &str) -> Result<Option<Message>, Fault> {
    let id = (rx.tenant().uuid(), ticket.uuid(), external_id.to_owned());
    let row = Entity::find_by_id(id).one(rx.conn()).await.stored()?;
    row.as_ref().map(message).transpose()
}

/// Where a page of messages ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// When it was said.
    pub said_at: Timestamp,
    /// Which of those of that instant.
    pub id: Uuid,
}

/// The messages of tickets after a place, oldest first, one more than `size`.
pub async fn page(rx: &Rx, tickets: &[TicketId], after: Option<Place>, size: usize) -> Result<Vec<Message>, Fault> {
    let those = Column::TicketId.is_in(tickets.iter().map(|id| id.uuid()));
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(those);
    if let Some(Place { said_at, id }) = after {
        let at = said_at.micros();
        let ties = Condition::any().add(Column::SaidAt.gt(at)).add(Column::MessageId.gt(id));
        query = query.filter(Column::SaidAt.gte(at)).filter(ties);
    }
    let query = query.order_by_asc(Column::SaidAt).order_by_asc(Column::MessageId).limit(keyset::limit(size));
    query.all(rx.conn()).await.stored()?.iter().map(message).collect()
}
