//! Single flight: of many callers who miss the same key at once, one loads and the others take what it brought. A
//! caller who gives up in the middle holds nobody back: the next in line loads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rapport_kernel::{Fault, Timestamp};
use tokio::sync::{Mutex as Turn, MutexGuard as TurnGuard};

use crate::{Key, Outcome};

pub(crate) struct Flights<T> {
    open: Mutex<HashMap<Key, Arc<Flight<T>>>>,
}

type Flight<T> = Turn<Option<Landed<T>>>;

/// What the last load brought, and when it began and ended.
pub(crate) struct Landed<T> {
    pub(crate) began: Timestamp,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome<T>,
}

/// A caller's place at a key.
pub(crate) struct Seat<'a, T> {
    flights: &'a Flights<T>,
    key: Key,
    flight: Arc<Flight<T>>,
}

impl<T> Flights<T> {
    pub(crate) fn new() -> Self {
        Self { open: Mutex::default() }
    }

    pub(crate) fn join(&self, key: Key) -> Seat<'_, T> {
        let flight = Arc::clone(self.open().entry(key).or_default());
        Seat { flights: self, key, flight }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight<T>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Seat<'_, T> {
    /// Waits for those before it; then what they brought is in the guard, and the turn is the caller's.
    pub(crate) async fn turn(&self) -> TurnGuard<'_, Option<Landed<T>>> {
        self.flight.lock().await
    }
}

impl<T> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        // The map's and this one: nobody else waits.
        if Arc::strong_count(&self.flight) == 2 {
            open.remove(&self.key);
        }
    }
}

/// The same fault for everyone who waited for it.
pub(crate) fn same(fault: &Fault) -> Fault {
    let Fault { reason, message, cause, details } = fault;
    Fault { reason: *reason, message: message.clone(), cause: cause.clone(), details: details.clone() }
}
