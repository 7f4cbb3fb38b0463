//! Reading follow-ups and their history.

use rapport_data::{Rx, keyset};
use rapport_kernel::Fault;
use rapport_platform::Call;
use uuid::Uuid;

use super::{FollowUps, missing};
use crate::domain::Customer;
use crate::domain::follow_up::{Entry, FollowUp, FollowUpId};
use crate::domain::improvement::{ImprovementId, cause_key};
use crate::service::Page;
use crate::store::follow_up::{self as store, Place, Sieve, entry};

/// Which follow-ups to list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Only this customer's.
    pub customer: Option<Customer>,
    /// Only those that named the cause of this improvement.
    pub improvement: Option<ImprovementId>,
    /// What columns tell.
    pub sieve: Sieve,
    /// Which page.
    pub page: Which,
}

/// Which page of a list.
#[derive(Clone, Debug)]
pub struct Which {
    /// All that a page's token is bound to.
    pub bound: String,
    /// How many at most.
    pub size: usize,
    /// Where to go on.
    pub token: String,
}

impl FollowUps {
    /// One follow-up.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: FollowUpId) -> Result<FollowUp, Fault> {
        let read = move |rx: Rx| async move { store::find(&rx, id).await?.ok_or_else(|| missing(id)) };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of follow-ups; of one customer, those of all subjects that it is now.
    ///
    /// # Errors
    /// NOT_FOUND for the customer or the improvement; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, listing: Listing) -> Result<Page<FollowUp>, Fault> {
        let Listing { customer, improvement, mut sieve, page } = listing;
        let after: Option<Place> = self.page_key.open(call.tenant(), &page.bound, &page.token)?;
        if let Some(customer) = &customer {
            sieve.subjects = Some(self.profiles.resolve(call, customer).await?.subjects);
        }
        let (size, order) = (page.size, sieve.order);
        let read = move |rx: Rx| {
            let mut sieve = sieve.clone();
            async move {
                if let Some(id) = improvement {
                    let found = crate::store::improvement::find(&rx, id).await?;
                    let found = found.ok_or_else(|| Fault::not_found("improvement", id.to_string()))?;
                    let cause = cause_key(&found.plan.cause);
                    if !sieve.root_cause.is_empty() && sieve.root_cause != cause {
                        return Ok(Vec::new());
                    }
                    sieve.root_cause = cause;
                }
                store::page(&rx, &sieve, after, keyset::limit(size)).await
            }
        };
        let rows = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let found = keyset::page(rows, size, FollowUp::weight, |one| store::place(one, order));
        let next = found.next.map(|place| self.page_key.seal(call.tenant(), &page.bound, &place));
        Ok(Page { items: found.items, next_page_token: next.unwrap_or_default() })
    }

    /// A page of a follow-up's history, oldest first.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT for a page token that is none.
    pub async fn history(
        &self,
        call: &Call,
        id: FollowUpId,
        size: usize,
        token: &str,
    ) -> Result<Page<(Uuid, Entry)>, Fault> {
        let bound = format!("ListFollowUpHistory|{id}");
        let after: Option<entry::Place> = self.page_key.open(call.tenant(), &bound, token)?;
        let read = move |rx: Rx| async move {
            store::find(&rx, id).await?.ok_or_else(|| missing(id))?;
            entry::page(&rx, id, after, keyset::limit(size)).await
        };
        let rows = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let weight = |(_, entry): &(Uuid, Entry)| 400 + entry.text.expose().len();
        let page = keyset::page(rows, size, weight, |(id, entry)| entry::Place { at: entry.at, id: *id });
        let next = page.next.map(|place| self.page_key.seal(call.tenant(), &bound, &place));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }
}
