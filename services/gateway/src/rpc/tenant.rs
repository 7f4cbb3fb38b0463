//! `rapport.admin.v1.TenantService`.

use prost::Message as _;
use rapport_api::admin::v1::tenant_service_server::TenantService;
use rapport_api::admin::v1::{
    CreateTenantRequest, CreateTenantResponse, GetTenantRequest, ListTenantsRequest, ListTenantsResponse, Tenant,
};
use rapport_data::{Answer, Receipt};
use rapport_kernel::Fault;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::key::of_kept;
use crate::convert::tenant as convert;
use crate::service::{NewTenant, Tenants};

/// The service.
pub struct TenantRpc(pub Tenants);

#[tonic::async_trait]
impl TenantService for TenantRpc {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        unary(request, async |call, message| {
            let asked = message.encode_to_vec();
            let (request_id, name) = convert::create(message)?;
            let encode = |made: &NewTenant| convert::kept(made).encode_to_vec();
            let receipt = Receipt::new("CreateTenant", request_id, &asked, encode);
            match self.0.create(&call.caller, receipt, name).await? {
                Answer::Fresh(made) => {
                    let secret = self.0.secret(made.first.key.id, &made.first.seed);
                    Ok(convert::render_made(&made, &secret))
                }
                Answer::Replayed(bytes) => {
                    let kept = CreateTenantResponse::decode(bytes.as_slice()).map_err(Fault::internal)?;
                    let (id, seed) = of_kept(kept.api_key.as_ref(), &kept.secret)?;
                    let secret = self.0.secret_again(id, &seed).await?.expose().to_owned();
                    Ok(CreateTenantResponse { secret, ..kept })
                }
            }
        })
        .await
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        unary(request, async |_, message| {
            let id = convert::get(&message)?;
            Ok(convert::render(&self.0.get(id).await?))
        })
        .await
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        unary(request, async |call, message| {
            let (size, token) = convert::list(message)?;
            let page = self.0.list(&call, size, &token).await?;
            let tenants = page.items.iter().map(convert::render).collect();
            Ok(ListTenantsResponse { tenants, next_page_token: page.next_page_token })
        })
        .await
    }
}
