//! `rapport.feedback.v1.ImprovementService`.

use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::improvement_service_server::ImprovementService;
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::improvement as convert;
use crate::service::Improvements;
use crate::service::improvements::Told;

/// The service.
pub struct ImprovementRpc(pub Improvements);

fn bytes(told: &Told) -> Vec<u8> {
    convert::render(told).encode_to_vec()
}

#[tonic::async_trait]
impl ImprovementService for ImprovementRpc {
    async fn create_improvement(
        &self,
        request: Request<proto::CreateImprovementRequest>,
    ) -> Result<Response<proto::Improvement>, Status> {
        unary(request, async |call, message: proto::CreateImprovementRequest| {
            let (request, plan) = convert::create(&message)?;
            let receipt = Receipt::new("CreateImprovement", request, &message.encode_to_vec(), bytes);
            self.0.create(&call, receipt, plan).await?.message(convert::render)
        })
        .await
    }

    async fn get_improvement(
        &self,
        request: Request<proto::GetImprovementRequest>,
    ) -> Result<Response<proto::Improvement>, Status> {
        unary(request, async |call, message| Ok(convert::render(&self.0.get(&call, convert::get(&message)?).await?)))
            .await
    }

    async fn list_improvements(
        &self,
        request: Request<proto::ListImprovementsRequest>,
    ) -> Result<Response<proto::ListImprovementsResponse>, Status> {
        unary(request, async |call, message| {
            let (sieve, which) = convert::list(message)?;
            let page = self.0.list(&call, sieve, which).await?;
            let improvements = page.items.iter().map(convert::render).collect();
            Ok(proto::ListImprovementsResponse { improvements, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_improvement(
        &self,
        request: Request<proto::UpdateImprovementRequest>,
    ) -> Result<Response<proto::Improvement>, Status> {
        unary(request, async |call, message: proto::UpdateImprovementRequest| {
            let (request, change) = convert::update(&message)?;
            let receipt = Receipt::new("UpdateImprovement", request, &message.encode_to_vec(), bytes);
            self.0.update(&call, receipt, change).await?.message(convert::render)
        })
        .await
    }

    async fn delete_improvement(
        &self,
        request: Request<proto::DeleteImprovementRequest>,
    ) -> Result<Response<proto::DeleteImprovementResponse>, Status> {
        unary(request, async |call, message: proto::DeleteImprovementRequest| {
            let (request, id) = convert::delete(&message)?;
            let receipt = Receipt::new("DeleteImprovement", request, &message.encode_to_vec(), |()| Vec::new());
            let answer = self.0.delete(&call, receipt, id, message.etag).await?;
            answer.message(|()| proto::DeleteImprovementResponse {})
        })
        .await
    }
}
