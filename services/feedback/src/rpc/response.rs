//! `rapport.feedback.v1.ResponseService`.

use prost::Message as _;
use rapport_api::feedback::v1::response_service_server::ResponseService;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, DeleteResponseResponse, GetResponseRequest, ListResponsesRequest, ListResponsesResponse,
    Response as Answered, SubmitResponseRequest, UpdateResponseRequest,
};
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::answered;
use crate::convert::response as convert;
use crate::domain;
use crate::service::Responses;

/// The service.
pub struct ResponseRpc(pub Responses);

fn encode(response: &domain::Response) -> Vec<u8> {
    convert::render(response).encode_to_vec()
}

#[tonic::async_trait]
impl ResponseService for ResponseRpc {
    async fn submit_response(&self, request: Request<SubmitResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let submit = convert::submit(message, call.now)?;
            let receipt = Receipt::new("SubmitResponse", submit.request_id, &bytes, encode);
            answered(self.0.submit(&call, receipt, submit.customer, submit.new).await?, convert::render)
        })
        .await
    }

    async fn update_response(&self, request: Request<UpdateResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let update = convert::update(message)?;
            let receipt = Receipt::new("UpdateResponse", update.request_id, &bytes, encode);
            let (id, etag, correction) = (update.response, update.etag, update.correction);
            answered(self.0.update(&call, receipt, id, etag, correction).await?, convert::render)
        })
        .await
    }

    async fn delete_response(
        &self,
        request: Request<DeleteResponseRequest>,
    ) -> Result<Response<DeleteResponseResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let delete = convert::delete(message)?;
            let receipt = Receipt::new("DeleteResponse", delete.request_id, &bytes, |()| Vec::new());
            let answer = self.0.delete(&call, receipt, delete.response, delete.etag).await?;
            answered(answer, |()| DeleteResponseResponse {})
        })
        .await
    }

    async fn get_response(&self, request: Request<GetResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let id = convert::get(&message)?;
            Ok(convert::render(&self.0.get(&call, id).await?))
        })
        .await
    }

    async fn list_responses(
        &self,
        request: Request<ListResponsesRequest>,
    ) -> Result<Response<ListResponsesResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.0.list(&call, convert::list(message)?).await?;
            let responses = page.items.iter().map(convert::render).collect();
            Ok(ListResponsesResponse { responses, next_page_token: page.next_page_token })
        })
        .await
    }
}
