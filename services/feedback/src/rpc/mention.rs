//! `rapport.feedback.v1.MentionService`; its bulk call is [`super::bulk`].

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::mention_service_server::MentionService;
use rapport_data::Receipt;
use rapport_kernel::{Clock, Fault, PageKey, Timestamp};
use rapport_platform::bulk::{Acks, Import, Intake};
use rapport_platform::rpc::{call_of, unary};
use rapport_platform::{Call, status};
use tonic::{Request, Response, Status, Streaming};

use crate::convert::{mention as convert, ticket};
use crate::domain::mention::Mention;
use crate::service::Mentions;
use crate::service::mentions::{Recorded, Recording};

/// The service.
pub struct MentionRpc {
    /// What it works on.
    pub mentions: Mentions,
    /// Seals the tokens of watches.
    pub page_key: PageKey,
    /// A stream goes on for longer than an instant: each of its items is judged by the time it came.
    pub clock: Arc<dyn Clock>,
}

/// RecordMentions.
impl Intake for Mentions {
    type Item = proto::RecordMentionsRequest;
    type Sound = Recording;
    type Rules = ();

    const ITEMS: usize = 500;

    fn read(&self, _: &Call, (): &(), item: Self::Item, now: Timestamp) -> Result<Recording, Fault> {
        convert::item(item, now)
    }

    async fn rules(&self, _: &Call) -> Result<(), Fault> {
        Ok(())
    }

    async fn commit(&self, call: &Call, items: Vec<Recording>) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.record_many(call, items).await
    }
}

fn bytes(mention: &Mention) -> Vec<u8> {
    convert::render(mention).encode_to_vec()
}

#[tonic::async_trait]
impl MentionService for MentionRpc {
    async fn record_mention(
        &self,
        request: Request<proto::RecordMentionRequest>,
    ) -> Result<Response<proto::RecordMentionResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request, recording) = convert::record(message, call.now)?;
            let encode = |recorded: &Recorded| convert::recorded(recorded).encode_to_vec();
            let receipt = Receipt::new("RecordMention", request, &bytes, encode);
            self.mentions.record(&call, receipt, recording).await?.message(convert::recorded)
        })
        .await
    }

    type RecordMentionsStream = Acks<proto::RecordMentionsResponse>;

    async fn record_mentions(
        &self,
        request: Request<Streaming<proto::RecordMentionsRequest>>,
    ) -> Result<Response<Self::RecordMentionsStream>, Status> {
        let call = call_of(&request).map_err(status)?;
        let import = Import::new(request.into_inner(), self.mentions.clone(), Arc::clone(&self.clock), call);
        Ok(Response::new(import.acks(|ack| proto::RecordMentionsResponse { ack: Some(ack) })))
    }

    async fn get_mention(
        &self,
        request: Request<proto::GetMentionRequest>,
    ) -> Result<Response<proto::Mention>, Status> {
        unary(request, async |call, message: proto::GetMentionRequest| {
            Ok(convert::render(&self.mentions.get(&call, convert::get(&message)?).await?))
        })
        .await
    }

    async fn list_mentions(
        &self,
        request: Request<proto::ListMentionsRequest>,
    ) -> Result<Response<proto::ListMentionsResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.mentions.list(&call, convert::list(message)?).await?;
            let mentions = page.items.iter().map(convert::render).collect();
            Ok(proto::ListMentionsResponse { mentions, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn reply_to_mention(
        &self,
        request: Request<proto::ReplyToMentionRequest>,
    ) -> Result<Response<proto::Mention>, Status> {
        unary(request, async |call, message| {
            let encoded = message.encode_to_vec();
            let (request, id, replying) = convert::reply(message, call.now)?;
            let receipt = Receipt::new("ReplyToMention", request, &encoded, bytes);
            self.mentions.reply(&call, receipt, id, replying).await?.message(convert::render)
        })
        .await
    }

    async fn delete_mention(
        &self,
        request: Request<proto::DeleteMentionRequest>,
    ) -> Result<Response<proto::DeleteMentionResponse>, Status> {
        unary(request, async |call, message: proto::DeleteMentionRequest| {
            let (request, id) = convert::delete(&message)?;
            let receipt = Receipt::new("DeleteMention", request, &message.encode_to_vec(), |()| Vec::new());
            let answer = self.mentions.delete(&call, receipt, id, message.etag).await?;
            answer.message(|()| proto::DeleteMentionResponse {})
        })
        .await
    }

    async fn list_testimonials(
        &self,
        request: Request<proto::ListTestimonialsRequest>,
    ) -> Result<Response<proto::ListTestimonialsResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.mentions.testimonials(&call, convert::testimonials(message)?).await?;
            let testimonials = page.items.iter().map(convert::testimonial).collect();
            Ok(proto::ListTestimonialsResponse { testimonials, next_page_token: page.next_page_token })
        })
        .await
    }

    type WatchMentionsStream = Pin<Box<dyn Stream<Item = Result<proto::WatchMentionsResponse, Status>> + Send>>;

    async fn watch_mentions(
        &self,
        request: Request<proto::WatchMentionsRequest>,
    ) -> Result<Response<Self::WatchMentionsStream>, Status> {
        unary(request, async |call, message: proto::WatchMentionsRequest| {
            let watched = convert::watch(&message)?;
            let (tenant, page_key) = (call.tenant(), self.page_key.clone());
            let from = page_key.open(tenant, convert::WATCH, &message.resume_token).map_err(ticket::token)?;
            let watch = self.mentions.watch(call, watched, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let page_key = page_key.clone();
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, convert::WATCH, &told.places);
                    let change = told.change.as_ref().map(convert::change);
                    Ok::<_, Fault>(Some((proto::WatchMentionsResponse { resume_token, change }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchMentionsStream)
        })
        .await
    }
}
