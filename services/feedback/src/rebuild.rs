//! Tells the current state of this service again: every response that is held.

use futures::future::BoxFuture;
use rapport_data::{Rebuild, Retold, Tx};
use rapport_kernel::Fault;

use crate::events;
use crate::store::response;

/// How many responses a page tells of.
const PAGE: u64 = 300;

/// The state of feedback.
pub struct State;

impl Rebuild for State {
    fn page(&self, tx: Tx, after: Option<String>) -> BoxFuture<'_, Result<Retold, Fault>> {
        Box::pin(async move {
            let after = after.map(|id| id.parse()).transpose().map_err(Fault::internal)?;
            let responses = response::after(tx.conn(), tx.tenant(), after, PAGE).await?;
            let next = responses.last().map(|response| response.id.to_string());
            Ok(Retold { events: responses.iter().map(events::changed).collect(), next })
        })
    }
}
