//! The job that discovers personas.

use std::sync::Arc;

use futures::future::BoxFuture;
use rapport_data::{Job, Step, Work};
use rapport_kernel::{Clock, Fault};
use rapport_platform::Call;

use crate::convert::persona;
use crate::service::Profiles;
use crate::service::discovery::Advance;

/// Discovers personas.
pub(super) struct Discover {
    pub(super) profiles: Profiles,
    pub(super) clock: Arc<dyn Clock>,
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
