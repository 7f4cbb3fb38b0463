//! What is heard of others and of ourselves within a unit of work: what asks customers, and who changed hands.

use futures::future::BoxFuture;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, SubjectLinked};
use rapport_data::{Consumer, Tx};
use rapport_kernel::Fault;

use super::asking::occasion;
use crate::service::moves::Move;
use crate::service::{Asking, Moves};

/// The consumer group. (Its name is of what it was first for; others must name it too.)
pub const GROUP: &str = "asking";
/// What it reads.
pub const TOPICS: [&str; 2] = ["feedback", "profiles"];

/// Hears.
pub struct Heard {
    /// Asks customers.
    pub asking: Asking,
    /// Follows who changes hands.
    pub moves: Moves,
}

impl Consumer for Heard {
    fn apply(&self, tx: Tx, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let moves: Vec<Move> = events.iter().filter_map(moved).collect();
            if !moves.is_empty() {
                self.moves.note(&tx, &moves).await?;
            }
            self.asking.heed(tx, events.into_iter().filter_map(occasion).collect()).await
        })
    }
}

/// That a subject changed hands; none where something else is told.
fn moved(event: &Event) -> Option<Move> {
    let Some(Payload::SubjectLinked(SubjectLinked { from_customer_id, to_customer_id, to_customer_revision })) =
        &event.payload
    else {
        return None;
    };
    Some(Move {
        subject: event.subject_id.parse().ok()?,
        from: from_customer_id.parse().ok(),
        to: to_customer_id.parse().ok()?,
        revision: *to_customer_revision,
    })
}
