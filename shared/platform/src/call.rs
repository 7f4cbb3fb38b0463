//! What the stack proved about a request. It travels in the request's extensions, so that no handler has to parse,
//! trust or look up anything about its caller.

use std::sync::Arc;
use std::time::Duration;

use rapport_kernel::{Caller, TenantId, Timestamp};
use tokio::time::Instant;

use crate::stack::RequestId;

/// One call: who makes it, under which id, until when.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls, proved by the internal token.
    pub caller: Arc<Caller>,
    /// The id under which the log, the trace and the answer name this request.
    pub request_id: RequestId,
    /// When the caller stops waiting; `None` for a stream that gave no deadline.
    pub deadline: Option<Instant>,
    /// When the call came in, by the suite's clock.
    pub now: Timestamp,
}

impl Call {
    /// The suite's own work for a tenant: a background task that calls a peer.
    #[must_use]
    pub fn internal(tenant: TenantId, now: Timestamp) -> Self {
        Self { caller: Arc::new(Caller::internal(tenant)), request_id: RequestId::new(), deadline: None, now }
    }

    /// Whose data the call is about.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.caller.tenant
    }

    /// How long the caller still waits; `None` where it gave no deadline, zero where it is over.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}
