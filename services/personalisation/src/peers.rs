//! What personalisation asks of profiles: the context a decision is made from. The shared cache has most of it; what
//! it has not, or where a customer is named by an identifier, profiles answers.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use prost::Message as _;
use rapport_api::profiles::v1::context_service_client::ContextServiceClient;
use rapport_api::profiles::v1::{GetContextRequest, GetContextResponse};
use rapport_cache::Loaded;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use rapport_platform::{Call, Peers};

use crate::Cache;
use crate::convert::customer;
use crate::convert::profile::Context;
use crate::domain::Customer;

/// A customer as it is to be decided on, and the subject a decision is filed under.
pub struct Resolved {
    /// The customer.
    pub context: Arc<Context>,
    /// The subject of the id or identifier that the caller named it by.
    pub subject: SubjectId,
}

/// The contexts of customers.
#[derive(Clone)]
pub struct Contexts {
    cache: Cache,
    peers: Peers,
}

impl Contexts {
    /// From the cache, else from profiles by way of `peers`.
    #[must_use]
    pub const fn new(cache: Cache, peers: Peers) -> Self {
        Self { cache, peers }
    }

    /// The context at `min_revision` or later, no staler than a second.
    ///
    /// # Errors
    /// NOT_FOUND where there is no such customer; FAILED_PRECONDITION where it has not reached the revision, or was
    /// erased; UNAVAILABLE where profiles is needed and cannot be reached.
    pub async fn resolve(&self, call: &Call, customer: &Customer, min_revision: u64) -> Result<Resolved, Fault> {
        match customer {
            Customer::Id(id) => {
                let context = self.by_id(call, *id, min_revision).await?;
                Ok(Resolved { context, subject: *id })
            }
            Customer::Identifier { .. } => self.ask(call, customer, min_revision).await?.resolved(),
        }
    }

    async fn by_id(&self, call: &Call, id: CustomerId, min_revision: u64) -> Result<Arc<Context>, Fault> {
        // An id that was merged away answers with the context of the customer that holds it. That must not be kept
        // under the id: what changes it is told of under the other one.
        let elsewhere: Mutex<Option<Answer>> = Mutex::new(None);
        let load = || async {
            let answer = self.ask(call, &Customer::Id(id), min_revision).await?;
            if answer.customer()? == id {
                return answer.loaded().map(Some);
            }
            *elsewhere.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(None)
        };
        if let Some(cached) = self.cache.fetch(call.tenant(), id, min_revision, load).await? {
            return Ok(cached.value);
        }
        let answer = elsewhere.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answer = match answer {
            Some(answer) => answer,
            // Another call's load, which this one waited for, found it elsewhere.
            None => self.ask(call, &Customer::Id(id), min_revision).await?,
        };
        Ok(answer.resolved()?.context)
    }

    async fn ask(&self, call: &Call, customer: &Customer, min_revision: u64) -> Result<Answer, Fault> {
        let mut client = ContextServiceClient::new(self.peers.channel("profiles", call))
            .max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
        let request = GetContextRequest { customer: Some(customer::render(customer)), min_revision, ids_only: false };
        let answer = client.get_context(request).await.map_err(|status| rapport_platform::fault(&status))?;
        Ok(Answer(answer.into_inner()))
    }
}

/// What profiles answered.
struct Answer(GetContextResponse);

impl Answer {
    fn customer(&self) -> Result<CustomerId, Fault> {
        let context = self.0.context.as_ref().ok_or_else(empty)?;
        context.customer_id.parse().map_err(Fault::internal)
    }

    /// As the cache keeps it.
    fn loaded(self) -> Result<Loaded, Fault> {
        let context = self.0.context.ok_or_else(empty)?;
        let valid_until = context.valid_until.as_ref().map(rapport_api::convert::instant).transpose();
        let valid_until = valid_until.map_err(Fault::internal)?.unwrap_or(Timestamp::MAX);
        Ok(Loaded { revision: context.revision, valid_until, body: Bytes::from(context.encode_to_vec()) })
    }

    fn resolved(self) -> Result<Resolved, Fault> {
        let subject = self.0.subject_id.parse().map_err(Fault::internal)?;
        let context = Arc::new(Context::new(self.0.context.ok_or_else(empty)?)?);
        Ok(Resolved { context, subject })
    }
}

fn empty() -> Fault {
    Fault::internal("profiles answered without a context")
}
