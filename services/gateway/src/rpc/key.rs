//! `rapport.admin.v1.ApiKeyService`.

use prost::Message as _;
use rapport_api::admin::v1::api_key_service_server::ApiKeyService;
use rapport_api::admin::v1::{
    ApiKey, CreateApiKeyRequest, CreateApiKeyResponse, ListApiKeysRequest, ListApiKeysResponse, RevokeApiKeyRequest,
};
use rapport_data::{Answer, Receipt};
use rapport_kernel::Fault;
use rapport_platform::Call;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::key as convert;
use crate::domain;
use crate::service::{ApiKeys, NewKey};

/// The service.
pub struct ApiKeyRpc(pub ApiKeys);

/// What is asked, and by whose key: an answer with a secret is given again to nobody else.
fn asked(call: &Call, message: &impl prost::Message) -> Vec<u8> {
    [call.caller.key.as_bytes().as_slice(), &message.encode_to_vec()].concat()
}

#[tonic::async_trait]
impl ApiKeyService for ApiKeyRpc {
    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        unary(request, async |call, message| {
            let asked = asked(&call, &message);
            let (request_id, name, scopes) = convert::create(message)?;
            let encode = |made: &NewKey| convert::kept(made).encode_to_vec();
            let receipt = Receipt::new("CreateApiKey", request_id, &asked, encode);
            match self.0.create(&call, receipt, name, scopes).await? {
                Answer::Fresh(made) => Ok(convert::render_made(&made.key, &self.0.secret(made.key.id, &made.seed))),
                Answer::Replayed(bytes) => {
                    let kept = CreateApiKeyResponse::decode(bytes.as_slice()).map_err(Fault::internal)?;
                    let (id, seed) = convert::of_kept(kept.api_key.as_ref(), &kept.secret)?;
                    let secret = self.0.secret_again(id, &seed).await?.expose().to_owned();
                    Ok(CreateApiKeyResponse { secret, ..kept })
                }
            }
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
            let (request_id, id) = convert::revoke(&message)?;
            let encode = |(_, key): &(_, domain::ApiKey)| convert::render(key).encode_to_vec();
            let receipt = Receipt::new("RevokeApiKey", request_id, &asked(&call, &message), encode);
            match self.0.revoke(&call, receipt, id).await? {
                Answer::Fresh((_, key)) => Ok(convert::render(&key)),
                Answer::Replayed(bytes) => ApiKey::decode(bytes.as_slice()).map_err(Fault::internal),
            }
        })
        .await
    }
}
