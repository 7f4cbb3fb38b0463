//! `rapport.feedback.v1.ExpectationService`.

use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::expectation_service_server::ExpectationService;
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::expectation as convert;
use crate::domain::promise::Promise;
use crate::service::Promises;

/// The service.
pub struct ExpectationRpc(pub Promises);

fn bytes(one: &Promise) -> Vec<u8> {
    convert::render(one).encode_to_vec()
}

#[tonic::async_trait]
impl ExpectationService for ExpectationRpc {
    async fn record_promise(
        &self,
        request: Request<proto::RecordPromiseRequest>,
    ) -> Result<Response<proto::Promise>, Status> {
        unary(request, async |call, message: proto::RecordPromiseRequest| {
            let encoded = message.encode_to_vec();
            let (request, telling) = convert::record(message, call.now)?;
            let receipt = Receipt::new("RecordPromise", request, &encoded, bytes);
            self.0.record(&call, receipt, telling).await?.message(convert::render)
        })
        .await
    }

    async fn resolve_promise(
        &self,
        request: Request<proto::ResolvePromiseRequest>,
    ) -> Result<Response<proto::Promise>, Status> {
        unary(request, async |call, message: proto::ResolvePromiseRequest| {
            let encoded = message.encode_to_vec();
            let (request, settling) = convert::resolve(message, call.now)?;
            let receipt = Receipt::new("ResolvePromise", request, &encoded, bytes);
            self.0.resolve(&call, receipt, settling).await?.message(convert::render)
        })
        .await
    }

    async fn get_promise(
        &self,
        request: Request<proto::GetPromiseRequest>,
    ) -> Result<Response<proto::Promise>, Status> {
        unary(request, async |call, message| Ok(convert::render(&self.0.get(&call, convert::get(&message)?).await?)))
            .await
    }

    async fn list_promises(
        &self,
        request: Request<proto::ListPromisesRequest>,
    ) -> Result<Response<proto::ListPromisesResponse>, Status> {
        unary(request, async |call, message| {
            let (customer, sieve, which) = convert::list(message)?;
            let page = self.0.list(&call, customer, sieve, which).await?;
            let promises = page.items.iter().map(convert::render).collect();
            Ok(proto::ListPromisesResponse { promises, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn delete_promise(
        &self,
        request: Request<proto::DeletePromiseRequest>,
    ) -> Result<Response<proto::DeletePromiseResponse>, Status> {
        unary(request, async |call, message: proto::DeletePromiseRequest| {
            let (request, id) = convert::delete(&message)?;
            let receipt = Receipt::new("DeletePromise", request, &message.encode_to_vec(), |()| Vec::new());
            let answer = self.0.delete(&call, receipt, id, message.etag).await?;
            answer.message(|()| proto::DeletePromiseResponse {})
        })
        .await
    }
}
