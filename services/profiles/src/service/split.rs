//! SplitProfile: somebody declares that records are not of the party they are linked to. The records that leave are
//! kept apart from those that stay, whatever they share; the next Identify does not undo it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_data::{Answer, Engine, Receipt, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId};
use rapport_platform::Call;

use super::component;
use super::hear::current;
use super::merge::expect;
use super::{Outcome, Profiles, Written, apply, attach, candidates, grew, matching};
use crate::domain::assertion::{Assertion, AssertionId};
use crate::domain::linking::{Cause, partition};
use crate::domain::profile::Profile;
use crate::domain::relink;
use crate::domain::rules::Rules;
use crate::domain::value::{Named, SourceRecord};
use crate::store::{assertion, link, subject};

/// Which records are not of a customer.
#[derive(Clone, Debug)]
pub struct Split {
    /// The customer.
    pub customer: Named,
    /// The records that leave it.
    pub records: Vec<SourceRecord>,
    /// Why.
    pub reason: String,
    /// The customer's revision as last read.
    pub expected: Option<u64>,
}

/// The outcome of a split.
pub struct Separated {
    /// The customer that keeps its id.
    pub remaining: Arc<Profile>,
    /// The customers that the leaving records now make.
    pub separated: Vec<Arc<Profile>>,
    written: Written,
}

impl Outcome for Separated {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// Splits records off a customer.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); FAILED_PRECONDITION (IDENTITY_CONFLICT) where a record is not of the customer,
    /// or none would stay.
    pub async fn split(
        &self,
        call: &Call,
        receipt: Receipt<Separated>,
        input: Split,
    ) -> Result<Answer<Separated>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move { split(&tx, &rules, &input).await }
        };
        self.change(call, receipt, unit).await
    }
}

async fn split(tx: &Tx, rules: &Rules, input: &Split) -> Result<Separated, Fault> {
    let customer = attach::resolve(tx, &input.customer).await?.1;
    let component = component::lock(tx, &[customer], rules).await?;
    // On SQLite nothing changes between two looks.
    if tx.engine() == Engine::Postgres && attach::resolve(tx, &input.customer).await?.1 != customer {
        return Err(grew());
    }
    tx.about(customer);
    expect(&component, customer, input.expected)?;
    let members = component.members(customer);
    let leaving = leaving(tx, input, &members).await?;
    let staying: BTreeSet<SubjectId> = members.difference(&leaving).copied().collect();
    if staying.is_empty() {
        let text = "at least one source record must stay: name only those that leave";
        return Err(Fault::new(Reason::IdentityConflict, text).precondition("RECORD_STAYS", customer.to_string()));
    }
    let split = Assertion {
        id: AssertionId::new(),
        same: false,
        left: leaving.clone(),
        right: staying.clone(),
        survivor: None,
        reason: input.reason.clone(),
        created_at: component.instant(tx.now()),
    };
    assertion::add(tx, &split).await?;
    let mut evidence = component.evidence.clone();
    evidence.assertions.push(split);
    let partition = partition(&evidence, &rules.namespaces);
    let mut changes = relink::changes(&partition, &component.records, &component.owners(), &component.held);
    for moved in changes.moves.iter_mut().filter(|moved| members.contains(&moved.subject)) {
        moved.cause = Cause::Split;
    }
    let mut written = apply::write(tx, &component, &changes, rules).await?;
    for cluster in &partition.clusters {
        if let Some(subject) = cluster.members.keys().find(|subject| members.contains(subject)) {
            candidates::refused(tx, &component, &partition, *subject).await?;
        }
    }
    // On the heap: it links anew, and lies deep already.
    Box::pin(matching::parted(tx, rules, &members, &mut written)).await?;
    let owners = link::current_of(tx, &members.iter().copied().collect::<Vec<_>>()).await?;
    let home = if staying.contains(&customer) { Some(&customer) } else { staying.first() };
    let of = |subject: &SubjectId| owners.get(subject).map(|link| link.customer);
    let remaining = home.and_then(of).ok_or_else(|| Fault::internal("a record has no customer"))?;
    let apart: BTreeSet<CustomerId> = members.iter().filter_map(of).filter(|id| *id != remaining).collect();
    let mut separated = Vec::new();
    for id in apart {
        separated.push(standing(tx, rules, &written, id).await?);
    }
    Ok(Separated { remaining: standing(tx, rules, &written, remaining).await?, separated, written })
}

/// The profile of a customer after a unit: as the unit wrote it, or as it stands.
async fn standing(tx: &Tx, rules: &Rules, written: &Written, customer: CustomerId) -> Result<Arc<Profile>, Fault> {
    match written.live.iter().find(|profile| profile.customer == customer) {
        Some(profile) => Ok(Arc::clone(profile)),
        None => current(tx, rules, customer).await,
    }
}

async fn leaving(tx: &Tx, input: &Split, members: &BTreeSet<SubjectId>) -> Result<BTreeSet<SubjectId>, Fault> {
    let mut leaving = BTreeSet::new();
    for (at, name) in input.records.iter().enumerate() {
        match subject::find(tx, name).await?.filter(|subject| members.contains(&subject.id)) {
            Some(subject) => leaving.insert(subject.id),
            None => {
                let text = format!("source_records[{at}] is no record of this customer: GetProfile lists them");
                let fault = Fault::new(Reason::IdentityConflict, text);
                return Err(fault.precondition("RECORD_OF_CUSTOMER", format!("source_records[{at}]")));
            }
        };
    }
    Ok(leaving)
}
