//! `rapport.admin.v1.ApiKeyService`.

use rapport_api::admin::v1::api_key_service_server::ApiKeyService;
use rapport_api::admin::v1::{
    ApiKey, CreateApiKeyRequest, CreateApiKeyResponse, ListApiKeysRequest, ListApiKeysResponse, RevokeApiKeyRequest,
};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::key as convert;
use crate::service::ApiKeys;

/// The service.
pub struct ApiKeyRpc(pub ApiKeys);

#[tonic::async_trait]
impl ApiKeyService for ApiKeyRpc {
    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        unary(request, async |call, message| {
            let (name, scopes) = convert::create(message)?;
            let (key, secret) = self.0.create(&call, name, scopes).await?;
            let api_key = Some(convert::render(&key));
            Ok(CreateApiKeyResponse { api_key, secret: secret.expose().to_owned() })
        })
        .await
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Result<Response<ListApiKeysResponse>, Status> {
        unary(request, async |call, message| {
            let (size, token) = convert::list(message)?;
            let page = self.0.list(&call, size, &token).await?;
            let api_keys = page.items.iter().map(convert::render).collect();
            Ok(ListApiKeysResponse { api_keys, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn revoke_api_key(&self, request: Request<RevokeApiKeyRequest>) -> Result<Response<ApiKey>, Status> {
        unary(request, async |call, message| {
            let id = convert::revoke(&message)?;
            Ok(convert::render(&self.0.revoke(&call, id).await?))
        })
        .await
    }
}
