//! `rapport.personalisation.v1.DecisionService`.

use std::sync::Arc;

use prost::Message as _;
use rapport_api::personalisation::v1::decision_service_server::DecisionService;
use rapport_api::personalisation::v1::{
    DecideRequest, Decision, GetDecisionRequest, ReplayDecisionRequest, ReplayDecisionResponse,
};
use rapport_data::Receipt;
use rapport_kernel::Fault;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::decision as convert;
use crate::service::{Decisions, Made};

/// The service.
pub struct DecisionRpc(pub Decisions);

/// As it is answered, and kept for a replay.
fn encode(made: &Arc<Made>) -> Vec<u8> {
    made.answer().to_vec()
}

#[tonic::async_trait]
impl DecisionService for DecisionRpc {
    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<Decision>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let question = convert::decide(message)?;
            let receipt = question.request_id.map(|id| Receipt::new("Decide", Some(id), &bytes, encode));
            self.0.decide(&call, receipt, question).await?.message(|made| convert::render(&made.decision))
        })
        .await
    }

    async fn get_decision(&self, request: Request<GetDecisionRequest>) -> Result<Response<Decision>, Status> {
        unary(request, async |call, message| {
            let id = convert::get(&message)?;
            Decision::decode(&*self.0.get(&call, id).await?).map_err(Fault::internal)
        })
        .await
    }

    async fn replay_decision(
        &self,
        request: Request<ReplayDecisionRequest>,
    ) -> Result<Response<ReplayDecisionResponse>, Status> {
        unary(request, async |call, message| {
            let id = convert::replay(&message)?;
            let replayed = self.0.replay(&call, id).await?;
            let (decision, identical) = (Some(convert::render(&replayed.decision)), replayed.identical);
            Ok(ReplayDecisionResponse { decision, identical })
        })
        .await
    }
}
