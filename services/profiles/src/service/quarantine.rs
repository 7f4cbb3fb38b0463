//! Letting a quarantined value link again: somebody looked, and says how many records may carry it.

use std::sync::Arc;

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId};
use rapport_platform::Call;
use uuid::Uuid;

use super::identify::identifier_key;
use super::{Outcome, Profiles, Written, apply, component};
use crate::domain::bounds;
use crate::domain::linking::partition;
use crate::domain::rules::Rules;
use crate::store::{identifier, quarantine};

/// Which value, and how many records may carry it.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its handle.
    pub handle: Uuid,
    /// How many.
    pub allowed: usize,
}

/// The outcome of a release.
pub struct Released {
    /// The customers that were merged away.
    pub merged: Vec<CustomerId>,
    written: Written,
}

impl Outcome for Released {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// Lets a quarantined value link again.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION: INVALID_STATE where more records carry it than it would be allowed,
    /// IDENTITY_CONFLICT where what it would link is too large.
    pub async fn release(
        &self,
        call: &Call,
        receipt: Receipt<Released>,
        release: Release,
    ) -> Result<Answer<Released>, Fault> {
        let rules = self.rules(call).await?;
        let unit = move |tx: Tx| {
            let (rules, release) = (Arc::clone(&rules), release.clone());
            async move { run(&tx, &rules, &release).await }
        };
        self.change(call, receipt, unit).await
    }
}

async fn run(tx: &Tx, rules: &Rules, release: &Release) -> Result<Released, Fault> {
    let not_found = || Fault::not_found("quarantined_value", release.handle.to_string());
    let held = quarantine::find(tx, release.handle).await?.ok_or_else(not_found)?;
    tx.lock(&[identifier_key(&held.identifier)]).await?;
    identifier::release(tx, &held.identifier).await?;
    let carriers = identifier::carriers(tx, &held.identifier, release.allowed + 1).await?;
    if carriers.len() > release.allowed {
        let text = format!("more than {} records carry the value", release.allowed);
        let fault = Fault::new(Reason::InvalidState, text);
        return Err(fault.precondition("RECORDS_PER_VALUE", release.handle.to_string()));
    }
    quarantine::allow(tx, release.handle, release.allowed).await?;
    let seeds: Vec<SubjectId> = carriers.iter().map(|carrier| carrier.subject).collect();
    let Some(first) = seeds.first() else { return Err(not_found()) };
    tx.about(*first);
    let component = component::lock(tx, &seeds, rules).await?;
    let partition = partition(&component.evidence, &rules.namespaces);
    let (changes, written) = apply::relink(tx, &component, &partition, rules).await?;
    changes.live.iter().try_for_each(|(_, records)| bounds::check(records))?;
    Ok(Released { merged: changes.merged, written })
}
