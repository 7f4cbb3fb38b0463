//! The service's long work: for each kind of operation that its calls begin, the job that does it. A job stands in this
//! room because its request and its response are messages of the contract; what it does is a use case of `service`.

use rapport_data::Jobs;

use crate::service::Profiles;

/// All jobs, by the name of the call that begins them.
#[must_use]
pub fn all(_: &Profiles) -> Jobs {
    Jobs::new()
}
