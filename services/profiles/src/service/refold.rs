//! What a changed definition, or another trust in a source, makes of profiles is told in the background: customers whose
//! records claim the trait get a new revision, and with it their contexts. It is done by pages, each one unit, under a wakeup of the tenant: whoever is
//! interrupted, another instance goes on from the last page.
//!
//! It begins two seconds after the change. Every instance folds by rules that it read a second ago at most, so by then
//! none folds by the ones before; but a unit that waited for longer than that with the old ones in hand may still commit
//! what they make of its own customer, which then stands until the customer next changes.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId};
use uuid::Uuid;

use super::component::lock_customers;
use super::{Written, apply, rules};
use crate::domain::namespace::Namespaces;
use crate::domain::profile::Record;
use crate::domain::relink::Held;
use crate::domain::survivorship::Survivorship;
use crate::store::refold::{self, Refold};
use crate::store::{profile, trait_definition};

/// The lock under which definitions change, and pages are done.
pub(super) const LOCK: &str = "trait_definitions";
/// How long after a change every instance knows it.
const KNOWN: Duration = Duration::from_secs(2);
/// How many customers a page looks at: few, for other writers wait for it.
const PAGE: u64 = 100;

/// The wakeups of a tenant itself.
#[must_use]
pub fn of_tenant(tenant: TenantId) -> SubjectId {
    SubjectId::from_uuid(tenant.uuid())
}

/// Asks for the customers whose records claim a trait to be folded anew.
pub(super) async fn ask(tx: &Tx, name: &str) -> Result<(), Fault> {
    let mut traits = refold::find(tx).await?.map_or_else(BTreeSet::new, |left| left.traits);
    traits.insert(name.to_owned());
    refold::put(tx, &Refold { traits, after: Uuid::nil() }).await?;
    tx.wake_at(of_tenant(tx.tenant()), Some(tx.now().plus(KNOWN))).await
}

/// Asks for it where a trait's survivor depends on whom the catalogue trusts.
pub(super) async fn ask_where_trust_counts(tx: &Tx) -> Result<(), Fault> {
    tx.lock(&[LOCK.to_owned()]).await?;
    for definition in trait_definition::all(tx).await? {
        if definition.survivorship == Survivorship::MostTrusted {
            ask(tx, &definition.name).await?;
        }
    }
    Ok(())
}

/// Does a page of what is left.
pub(super) async fn page(tx: &Tx, built_in: &Namespaces) -> Result<Written, Fault> {
    tx.lock(&[LOCK.to_owned()]).await?;
    let tenant = of_tenant(tx.tenant());
    let mut written = Written::default();
    let Some(left) = refold::find(tx).await? else {
        tx.wake_at(tenant, None).await?;
        return Ok(written);
    };
    // A newer change waits until every instance knows it.
    let newest = trait_definition::newest(tx).await?;
    let changed = newest.iter().map(|version| version.definition.updated_at).max();
    if let Some(known) = changed.map(|at| at.plus(KNOWN)).filter(|known| *known > tx.now()) {
        tx.wake_at(tenant, Some(known)).await?;
        return Ok(written);
    }
    let rules = rules::read(tx, built_in, None).await?;
    let rows = profile::after(tx, left.after, PAGE).await?;
    let claims = |record: &Record| {
        left.traits.iter().any(|name| record.claims.traits.get(name).is_some_and(|claim| claim.value.is_some()))
    };
    let concerned = |row: &profile::Row| matches!(&row.held, Held::Live { records, .. } if records.iter().any(claims));
    let customers: BTreeSet<CustomerId> =
        rows.iter().filter(|(_, row)| concerned(row)).map(|(customer, _)| *customer).collect();
    lock_customers(tx, &customers).await?;
    for (customer, row) in profile::by_ids(tx, &customers.into_iter().collect::<Vec<_>>()).await? {
        if let Held::Live { revision, records } = row.held {
            written.live.push(apply::touch(tx, (customer, revision, row.derived), records, &rules).await?);
        }
    }
    match rows.last() {
        Some((last, _)) if rows.len() as u64 == PAGE => {
            refold::put(tx, &Refold { after: last.uuid(), ..left }).await?;
            tx.wake_at(tenant, Some(tx.now())).await?;
        }
        _ => {
            refold::clear(tx).await?;
            tx.wake_at(tenant, None).await?;
        }
    }
    Ok(written)
}
