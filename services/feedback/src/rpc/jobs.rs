//! The service's long work: for each kind of operation that its calls begin, the job that does it. A job stands in this
//! room because its response is a message of the contract.

use std::time::Duration;

use futures::future::BoxFuture;
use rapport_api::feedback::v1::RereadTextsResult;
use rapport_data::{Job, Jobs, Step, Work};
use rapport_kernel::Fault;

use crate::convert::invitation::render_tally;
use crate::domain::asking::Stage;
use crate::service::asking::wave::{self, Stepped};
use crate::service::topics::KIND;
use crate::service::{Asking, Rereading};

/// How long others may still be writing what they read by the taxonomy of before: it is looked once more after that.
const SETTLED: Duration = Duration::from_secs(2);
/// How long the job rests after each step: calls have the database meanwhile.
const REST: Duration = Duration::from_millis(5);

/// All jobs, by the name of the call that begins them.
#[must_use]
pub fn all(rereading: Rereading, asking: Asking) -> Jobs {
    Jobs::new().with(KIND, Reread(rereading)).with(wave::KIND, Invite(asking))
}

/// Invites a population.
struct Invite(Asking);

impl Job for Invite {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let stage: Option<Stage> = match work.cursor.as_slice() {
                [] => None,
                bytes => serde_json::from_slice(bytes).map_err(Fault::internal)?,
            };
            match self.0.step_wave(&work, stage).await? {
                Stepped::More { stage, done, total, rest } => {
                    let cursor = serde_json::to_vec(&stage).map_err(Fault::internal)?;
                    Ok(Step::more(cursor, done, total).after(rest))
                }
                Stepped::Done(tally) => Step::done(&render_tally(&tally), work.total),
            }
        })
    }
}

/// Reads stored texts again.
struct Reread(Rereading);

impl Job for Reread {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let (read, left) = self.0.step(&work).await?;
            let done = work.done + read;
            if read > 0 {
                return Ok(Step::more(Vec::new(), done, done + left.saturating_sub(read)).after(REST));
            }
            // The cursor says that nothing was left when it was last looked.
            if work.cursor.is_empty() {
                return Ok(Step::more(vec![1], done, done).after(SETTLED));
            }
            Step::done(&RereadTextsResult { texts: i64::try_from(done).unwrap_or(i64::MAX) }, done)
        })
    }
}
