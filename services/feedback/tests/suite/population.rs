//! A small profiles' segments and search beside feedback: the populations that a test tells it of, in pages of its own size.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::Stream;
use rapport_api::profiles::v1 as proto;
use rapport_api::profiles::v1::profile_service_server::ProfileService;
use rapport_api::profiles::v1::segment_service_server::SegmentService;
use rapport_kernel::{Fault, SubjectId, TenantId};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// A page holds so many at most, whatever is asked for.
const PAGE: usize = 40;

/// The populations.
#[derive(Clone, Default)]
pub struct Populations(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    segments: HashMap<(TenantId, String), Segment>,
    everybody: HashMap<TenantId, Vec<SubjectId>>,
}

struct Segment {
    members: Vec<SubjectId>,
    is_filled: bool,
}

impl Populations {
    /// A segment of these members.
    pub fn segment(&self, tenant: TenantId, members: &[SubjectId], is_filled: bool) -> String {
        let id = Uuid::now_v7().to_string();
        let segment = Segment { members: members.to_vec(), is_filled };
        self.0.lock().expect("no panic").segments.insert((tenant, id.clone()), segment);
        id
    }
    /// All members of a segment are found now: one more than before.
    pub fn fill(&self, tenant: TenantId, segment: &str, last: SubjectId) {
        let mut held = self.0.lock().expect("no panic");
        let segment = held.segments.get_mut(&(tenant, segment.to_owned())).expect("a segment");
        segment.members.push(last);
        segment.is_filled = true;
    }
    /// Deletes a segment.
    pub fn delete(&self, tenant: TenantId, segment: &str) {
        self.0.lock().expect("no panic").segments.remove(&(tenant, segment.to_owned()));
    }
    /// All customers there are.
    pub fn everybody(&self, tenant: TenantId, members: &[SubjectId]) {
        self.0.lock().expect("no panic").everybody.insert(tenant, members.to_vec());
    }
}

/// A page from a place on, and where the next one begins.
fn page(members: &[SubjectId], size: i32, from: &str) -> (Vec<String>, String) {
    let from: usize = from.parse().unwrap_or_default();
    let size = usize::try_from(size).expect("a size").clamp(1, PAGE);
    let ids = members.iter().skip(from).take(size).map(SubjectId::to_string).collect();
    (ids, if from + size < members.len() { (from + size).to_string() } else { String::new() })
}

type Told<T> = Result<Response<T>, Status>;
type Never<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn never<T>() -> Told<T> {
    Err(Status::internal("feedback never asks"))
}

#[tonic::async_trait]
impl SegmentService for Populations {
    async fn get_segment(&self, request: Request<proto::GetSegmentRequest>) -> Told<proto::Segment> {
        unary(request, async |call, message| {
            let held = self.0.lock().expect("no panic");
            let found = held.segments.get(&(call.tenant(), message.segment_id.clone()));
            let complete = found.ok_or_else(|| Fault::not_found("segment", message.segment_id.clone()))?.is_filled;
            let backfill = Some(proto::SegmentBackfill { complete, ..proto::SegmentBackfill::default() });
            Ok(proto::Segment { segment_id: message.segment_id, backfill, ..proto::Segment::default() })
        })
        .await
    }
    async fn list_segment_members(
        &self,
        request: Request<proto::ListSegmentMembersRequest>,
    ) -> Told<proto::ListSegmentMembersResponse> {
        unary(request, async |call, message| {
            let held = self.0.lock().expect("no panic");
            let found = held.segments.get(&(call.tenant(), message.segment_id.clone()));
            let found = found.ok_or_else(|| Fault::not_found("segment", message.segment_id.clone()))?;
            let (ids, next_page_token) = page(&found.members, message.page_size, &message.page_token);
            let member = |customer_id| proto::SegmentMember { customer_id, ..proto::SegmentMember::default() };
            let members = ids.into_iter().map(member).collect();
            Ok(proto::ListSegmentMembersResponse { members, next_page_token })
        })
        .await
    }
    async fn create_segment(&self, _: Request<proto::CreateSegmentRequest>) -> Told<proto::Segment> {
        never()
    }
    async fn list_segments(&self, _: Request<proto::ListSegmentsRequest>) -> Told<proto::ListSegmentsResponse> {
        never()
    }
    async fn update_segment(&self, _: Request<proto::UpdateSegmentRequest>) -> Told<proto::Segment> {
        never()
    }
    async fn delete_segment(&self, _: Request<proto::DeleteSegmentRequest>) -> Told<proto::DeleteSegmentResponse> {
        never()
    }
    async fn preview_segment(&self, _: Request<proto::PreviewSegmentRequest>) -> Told<proto::PreviewSegmentResponse> {
        never()
    }
    type WatchSegmentStream = Never<proto::WatchSegmentResponse>;
    async fn watch_segment(&self, _: Request<proto::WatchSegmentRequest>) -> Told<Self::WatchSegmentStream> {
        never()
    }
    async fn get_segment_dynamics(
        &self,
        _: Request<proto::GetSegmentDynamicsRequest>,
    ) -> Told<proto::GetSegmentDynamicsResponse> {
        never()
    }
    async fn get_lifecycle(&self, _: Request<proto::GetLifecycleRequest>) -> Told<proto::Lifecycle> {
        never()
    }
    async fn update_lifecycle(&self, _: Request<proto::UpdateLifecycleRequest>) -> Told<proto::Lifecycle> {
        never()
    }
}

#[tonic::async_trait]
impl ProfileService for Populations {
    async fn search_profiles(
        &self,
        request: Request<proto::SearchProfilesRequest>,
    ) -> Told<proto::SearchProfilesResponse> {
        unary(request, async |call, message| {
            let held = self.0.lock().expect("no panic");
            let members = held.everybody.get(&call.tenant()).cloned().unwrap_or_default();
            let (ids, next_page_token) = page(&members, message.page_size, &message.page_token);
            let profile = |customer_id| proto::Profile { customer_id, ..proto::Profile::default() };
            let profiles = ids.into_iter().map(profile).collect();
            Ok(proto::SearchProfilesResponse { profiles, next_page_token })
        })
        .await
    }
    async fn identify(&self, _: Request<proto::IdentifyRequest>) -> Told<proto::IdentifyResponse> {
        never()
    }
    type ImportProfilesStream = Never<proto::ImportProfilesResponse>;
    async fn import_profiles(
        &self,
        _: Request<Streaming<proto::ImportProfilesRequest>>,
    ) -> Told<Self::ImportProfilesStream> {
        never()
    }
    async fn get_profile(&self, _: Request<proto::GetProfileRequest>) -> Told<proto::Profile> {
        never()
    }
    async fn batch_get_profiles(
        &self,
        _: Request<proto::BatchGetProfilesRequest>,
    ) -> Told<proto::BatchGetProfilesResponse> {
        never()
    }
    type WatchProfilesStream = Never<proto::WatchProfilesResponse>;
    async fn watch_profiles(&self, _: Request<proto::WatchProfilesRequest>) -> Told<Self::WatchProfilesStream> {
        never()
    }
    async fn preview_merge(&self, _: Request<proto::PreviewMergeRequest>) -> Told<proto::PreviewMergeResponse> {
        never()
    }
    async fn merge_profiles(&self, _: Request<proto::MergeProfilesRequest>) -> Told<proto::MergeProfilesResponse> {
        never()
    }
    async fn split_profile(&self, _: Request<proto::SplitProfileRequest>) -> Told<proto::SplitProfileResponse> {
        never()
    }
    async fn get_lineage(&self, _: Request<proto::GetLineageRequest>) -> Told<proto::Lineage> {
        never()
    }
    async fn set_consent(&self, _: Request<proto::SetConsentRequest>) -> Told<proto::Profile> {
        never()
    }
    async fn list_consent_history(
        &self,
        _: Request<proto::ListConsentHistoryRequest>,
    ) -> Told<proto::ListConsentHistoryResponse> {
        never()
    }
    async fn restrict_processing(&self, _: Request<proto::RestrictProcessingRequest>) -> Told<proto::Profile> {
        never()
    }
    async fn set_preferences(&self, _: Request<proto::SetPreferencesRequest>) -> Told<proto::Profile> {
        never()
    }
    async fn list_preference_history(
        &self,
        _: Request<proto::ListPreferenceHistoryRequest>,
    ) -> Told<proto::ListPreferenceHistoryResponse> {
        never()
    }
    async fn set_flags(&self, _: Request<proto::SetFlagsRequest>) -> Told<proto::Profile> {
        never()
    }
    async fn delete_source_record(&self, _: Request<proto::DeleteSourceRecordRequest>) -> Told<proto::Profile> {
        never()
    }
}
