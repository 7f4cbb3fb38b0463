//! `rapport.personalisation.v1.ContactPolicyService`.

use prost::Message as _;
use rapport_api::personalisation::v1::contact_policy_service_server::ContactPolicyService;
use rapport_api::personalisation::v1::{
    CheckContactRequest, CheckContactResponse, ConfirmContactRequest, Contact, ContactPolicy, GetContactPolicyRequest,
    ListContactsRequest, ListContactsResponse, ReleaseContactRequest, ReleaseContactResponse, ReserveContactRequest,
    ReserveContactResponse, UpdateContactPolicyRequest,
};
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::contact as convert;
use crate::domain::contact as domain;
use crate::service::Contacts;
use crate::service::contacts::Reserved;
use crate::store::reservation;

/// The service.
pub struct ContactRpc(pub Contacts);

fn encode_policy(policy: &domain::ContactPolicy) -> Vec<u8> {
    convert::render_policy(policy).encode_to_vec()
}

fn encode(contact: &reservation::Contact) -> Vec<u8> {
    convert::render(contact).encode_to_vec()
}

fn encode_reserved(contact: &reservation::Contact) -> Vec<u8> {
    convert::render_reserved(contact).encode_to_vec()
}

#[tonic::async_trait]
impl ContactPolicyService for ContactRpc {
    async fn get_contact_policy(
        &self,
        request: Request<GetContactPolicyRequest>,
    ) -> Result<Response<ContactPolicy>, Status> {
        unary(request, async |call, _| Ok(convert::render_policy(&self.0.policy(&call).await?))).await
    }

    async fn update_contact_policy(
        &self,
        request: Request<UpdateContactPolicyRequest>,
    ) -> Result<Response<ContactPolicy>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, etag, policy) = convert::update(message)?;
            let receipt = Receipt::new("UpdateContactPolicy", request_id, &bytes, encode_policy);
            self.0.replace(&call, receipt, etag, policy).await?.message(convert::render_policy)
        })
        .await
    }

    async fn check_contact(
        &self,
        request: Request<CheckContactRequest>,
    ) -> Result<Response<CheckContactResponse>, Status> {
        unary(request, async |call, message| {
            let check = convert::check_contact(message)?;
            Ok(convert::render_check(&self.0.check(&call, &check.customer, &check.wanted, check.at).await?))
        })
        .await
    }

    async fn reserve_contact(
        &self,
        request: Request<ReserveContactRequest>,
    ) -> Result<Response<ReserveContactResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let reserve = convert::reserve(message)?;
            let receipt = Receipt::new("ReserveContact", reserve.request_id, &bytes, encode_reserved);
            match self.0.reserve(&call, receipt, reserve).await? {
                Reserved::Entered(answer) => answer.message(convert::render_reserved),
                Reserved::Refused(judged) => Ok(convert::render_refusal(&judged)),
            }
        })
        .await
    }

    async fn confirm_contact(&self, request: Request<ConfirmContactRequest>) -> Result<Response<Contact>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, contact) = convert::confirm(&message)?;
            let receipt = Receipt::new("ConfirmContact", request_id, &bytes, encode);
            self.0.confirm(&call, receipt, contact).await?.message(convert::render)
        })
        .await
    }

    async fn release_contact(
        &self,
        request: Request<ReleaseContactRequest>,
    ) -> Result<Response<ReleaseContactResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, contact) = convert::release(&message)?;
            let receipt = Receipt::new("ReleaseContact", request_id, &bytes, |()| Vec::new());
            self.0.release(&call, receipt, contact).await?.message(|()| ReleaseContactResponse {})
        })
        .await
    }

    async fn list_contacts(
        &self,
        request: Request<ListContactsRequest>,
    ) -> Result<Response<ListContactsResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.0.list(&call, convert::list(message)?).await?;
            let contacts = page.items.iter().map(convert::render).collect();
            Ok(ListContactsResponse { contacts, next_page_token: page.next_page_token })
        })
        .await
    }
}
