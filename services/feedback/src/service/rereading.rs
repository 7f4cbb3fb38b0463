//! Reading stored texts again after the taxonomy changed: some at a time, until none is left that was read by an older
//! version. What was read again says so in its row, so that whoever goes on does not begin anew.

use rapport_data::{Database, Rx, Work};
use rapport_kernel::Fault;
use uuid::Uuid;

use super::mentions::Mentions;
use super::{Responses, Tickets};
use crate::domain::ResponseId;
use crate::domain::mention::MentionId;
use crate::domain::ticket::TicketId;
use crate::store::text_reading::{self, Source};
use crate::store::topic;

/// How many items a step reads again.
const ITEMS: u32 = 100;

/// Reads stored texts again.
#[derive(Clone)]
pub struct Rereading {
    db: Database,
    responses: Responses,
    tickets: Tickets,
    mentions: Mentions,
}

impl Rereading {
    /// In a database.
    #[must_use]
    pub const fn new(db: Database, responses: Responses, tickets: Tickets, mentions: Mentions) -> Self {
        Self { db, responses, tickets, mentions }
    }

    /// Reads some texts again; answers how many, and how many there were to read.
    ///
    /// # Errors
    /// As the database's.
    pub async fn step(&self, work: &Work) -> Result<(u64, u64), Fault> {
        let tenant = work.tenant;
        let read = |rx: Rx| async move {
            let version = topic::version(&rx).await?;
            let stale = text_reading::stale(&rx, version, ITEMS).await?;
            let left = if stale.is_empty() { 0 } else { text_reading::count_stale(&rx, version).await? };
            Ok((stale, left))
        };
        let (stale, left) = self.db.read(tenant, read).await?;
        let of = |wanted: Source| -> Vec<Uuid> {
            stale.iter().filter(|(source, _)| *source == wanted).map(|(_, item)| *item).collect()
        };
        let responses = of(Source::Response).into_iter().map(ResponseId::from_uuid).collect();
        self.responses.reread(tenant, responses).await?;
        for ticket in of(Source::Ticket) {
            self.tickets.reread(tenant, TicketId::from_uuid(ticket)).await?;
        }
        let mentions = of(Source::Mention).into_iter().map(MentionId::from_uuid).collect();
        self.mentions.reread(tenant, mentions).await?;
        Ok((stale.len() as u64, left))
    }
}
