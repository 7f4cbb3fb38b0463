//! `rapport.profiles.v1.TraitService`.

use prost::Message as _;
use rapport_api::profiles::v1::trait_service_server::TraitService;
use rapport_api::profiles::v1::{
    CreateTraitDefinitionRequest, DeleteTraitDefinitionRequest, DeleteTraitDefinitionResponse,
    GetTraitDefinitionRequest, ListTraitDefinitionsRequest, ListTraitDefinitionsResponse, TraitDefinition,
    UpdateTraitDefinitionRequest,
};
use rapport_kernel::PageKey;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::traits as convert;
use crate::service::Profiles;

/// What page tokens of trait definitions are made for.
const LIST: &str = "ListTraitDefinitions";

/// Declared traits.
pub struct TraitRpc(pub Profiles, pub PageKey);

#[tonic::async_trait]
impl TraitService for TraitRpc {
    async fn create_trait_definition(
        &self,
        request: Request<CreateTraitDefinitionRequest>,
    ) -> Result<Response<TraitDefinition>, Status> {
        unary(request, async |call, message: CreateTraitDefinitionRequest| {
            let definition = convert::create(&message)?;
            let encode = |definition: &_| convert::definition(definition).encode_to_vec();
            let receipt = receipt("CreateTraitDefinition", &message.request_id, &message, encode);
            self.0.declare(&call, receipt, definition).await?.message(convert::definition)
        })
        .await
    }

    async fn update_trait_definition(
        &self,
        request: Request<UpdateTraitDefinitionRequest>,
    ) -> Result<Response<TraitDefinition>, Status> {
        unary(request, async |call, message: UpdateTraitDefinitionRequest| {
            let input = convert::update(&message)?;
            let encode = |definition: &_| convert::definition(definition).encode_to_vec();
            let receipt = receipt("UpdateTraitDefinition", &message.request_id, &message, encode);
            self.0.redeclare(&call, receipt, input).await?.message(convert::definition)
        })
        .await
    }

    async fn delete_trait_definition(
        &self,
        request: Request<DeleteTraitDefinitionRequest>,
    ) -> Result<Response<DeleteTraitDefinitionResponse>, Status> {
        unary(request, async |call, message: DeleteTraitDefinitionRequest| {
            let (name, expected) = convert::delete(&message)?;
            let encode = |definition: &_| convert::taken_back(definition).encode_to_vec();
            let receipt = receipt("DeleteTraitDefinition", &message.request_id, &message, encode);
            let answer = self.0.undeclare(&call, receipt, name, expected).await?;
            answer.message(convert::taken_back)
        })
        .await
    }

    async fn get_trait_definition(
        &self,
        request: Request<GetTraitDefinitionRequest>,
    ) -> Result<Response<TraitDefinition>, Status> {
        unary(request, async |call, message| {
            Ok(convert::definition(&self.0.definition(&call, &convert::get(&message)?).await?))
        })
        .await
    }

    async fn list_trait_definitions(
        &self,
        request: Request<ListTraitDefinitionsRequest>,
    ) -> Result<Response<ListTraitDefinitionsResponse>, Status> {
        unary(request, async |call, message: ListTraitDefinitionsRequest| {
            let size = convert::list(&message)?;
            let after = self.1.open::<String>(call.tenant(), LIST, &message.page_token)?;
            let page = self.0.definitions(&call, after, size).await?;
            let next = page.next.map(|cursor| self.1.seal(call.tenant(), LIST, &cursor));
            Ok(ListTraitDefinitionsResponse {
                trait_definitions: page.items.iter().map(convert::definition).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }
}
