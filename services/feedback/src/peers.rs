//! What feedback asks of profiles: whose a response is.

use rapport_api::profiles::v1::context_service_client::ContextServiceClient;
use rapport_api::profiles::v1::{GetContextRequest, GetContextResponse};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId};
use rapport_platform::{Call, Peers};

use crate::convert::customer;
use crate::domain::facts::Known;
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
    /// What is known of it.
    pub known: Known,
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

    /// What a customer says to something being done for a purpose, whatever the channel: `None` where it said nothing, or is
    /// not there any more.
    ///
    /// # Errors
    /// UNAVAILABLE where profiles cannot be reached.
    pub async fn consents(&self, call: &Call, customer: &Customer, purpose: &str) -> Result<Option<bool>, Fault> {
        let context = match self.context(call, customer).await {
            Ok(answer) => answer.context.unwrap_or_default(),
            Err(fault) if matches!(fault.reason, Reason::ResourceNotFound | Reason::Erased) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let said = context.consents.iter().filter(|consent| consent.purpose == purpose);
        // The most restrictive word holds.
        Ok(said.map(|consent| consent.granted).min())
    }

    async fn context(&self, call: &Call, customer: &Customer) -> Result<GetContextResponse, Fault> {
        let mut client = ContextServiceClient::new(self.0.channel("profiles", call))
            .max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
        let request = GetContextRequest { customer: Some(customer::render(customer)), ..GetContextRequest::default() };
        let answer = client.get_context(request).await.map_err(|status| rapport_platform::fault(&status))?;
        Ok(answer.into_inner())
    }

    /// Finds a customer.
    ///
    /// # Errors
    /// NOT_FOUND where there is none; UNAVAILABLE where profiles cannot be reached.
    pub async fn resolve(&self, call: &Call, customer: &Customer) -> Result<Resolved, Fault> {
        let answer = self.context(call, customer).await?;
        let subject = answer.subject_id.parse().map_err(Fault::internal)?;
        let context = answer.context.unwrap_or_default();
        let party = customer::party(context.party());
        let subjects =
            context.subject_ids.iter().map(|id| id.parse().map_err(Fault::internal)).collect::<Result<_, Fault>>()?;
        let customer = context.customer_id.parse().map_err(Fault::internal)?;
        let respondent = Respondent { subject, anonymous: false, dimensions: answer.dimensions, party };
        let known = customer::known(&context);
        Ok(Resolved { respondent, customer, subjects, known })
    }
}
