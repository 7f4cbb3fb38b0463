//! `rapport.profiles.v1.ProfileService`.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::profiles::v1::profile_service_server::ProfileService;
use rapport_api::profiles::v1::{
    BatchGetProfilesRequest, BatchGetProfilesResponse, GetLineageRequest, GetProfileRequest, IdentifyRequest,
    IdentifyResponse, ImportProfilesRequest, ImportProfilesResponse, Lineage, MergeProfilesRequest,
    MergeProfilesResponse, PreviewMergeRequest, PreviewMergeResponse, Profile, SearchProfilesRequest,
    SearchProfilesResponse, SetConsentRequest, SplitProfileRequest, SplitProfileResponse, WatchProfilesRequest,
    WatchProfilesResponse,
};
use rapport_kernel::{Clock, PageKey};
use rapport_platform::rpc::{call_of, unary};
use rapport_platform::status;
use tonic::{Request, Response, Status, Streaming};

use super::bulk::{Acks, Identifications, Import};
use super::{answered, receipt};
use crate::convert::mask::ProfileFields;
use crate::convert::{answer, identify, profile, request as ask, search};
use crate::service::Profiles;

/// The service.
pub struct ProfileRpc {
    /// What it works on.
    pub profiles: Profiles,
    /// Seals the tokens of pages and of watches.
    pub page_key: PageKey,
    /// A stream goes on for longer than an instant: each of its items is judged by the time it came.
    pub clock: Arc<dyn Clock>,
    /// What a read mask may name.
    pub fields: ProfileFields,
}

#[tonic::async_trait]
impl ProfileService for ProfileRpc {
    async fn identify(&self, request: Request<IdentifyRequest>) -> Result<Response<IdentifyResponse>, Status> {
        unary(request, async |call, message: IdentifyRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = identify::identification(&message, call.now, &rules)?;
            let encode = |outcome: &_| answer::identified(outcome).encode_to_vec();
            let receipt = receipt("Identify", &message.request_id, &message, encode);
            answered(self.profiles.identify(&call, receipt, input).await?, answer::identified)
        })
        .await
    }

    type ImportProfilesStream = Acks<ImportProfilesResponse>;

    async fn import_profiles(
        &self,
        request: Request<Streaming<ImportProfilesRequest>>,
    ) -> Result<Response<Self::ImportProfilesStream>, Status> {
        let call = call_of(&request).map_err(status)?;
        let (profiles, clock) = (self.profiles.clone(), Arc::clone(&self.clock));
        let import = Import::<Identifications>::new(request.into_inner(), profiles, clock, call);
        Ok(Response::new(import.acks(|ack| ImportProfilesResponse { ack: Some(ack) })))
    }

    async fn get_profile(&self, request: Request<GetProfileRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message| {
            let rules = self.profiles.rules(&call).await?;
            let (named, as_of, min_revision) = ask::get(&message, &rules.namespaces)?;
            match as_of {
                None => Ok(profile::profile(&*self.profiles.get(&call, &named, min_revision).await?)),
                Some(at) => Ok(profile::profile(&self.profiles.get_as_of(&call, &named, at).await?)),
            }
        })
        .await
    }

    async fn batch_get_profiles(
        &self,
        request: Request<BatchGetProfilesRequest>,
    ) -> Result<Response<BatchGetProfilesResponse>, Status> {
        unary(request, async |call, message| {
            let rules = self.profiles.rules(&call).await?;
            let named = ask::batch(&message, &rules.namespaces)?;
            Ok(answer::batch(&self.profiles.batch(&call, &named).await?))
        })
        .await
    }

    async fn search_profiles(
        &self,
        request: Request<SearchProfilesRequest>,
    ) -> Result<Response<SearchProfilesResponse>, Status> {
        unary(request, async |call, message: SearchProfilesRequest| {
            let rules = self.profiles.rules(&call).await?;
            let (asked, mask) = search::searching(&message, &rules, &self.fields)?;
            let query = search::query(&message);
            let after = self.page_key.open(call.tenant(), &query, &message.page_token)?;
            let found = self.profiles.search(&call, &asked, after).await?;
            let next = found.next.map(|next| self.page_key.seal(call.tenant(), &query, &next)).unwrap_or_default();
            search::found(&found, &mask, next)
        })
        .await
    }

    type WatchProfilesStream = Pin<Box<dyn Stream<Item = Result<WatchProfilesResponse, Status>> + Send>>;

    async fn watch_profiles(
        &self,
        request: Request<WatchProfilesRequest>,
    ) -> Result<Response<Self::WatchProfilesStream>, Status> {
        unary(request, async |call, message: WatchProfilesRequest| {
            let (search, mask) = search::watching(&message, &self.fields)?;
            let (tenant, page_key) = (call.tenant(), self.page_key.clone());
            let from = page_key.open(tenant, search::WATCH, &message.resume_token).map_err(search::token)?;
            let watch = self.profiles.watch(call, Arc::clone(&self.clock), search, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let (page_key, mask) = (page_key.clone(), mask.clone());
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, search::WATCH, &told.places);
                    let change = told.change.map(|change| search::change(&change, &mask)).transpose()?;
                    Ok(Some((WatchProfilesResponse { resume_token, change }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchProfilesStream)
        })
        .await
    }

    async fn preview_merge(
        &self,
        request: Request<PreviewMergeRequest>,
    ) -> Result<Response<PreviewMergeResponse>, Status> {
        unary(request, async |call, message| {
            let rules = self.profiles.rules(&call).await?;
            let (target, sources) = ask::preview(&message, &rules.namespaces)?;
            Ok(answer::preview(&self.profiles.preview(&call, target, sources).await?))
        })
        .await
    }

    async fn merge_profiles(
        &self,
        request: Request<MergeProfilesRequest>,
    ) -> Result<Response<MergeProfilesResponse>, Status> {
        unary(request, async |call, message: MergeProfilesRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = ask::merge(&message, &rules.namespaces)?;
            let encode = |outcome: &_| answer::merged(outcome).encode_to_vec();
            let receipt = receipt("MergeProfiles", &message.request_id, &message, encode);
            answered(self.profiles.merge(&call, receipt, input).await?, answer::merged)
        })
        .await
    }

    async fn split_profile(
        &self,
        request: Request<SplitProfileRequest>,
    ) -> Result<Response<SplitProfileResponse>, Status> {
        unary(request, async |call, message: SplitProfileRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = ask::split(&message, &rules.namespaces)?;
            let encode = |outcome: &_| answer::separated(outcome).encode_to_vec();
            let receipt = receipt("SplitProfile", &message.request_id, &message, encode);
            answered(self.profiles.split(&call, receipt, input).await?, answer::separated)
        })
        .await
    }

    async fn get_lineage(&self, request: Request<GetLineageRequest>) -> Result<Response<Lineage>, Status> {
        unary(request, async |call, message| {
            let rules = self.profiles.rules(&call).await?;
            let named = ask::lineage(&message, &rules.namespaces)?;
            Ok(answer::lineage(&self.profiles.lineage(&call, &named).await?))
        })
        .await
    }

    async fn set_consent(&self, request: Request<SetConsentRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message: SetConsentRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = ask::set_consent(&message, call.now, &rules.namespaces)?;
            let encode = |outcome: &_| answer::consented(outcome).encode_to_vec();
            let receipt = receipt("SetConsent", &message.request_id, &message, encode);
            answered(self.profiles.consent(&call, receipt, input).await?, answer::consented)
        })
        .await
    }
}
