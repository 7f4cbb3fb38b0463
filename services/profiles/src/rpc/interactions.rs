//! `rapport.profiles.v1.InteractionService`.

use std::sync::Arc;

use prost::Message as _;
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::interaction_service_server::InteractionService;
use rapport_kernel::{Clock, PageKey};
use rapport_platform::bulk::{Acks, Import};
use rapport_platform::{rpc, status};
use tonic::{Request, Response, Status, Streaming};

use super::bulk::Interactions;
use super::receipt;
use crate::convert::interaction as convert;
use crate::service::Profiles;

/// The interaction calls.
pub struct InteractionRpc {
    /// What they work on.
    pub profiles: Profiles,
    /// Seals the tokens of pages.
    pub page_key: PageKey,
    /// A stream goes on for longer than an instant: each of its items is judged by the time it came.
    pub clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl InteractionService for InteractionRpc {
    async fn record_interaction(
        &self,
        request: Request<pb::RecordInteractionRequest>,
    ) -> Result<Response<pb::RecordInteractionResponse>, Status> {
        rpc::unary(request, |call, message| async move {
            let encode = |one: &_| convert::recorded(one).encode_to_vec();
            let receipt = receipt("RecordInteraction", &message.request_id, &message, encode);
            let rules = self.profiles.rules(&call).await?;
            let source = message.interaction.as_ref().map(|of| of.source.clone()).unwrap_or_default();
            let telling = convert::record(message, &rules, call.now)
                .inspect_err(|fault| self.profiles.refused(call.tenant(), &source, fault, call.now))?;
            self.profiles.record(&call, telling, receipt).await?.message(convert::recorded)
        })
        .await
    }

    type RecordInteractionsStream = Acks<pb::RecordInteractionsResponse>;

    async fn record_interactions(
        &self,
        request: Request<Streaming<pb::RecordInteractionsRequest>>,
    ) -> Result<Response<Self::RecordInteractionsStream>, Status> {
        let call = rpc::call_of(&request).map_err(status)?;
        let (intake, clock) = (Interactions(self.profiles.clone()), Arc::clone(&self.clock));
        let import = Import::new(request.into_inner(), intake, clock, call);
        Ok(Response::new(import.acks(|ack| pb::RecordInteractionsResponse { ack: Some(ack) })))
    }

    async fn update_interaction(
        &self,
        request: Request<pb::UpdateInteractionRequest>,
    ) -> Result<Response<pb::UpdateInteractionResponse>, Status> {
        rpc::unary(request, |call, message| async move {
            let encode = |one: &_| convert::corrected(one).encode_to_vec();
            let receipt = receipt("UpdateInteraction", &message.request_id, &message, encode);
            let rules = self.profiles.rules(&call).await?;
            let correction = convert::correction(message, &rules.namespaces, call.now)?;
            self.profiles.correct(&call, correction, receipt).await?.message(convert::corrected)
        })
        .await
    }

    async fn delete_interaction(
        &self,
        request: Request<pb::DeleteInteractionRequest>,
    ) -> Result<Response<pb::DeleteInteractionResponse>, Status> {
        rpc::unary(request, |call, message| async move {
            let encode = |one: &_| convert::deleted(one).encode_to_vec();
            let receipt = receipt("DeleteInteraction", &message.request_id, &message, encode);
            let deletion = convert::deletion(message)?;
            self.profiles.delete(&call, deletion, receipt).await?.message(convert::deleted)
        })
        .await
    }

    async fn get_interaction(
        &self,
        request: Request<pb::GetInteractionRequest>,
    ) -> Result<Response<pb::Interaction>, Status> {
        rpc::unary(request, |call, message| async move {
            Ok(convert::interaction(self.profiles.interaction(&call, convert::which(message)?).await?))
        })
        .await
    }

    async fn list_interactions(
        &self,
        request: Request<pb::ListInteractionsRequest>,
    ) -> Result<Response<pb::ListInteractionsResponse>, Status> {
        rpc::unary(request, |call, message| async move {
            let rules = self.profiles.rules(&call).await?;
            let listing = convert::list(message, &rules.namespaces)?;
            let timeline = self.profiles.timeline(&call, listing, &self.page_key).await?;
            let interactions = timeline.items.into_iter().map(convert::interaction).collect();
            Ok(pb::ListInteractionsResponse { interactions, next_page_token: timeline.next.unwrap_or_default() })
        })
        .await
    }
}
