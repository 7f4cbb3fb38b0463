//! Forgetting: all that a customer's subjects said, free text and all.

use rapport_data::{Database, Tx};
use rapport_kernel::{Fault, SubjectId};
use rapport_platform::Call;

use super::{Mentions, Tickets};
use crate::domain::Erased;
use crate::store;

/// How many subjects one unit forgets: others write between two.
const SUBJECTS: usize = 100;

/// The erasures of all tenants.
#[derive(Clone)]
pub struct Erasures {
    db: Database,
    tickets: Tickets,
    mentions: Mentions,
}

impl Erasures {
    /// In a database.
    #[must_use]
    pub const fn new(db: Database, tickets: Tickets, mentions: Mentions) -> Self {
        Self { db, tickets, mentions }
    }

    /// Deletes everything about the subjects and lays their tombstones; harmless when repeated. Metrics is asked to
    /// erase as well, by itself: no event tells of it.
    ///
    /// # Errors
    /// As the database's.
    pub async fn erase(&self, call: &Call, subjects: Vec<SubjectId>) -> Result<Erased, Fault> {
        let mut deleted_rows = 0;
        for some in subjects.chunks(SUBJECTS) {
            let (some, tickets, mentions) = (some.to_vec(), self.tickets.clone(), self.mentions.clone());
            let unit = move |tx: Tx| {
                let (some, tickets, mentions) = (some.clone(), tickets.clone(), mentions.clone());
                async move {
                    tx.erase(&some).await?;
                    store::search::erase(&tx, &some).await?;
                    store::response_tag::erase(tx.conn(), tx.tenant(), &some).await?;
                    store::response_key::erase(tx.conn(), tx.tenant(), &some).await?;
                    let responses = store::response::erase(tx.conn(), tx.tenant(), &some).await?;
                    let told = tickets.erase(&tx, &some).await? + mentions.erase(&tx, &some).await?;
                    Ok(responses + told + store::text_reading::erase(&tx, &some).await?)
                }
            };
            deleted_rows += self.db.until(call.deadline).write_erasing(call.tenant(), unit).await?;
        }
        let bus_clear = self.db.bus_clear().await?;
        Ok(Erased { deleted_rows, bus_clear })
    }
}
