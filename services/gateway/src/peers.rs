//! What the gateway itself asks of the services, when a customer is to be forgotten.

pub mod respondents;

use std::time::Duration;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::common::v1::erasure_service_client::ErasureServiceClient;
use rapport_api::profiles::v1::GetContextRequest;
use rapport_api::profiles::v1::context_service_client::ContextServiceClient;
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};
use rapport_platform::{Call, Peers, fault};
use tokio::time::Instant;

use crate::convert;
use crate::domain::{Customer, Erasure};

/// How many subjects one request names at most, by the contract.
const SUBJECTS: usize = 1_000;
/// How long one service may take to forget so many.
const PATIENCE: Duration = Duration::from_secs(10);

/// The services, as an erasure sees them.
#[derive(Clone)]
pub struct Services(Peers);

/// What a service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// How many rows it deleted.
    pub deleted_rows: u64,
    /// Whether the bus holds nothing of it that is older than the erasure.
    pub bus_clear: bool,
}

impl Services {
    /// By way of `peers`.
    #[must_use]
    pub const fn new(peers: Peers) -> Self {
        Self(peers)
    }

    /// The customer's id, and all subjects that are the customer now.
    ///
    /// # Errors
    /// NOT_FOUND where there is none; UNAVAILABLE where profiles cannot be reached.
    pub async fn resolve(&self, call: &Call, customer: &Customer) -> Result<(CustomerId, Vec<SubjectId>), Fault> {
        let mut client = ContextServiceClient::new(self.0.channel("profiles", call))
            .max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
        let customer = Some(convert::erasure::customer(customer));
        let answer = client.get_context(GetContextRequest { customer, min_revision: 0, ids_only: true }).await;
        let answer = answer.map_err(|status| fault(&status))?.into_inner();
        let context = answer.context.unwrap_or_default();
        let mut subjects = vec![answer.subject_id.parse().map_err(Fault::internal)?];
        for text in &context.subject_ids {
            subjects.push(text.parse().map_err(Fault::internal)?);
        }
        subjects.sort_unstable();
        subjects.dedup();
        Ok((context.customer_id.parse().map_err(Fault::internal)?, subjects))
    }

    /// Asks a service to forget the subjects of an erasure.
    ///
    /// # Errors
    /// As the service's; UNAVAILABLE where it cannot be reached.
    pub async fn erase(
        &self,
        service: &'static str,
        tenant: TenantId,
        erasure: &Erasure,
        now: Timestamp,
    ) -> Result<Answered, Fault> {
        let mut answered = Answered { deleted_rows: 0, bus_clear: true };
        for some in erasure.subjects.chunks(SUBJECTS) {
            let call = Call { deadline: Some(Instant::now() + PATIENCE), ..Call::internal(tenant, now) };
            let mut client = ErasureServiceClient::new(self.0.channel(service, &call));
            let request = EraseSubjectsRequest {
                erasure_id: erasure.id.to_string(),
                subject_ids: some.iter().map(SubjectId::to_string).collect(),
                requested_at: Some(rapport_api::convert::timestamp(erasure.created_at)),
            };
            let answer = client.erase_subjects(request).await.map_err(|status| fault(&status))?.into_inner();
            answered.deleted_rows += u64::try_from(answer.deleted_rows).unwrap_or(0);
            answered.bus_clear &= answer.bus_clear;
        }
        Ok(answered)
    }
}
