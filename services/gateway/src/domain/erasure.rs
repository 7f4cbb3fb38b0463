//! An erasure: which subjects are to be forgotten, and what each service has answered. Ids only.

use rapport_kernel::{CustomerId, Id, SubjectId, Timestamp};

/// An erasure's id.
pub type ErasureId = Id<Erasure>;

/// Who must forget, in the order in which they are asked. Profiles first: from then on nothing new can be recorded of
/// the customer anywhere.
pub const SERVICES: [&str; 4] = ["profiles", "feedback", "personalisation", "metrics"];

/// What one service did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The service.
    pub service: &'static str,
    /// How many rows it deleted, over all times it was asked.
    pub deleted_rows: u64,
    /// When its database was clear.
    pub erased_at: Option<Timestamp>,
    /// Whether the bus holds nothing of it that is older than the erasure.
    pub bus_clear: bool,
}

impl Receipt {
    /// Whether there is nothing left to ask of the service.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.erased_at.is_some() && self.bus_clear
    }
}

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// The customer that was named.
    pub customer: CustomerId,
    /// The subjects that were the customer when it was asked for.
    pub subjects: Vec<SubjectId>,
    /// One for each service, in the order of [`SERVICES`].
    pub receipts: Vec<Receipt>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the last receipt came.
    pub completed_at: Option<Timestamp>,
}

impl Erasure {
    /// One that nobody has been asked for yet.
    #[must_use]
    pub fn begin(id: ErasureId, customer: CustomerId, subjects: Vec<SubjectId>, now: Timestamp) -> Self {
        let receipt = |service| Receipt { service, deleted_rows: 0, erased_at: None, bus_clear: false };
        let receipts = SERVICES.into_iter().map(receipt).collect();
        Self { id, customer, subjects, receipts, created_at: now, completed_at: None }
    }

    /// Who is still to be asked.
    #[must_use]
    pub fn pending(&self) -> Vec<&'static str> {
        self.receipts.iter().filter(|receipt| !receipt.is_complete()).map(|receipt| receipt.service).collect()
    }

    /// Whether a service has not forgotten yet.
    #[must_use]
    pub fn is_held_by(&self, service: &str) -> bool {
        self.receipts.iter().any(|receipt| receipt.service == service && receipt.erased_at.is_none())
    }

    /// Notes what a service answered. With the last answer the erasure is complete.
    #[must_use]
    pub fn answered(mut self, service: &str, deleted_rows: u64, bus_clear: bool, now: Timestamp) -> Self {
        if let Some(receipt) = self.receipts.iter_mut().find(|receipt| receipt.service == service) {
            receipt.deleted_rows += deleted_rows;
            receipt.erased_at.get_or_insert(now);
            receipt.bus_clear |= bus_clear;
        }
        if self.completed_at.is_none() && self.receipts.iter().all(Receipt::is_complete) {
            self.completed_at = Some(now);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

    #[test]
    fn an_erasure_is_complete_when_every_service_erased_and_the_bus_is_clear() {
        let subject = SubjectId::new();
        let mut erasure = Erasure::begin(ErasureId::new(), subject, vec![subject], NOW);
        assert_eq!(erasure.pending(), SERVICES);
        for service in SERVICES {
            assert_eq!(erasure.completed_at, None);
            erasure = erasure.answered(service, 2, service != "feedback", NOW);
        }
        assert_eq!((erasure.pending(), erasure.completed_at), (vec!["feedback"], None));
        let later = Timestamp::from_column(NOW.micros() + 1);
        let erasure = erasure.answered("feedback", 0, true, later);
        assert_eq!((erasure.pending().len(), erasure.completed_at), (0, Some(later)));
        assert_eq!((erasure.receipts[1].deleted_rows, erasure.receipts[1].erased_at), (2, Some(NOW)));
    }
}
