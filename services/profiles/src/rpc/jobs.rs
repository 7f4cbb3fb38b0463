//! The service's long work: for each kind of operation that its calls begin, the job that does it. A job stands in this
//! room because its request and its response are messages of the contract; what it does is a use case of `service`.

use std::sync::Arc;

use futures::future::BoxFuture;
use rapport_data::{Job, Jobs, Step, Work};
use rapport_kernel::{Clock, Fault};
use rapport_platform::Call;

use super::identity_jobs;
use crate::convert::persona;
use crate::service::Profiles;
use crate::service::discovery::Advance;
use crate::service::personas::DISCOVER;

/// All jobs, by the name of the call that begins them.
#[must_use]
pub fn all(profiles: &Profiles, clock: &Arc<dyn Clock>) -> Jobs {
    let discover = Discover { profiles: profiles.clone(), clock: Arc::clone(clock) };
    identity_jobs::with(Jobs::new(), profiles).with(DISCOVER, discover)
}

struct Discover {
    profiles: Profiles,
    clock: Arc<dyn Clock>,
}

impl Job for Discover {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let call = Call::internal(work.tenant, self.clock.now());
            match self.profiles.advance(&call, work).await? {
                Advance::More { cursor, done, total, pause } => Ok(Step::more(cursor, done, total).after(pause)),
                Advance::Done(id, done) => {
                    let (set, personas) = self.profiles.persona_set(&call, Some(id)).await?;
                    Step::done(&persona::set_whole(&set, &personas), done)
                }
            }
        })
    }
}
