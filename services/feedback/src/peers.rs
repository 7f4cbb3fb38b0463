//! What feedback asks of profiles: whose a response is; and of personalisation: whether a customer may be contacted.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::personalisation::v1::contact_policy_service_client::ContactPolicyServiceClient;
use rapport_api::personalisation::v1::{
    CheckContactRequest, ConfirmContactRequest, ContactKind, ReleaseContactRequest, ReserveContactRequest,
};
use rapport_api::profiles::v1::context_service_client::ContextServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::segment_service_client::SegmentServiceClient;
use rapport_api::profiles::v1::{
    Consent, ConsentState, GetContextRequest, GetContextResponse, GetSegmentRequest, ListSegmentMembersRequest,
    SearchProfilesRequest, SetConsentRequest,
};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::{Call, PeerChannel, Peers};
use tonic::Status;
use uuid::Uuid;

use crate::convert::{customer, invitation};
use crate::domain::asking::{self, Population, Refusal};
use crate::domain::facts::Known;
use crate::domain::{Customer, Respondent};

/// How many members of a population are asked for at once.
const MEMBERS: i32 = 1_000;

/// A customer as profiles knows it now.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Whose a response of it is.
    pub respondent: Respondent,
    /// The customer.
    pub customer: CustomerId,
    /// As of which revision of it.
    pub revision: u64,
    /// All subjects that are the customer now.
    pub subjects: Vec<SubjectId>,
    /// What is known of it.
    pub known: Known,
    /// As asking sees it.
    pub asked: asking::Customer,
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
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = client.get_context(request.clone()).await.map_err(|status| rapport_platform::fault(&status));
            match answer {
                // A stream ends with the first answer that is missing: it has time to ask again.
                Err(fault) if fault.is_transient() && call.deadline.is_none() && pause <= LAST_PAUSE => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer.map(tonic::Response::into_inner),
            }
        }
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
        let asked = customer::asked(&context, customer);
        Ok(Resolved { respondent, customer, revision: context.revision, subjects, known, asked })
    }

    /// Whether all members of a segment were found since its condition was changed last.
    ///
    /// # Errors
    /// NOT_FOUND where there is no such segment; UNAVAILABLE where profiles cannot be reached.
    pub async fn is_filled(&self, call: &Call, segment: Uuid) -> Result<bool, Fault> {
        let mut client = SegmentServiceClient::new(self.0.channel("profiles", call));
        let request = GetSegmentRequest { segment_id: segment.to_string() };
        let held = client.get_segment(request).await.map_err(|status| rapport_platform::fault(&status))?.into_inner();
        Ok(held.backfill.is_none_or(|backfill| backfill.complete))
    }

    /// A page of a population from a place on, and where the next one begins; empty: that was the last.
    ///
    /// # Errors
    /// As [`Profiles::is_filled`].
    pub async fn population(
        &self,
        call: &Call,
        population: Population,
        from: &str,
    ) -> Result<(Vec<CustomerId>, String), Fault> {
        let channel = self.0.channel("profiles", call);
        let fault = |status: Status| rapport_platform::fault(&status);
        let (ids, next): (Vec<String>, String) = match population {
            Population::Segment(segment) => {
                let request = ListSegmentMembersRequest {
                    segment_id: segment.to_string(),
                    page_size: MEMBERS,
                    page_token: from.to_owned(),
                    at: None,
                };
                let mut client =
                    SegmentServiceClient::new(channel).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
                let page = client.list_segment_members(request).await.map_err(fault)?.into_inner();
                (page.members.into_iter().map(|member| member.customer_id).collect(), page.next_page_token)
            }
            Population::Everybody => {
                let request = SearchProfilesRequest {
                    order_by: "customer_id".to_owned(),
                    page_size: MEMBERS,
                    page_token: from.to_owned(),
                    read_mask: Some(prost_types::FieldMask { paths: vec!["customer_id".to_owned()] }),
                    ..SearchProfilesRequest::default()
                };
                let mut client =
                    ProfileServiceClient::new(channel).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
                let page = client.search_profiles(request).await.map_err(fault)?.into_inner();
                (page.profiles.into_iter().map(|profile| profile.customer_id).collect(), page.next_page_token)
            }
        };
        let members = ids.iter().map(|id| id.parse().map_err(Fault::internal)).collect::<Result<_, Fault>>()?;
        Ok((members, next))
    }

    /// Withdraws a customer's consent for a purpose on a channel.
    ///
    /// # Errors
    /// As [`Profiles::resolve`].
    pub async fn refuse(&self, call: &Call, subject: SubjectId, purpose: &str, channel: &str) -> Result<(), Fault> {
        let mut client = ProfileServiceClient::new(self.0.channel("profiles", call))
            .max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
        let consent = Consent {
            purpose: purpose.to_owned(),
            channel: channel.to_owned(),
            state: ConsentState::Denied.into(),
            ..Consent::default()
        };
        let request = SetConsentRequest {
            customer: Some(customer::render(&Customer::Id(subject))),
            consent: Some(consent),
            source: UNSUBSCRIBED.to_owned(),
            ..SetConsentRequest::default()
        };
        client.set_consent(request).await.map(drop).map_err(|status| rapport_platform::fault(&status))
    }
}

/// How long one that has time waits before it asks again: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(4);

/// Who took down that a respondent wants no more: the source that profiles is told.
const UNSUBSCRIBED: &str = "unsubscribe";

/// What the contact policy says of a contact.
#[derive(Clone, Debug)]
pub enum Contact {
    /// It may be made; where it was to be reserved, by this entry of the ledger.
    Allowed(Option<Uuid>),
    /// It may not.
    Refused(Refusal),
}

/// A contact that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Whose.
    pub subject: SubjectId,
    /// By which channel.
    pub channel: &'a str,
    /// What for.
    pub purpose: &'a str,
    /// On which topic.
    pub topic: &'a str,
    /// Whether a complaint is open.
    pub open_complaint: bool,
}

/// The contact ledger, as feedback sees it.
#[derive(Clone)]
pub struct Contacts(Peers);

impl Contacts {
    /// By way of `peers`.
    #[must_use]
    pub const fn new(peers: Peers) -> Self {
        Self(peers)
    }

    fn client(&self, call: &Call) -> ContactPolicyServiceClient<PeerChannel> {
        ContactPolicyServiceClient::new(self.0.channel("personalisation", call))
    }

    /// Asks whether a survey may be sent.
    ///
    /// # Errors
    /// UNAVAILABLE where personalisation cannot be reached.
    pub async fn check(&self, call: &Call, wanted: &Wanted<'_>, at: Option<Timestamp>) -> Result<Contact, Fault> {
        let request = CheckContactRequest {
            customer: Some(customer::render(&Customer::Id(wanted.subject))),
            channel: wanted.channel.to_owned(),
            purpose: wanted.purpose.to_owned(),
            topic: wanted.topic.to_owned(),
            kind: ContactKind::Survey.into(),
            at: at.map(timestamp),
            open_complaint: Some(wanted.open_complaint),
        };
        let answer =
            self.client(call).check_contact(request).await.map_err(|status| rapport_platform::fault(&status))?;
        let answer = answer.into_inner();
        Ok(if answer.allowed {
            Contact::Allowed(None)
        } else {
            Contact::Refused(invitation::refusal(&answer.blocks, answer.next_time.as_ref()))
        })
    }

    /// Reserves a survey's contact.
    ///
    /// # Errors
    /// As [`Contacts::check`]; ABORTED where other contacts of the customer kept winning.
    pub async fn reserve(&self, call: &Call, wanted: &Wanted<'_>, reference: &str) -> Result<Contact, Fault> {
        let request = ReserveContactRequest {
            customer: Some(customer::render(&Customer::Id(wanted.subject))),
            channel: wanted.channel.to_owned(),
            purpose: wanted.purpose.to_owned(),
            topic: wanted.topic.to_owned(),
            kind: ContactKind::Survey.into(),
            reference: reference.to_owned(),
            open_complaint: Some(wanted.open_complaint),
            ..ReserveContactRequest::default()
        };
        let answer =
            self.client(call).reserve_contact(request).await.map_err(|status| rapport_platform::fault(&status))?;
        let answer = answer.into_inner();
        match answer.contact {
            Some(contact) => contact.contact_id.parse().map(|id| Contact::Allowed(Some(id))).map_err(Fault::internal),
            None => Ok(Contact::Refused(invitation::refusal(&answer.blocks, answer.next_time.as_ref()))),
        }
    }

    /// Tells the ledger that a contact was made.
    ///
    /// # Errors
    /// As [`Contacts::check`].
    pub async fn confirm(&self, call: &Call, contact: Uuid) -> Result<(), Fault> {
        let request = ConfirmContactRequest { contact_id: contact.to_string(), ..ConfirmContactRequest::default() };
        self.client(call).confirm_contact(request).await.map(drop).map_err(|status| rapport_platform::fault(&status))
    }

    /// Tells the ledger that a contact was not made.
    ///
    /// # Errors
    /// As [`Contacts::check`].
    pub async fn release(&self, call: &Call, contact: Uuid) -> Result<(), Fault> {
        let request = ReleaseContactRequest { contact_id: contact.to_string(), ..ReleaseContactRequest::default() };
        self.client(call).release_contact(request).await.map(drop).map_err(|status| rapport_platform::fault(&status))
    }
}
