//! GetLineage: how a customer came to be.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_kernel::{CustomerId, Fault, SubjectId};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::assertion::Assertion;
use crate::domain::profile::Profile;
use crate::domain::value::Named;
use crate::store::link::Link;
use crate::store::{assertion, link, profile};

/// How a customer came to be.
pub struct Lineage {
    /// The customer now.
    pub profile: Arc<Profile>,
    /// Every link of its records and of records that left, oldest first.
    pub links: Vec<Link>,
    /// The ids that lead to it.
    pub merged: Vec<CustomerId>,
    /// What was declared about its records.
    pub assertions: Vec<Assertion>,
}

impl Profiles {
    /// A customer's lineage.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn lineage(&self, call: &Call, named: &Named) -> Result<Lineage, Fault> {
        let (this, rules) = (self.clone(), self.rules(call).await?);
        let read = self.read(call, |rx| async move {
            let (_, profile) = this.find(&rx, named, (&rules, std::time::Instant::now())).await?;
            let members: Vec<SubjectId> = profile.records.iter().map(|(subject, ..)| *subject).collect();
            let ever: BTreeSet<SubjectId> =
                link::history(&rx, profile.customer, &members).await?.into_iter().map(|link| link.subject).collect();
            let links = link::history(&rx, profile.customer, &ever.into_iter().collect::<Vec<_>>()).await?;
            let merged = profile::merged_into(&rx, profile.customer).await?;
            let assertions = assertion::of_subjects(&rx, &members).await?;
            Ok(Lineage { profile, links, merged, assertions })
        });
        read.await
    }
}
