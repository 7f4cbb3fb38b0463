//! `rapport.feedback.v1.RespondentService`: what the gateway's page asks for whoever holds a token.

use rapport_api::feedback::v1::respondent_service_server::RespondentService;
use rapport_api::feedback::v1::{
    EraseByCodeRequest, EraseByCodeResponse, GetInvitedQuestionnaireRequest, InvitedQuestionnaire, InvitedResponse,
    ReadTokenRequest, ReadTokenResponse, SubmitInvitedResponseRequest, UnsubscribeRequest, UnsubscribeResponse,
};
use rapport_data::Answer;
use rapport_kernel::Fault;
use rapport_platform::Call;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::{respondent as convert, response};
use crate::domain;
use crate::service::Asking;

/// The service.
pub struct RespondentRpc(pub Asking);

impl RespondentRpc {
    /// What was taken, with the code of an anonymous answer: it is in no stored one, but derived again.
    fn taken(&self, call: &Call, answer: Answer<domain::Response>) -> Result<InvitedResponse, Fault> {
        let mut taken = answer.message(response::render)?;
        if let Some(id) = response::erasable(&taken) {
            taken.erasure_code = self.0.code(call, id);
        }
        Ok(convert::taken(taken))
    }
}

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
            let form = self.0.questionnaire(&call, asked).await?;
            let taken = form.taken.clone().map(|bytes| self.taken(&call, Answer::Replayed(bytes))).transpose()?;
            Ok(InvitedQuestionnaire { taken, ..convert::render(&form) })
        })
        .await
    }

    async fn submit_invited_response(
        &self,
        request: Request<SubmitInvitedResponseRequest>,
    ) -> Result<Response<InvitedResponse>, Status> {
        unary(request, async |call, message| {
            let submission = convert::submit(message, call.tenant())?;
            self.taken(&call, self.0.submit_invited(&call, submission).await?)
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
