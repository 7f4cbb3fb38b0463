//! A small contact ledger beside feedback: it reserves what a test lets it, and remembers what became of each contact.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rapport_api::personalisation::v1::contact_policy_service_server::ContactPolicyService;
use rapport_api::personalisation::v1::{
    CheckContactRequest, CheckContactResponse, ConfirmContactRequest, Contact, ContactBlock, ContactBlockReason,
    ContactPolicy, GetContactPolicyRequest, ListContactsRequest, ListContactsResponse, ReleaseContactRequest,
    ReleaseContactResponse, ReserveContactRequest, ReserveContactResponse, UpdateContactPolicyRequest,
};
use rapport_kernel::Fault;
use rapport_platform::status;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Where a contact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Reserved,
    Confirmed,
    Released,
}

/// The ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    contacts: BTreeMap<Uuid, Stand>,
    /// By channel, why nobody may be contacted there.
    forbidden: BTreeMap<String, ContactBlockReason>,
    /// How many reservations are made yet before nobody answers; none: any number.
    left: Option<usize>,
}

impl Ledger {
    /// Forbids a channel.
    pub fn forbid(&self, channel: &str, reason: ContactBlockReason) {
        self.0.lock().expect("no panic").forbidden.insert(channel.to_owned(), reason);
    }
    /// Allows it again.
    pub fn allow(&self, channel: &str) {
        self.0.lock().expect("no panic").forbidden.remove(channel);
    }
    /// Is away after so many reservations; none: is back.
    pub fn away_after(&self, reservations: Option<usize>) {
        self.0.lock().expect("no panic").left = reservations;
    }
    /// Whether it is away.
    pub fn is_away(&self) -> bool {
        self.0.lock().expect("no panic").left == Some(0)
    }
    /// How many contacts stand so.
    pub fn count(&self, stand: Stand) -> usize {
        self.0.lock().expect("no panic").contacts.values().filter(|one| **one == stand).count()
    }

    fn blocks(&self, channel: &str, open_complaint: bool) -> Vec<ContactBlock> {
        let held = self.0.lock().expect("no panic");
        let complaint = open_complaint.then_some(ContactBlockReason::OpenComplaint);
        let reasons = complaint.into_iter().chain(held.forbidden.get(channel).copied());
        reasons.map(|reason| ContactBlock { reason: reason.into(), ..ContactBlock::default() }).collect()
    }

    fn turn(&self, id: &str, stand: Stand) -> Option<Contact> {
        let id = id.parse().expect("an id");
        let mut held = self.0.lock().expect("no panic");
        let one = held.contacts.get_mut(&id)?;
        *one = stand;
        Some(Contact { contact_id: id.to_string(), ..Contact::default() })
    }
}

#[tonic::async_trait]
impl ContactPolicyService for Ledger {
    async fn get_contact_policy(&self, _: Request<GetContactPolicyRequest>) -> Result<Response<ContactPolicy>, Status> {
        Err(Status::internal("feedback never asks"))
    }
    async fn update_contact_policy(
        &self,
        _: Request<UpdateContactPolicyRequest>,
    ) -> Result<Response<ContactPolicy>, Status> {
        Err(Status::internal("feedback never asks"))
    }
    async fn list_contacts(&self, _: Request<ListContactsRequest>) -> Result<Response<ListContactsResponse>, Status> {
        Err(Status::internal("feedback never asks"))
    }
    async fn check_contact(
        &self,
        request: Request<CheckContactRequest>,
    ) -> Result<Response<CheckContactResponse>, Status> {
        let request = request.into_inner();
        let blocks = self.blocks(&request.channel, request.open_complaint());
        Ok(Response::new(CheckContactResponse { allowed: blocks.is_empty(), blocks, next_time: None }))
    }
    async fn reserve_contact(
        &self,
        request: Request<ReserveContactRequest>,
    ) -> Result<Response<ReserveContactResponse>, Status> {
        let request = request.into_inner();
        let blocks = self.blocks(&request.channel, request.open_complaint());
        if !blocks.is_empty() {
            return Ok(Response::new(ReserveContactResponse { blocks, ..ReserveContactResponse::default() }));
        }
        let id = Uuid::now_v7();
        {
            let mut held = self.0.lock().expect("no panic");
            if held.left == Some(0) {
                return Err(status(Fault::unavailable("the ledger", "it is away")));
            }
            held.left = held.left.map(|left| left - 1);
            held.contacts.insert(id, Stand::Reserved);
        }
        let contact = Some(Contact { contact_id: id.to_string(), ..Contact::default() });
        Ok(Response::new(ReserveContactResponse { contact, ..ReserveContactResponse::default() }))
    }
    async fn confirm_contact(&self, request: Request<ConfirmContactRequest>) -> Result<Response<Contact>, Status> {
        let id = request.into_inner().contact_id;
        let contact = self.turn(&id, Stand::Confirmed);
        contact.map(Response::new).ok_or_else(|| status(Fault::not_found("contact", id)))
    }
    async fn release_contact(
        &self,
        request: Request<ReleaseContactRequest>,
    ) -> Result<Response<ReleaseContactResponse>, Status> {
        self.turn(&request.into_inner().contact_id, Stand::Released);
        Ok(Response::new(ReleaseContactResponse {}))
    }
}
