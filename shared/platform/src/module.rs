//! What a service hands to the suite: its routes and whether it is ready.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::routes::Routes;

/// A built service.
pub struct Module {
    /// The role's name, as `profiles`.
    pub name: &'static str,
    /// Its gRPC services, without the stack.
    pub routes: Routes,
    /// Whether it can answer.
    pub readiness: Readiness,
}

/// Whether a module can answer: it can when nothing it waits for is missing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Ready: waits for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `part` (as `database`) is missing, and why, in words for the operator.
    pub fn waiting(&self, part: &'static str, why: impl Into<String>) {
        self.lock().insert(part, why.into());
    }

    /// Says that `part` is there.
    pub fn ready(&self, part: &'static str) {
        self.lock().remove(part);
    }

    /// What is missing, and why; empty when ready.
    #[must_use]
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().map(|(part, why)| (*part, why.clone())).collect()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        // The map is whole after every statement: a panic elsewhere while it was held did no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
