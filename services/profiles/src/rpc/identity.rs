//! `rapport.profiles.v1.IdentityService`.

use rapport_api::profiles::v1::identity_service_server::IdentityService;
use rapport_api::profiles::v1::{ListNamespacesRequest, ListNamespacesResponse};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::identity as convert;
use crate::service::Profiles;

/// Namespaces.
pub struct IdentityRpc(pub Profiles);

#[tonic::async_trait]
impl IdentityService for IdentityRpc {
    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        unary(request, async |call, _| Ok(convert::namespaces(&self.0.rules(&call).await?.namespaces))).await
    }
}
