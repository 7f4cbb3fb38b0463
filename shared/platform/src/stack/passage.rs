//! Passage: what the layers have found out about a request on its way in, each thing once.
//!
//! One shared value in the request's extensions, made by the outermost layer and filled in by those within. Shared,
//! because the outermost layer must still know the request's name when a panic took the request with it.

use std::sync::{Arc, OnceLock};

use http::Request;
use tokio::time::Instant;

use super::RequestId;
use crate::contract::Method;

/// What is known of a request so far. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub struct Passage(Arc<Known>);

#[derive(Default)]
struct Known {
    request_id: OnceLock<RequestId>,
    method: OnceLock<Arc<Method>>,
    deadline: OnceLock<Instant>,
}

impl Passage {
    /// The passage of a request; `None` where it did not come through the stack.
    pub fn of<B>(request: &Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    /// The name under which the log, the trace and the answer speak of the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.get()
    }

    /// When the caller stops waiting, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline.get().copied()
    }

    /// The call it makes; `None` where the contract does not know it.
    pub(crate) fn method(&self) -> Option<&Arc<Method>> {
        self.0.method.get()
    }

    // What is there already stays: a layer finds a thing out once.
    pub(super) fn name(&self, request_id: RequestId) {
        _ = self.0.request_id.set(request_id);
    }
    pub(super) fn calls(&self, method: Option<&Arc<Method>>) {
        if let Some(method) = method {
            _ = self.0.method.set(Arc::clone(method));
        }
    }
    pub(super) fn ends(&self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            _ = self.0.deadline.set(deadline);
        }
    }
}

/// The call of a request, as the trace layer found it.
pub(super) fn method_of<B>(request: &Request<B>) -> Option<&Arc<Method>> {
    Passage::of(request)?.method()
}
