//! Joining follow-ups of one rule as their customers become one: of one rule a customer has at most one that people work on.
//! Those joined to it keep what they follow up, so that they stand by themselves again where the customer is split; until
//! then they wait, and end as it ends.

use std::collections::BTreeSet;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, Private, Reason, SubjectId, TenantId};
use rapport_platform::Call;

use super::{FollowUps, save, write};
use crate::domain::Customer;
use crate::domain::follow_up::{FollowUp, Touched, joined};
use crate::store::follow_up as store;

impl FollowUps {
    /// Looks again at which follow-ups of customers are joined. Where that was done before, nothing changes.
    ///
    /// # Errors
    /// Where the database or profiles cannot be reached.
    pub(in crate::service) async fn rejoin(
        &self,
        tenant: TenantId,
        customers: BTreeSet<CustomerId>,
    ) -> Result<(), Fault> {
        let call = Call::internal(tenant, self.clock.now());
        let mut seen: BTreeSet<CustomerId> = BTreeSet::new();
        for customer in customers {
            let resolved = match self.profiles.resolve(&call, &Customer::Id(customer)).await {
                Ok(resolved) => resolved,
                Err(fault) if matches!(fault.reason, Reason::ResourceNotFound | Reason::Erased) => continue,
                Err(fault) => return Err(fault),
            };
            if !seen.insert(resolved.customer) {
                continue;
            }
            let (customer, subjects) = (resolved.customer, resolved.subjects);
            let unit = move |tx: Tx| {
                let subjects = subjects.clone();
                async move { rejoin(&tx, customer, &subjects).await }
            };
            self.db.write(tenant, unit).await?;
        }
        self.wake.notify_one();
        Ok(())
    }
}

async fn rejoin(tx: &Tx, customer: CustomerId, subjects: &[SubjectId]) -> Result<(), Fault> {
    tx.hold_erasures().await?;
    tx.lock(&[format!("follow-ups of {customer}")]).await?;
    let open = store::open_by_rules(tx, subjects, None).await?;
    for touched in joined(&open, tx.now()) {
        save(tx, touched).await?;
    }
    Ok(())
}

/// Ends those joined to a follow-up as it ended.
pub(super) async fn end(tx: &Tx, lead: &FollowUp, author: &Private<String>) -> Result<(), Fault> {
    if lead.status.is_open() {
        return Ok(());
    }
    for one in store::joined_to(tx, &[lead.id]).await? {
        if let Some(touched) = one.end_with(lead, author, tx.now()) {
            save(tx, touched).await?;
        }
    }
    Ok(())
}

/// Has the first of those joined to a follow-up that is no more lead the others.
pub(super) async fn succeed(tx: &Tx, lead: &FollowUp) -> Result<(), Fault> {
    let mut left = store::joined_to(tx, &[lead.id]).await?;
    left.retain(|one| one.status.is_open());
    for Touched { follow_up, entries } in joined(&left, tx.now()) {
        write(tx, &follow_up, &entries).await?;
    }
    Ok(())
}
