//! `rapport.profiles.v1.ProfileService`.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::common::v1::CustomerRef;
use rapport_api::profiles::v1::profile_service_server::ProfileService;
use rapport_api::profiles::v1::{
    BatchGetProfilesRequest, BatchGetProfilesResponse, DeleteSourceRecordRequest, GetLineageRequest, GetProfileRequest,
    IdentifyRequest, IdentifyResponse, ImportProfilesRequest, ImportProfilesResponse, Lineage,
    ListConsentHistoryRequest, ListConsentHistoryResponse, ListPreferenceHistoryRequest, ListPreferenceHistoryResponse,
    MergeProfilesRequest, MergeProfilesResponse, PreviewMergeRequest, PreviewMergeResponse, Profile,
    RestrictProcessingRequest, SearchProfilesRequest, SearchProfilesResponse, SetConsentRequest, SetFlagsRequest,
    SetPreferencesRequest, SplitProfileRequest, SplitProfileResponse, WatchProfilesRequest, WatchProfilesResponse,
};
use rapport_kernel::{Clock, PageKey};
use rapport_platform::bulk::{Acks, Import};
use rapport_platform::rpc::{call_of, unary};
use rapport_platform::status;
use tonic::{Request, Response, Status, Streaming};

use super::bulk::Identifications;
use super::receipt;
use crate::convert::mask::ProfileFields;
use crate::convert::{answer, identify, profile, request as ask, search, standing};
use crate::service::Profiles;
use crate::service::history::{Cursor, Listing};

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
            let input = identify::identification(&message, call.now, &rules)
                .inspect_err(|fault| self.profiles.refused(call.tenant(), &message.source, fault, call.now))?;
            let encode = |outcome: &_| answer::identified(outcome).encode_to_vec();
            let receipt = receipt("Identify", &message.request_id, &message, encode);
            self.profiles.identify(&call, receipt, input).await?.message(answer::identified)
        })
        .await
    }

    type ImportProfilesStream = Acks<ImportProfilesResponse>;

    async fn import_profiles(
        &self,
        request: Request<Streaming<ImportProfilesRequest>>,
    ) -> Result<Response<Self::ImportProfilesStream>, Status> {
        let call = call_of(&request).map_err(status)?;
        let (intake, clock) = (Identifications(self.profiles.clone()), Arc::clone(&self.clock));
        let import = Import::new(request.into_inner(), intake, clock, call);
        Ok(Response::new(import.acks(|ack| ImportProfilesResponse { ack: Some(ack) })))
    }

    async fn get_profile(&self, request: Request<GetProfileRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message| {
            let rules = self.profiles.rules(&call).await?;
            let (named, as_of, min_revision, mask) = ask::get(&message, &rules.namespaces, &self.fields)?;
            mask.apply(match as_of {
                None => profile::profile(&*self.profiles.get(&call, &named, min_revision).await?),
                Some(at) => profile::profile(&self.profiles.get_as_of(&call, &named, at.min(call.now)).await?),
            })
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
            self.profiles.merge(&call, receipt, input).await?.message(answer::merged)
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
            self.profiles.split(&call, receipt, input).await?.message(answer::separated)
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
            let encode = |outcome: &_| answer::said(outcome).encode_to_vec();
            let receipt = receipt("SetConsent", &message.request_id, &message, encode);
            self.profiles.say(&call, receipt, input).await?.message(answer::said)
        })
        .await
    }

    async fn restrict_processing(
        &self,
        request: Request<RestrictProcessingRequest>,
    ) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message: RestrictProcessingRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = standing::restrict(&message, call.now, &rules.namespaces)?;
            let encode = |outcome: &_| answer::said(outcome).encode_to_vec();
            let receipt = receipt("RestrictProcessing", &message.request_id, &message, encode);
            self.profiles.say(&call, receipt, input).await?.message(answer::said)
        })
        .await
    }

    async fn set_preferences(&self, request: Request<SetPreferencesRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message: SetPreferencesRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = standing::set_preferences(&message, call.now, &rules.namespaces)?;
            let encode = |outcome: &_| answer::said(outcome).encode_to_vec();
            let receipt = receipt("SetPreferences", &message.request_id, &message, encode);
            self.profiles.say(&call, receipt, input).await?.message(answer::said)
        })
        .await
    }

    async fn set_flags(&self, request: Request<SetFlagsRequest>) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message: SetFlagsRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = standing::set_flags(&message, call.now, &rules.namespaces)?;
            let encode = |outcome: &_| answer::said(outcome).encode_to_vec();
            let receipt = receipt("SetFlags", &message.request_id, &message, encode);
            self.profiles.say(&call, receipt, input).await?.message(answer::said)
        })
        .await
    }

    async fn delete_source_record(
        &self,
        request: Request<DeleteSourceRecordRequest>,
    ) -> Result<Response<Profile>, Status> {
        unary(request, async |call, message: DeleteSourceRecordRequest| {
            let input = standing::delete(&message, call.now)?;
            let encode = |outcome: &_| answer::said(outcome).encode_to_vec();
            let receipt = receipt("DeleteSourceRecord", &message.request_id, &message, encode);
            self.profiles.delete_record(&call, receipt, input).await?.message(answer::said)
        })
        .await
    }

    async fn list_consent_history(
        &self,
        request: Request<ListConsentHistoryRequest>,
    ) -> Result<Response<ListConsentHistoryResponse>, Status> {
        unary(request, async |call, message: ListConsentHistoryRequest| {
            let rules = self.profiles.rules(&call).await?;
            let (named, size) = standing::consent_history(&message, &rules.namespaces)?;
            let list = format!("ListConsentHistory/{}", of(&message.customer, &message.purpose));
            let after = self.page_key.open::<Cursor>(call.tenant(), &list, &message.page_token)?;
            let listing = Listing { named, after, size };
            let page = self.profiles.consent_history(&call, listing, &message.purpose).await?;
            let next = page.next.map(|cursor| self.page_key.seal(call.tenant(), &list, &cursor));
            Ok(ListConsentHistoryResponse {
                statements: page.items.iter().map(standing::consent_statement).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn list_preference_history(
        &self,
        request: Request<ListPreferenceHistoryRequest>,
    ) -> Result<Response<ListPreferenceHistoryResponse>, Status> {
        unary(request, async |call, message: ListPreferenceHistoryRequest| {
            let rules = self.profiles.rules(&call).await?;
            let (named, preference, size) = standing::preference_history(&message, &rules.namespaces)?;
            let list = format!("ListPreferenceHistory/{}", of(&message.customer, &message.field));
            let after = self.page_key.open::<Cursor>(call.tenant(), &list, &message.page_token)?;
            let listing = Listing { named, after, size };
            let page = self.profiles.preference_history(&call, listing, preference).await?;
            let next = page.next.map(|cursor| self.page_key.seal(call.tenant(), &list, &cursor));
            Ok(ListPreferenceHistoryResponse {
                changes: page.items.iter().map(standing::preference_change).collect(),
                next_page_token: next.unwrap_or_default(),
            })
        })
        .await
    }
}

/// Whose history and of what: a page token is for that alone.
fn of(customer: &Option<CustomerRef>, what: &str) -> String {
    let customer = customer.as_ref().map(CustomerRef::encode_to_vec).unwrap_or_default();
    format!("{what}/{}", customer.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
