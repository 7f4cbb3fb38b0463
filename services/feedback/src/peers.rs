//! What feedback asks of profiles: whose a response is.

use rapport_api::profiles::v1::GetContextRequest;
use rapport_api::profiles::v1::context_service_client::ContextServiceClient;
use rapport_kernel::{CustomerId, Fault, SubjectId};
use rapport_platform::{Call, Peers};

use crate::convert::customer;
use crate::domain::{Customer, Respondent};

/// A customer as profiles knows it now.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Whose a response of it is.
    pub respondent: Respondent,
    /// The customer.
    pub customer: CustomerId,
    /// All subjects that are the customer now.
    pub subjects: Vec<SubjectId>,
}

/// Profiles, as feedback sees it.
#[derive(Clone)]
pub struct Profiles(Peers);

impl Profiles {
    /// By way of `peers`.
    #[must_use]
    pub const fn new(peers: Peers) -> Self {
        Self(peers)
    }

    /// Finds a customer.
    ///
    /// # Errors
    /// NOT_FOUND where there is none; UNAVAILABLE where profiles cannot be reached.
    pub async fn resolve(&self, call: &Call, customer: &Customer) -> Result<Resolved, Fault> {
        let mut client = ContextServiceClient::new(self.0.channel("profiles", call))
            .max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
        let request = GetContextRequest { customer: Some(customer::render(customer)), ..GetContextRequest::default() };
        let answer = client.get_context(request).await.map_err(|status| rapport_platform::fault(&status))?;
        let answer = answer.into_inner();
        let subject = answer.subject_id.parse().map_err(Fault::internal)?;
        let context = answer.context.unwrap_or_default();
        let party = customer::party(context.party());
        let subjects =
            context.subject_ids.iter().map(|id| id.parse().map_err(Fault::internal)).collect::<Result<_, Fault>>()?;
        let customer = context.customer_id.parse().map_err(Fault::internal)?;
        let respondent = Respondent { subject, anonymous: false, dimensions: answer.dimensions, party };
        Ok(Resolved { respondent, customer, subjects })
    }
}
