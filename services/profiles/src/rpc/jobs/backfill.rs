//! The job that brings customers to what is derived of them now.

use futures::future::BoxFuture;
use rapport_api::profiles::v1::BackfillResult;
use rapport_data::{Job, Step, Work};
use rapport_kernel::Fault;

use crate::service::Profiles;
use crate::service::backfill::{Cursor, Stepped};

/// Looks at all customers whom an older version of the definitions derived.
pub(super) struct Backfill(pub(super) Profiles);

impl Job for Backfill {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let cursor: Option<Cursor> = match work.cursor.as_slice() {
                [] => None,
                bytes => serde_json::from_slice(bytes).map_err(Fault::internal)?,
            };
            match self.0.backfill(&work, cursor).await? {
                Stepped::Waits(pause) => Ok(Step::more(Vec::new(), 0, 0).after(pause)),
                Stepped::More(next, done, total) => {
                    Ok(Step::more(serde_json::to_vec(&next).map_err(Fault::internal)?, done, total))
                }
                Stepped::Done(done) => {
                    Step::done(&BackfillResult { customers: i64::try_from(done).unwrap_or(i64::MAX) }, done)
                }
            }
        })
    }
}
