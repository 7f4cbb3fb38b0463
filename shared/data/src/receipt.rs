//! A call that is repeated under one request id happens once: the receipt that `rpc` hands to the unit of work.

use prost::Message;
use rapport_kernel::{Fault, Reason, RequestId};
use sha2::{Digest as _, Sha256};

use crate::fault::Stored as _;
use crate::tables::receipt;
use crate::unit::Tx;

/// What a unit of work needs to be done once: the caller's id, a hash of what it asked, and how its outcome is
/// encoded, so that a retry gets the same bytes.
pub struct Receipt<T> {
    pub(crate) request: Option<RequestId>,
    hash: [u8; 32],
    encode: fn(&T) -> Vec<u8>,
}

impl<T> Clone for Receipt<T> {
    fn clone(&self) -> Self {
        Self { request: self.request, hash: self.hash, encode: self.encode }
    }
}

/// The outcome of a unit under a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was done now.
    Fresh(T),
    /// It had been done: the encoded answer of then.
    Replayed(Vec<u8>),
}

impl<T> Answer<T> {
    /// The answer of now as `render` makes it a message, or, to a request that was made before, that of then.
    ///
    /// # Errors
    /// The stored answer is none.
    pub fn message<M: Message + Default>(self, render: fn(&T) -> M) -> Result<M, Fault> {
        match self {
            Self::Fresh(outcome) => Ok(render(&outcome)),
            Self::Replayed(bytes) => M::decode(bytes.as_slice()).map_err(Fault::internal),
        }
    }
}

impl<T> Receipt<T> {
    /// For a call of `method` with the request re-encoded (equal messages are equal bytes) and the caller's request
    /// id; without one the unit is simply done.
    #[must_use]
    pub fn new(
        method: &'static str,
        request: Option<RequestId>,
        request_bytes: &[u8],
        encode: fn(&T) -> Vec<u8>,
    ) -> Self {
        let hash = Sha256::new().chain_update(method).chain_update([0]).chain_update(request_bytes).finalize();
        Self { request, hash: hash.into(), encode }
    }

    /// The stored answer, where there is one.
    pub(crate) async fn find(&self, tx: &Tx) -> Result<Option<Vec<u8>>, Fault> {
        let Some(request) = self.request else { return Ok(None) };
        match receipt::find(tx.conn(), tx.tenant(), request).await.stored()? {
            None => Ok(None),
            Some(stored) if stored.hash == self.hash => Ok(Some(stored.answer)),
            Some(_) => {
                let text = "this request_id was used with another request: use a new one for a new request";
                Err(Fault::new(Reason::IdempotencyMismatch, text).resource("request", request.to_string()))
            }
        }
    }

    /// Stores the answer with the unit.
    pub(crate) async fn keep(&self, tx: &Tx, value: &T) -> Result<(), Fault> {
        let Some(request) = self.request else { return Ok(()) };
        let subjects: Vec<_> = tx.notes().subjects.iter().copied().collect();
        let answer = (self.encode)(value);
        // Where an event tells no more of its time than its maker wants, nor does the answer.
        let at = tx.notes().earliest().map_or(tx.now(), |at| at.min(tx.now()));
        receipt::add(tx.conn(), tx.tenant(), request, &self.hash, answer, &subjects, at).await.stored()
    }
}
