//! Whose the tickets are that are told of: customers as profiles resolves them, and as later merges and splits left them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::StreamExt as _;
use rapport_data::Tx;
use rapport_kernel::{Fault, Private, Reason, SubjectId};
use rapport_platform::Call;

use super::Tickets;
use super::locks::Locks;
use super::push::{Telling, What};
use crate::domain::Customer;
use crate::domain::ticket::{Owner, Stamp};
use crate::peers::Resolved;
use crate::store::holder::{self, Holder};
use crate::store::ticket;

/// How many customers are asked for at once.
const ASKED: usize = 32;

/// Customers as profiles resolves them, by what they were named by.
pub(super) type Customers = HashMap<Private<String>, Result<Resolved, Fault>>;

/// All subjects that are some of these customers.
pub(super) fn subjects(customers: &Customers) -> Vec<SubjectId> {
    customers.values().flatten().flat_map(|resolved| resolved.subjects.iter().copied()).collect()
}

impl Tickets {
    /// Asks profiles for the customers that tellings name, each once.
    pub(super) async fn customers(&self, call: &Call, tellings: &[Telling]) -> Customers {
        let named = tellings.iter().filter_map(|telling| match &telling.what {
            What::Push { customer, .. } => customer.as_ref(),
            What::Message(_) | What::Deletion { .. } => None,
        });
        let named: BTreeMap<Private<String>, Customer> =
            named.map(|customer| (customer.key(), customer.clone())).collect();
        let ask = |(key, customer): (Private<String>, Customer)| async move {
            (key, self.profiles.resolve(call, &customer).await)
        };
        futures::stream::iter(named).map(ask).buffer_unordered(ASKED).collect().await
    }
}

/// Customers within a unit of work.
pub(super) struct Whose<'a> {
    customers: &'a Customers,
    erased: BTreeSet<SubjectId>,
    /// Who holds the subjects that changed hands.
    holders: BTreeMap<SubjectId, Holder>,
}

impl<'a> Whose<'a> {
    /// As the unit sees them. What other tickets of these customers are held to be of follows.
    pub(super) async fn of(tx: &Tx, locks: &Locks, customers: &'a Customers) -> Result<Self, Fault> {
        let named: Vec<SubjectId> = customers.values().flatten().map(|resolved| resolved.respondent.subject).collect();
        let erased = tx.is_entombed(&named).await?;
        let holders = holder::of(tx, &subjects(customers)).await?;
        let whose = Self { customers, erased, holders };
        for resolved in customers.values().flatten() {
            // Where it changed hands since profiles was asked, its next customer must be among what is locked.
            locks.check_customer(whose.holder(resolved, resolved.respondent.subject).customer)?;
            if resolved.subjects.len() > 1 {
                let stays = |subject: &SubjectId| whose.holder(resolved, *subject).customer == resolved.customer;
                let theirs: Vec<SubjectId> = resolved.subjects.iter().copied().filter(stays).collect();
                ticket::gather(tx, &theirs, resolved.customer, resolved.revision).await?;
            }
        }
        Ok(whose)
    }

    /// The customer that holds a subject of one that was resolved.
    fn holder(&self, resolved: &Resolved, subject: SubjectId) -> Holder {
        let known = Holder { customer: resolved.customer, revision: resolved.revision };
        self.holders.get(&subject).copied().filter(|holder| holder.revision > known.revision).unwrap_or(known)
    }

    /// Whose a push says that its ticket is. The inner result is whether it may be; the outer fails where the unit must begin
    /// anew.
    pub(super) fn owner(&self, stamp: Stamp, customer: &Customer) -> Result<Result<Owner, Fault>, Fault> {
        let resolved = match self.customers.get(&customer.key()) {
            Some(Ok(resolved)) => resolved,
            Some(Err(fault)) if fault.is_transient() => return Err(copy(fault)),
            Some(Err(fault)) => return Ok(Err(copy(fault))),
            None => return Err(Fault::internal("every customer that is named was asked for")),
        };
        let respondent = &resolved.respondent;
        if self.erased.contains(&respondent.subject) {
            return Ok(Err(Fault::new(Reason::Erased, "the customer was erased")));
        }
        let holder = self.holder(resolved, respondent.subject);
        Ok(Ok(Owner {
            stamp: Some(stamp),
            subject: respondent.subject,
            customer: Some(holder.customer),
            customer_revision: holder.revision,
            party: respondent.party.name().to_owned(),
            dimensions: respondent.dimensions.clone(),
        }))
    }
}

/// A fault that is answered for more than one item.
fn copy(fault: &Fault) -> Fault {
    Fault::new(fault.reason, fault.message.clone())
}
