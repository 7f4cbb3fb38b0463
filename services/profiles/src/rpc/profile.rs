//! `rapport.profiles.v1.ProfileService`.

use prost::Message as _;
use rapport_api::profiles::v1::profile_service_server::ProfileService;
use rapport_api::profiles::v1::{
    BatchGetProfilesRequest, BatchGetProfilesResponse, GetLineageRequest, GetProfileRequest, IdentifyRequest,
    IdentifyResponse, Lineage, MergeProfilesRequest, MergeProfilesResponse, PreviewMergeRequest, PreviewMergeResponse,
    Profile, SetConsentRequest, SplitProfileRequest, SplitProfileResponse,
};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::{answered, receipt};
use crate::convert::{answer, identify, profile, request as ask};
use crate::service::Profiles;

/// The service.
pub struct ProfileRpc(pub Profiles);

#[tonic::async_trait]
impl ProfileService for ProfileRpc {
    async fn identify(&self, request: Request<IdentifyRequest>) -> Result<Response<IdentifyResponse>, Status> {
        unary(request, async |call, message: IdentifyRequest| {
            let rules = self.0.rules(&call).await?;
            let input = identify::identification(&message, call.now, &rules)
                .inspect_err(|fault| self.0.refused(call.tenant(), &message.source, fault, call.now))?;
            let encode = |outcome: &_| answer::identified(outcome).encode_to_vec();
            let receipt = receipt("Identify", &message.request_id, &message, encode);
            answered(self.0.identify(&call, receipt, input).await?, answer::identified)
        })
        .await
    }

    async fn get_profile(&self, request: Request<GetProfileRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message| {
            let rules = self.0.rules(&call).await?;
            let (named, as_of, min_revision) = ask::get(&message, &rules.namespaces)?;
            match as_of {
                None => Ok(profile::profile(&*self.0.get(&call, &named, min_revision).await?)),
                Some(at) => Ok(profile::profile(&self.0.get_as_of(&call, &named, at).await?)),
            }
        })
        .await
    }

    async fn batch_get_profiles(
        &self,
        request: Request<BatchGetProfilesRequest>,
    ) -> Result<Response<BatchGetProfilesResponse>, Status> {
        unary(request, async |call, message| {
            let rules = self.0.rules(&call).await?;
            let named = ask::batch(&message, &rules.namespaces)?;
            Ok(answer::batch(&self.0.batch(&call, &named).await?))
        })
        .await
    }

    async fn preview_merge(
        &self,
        request: Request<PreviewMergeRequest>,
    ) -> Result<Response<PreviewMergeResponse>, Status> {
        unary(request, async |call, message| {
            let rules = self.0.rules(&call).await?;
            let (target, sources) = ask::preview(&message, &rules.namespaces)?;
            Ok(answer::preview(&self.0.preview(&call, target, sources).await?))
        })
        .await
    }

    async fn merge_profiles(
        &self,
        request: Request<MergeProfilesRequest>,
    ) -> Result<Response<MergeProfilesResponse>, Status> {
        unary(request, async |call, message: MergeProfilesRequest| {
            let rules = self.0.rules(&call).await?;
            let input = ask::merge(&message, &rules.namespaces)?;
            let encode = |outcome: &_| answer::merged(outcome).encode_to_vec();
            let receipt = receipt("MergeProfiles", &message.request_id, &message, encode);
            answered(self.0.merge(&call, receipt, input).await?, answer::merged)
        })
        .await
    }

    async fn split_profile(
        &self,
        request: Request<SplitProfileRequest>,
    ) -> Result<Response<SplitProfileResponse>, Status> {
        unary(request, async |call, message: SplitProfileRequest| {
            let rules = self.0.rules(&call).await?;
            let input = ask::split(&message, &rules.namespaces)?;
            let encode = |outcome: &_| answer::separated(outcome).encode_to_vec();
            let receipt = receipt("SplitProfile", &message.request_id, &message, encode);
            answered(self.0.split(&call, receipt, input).await?, answer::separated)
        })
        .await
    }

    async fn get_lineage(&self, request: Request<GetLineageRequest>) -> Result<Response<Lineage>, Status> {
        unary(request, async |call, message| {
            let rules = self.0.rules(&call).await?;
            let named = ask::lineage(&message, &rules.namespaces)?;
            Ok(answer::lineage(&self.0.lineage(&call, &named).await?))
        })
        .await
    }

    async fn set_consent(&self, request: Request<SetConsentRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message: SetConsentRequest| {
            let rules = self.0.rules(&call).await?;
            let input = ask::set_consent(&message, call.now, &rules.namespaces)?;
            let encode = |outcome: &_| answer::consented(outcome).encode_to_vec();
            let receipt = receipt("SetConsent", &message.request_id, &message, encode);
            answered(self.0.consent(&call, receipt, input).await?, answer::consented)
        })
        .await
    }
}
