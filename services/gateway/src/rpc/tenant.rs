//! `rapport.admin.v1.TenantService`.

use rapport_api::admin::v1::tenant_service_server::TenantService;
use rapport_api::admin::v1::{
    CreateTenantRequest, CreateTenantResponse, GetTenantRequest, ListTenantsRequest, ListTenantsResponse, Tenant,
};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::tenant as convert;
use crate::service::Tenants;

/// The service.
pub struct TenantRpc(pub Tenants);

#[tonic::async_trait]
impl TenantService for TenantRpc {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        unary(request, async |call, message| {
            let name = convert::create(message)?;
            Ok(convert::render_made(&self.0.create(&call.caller, name).await?))
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
