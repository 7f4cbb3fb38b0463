//! Forgetting: all that a customer's subjects said, free text and all.

use rapport_data::{Database, Tx};
use rapport_kernel::{Fault, SubjectId};
use rapport_platform::Call;

use super::{FollowUps, Mentions, Tickets};
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
    follow_ups: FollowUps,
}

impl Erasures {
    /// In a database.
    #[must_use]
    pub const fn new(db: Database, tickets: Tickets, mentions: Mentions, follow_ups: FollowUps) -> Self {
        Self { db, tickets, mentions, follow_ups }
    }

    /// Deletes everything about the subjects and lays their tombstones; harmless when repeated. Metrics is asked to
    /// erase as well, by itself: no event tells of it.
    ///
    /// # Errors
    /// As the database's.
    pub async fn erase(&self, call: &Call, subjects: Vec<SubjectId>) -> Result<Erased, Fault> {
        let mut deleted_rows = 0;
        for some in subjects.chunks(SUBJECTS) {
            let (some, this) = (some.to_vec(), self.clone());
            let unit = move |tx: Tx| {
                let (some, this) = (some.clone(), this.clone());
                async move {
                    tx.erase(&some).await?;
                    store::search::erase(&tx, &some).await?;
                    store::response_tag::erase(tx.conn(), tx.tenant(), &some).await?;
                    store::response_key::erase(tx.conn(), tx.tenant(), &some).await?;
                    let responses = store::response::erase(tx.conn(), tx.tenant(), &some).await?;
                    let promises = store::promise::erase(&tx, &some).await?;
                    let followed = this.follow_ups.erase(&tx, &some).await?;
                    let told = this.tickets.erase(&tx, &some).await? + this.mentions.erase(&tx, &some).await?;
                    let readings = store::text_reading::erase(&tx, &some).await?;
                    let asking = store::asking::code::erase(&tx, &some).await?;
                    let asking = asking + store::holder::erase(&tx, &some).await?;
                    Ok(asking + responses + promises + followed + told + readings)
                }
            };
            deleted_rows += self.db.until(call.deadline).write_erasing(call.tenant(), unit).await?;
        }
        let bus_clear = self.db.bus_clear().await?;
        Ok(Erased { deleted_rows, bus_clear })
    }
}
