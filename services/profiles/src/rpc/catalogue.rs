//! `rapport.profiles.v1.CatalogueService`.

use prost::Message as _;
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::catalogue_service_server::CatalogueService;
use rapport_kernel::PageKey;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::catalogue as convert;
use crate::service::Profiles;
use crate::service::catalogue::Place;

/// The catalogue.
pub struct CatalogueRpc(pub Profiles, pub PageKey);

#[tonic::async_trait]
impl CatalogueService for CatalogueRpc {
    async fn create_catalogue_entry(
        &self,
        request: Request<pb::CreateCatalogueEntryRequest>,
    ) -> Result<Response<pb::CatalogueEntry>, Status> {
        unary(request, async |call, message: pb::CreateCatalogueEntryRequest| {
            let entry = convert::create(&message)?;
            let encode = |entry: &_| convert::entry_message(entry).encode_to_vec();
            let receipt = receipt("CreateCatalogueEntry", &message.request_id, &message, encode);
            self.0.add_entry(&call, receipt, entry).await?.message(convert::entry_message)
        })
        .await
    }

    async fn get_catalogue_entry(
        &self,
        request: Request<pb::GetCatalogueEntryRequest>,
    ) -> Result<Response<pb::CatalogueEntry>, Status> {
        unary(request, async |call, message| {
            let (kind, name) = convert::get(&message)?;
            Ok(convert::entry_message(&self.0.entry(&call, kind, &name).await?))
        })
        .await
    }

    async fn list_catalogue_entries(
        &self,
        request: Request<pb::ListCatalogueEntriesRequest>,
    ) -> Result<Response<pb::ListCatalogueEntriesResponse>, Status> {
        unary(request, async |call, message: pb::ListCatalogueEntriesRequest| {
            let (kind, size) = convert::list(&message)?;
            let list = format!("ListCatalogueEntries|{}", kind.name());
            let after = self.1.open::<Place>(call.tenant(), &list, &message.page_token)?;
            let page = self.0.entries(&call, kind, (after, size)).await?;
            let next = page.next.map(|place| self.1.seal(call.tenant(), &list, &place));
            Ok(pb::ListCatalogueEntriesResponse {
                entries: page.items.iter().map(convert::entry_message).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_catalogue_entry(
        &self,
        request: Request<pb::UpdateCatalogueEntryRequest>,
    ) -> Result<Response<pb::CatalogueEntry>, Status> {
        unary(request, async |call, message: pb::UpdateCatalogueEntryRequest| {
            let change = convert::update(&message)?;
            let encode = |entry: &_| convert::entry_message(entry).encode_to_vec();
            let receipt = receipt("UpdateCatalogueEntry", &message.request_id, &message, encode);
            self.0.change_entry(&call, receipt, change).await?.message(convert::entry_message)
        })
        .await
    }

    async fn delete_catalogue_entry(
        &self,
        request: Request<pb::DeleteCatalogueEntryRequest>,
    ) -> Result<Response<pb::DeleteCatalogueEntryResponse>, Status> {
        unary(request, async |call, message: pb::DeleteCatalogueEntryRequest| {
            let which = convert::delete(&message)?;
            let render = |(): &()| pb::DeleteCatalogueEntryResponse {};
            let encode = |(): &()| pb::DeleteCatalogueEntryResponse {}.encode_to_vec();
            let receipt = receipt("DeleteCatalogueEntry", &message.request_id, &message, encode);
            self.0.drop_entry(&call, receipt, which).await?.message(render)
        })
        .await
    }

    async fn get_catalogue_settings(
        &self,
        request: Request<pb::GetCatalogueSettingsRequest>,
    ) -> Result<Response<pb::CatalogueSettings>, Status> {
        unary(request, async |call, _| Ok(convert::settings(&self.0.catalogue_settings(&call).await?))).await
    }

    async fn update_catalogue_settings(
        &self,
        request: Request<pb::UpdateCatalogueSettingsRequest>,
    ) -> Result<Response<pb::CatalogueSettings>, Status> {
        unary(request, async |call, message: pb::UpdateCatalogueSettingsRequest| {
            let change = convert::update_settings(&message)?;
            let encode = |settings: &_| convert::settings(settings).encode_to_vec();
            let receipt = receipt("UpdateCatalogueSettings", &message.request_id, &message, encode);
            self.0.change_catalogue_settings(&call, receipt, change).await?.message(convert::settings)
        })
        .await
    }

    async fn get_data_quality(
        &self,
        request: Request<pb::GetDataQualityRequest>,
    ) -> Result<Response<pb::GetDataQualityResponse>, Status> {
        unary(request, async |call, message: pb::GetDataQualityRequest| {
            let (source, time) = convert::quality(&message, call.now)?;
            let found = self.0.data_quality(&call, &source, time).await?;
            Ok(convert::quality_message(found, &self.0.rules(&call).await?.catalogue))
        })
        .await
    }
}
