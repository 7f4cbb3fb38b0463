//! The service's long work: for each kind of operation that its calls begin, the job that does it. A job stands in this
//! room because its response is a message of the contract.

mod backfill;
mod identity;
mod personas;

use std::sync::Arc;

use rapport_data::Jobs;
use rapport_kernel::Clock;

use crate::service::personas::DISCOVER;
use crate::service::{Profiles, backfill as filling, renormalise, training};

/// All jobs, by the name of the call that begins them.
#[must_use]
pub fn all(profiles: &Profiles, clock: &Arc<dyn Clock>) -> Jobs {
    Jobs::new()
        .with(filling::KIND, backfill::Backfill(profiles.clone()))
        .with(DISCOVER, personas::Discover { profiles: profiles.clone(), clock: Arc::clone(clock) })
        .with(renormalise::KIND, identity::Renormalise(profiles.clone()))
        .with(training::KIND, identity::Train(profiles.clone()))
}
