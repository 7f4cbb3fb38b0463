//! `rapport.profiles.v1.PersonaService`.

use prost::Message as _;
use rapport_api::google::longrunning::Operation;
use rapport_api::profiles::v1::persona_service_server::PersonaService;
use rapport_api::profiles::v1::{
    DiscoverPersonasRequest, GetPersonaRequest, GetPersonaSetRequest, GetPotentialRequest, GetPotentialResponse,
    ListPersonaSetsRequest, ListPersonaSetsResponse, ListPersonasRequest, ListPersonasResponse, Persona, PersonaSet,
    UpdatePersonaRequest,
};
use rapport_kernel::PageKey;
use rapport_operations::render;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::{persona as convert, potential};
use crate::domain::persona::PersonaSetId;
use crate::service::Profiles;

/// What page tokens of sets are made for.
const LIST_SETS: &str = "ListPersonaSets";

/// Personas.
pub struct PersonaRpc(pub Profiles, pub PageKey);

fn operation(operation: &rapport_data::Operation) -> Operation {
    render("profiles", operation)
}

#[tonic::async_trait]
impl PersonaService for PersonaRpc {
    async fn discover_personas(
        &self,
        request: Request<DiscoverPersonasRequest>,
    ) -> Result<Response<Operation>, Status> {
        unary(request, async |call, message: DiscoverPersonasRequest| {
            let settings = convert::discover(&message)?;
            let encode = |begun: &_| operation(begun).encode_to_vec();
            let receipt = receipt("DiscoverPersonas", &message.request_id, &message, encode);
            self.0.discover(&call, receipt, settings).await?.message(operation)
        })
        .await
    }

    async fn get_persona_set(&self, request: Request<GetPersonaSetRequest>) -> Result<Response<PersonaSet>, Status> {
        unary(request, async |call, message| {
            let (set, personas) = self.0.persona_set(&call, convert::get_set(&message)?).await?;
            Ok(convert::set_whole(&set, &personas))
        })
        .await
    }

    async fn list_persona_sets(
        &self,
        request: Request<ListPersonaSetsRequest>,
    ) -> Result<Response<ListPersonaSetsResponse>, Status> {
        unary(request, async |call, message: ListPersonaSetsRequest| {
            let size = convert::list_sets(&message)?;
            let before = self.1.open::<PersonaSetId>(call.tenant(), LIST_SETS, &message.page_token)?;
            let page = self.0.persona_sets(&call, before, size).await?;
            let next = page.next.map(|cursor| self.1.seal(call.tenant(), LIST_SETS, &cursor));
            Ok(ListPersonaSetsResponse {
                persona_sets: page.items.iter().map(convert::set).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn get_persona(&self, request: Request<GetPersonaRequest>) -> Result<Response<Persona>, Status> {
        unary(request, async |call, message| {
            Ok(convert::persona(&self.0.persona(&call, convert::get(&message)?).await?))
        })
        .await
    }

    async fn list_personas(
        &self,
        request: Request<ListPersonasRequest>,
    ) -> Result<Response<ListPersonasResponse>, Status> {
        unary(request, async |call, message: ListPersonasRequest| {
            let (set, size) = convert::list(&message)?;
            let scope = format!("ListPersonas/{}", message.persona_set_id);
            let after = self.1.open::<usize>(call.tenant(), &scope, &message.page_token)?;
            let page = self.0.personas(&call, set, after, size).await?;
            let next = page.next.map(|cursor| self.1.seal(call.tenant(), &scope, &cursor));
            Ok(ListPersonasResponse {
                personas: page.items.iter().map(convert::persona).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_persona(&self, request: Request<UpdatePersonaRequest>) -> Result<Response<Persona>, Status> {
        unary(request, async |call, message: UpdatePersonaRequest| {
            let input = convert::update(&message)?;
            let encode = |counted: &_| convert::persona(counted).encode_to_vec();
            let receipt = receipt("UpdatePersona", &message.request_id, &message, encode);
            self.0.describe_persona(&call, receipt, input).await?.message(convert::persona)
        })
        .await
    }

    async fn get_potential(
        &self,
        request: Request<GetPotentialRequest>,
    ) -> Result<Response<GetPotentialResponse>, Status> {
        unary(request, async |call, message: GetPotentialRequest| {
            let rules = self.0.rules(&call).await?;
            let mut asking = potential::ask(&message, &rules.namespaces)?;
            let scope = potential::scope(&asking);
            let after = self.1.open::<(u64, String)>(call.tenant(), &scope, &message.page_token)?;
            asking.after = after.map(potential::place).transpose()?;
            let found = self.0.potential(&call, asking).await?;
            let next = found.next.map(|place| self.1.seal(call.tenant(), &scope, &potential::cursor(place)));
            Ok(GetPotentialResponse { next_page_token: next.unwrap_or_default(), ..potential::potential(&found) })
        })
        .await
    }
}
