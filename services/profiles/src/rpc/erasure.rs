//! `rapport.common.v1.ErasureService`: what the gateway asks when a customer is to be forgotten.

use rapport_api::common::v1::erasure_service_server::ErasureService;
use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::erasure as convert;
use crate::service::Profiles;

/// The service.
pub struct ErasureRpc(pub Profiles);

#[tonic::async_trait]
impl ErasureService for ErasureRpc {
    async fn erase_subjects(
        &self,
        request: Request<EraseSubjectsRequest>,
    ) -> Result<Response<EraseSubjectsResponse>, Status> {
        unary(request, async |call, message: EraseSubjectsRequest| {
            let subjects = convert::subjects(&message)?;
            Ok(convert::erased(&self.0.erase(&call, &message.erasure_id, &subjects).await?))
        })
        .await
    }
}
