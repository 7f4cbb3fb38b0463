//! `rapport.feedback.v1.FollowUpService`.

use std::pin::Pin;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::follow_up_service_server::FollowUpService;
use rapport_data::Receipt;
use rapport_kernel::PageKey;
use rapport_platform::rpc::unary;
use rapport_platform::status;
use tonic::{Request, Response, Status};

use crate::convert::follow_up::{self as convert, render, rule};
use crate::convert::ticket::token;
use crate::domain::follow_up::FollowUp;
use crate::service::FollowUps;
use crate::store::follow_up::rule::Kept;

/// The service.
pub struct FollowUpRpc {
    /// What it works on.
    pub follow_ups: FollowUps,
    /// Seals the tokens of watches.
    pub page_key: PageKey,
}

fn bytes(one: &FollowUp) -> Vec<u8> {
    render::follow_up(one).encode_to_vec()
}

fn rule_bytes(kept: &Kept) -> Vec<u8> {
    rule::render(kept).encode_to_vec()
}

#[tonic::async_trait]
impl FollowUpService for FollowUpRpc {
    async fn create_follow_up_rule(
        &self,
        request: Request<proto::CreateFollowUpRuleRequest>,
    ) -> Result<Response<proto::FollowUpRule>, Status> {
        unary(request, async |call, message: proto::CreateFollowUpRuleRequest| {
            let (request, wanted) = rule::create(&message)?;
            let receipt = Receipt::new("CreateFollowUpRule", request, &message.encode_to_vec(), rule_bytes);
            self.follow_ups.create_rule(&call, receipt, wanted).await?.message(rule::render)
        })
        .await
    }

    async fn get_follow_up_rule(
        &self,
        request: Request<proto::GetFollowUpRuleRequest>,
    ) -> Result<Response<proto::FollowUpRule>, Status> {
        unary(request, async |call, message: proto::GetFollowUpRuleRequest| {
            let id = rule::which(&message, &message.rule_id)?;
            Ok(rule::render(&self.follow_ups.rule(&call, id).await?))
        })
        .await
    }

    async fn list_follow_up_rules(
        &self,
        request: Request<proto::ListFollowUpRulesRequest>,
    ) -> Result<Response<proto::ListFollowUpRulesResponse>, Status> {
        unary(request, async |call, message: proto::ListFollowUpRulesRequest| {
            let size = crate::convert::sla::page(&message, message.page_size)?;
            let page = self.follow_ups.rules(&call, size, &message.page_token).await?;
            let rules = page.items.iter().map(rule::render).collect();
            Ok(proto::ListFollowUpRulesResponse { rules, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_follow_up_rule(
        &self,
        request: Request<proto::UpdateFollowUpRuleRequest>,
    ) -> Result<Response<proto::FollowUpRule>, Status> {
        unary(request, async |call, message: proto::UpdateFollowUpRuleRequest| {
            let (request, change) = rule::update(&message)?;
            let receipt = Receipt::new("UpdateFollowUpRule", request, &message.encode_to_vec(), rule_bytes);
            self.follow_ups.update_rule(&call, receipt, change).await?.message(rule::render)
        })
        .await
    }

    async fn delete_follow_up_rule(
        &self,
        request: Request<proto::DeleteFollowUpRuleRequest>,
    ) -> Result<Response<proto::DeleteFollowUpRuleResponse>, Status> {
        unary(request, async |call, message: proto::DeleteFollowUpRuleRequest| {
            let id = rule::which(&message, &message.rule_id)?;
            let request = rule::request(&message.request_id)?;
            let receipt = Receipt::new("DeleteFollowUpRule", request, &message.encode_to_vec(), |()| Vec::new());
            let answer = self.follow_ups.delete_rule(&call, receipt, id, message.etag).await?;
            answer.message(|()| proto::DeleteFollowUpRuleResponse {})
        })
        .await
    }

    async fn create_follow_up(
        &self,
        request: Request<proto::CreateFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::CreateFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, manual) = convert::create(message)?;
            let receipt = Receipt::new("CreateFollowUp", request, &encoded, bytes);
            self.follow_ups.create(&call, receipt, manual).await?.message(render::follow_up)
        })
        .await
    }

    async fn get_follow_up(
        &self,
        request: Request<proto::GetFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::GetFollowUpRequest| {
            let id = convert::which(&message, &message.follow_up_id)?;
            Ok(render::follow_up(&self.follow_ups.get(&call, id).await?))
        })
        .await
    }

    async fn list_follow_ups(
        &self,
        request: Request<proto::ListFollowUpsRequest>,
    ) -> Result<Response<proto::ListFollowUpsResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.follow_ups.list(&call, convert::list(message)?).await?;
            let follow_ups = page.items.iter().map(render::follow_up).collect();
            Ok(proto::ListFollowUpsResponse { follow_ups, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn assign_follow_up(
        &self,
        request: Request<proto::AssignFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::AssignFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, act, wanted) = convert::assign(message)?;
            let receipt = Receipt::new("AssignFollowUp", request, &encoded, bytes);
            self.follow_ups.assign(&call, receipt, act, wanted).await?.message(render::follow_up)
        })
        .await
    }

    async fn start_follow_up(
        &self,
        request: Request<proto::StartFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::StartFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, act) = convert::start(message)?;
            let receipt = Receipt::new("StartFollowUp", request, &encoded, bytes);
            self.follow_ups.start(&call, receipt, act).await?.message(render::follow_up)
        })
        .await
    }

    async fn comment_follow_up(
        &self,
        request: Request<proto::CommentFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::CommentFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, act, text) = convert::comment(message)?;
            let receipt = Receipt::new("CommentFollowUp", request, &encoded, bytes);
            self.follow_ups.comment(&call, receipt, act, text).await?.message(render::follow_up)
        })
        .await
    }

    async fn resolve_follow_up(
        &self,
        request: Request<proto::ResolveFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::ResolveFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, act, how) = convert::resolve(message)?;
            let receipt = Receipt::new("ResolveFollowUp", request, &encoded, bytes);
            self.follow_ups.resolve(&call, receipt, act, how).await?.message(render::follow_up)
        })
        .await
    }

    async fn cancel_follow_up(
        &self,
        request: Request<proto::CancelFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::CancelFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, act, note) = convert::cancel(message)?;
            let receipt = Receipt::new("CancelFollowUp", request, &encoded, bytes);
            self.follow_ups.cancel(&call, receipt, act, note).await?.message(render::follow_up)
        })
        .await
    }

    async fn reopen_follow_up(
        &self,
        request: Request<proto::ReopenFollowUpRequest>,
    ) -> Result<Response<proto::FollowUp>, Status> {
        unary(request, async |call, message: proto::ReopenFollowUpRequest| {
            let encoded = message.encode_to_vec();
            let (request, act, due_at, note) = convert::reopen(message)?;
            let receipt = Receipt::new("ReopenFollowUp", request, &encoded, bytes);
            self.follow_ups.reopen(&call, receipt, act, due_at, note).await?.message(render::follow_up)
        })
        .await
    }

    async fn list_follow_up_history(
        &self,
        request: Request<proto::ListFollowUpHistoryRequest>,
    ) -> Result<Response<proto::ListFollowUpHistoryResponse>, Status> {
        unary(request, async |call, message: proto::ListFollowUpHistoryRequest| {
            let (id, size) = convert::history(&message)?;
            let page = self.follow_ups.history(&call, id, size, &message.page_token).await?;
            let events = page.items.iter().map(render::entry).collect();
            Ok(proto::ListFollowUpHistoryResponse { events, next_page_token: page.next_page_token })
        })
        .await
    }

    type WatchFollowUpsStream = Pin<Box<dyn Stream<Item = Result<proto::WatchFollowUpsResponse, Status>> + Send>>;

    async fn watch_follow_ups(
        &self,
        request: Request<proto::WatchFollowUpsRequest>,
    ) -> Result<Response<Self::WatchFollowUpsStream>, Status> {
        unary(request, async |call, message: proto::WatchFollowUpsRequest| {
            let watching = convert::watch(&message)?;
            let (tenant, page_key) = (call.tenant(), self.page_key.clone());
            let from = page_key.open(tenant, convert::WATCH, &message.resume_token).map_err(token)?;
            let watch = self.follow_ups.watch(call, watching, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let page_key = page_key.clone();
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, convert::WATCH, &told.places);
                    let change = told.change.as_ref().map(render::change);
                    Ok(Some((proto::WatchFollowUpsResponse { resume_token, change }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchFollowUpsStream)
        })
        .await
    }
}
