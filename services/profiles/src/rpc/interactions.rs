//! InteractionService. The bulk call commits in batches: what is acknowledged is durable, and an import that was cut off
//! goes on after the last acknowledgement.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use prost::Message as _;
use rapport_api::common::v1::{BulkAck, BulkError, BulkFieldViolation};
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::interaction_service_server::InteractionService;
use rapport_kernel::{Fault, PageKey};
use rapport_platform::{Call, rpc, status};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use super::{answered, receipt};
use crate::convert::interaction as convert;
use crate::domain::interaction::Telling;
use crate::service::Profiles;
use crate::service::interactions::One;

/// Items of one commit at most.
const BATCH: usize = 1_000;
/// How long a batch waits for its next item before it is committed as it is.
const PATIENCE: Duration = Duration::from_millis(2);
/// How many refused items an acknowledgement names.
const NAMED: usize = 100;

/// The interaction calls.
pub struct InteractionRpc(pub Profiles, pub PageKey);

#[tonic::async_trait]
impl InteractionService for InteractionRpc {
    async fn record_interaction(
        &self,
        request: Request<pb::RecordInteractionRequest>,
    ) -> Result<Response<pb::RecordInteractionResponse>, Status> {
        rpc::unary(request, |call, message| async move {
            let receipt =
                receipt("RecordInteraction", &message.request_id, &message, |one| render(one).encode_to_vec());
            let telling = convert::record(message, self.0.namespaces(), call.now)?;
            answered(self.0.record(&call, telling, receipt).await?, render)
        })
        .await
    }

    type RecordInteractionsStream = Pin<Box<dyn Stream<Item = Result<pb::RecordInteractionsResponse, Status>> + Send>>;

    async fn record_interactions(
        &self,
        request: Request<Streaming<pb::RecordInteractionsRequest>>,
    ) -> Result<Response<Self::RecordInteractionsStream>, Status> {
        let call = rpc::call_of(&request).map_err(status)?;
        let import = Import { items: request.into_inner(), next: 0, ended: false, profiles: self.0.clone(), call };
        let acks = futures::stream::unfold(import, |mut import| async move {
            let ack = import.commit_next().await.transpose()?;
            Some((ack.map(|ack| pb::RecordInteractionsResponse { ack: Some(ack) }), import))
        });
        Ok(Response::new(Box::pin(acks)))
    }

    async fn list_interactions(
        &self,
        request: Request<pb::ListInteractionsRequest>,
    ) -> Result<Response<pb::ListInteractionsResponse>, Status> {
        rpc::unary(request, |call, message| async move {
            let listing = convert::list(message, self.0.namespaces())?;
            let timeline = self.0.timeline(&call, listing, &self.1).await?;
            let interaction = |held| convert::interaction(held, timeline.customer);
            let interactions = timeline.items.into_iter().map(interaction).collect();
            Ok(pb::ListInteractionsResponse { interactions, next_page_token: timeline.next.unwrap_or_default() })
        })
        .await
    }
}

fn render(one: &One) -> pb::RecordInteractionResponse {
    let recorded = one.recorded.clone();
    let outcome = convert::outcome(recorded.outcome).into();
    let interaction = Some(convert::interaction(recorded.interaction, recorded.customer));
    pb::RecordInteractionResponse { interaction, outcome }
}

/// A bulk recording under way.
struct Import {
    items: Streaming<pb::RecordInteractionsRequest>,
    /// The index of the next item.
    next: i64,
    ended: bool,
    profiles: Profiles,
    call: Call,
}

impl Import {
    /// Takes a batch, commits it, and says what became of it; `None` at the end of the stream.
    async fn commit_next(&mut self) -> Result<Option<BulkAck>, Status> {
        if self.ended {
            return Ok(None);
        }
        let (mut tellings, mut refused) = (Vec::new(), Vec::new());
        let first = self.next;
        while usize::try_from(self.next - first).is_ok_and(|taken| taken < BATCH) {
            let item = if self.next == first {
                // Nothing waits for a commit: the next item may take its time.
                self.items.message().await
            } else {
                match timeout(PATIENCE, self.items.message()).await {
                    Ok(item) => item,
                    Err(_) => break,
                }
            };
            let item = match item {
                Ok(Some(item)) => item,
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                // Bytes that cannot be decoded end the stream; what came before them is committed first.
                Err(why) if self.next == first => {
                    self.ended = true;
                    return Err(why);
                }
                Err(_) => break,
            };
            match convert::item(item, self.profiles.namespaces(), self.call.now) {
                Ok(telling) => tellings.push((self.next, telling)),
                Err(fault) => refused.push((self.next, fault)),
            }
            self.next += 1;
        }
        if self.next == first {
            return Ok(None);
        }
        let accepted = self.commit(tellings, &mut refused).await.map_err(status)?;
        Ok(Some(acknowledge(self.next - 1, accepted, refused)))
    }

    /// Commits the sound items; answers how many were taken, and adds the others to `refused`.
    async fn commit(&self, tellings: Vec<(i64, Telling)>, refused: &mut Vec<(i64, Fault)>) -> Result<i64, Fault> {
        let mut accepted = 0;
        let (indexes, tellings): (Vec<_>, Vec<_>) = tellings.into_iter().unzip();
        for (index, result) in indexes.into_iter().zip(self.profiles.record_many(&self.call, tellings).await?) {
            match result {
                Ok(_) => accepted += 1,
                Err(fault) => refused.push((index, fault)),
            }
        }
        Ok(accepted)
    }
}

fn acknowledge(through_index: i64, accepted: i64, mut refused: Vec<(i64, Fault)>) -> BulkAck {
    refused.sort_by_key(|(index, _)| *index);
    let rejected = i64::try_from(refused.len()).unwrap_or(i64::MAX);
    let error = |(index, fault): (i64, Fault)| BulkError {
        index,
        reason: fault.reason.name().to_owned(),
        violations: violations(&fault),
        message: fault.message,
    };
    BulkAck { through_index, accepted, rejected, errors: refused.into_iter().take(NAMED).map(error).collect() }
}

fn violations(fault: &Fault) -> Vec<BulkFieldViolation> {
    let violation = |violation: &rapport_kernel::Violation| BulkFieldViolation {
        field: violation.field.clone(),
        description: violation.description.clone(),
    };
    fault.details.violations.as_slice().iter().map(violation).collect()
}
