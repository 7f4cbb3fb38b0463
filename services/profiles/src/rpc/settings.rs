//! `rapport.profiles.v1.TenantSettingsService`.

use prost::Message as _;
use rapport_api::profiles::v1::tenant_settings_service_server::TenantSettingsService;
use rapport_api::profiles::v1::{GetTenantSettingsRequest, TenantSettings, UpdateTenantSettingsRequest};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::settings as convert;
use crate::service::Profiles;

/// A tenant's settings.
pub struct SettingsRpc(pub Profiles);

#[tonic::async_trait]
impl TenantSettingsService for SettingsRpc {
    async fn get_tenant_settings(
        &self,
        request: Request<GetTenantSettingsRequest>,
    ) -> Result<Response<TenantSettings>, Status> {
        unary(request, async |call, _| Ok(convert::settings(&self.0.settings(&call).await?))).await
    }

    async fn update_tenant_settings(
        &self,
        request: Request<UpdateTenantSettingsRequest>,
    ) -> Result<Response<TenantSettings>, Status> {
        unary(request, async |call, message: UpdateTenantSettingsRequest| {
            let input = convert::update(&message)?;
            let encode = |settings: &_| convert::settings(settings).encode_to_vec();
            let receipt = receipt("UpdateTenantSettings", &message.request_id, &message, encode);
            self.0.update_settings(&call, receipt, input).await?.message(convert::settings)
        })
        .await
    }
}
