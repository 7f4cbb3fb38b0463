//! `rapport.profiles.v1.IdentityService`.

use prost::Message as _;
use rapport_api::google::longrunning::Operation;
use rapport_api::profiles::v1::identity_service_server::IdentityService;
use rapport_api::profiles::v1::{
    ExplainMatchRequest, ExplainMatchResponse, GetIdentityHealthRequest, GetIdentitySettingsRequest, GetMatcherRequest,
    IdentityHealth, IdentitySettings, ListMatchCandidatesRequest, ListMatchCandidatesResponse, ListNamespacesRequest,
    ListNamespacesResponse, Matcher, ReleaseQuarantinedValueRequest, ReleaseQuarantinedValueResponse,
    ResolveMatchCandidateRequest, ResolveMatchCandidateResponse, TrainMatcherRequest, UpdateIdentitySettingsRequest,
    UpdateNamespaceRequest, UpdateNamespaceResponse,
};
use rapport_kernel::PageKey;
use rapport_operations::render;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::{identity as convert, matching};
use crate::service::Profiles;

/// How records become customers.
pub struct IdentityRpc(pub Profiles, pub PageKey);

#[tonic::async_trait]
impl IdentityService for IdentityRpc {
    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        unary(request, async |call, _| Ok(convert::namespaces(&self.0.rules(&call).await?.namespaces))).await
    }

    async fn update_namespace(
        &self,
        request: Request<UpdateNamespaceRequest>,
    ) -> Result<Response<UpdateNamespaceResponse>, Status> {
        unary(request, async |call, message: UpdateNamespaceRequest| {
            let update = convert::update_namespace(&message, &self.0.rules(&call).await?.namespaces)?;
            let encode = |updated: &_| convert::updated(updated).encode_to_vec();
            let receipt = receipt("UpdateNamespace", &message.request_id, &message, encode);
            self.0.update_namespace(&call, receipt, update).await?.message(convert::updated)
        })
        .await
    }

    async fn get_identity_settings(
        &self,
        request: Request<GetIdentitySettingsRequest>,
    ) -> Result<Response<IdentitySettings>, Status> {
        unary(request, async |call, _| Ok(convert::settings(&self.0.identity_settings(&call).await?))).await
    }

    async fn update_identity_settings(
        &self,
        request: Request<UpdateIdentitySettingsRequest>,
    ) -> Result<Response<IdentitySettings>, Status> {
        unary(request, async |call, message: UpdateIdentitySettingsRequest| {
            let update = convert::update_settings(&message)?;
            let encode = |settings: &_| convert::settings(settings).encode_to_vec();
            let receipt = receipt("UpdateIdentitySettings", &message.request_id, &message, encode);
            self.0.update_identity_settings(&call, receipt, update).await?.message(convert::settings)
        })
        .await
    }

    async fn get_identity_health(
        &self,
        request: Request<GetIdentityHealthRequest>,
    ) -> Result<Response<IdentityHealth>, Status> {
        unary(request, async |call, message| {
            Ok(convert::health(&self.0.health(&call, convert::health_days(&message)?).await?))
        })
        .await
    }

    async fn release_quarantined_value(
        &self,
        request: Request<ReleaseQuarantinedValueRequest>,
    ) -> Result<Response<ReleaseQuarantinedValueResponse>, Status> {
        unary(request, async |call, message: ReleaseQuarantinedValueRequest| {
            let release = convert::release(&message)?;
            let encode = |outcome: &_| convert::released(outcome).encode_to_vec();
            let receipt = receipt("ReleaseQuarantinedValue", &message.request_id, &message, encode);
            self.0.release(&call, receipt, release).await?.message(convert::released)
        })
        .await
    }

    async fn list_match_candidates(
        &self,
        request: Request<ListMatchCandidatesRequest>,
    ) -> Result<Response<ListMatchCandidatesResponse>, Status> {
        unary(request, async |call, message: ListMatchCandidatesRequest| {
            let (listing, size) = convert::candidates(&message, &self.0.rules(&call).await?.namespaces)?;
            let query = convert::candidates_query(&message);
            let before = self.1.open(call.tenant(), &query, &message.page_token)?;
            let page = self.0.candidates(&call, listing, before, size).await?;
            let next = page.next.map(|cursor| self.1.seal(call.tenant(), &query, &cursor));
            Ok(ListMatchCandidatesResponse {
                match_candidates: page.items.iter().map(convert::candidate).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn resolve_match_candidate(
        &self,
        request: Request<ResolveMatchCandidateRequest>,
    ) -> Result<Response<ResolveMatchCandidateResponse>, Status> {
        unary(request, async |call, message: ResolveMatchCandidateRequest| {
            let decision = convert::decision(&message, &call.caller.key.to_string())?;
            let encode = |outcome: &_| convert::decided(outcome).encode_to_vec();
            let receipt = receipt("ResolveMatchCandidate", &message.request_id, &message, encode);
            self.0.decide(&call, receipt, decision).await?.message(convert::decided)
        })
        .await
    }

    async fn train_matcher(&self, request: Request<TrainMatcherRequest>) -> Result<Response<Operation>, Status> {
        unary(request, async |call, message: TrainMatcherRequest| {
            let wanted = matching::train(&message)?;
            let encode = |operation: &_| render("profiles", operation).encode_to_vec();
            let receipt = receipt("TrainMatcher", &message.request_id, &message, encode);
            self.0.train(&call, receipt, wanted).await?.message(|operation| render("profiles", operation))
        })
        .await
    }

    async fn get_matcher(&self, request: Request<GetMatcherRequest>) -> Result<Response<Matcher>, Status> {
        unary(request, async |call, _| Ok(matching::matcher(&self.0.trained(call.tenant()).await?))).await
    }

    async fn explain_match(
        &self,
        request: Request<ExplainMatchRequest>,
    ) -> Result<Response<ExplainMatchResponse>, Status> {
        unary(request, async |call, message| {
            let (left, right) = matching::explain(&message, &self.0.rules(&call).await?.namespaces)?;
            Ok(matching::explained(&self.0.explain(&call, left, right).await?))
        })
        .await
    }
}
