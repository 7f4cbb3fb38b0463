//! `rapport.admin.v1.PrivacyService`.

use prost::Message as _;
use rapport_api::admin::v1::privacy_service_server::PrivacyService;
use rapport_api::admin::v1::{EraseCustomerRequest, Erasure, GetErasureRequest};
use rapport_data::{Answer, Receipt};
use rapport_kernel::Fault;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::erasure as convert;
use crate::domain;
use crate::service::Erasures;

/// The service.
pub struct PrivacyRpc(pub Erasures);

fn encode(erasure: &domain::Erasure) -> Vec<u8> {
    convert::render(erasure).encode_to_vec()
}

#[tonic::async_trait]
impl PrivacyService for PrivacyRpc {
    async fn erase_customer(&self, request: Request<EraseCustomerRequest>) -> Result<Response<Erasure>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, customer) = convert::erase(message)?;
            let receipt = Receipt::new("EraseCustomer", request_id, &bytes, encode);
            match self.0.begin(&call, receipt, customer).await? {
                Answer::Fresh(erasure) => Ok(convert::render(&erasure)),
                Answer::Replayed(bytes) => Erasure::decode(bytes.as_slice()).map_err(Fault::internal),
            }
        })
        .await
    }

    async fn get_erasure(&self, request: Request<GetErasureRequest>) -> Result<Response<Erasure>, Status> {
        unary(request, async |call, message| {
            let id = convert::get(&message)?;
            Ok(convert::render(&self.0.get(&call, id).await?))
        })
        .await
    }
}
