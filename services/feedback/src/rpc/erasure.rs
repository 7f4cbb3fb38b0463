//! `rapport.common.v1.ErasureService`: what the gateway asks when a customer is to be forgotten.

use rapport_api::common::v1::erasure_service_server::ErasureService;
use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::erasure as convert;
use crate::service::Erasures;

/// The service.
pub struct ErasureRpc(pub Erasures);

#[tonic::async_trait]
impl ErasureService for ErasureRpc {
    async fn erase_subjects(
        &self,
        request: Request<EraseSubjectsRequest>,
    ) -> Result<Response<EraseSubjectsResponse>, Status> {
        unary(request, async |call, message| {
            let subjects = convert::erase(&message)?;
            let erased = self.0.erase(&call, subjects).await?;
            convert::render(erased)
        })
        .await
    }
}
