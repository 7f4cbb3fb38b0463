//! Who decides about the same customer in this process takes turns.
//!
//! Not for correctness, which the version of the contact state sees to, across processes as well: without turns a
//! hundred decisions at once about one customer would mostly lose against each other, and be made again for nothing.

use std::hash::{BuildHasher as _, RandomState};

use rapport_kernel::TenantId;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::Customer;

/// How many customers can be decided about at once; two that fall together wait for each other, now and then.
const STRIPES: usize = 4_096;

/// The turns of all customers.
pub struct Turns {
    stripes: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl Turns {
    /// Nobody's turn.
    pub fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// Waits for the turn of a customer; it lasts as long as what this answers.
    pub async fn take(&self, tenant: TenantId, customer: &Customer) -> MutexGuard<'_, ()> {
        let stripe = self.hasher.hash_one((tenant, customer)) as usize % STRIPES;
        self.stripes[stripe].lock().await
    }
}
