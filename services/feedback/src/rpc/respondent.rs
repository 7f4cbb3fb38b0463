//! `rapport.feedback.v1.RespondentService`: what the gateway's page asks for whoever holds a token.

use prost::Message as _;
use rapport_api::feedback::v1::respondent_service_server::RespondentService;
use rapport_api::feedback::v1::{
    EraseByCodeRequest, EraseByCodeResponse, GetInvitedQuestionnaireRequest, InvitedQuestionnaire, InvitedResponse,
    ReadTokenRequest, ReadTokenResponse, SubmitInvitedResponseRequest, UnsubscribeRequest, UnsubscribeResponse,
};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::{respondent as convert, response};
use crate::service::Asking;

/// The service.
pub struct RespondentRpc(pub Asking);

#[tonic::async_trait]
impl RespondentService for RespondentRpc {
    async fn read_token(&self, request: Request<ReadTokenRequest>) -> Result<Response<ReadTokenResponse>, Status> {
        unary(request, async |_, message| convert::read_token(&message)).await
    }

    async fn get_invited_questionnaire(
        &self,
        request: Request<GetInvitedQuestionnaireRequest>,
    ) -> Result<Response<InvitedQuestionnaire>, Status> {
        unary(request, async |call, message| {
            let asked = convert::asked(message, call.tenant())?;
            Ok(convert::render(&self.0.questionnaire(&call, asked).await?))
        })
        .await
    }

    async fn submit_invited_response(
        &self,
        request: Request<SubmitInvitedResponseRequest>,
    ) -> Result<Response<InvitedResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let submission = convert::submit(message, bytes, call.tenant())?;
            let mut taken = self.0.submit_invited(&call, submission).await?.message(response::render)?;
            if let Some(id) = response::erasable(&taken) {
                taken.erasure_code = self.0.code(&call, id);
            }
            Ok(convert::taken(taken))
        })
        .await
    }

    async fn unsubscribe(&self, request: Request<UnsubscribeRequest>) -> Result<Response<UnsubscribeResponse>, Status> {
        unary(request, async |call, message| {
            let token = convert::unsubscribe(&message, call.tenant())?;
            let (channel, purpose) = self.0.unsubscribe(&call, &token).await?;
            Ok(UnsubscribeResponse { channel, purpose })
        })
        .await
    }

    async fn erase_by_code(
        &self,
        request: Request<EraseByCodeRequest>,
    ) -> Result<Response<EraseByCodeResponse>, Status> {
        unary(request, async |call, message| {
            self.0.erase_by_code(&call, &convert::erase(&message, call.tenant())?).await?;
            Ok(EraseByCodeResponse {})
        })
        .await
    }
}
