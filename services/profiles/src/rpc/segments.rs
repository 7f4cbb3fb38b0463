//! `rapport.profiles.v1.SegmentService`.

use std::pin::Pin;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::segment_service_server::SegmentService;
use rapport_kernel::PageKey;
use rapport_platform::rpc::unary;
use rapport_platform::status;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::segments as convert;
use crate::service::Profiles;

/// Segments and stages.
pub struct SegmentRpc {
    /// What they work on.
    pub profiles: Profiles,
    /// Seals the tokens of pages.
    pub page_key: PageKey,
}

#[tonic::async_trait]
impl SegmentService for SegmentRpc {
    async fn create_segment(
        &self,
        request: Request<pb::CreateSegmentRequest>,
    ) -> Result<Response<pb::Segment>, Status> {
        unary(request, async |call, message: pb::CreateSegmentRequest| {
            let draft = convert::create(&message)?;
            let encode = |shown: &_| convert::segment(shown).encode_to_vec();
            let receipt = receipt("CreateSegment", &message.request_id, &message, encode);
            self.profiles.create_segment(&call, receipt, draft).await?.message(convert::segment)
        })
        .await
    }

    async fn get_segment(&self, request: Request<pb::GetSegmentRequest>) -> Result<Response<pb::Segment>, Status> {
        unary(request, async |call, message| {
            Ok(convert::segment(&self.profiles.segment(&call, convert::get(&message)?).await?))
        })
        .await
    }

    async fn list_segments(
        &self,
        request: Request<pb::ListSegmentsRequest>,
    ) -> Result<Response<pb::ListSegmentsResponse>, Status> {
        unary(request, async |call, message: pb::ListSegmentsRequest| {
            let size = convert::list(&message)?;
            let (items, next) = self.profiles.segments(&call, &self.page_key, size, &message.page_token).await?;
            let segments = items.iter().map(convert::segment).collect();
            Ok(pb::ListSegmentsResponse { segments, next_page_token: next.unwrap_or_default() })
        })
        .await
    }

    async fn update_segment(
        &self,
        request: Request<pb::UpdateSegmentRequest>,
    ) -> Result<Response<pb::Segment>, Status> {
        unary(request, async |call, message: pb::UpdateSegmentRequest| {
            let change = convert::update(&message)?;
            let encode = |shown: &_| convert::segment(shown).encode_to_vec();
            let receipt = receipt("UpdateSegment", &message.request_id, &message, encode);
            self.profiles.update_segment(&call, receipt, change).await?.message(convert::segment)
        })
        .await
    }

    async fn delete_segment(
        &self,
        request: Request<pb::DeleteSegmentRequest>,
    ) -> Result<Response<pb::DeleteSegmentResponse>, Status> {
        unary(request, async |call, message: pb::DeleteSegmentRequest| {
            let (id, etag) = convert::delete(&message)?;
            let encode = |operation: &_| convert::deleted(operation).encode_to_vec();
            let receipt = receipt("DeleteSegment", &message.request_id, &message, encode);
            let answer = self.profiles.delete_segment(&call, receipt, id, etag).await?;
            answer.message(convert::deleted)
        })
        .await
    }

    async fn preview_segment(
        &self,
        request: Request<pb::PreviewSegmentRequest>,
    ) -> Result<Response<pb::PreviewSegmentResponse>, Status> {
        unary(request, async |call, message| {
            let (condition, purpose, at, sample) = convert::preview(&message, call.now)?;
            let preview = self.profiles.preview_segment(&call, (&condition, purpose), at, sample).await?;
            Ok(convert::previewed(&preview))
        })
        .await
    }

    async fn list_segment_members(
        &self,
        request: Request<pb::ListSegmentMembersRequest>,
    ) -> Result<Response<pb::ListSegmentMembersResponse>, Status> {
        unary(request, async |call, message: pb::ListSegmentMembersRequest| {
            let (id, at, size) = convert::members(&message)?;
            let (key, token) = (&self.page_key, message.page_token.as_str());
            let (items, next) = self.profiles.segment_members(&call, key, (id, at), size, token).await?;
            let members = items.iter().map(convert::member).collect();
            Ok(pb::ListSegmentMembersResponse { members, next_page_token: next.unwrap_or_default() })
        })
        .await
    }

    type WatchSegmentStream = Pin<Box<dyn Stream<Item = Result<pb::WatchSegmentResponse, Status>> + Send>>;

    async fn watch_segment(
        &self,
        request: Request<pb::WatchSegmentRequest>,
    ) -> Result<Response<Self::WatchSegmentStream>, Status> {
        unary(request, async |call, message: pb::WatchSegmentRequest| {
            let id = convert::watch(&message)?;
            let (tenant, page_key, query) = (call.tenant(), self.page_key.clone(), format!("WatchSegment|{id}"));
            let from = page_key.open(tenant, &query, &message.resume_token).map_err(convert::token)?;
            let watch = self.profiles.watch_segment(&call, id, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let (page_key, query) = (page_key.clone(), query.clone());
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, &query, &told.far);
                    let change = told.change.map(convert::change);
                    Ok(Some((pb::WatchSegmentResponse { change, resume_token }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchSegmentStream)
        })
        .await
    }

    async fn get_segment_dynamics(
        &self,
        request: Request<pb::GetSegmentDynamicsRequest>,
    ) -> Result<Response<pb::GetSegmentDynamicsResponse>, Status> {
        unary(request, async |call, message| {
            let asked = convert::dynamics(&message, call.now)?;
            let all = self.profiles.segment_dynamics(&call, &asked.ids, asked.start, asked.end).await?;
            Ok(convert::grown(all, &asked))
        })
        .await
    }

    async fn get_lifecycle(
        &self,
        request: Request<pb::GetLifecycleRequest>,
    ) -> Result<Response<pb::Lifecycle>, Status> {
        unary(request, async |call, _| Ok(convert::lifecycle(&self.profiles.lifecycle(&call).await?))).await
    }

    async fn update_lifecycle(
        &self,
        request: Request<pb::UpdateLifecycleRequest>,
    ) -> Result<Response<pb::Lifecycle>, Status> {
        unary(request, async |call, message: pb::UpdateLifecycleRequest| {
            let (lifecycle, etag) = convert::update_lifecycle(&message)?;
            let encode = |lifecycle: &_| convert::lifecycle(lifecycle).encode_to_vec();
            let receipt = receipt("UpdateLifecycle", &message.request_id, &message, encode);
            let answer = self.profiles.update_lifecycle(&call, receipt, lifecycle, etag).await?;
            answer.message(convert::lifecycle)
        })
        .await
    }
}
