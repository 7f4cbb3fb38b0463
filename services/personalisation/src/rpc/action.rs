//! `rapport.personalisation.v1.ActionService`.

use prost::Message as _;
use rapport_api::personalisation::v1::action_service_server::ActionService;
use rapport_api::personalisation::v1::{
    Action, CreateActionRequest, DeleteActionRequest, DeleteActionResponse, GetActionRequest, ListActionsRequest,
    ListActionsResponse, UpdateActionRequest,
};
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::action as convert;
use crate::domain;
use crate::service::Actions;

/// The service.
pub struct ActionRpc(pub Actions);

fn encode(action: &domain::Action) -> Vec<u8> {
    convert::render(action).encode_to_vec()
}

#[tonic::async_trait]
impl ActionService for ActionRpc {
    async fn create_action(&self, request: Request<CreateActionRequest>) -> Result<Response<Action>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, draft) = convert::create(message)?;
            let receipt = Receipt::new("CreateAction", request_id, &bytes, encode);
            self.0.create(&call, receipt, draft).await?.message(convert::render)
        })
        .await
    }

    async fn get_action(&self, request: Request<GetActionRequest>) -> Result<Response<Action>, Status> {
        unary(request, async |call, message| {
            let id = convert::get(&message)?;
            Ok(convert::render(&self.0.get(&call, id).await?))
        })
        .await
    }

    async fn list_actions(
        &self,
        request: Request<ListActionsRequest>,
    ) -> Result<Response<ListActionsResponse>, Status> {
        unary(request, async |call, message| {
            let (size, token) = convert::list(message)?;
            let page = self.0.list(&call, size, &token).await?;
            let actions = page.items.iter().map(convert::render).collect();
            Ok(ListActionsResponse { actions, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_action(&self, request: Request<UpdateActionRequest>) -> Result<Response<Action>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let update = convert::update(message)?;
            let receipt = Receipt::new("UpdateAction", update.request_id, &bytes, encode);
            let answer = self.0.update(&call, receipt, update.action, update.etag, update.draft).await?;
            answer.message(convert::render)
        })
        .await
    }

    async fn delete_action(
        &self,
        request: Request<DeleteActionRequest>,
    ) -> Result<Response<DeleteActionResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let delete = convert::delete(message)?;
            let receipt = Receipt::new("DeleteAction", delete.request_id, &bytes, |_| Vec::new());
            let answer = self.0.delete(&call, receipt, delete.action, delete.etag).await?;
            answer.message(|_| DeleteActionResponse {})
        })
        .await
    }
}
