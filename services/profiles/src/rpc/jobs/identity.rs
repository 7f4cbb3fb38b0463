//! The jobs that go through all customers: after a namespace changed, and to train the matcher.

use std::time::Duration;

use futures::future::BoxFuture;
use rapport_api::profiles::v1::{RelinkResult, TrainMatcherResult};
use rapport_data::{Job, Step, Work};
use rapport_kernel::Fault;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::convert::matching;
use crate::service::{Profiles, renormalise, training};

/// How long a job that goes through all customers rests after each step: calls have the database meanwhile.
const REST: Duration = Duration::from_millis(5);
/// How long other instances may not know yet that rules or a model changed: what they write meanwhile is gone through.
const KNOWN: Duration = Duration::from_millis(1_500);

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(Fault::internal)
}

/// Where a job's step begins.
fn cursor<T: DeserializeOwned>(work: &Work, start: T) -> Result<T, Fault> {
    if work.cursor.is_empty() { Ok(start) } else { read(&work.cursor) }
}

/// That more is to be done.
fn more<T: Serialize>(next: &T, done: u64, total: u64) -> Result<Step, Fault> {
    Ok(Step::more(serde_json::to_vec(next).map_err(Fault::internal)?, done, total).after(REST))
}

/// Trains the matcher.
pub(super) struct Train(pub(super) Profiles);

impl Job for Train {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let request: training::Request = read(&work.request)?;
            let at = cursor(&work, training::Cursor::Learn)?;
            let stepped = self.0.train_step(work.tenant, &request, at).await?;
            let done = work.done + stepped.done;
            match stepped.next {
                Some(next) if at == training::Cursor::Learn => more(&next, done, 3 * self.0.count(work.tenant).await?),
                Some(next) => {
                    let step = more(&next, done, work.total.max(done))?;
                    Ok(match stepped.stored_for {
                        Some(stored_for) => step.after(KNOWN.saturating_sub(stored_for).max(REST)),
                        None => step,
                    })
                }
                None => {
                    let matcher = Some(matching::matcher(&self.0.trained(work.tenant).await?));
                    let customers = i64::try_from(done / 3).unwrap_or(i64::MAX);
                    Step::done(&TrainMatcherResult { matcher, customers }, done)
                }
            }
        })
    }
}

/// Goes through all customers after a namespace changed.
pub(super) struct Renormalise(pub(super) Profiles);

impl Job for Renormalise {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let request: renormalise::Request = read(&work.request)?;
            if work.cursor.is_empty() {
                let total = 2 * self.0.count(work.tenant).await?;
                return Ok(more(&renormalise::Cursor::START, 0, total)?.after(KNOWN));
            }
            let at = cursor(&work, renormalise::Cursor::START)?;
            let stepped = self.0.renormalise(work.tenant, &request.namespace, at).await?;
            let done = work.done + stepped.done;
            match stepped.next {
                Some(next) => more(&next, done, work.total.max(done)),
                None => Step::done(&RelinkResult { customers: i64::try_from(done / 2).unwrap_or(i64::MAX) }, done),
            }
        })
    }
}
