//! What the respondents' page asks of feedback, for whoever holds an invitation's token or an answer's code.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rapport_api::feedback::v1::respondent_service_client::RespondentServiceClient;
use rapport_api::feedback::v1::{
    EraseByCodeRequest, GetInvitedQuestionnaireRequest, ReadTokenRequest, SubmitInvitedResponseRequest,
    UnsubscribeRequest,
};
use rapport_kernel::{Caller, Clock, Fault, Private, RequestId, TenantId};
use rapport_platform::stack::RequestId as Name;
use rapport_platform::{Call, PeerChannel, Peers, fault};
use tokio::time::Instant;
use uuid::Uuid;

use crate::convert::respondent as convert;
use crate::domain::questionnaire::{Answer, Questionnaire, Taken};

/// Feedback, as the page sees it.
#[derive(Clone)]
pub struct Respondents {
    peers: Peers,
    clock: Arc<dyn Clock>,
}

/// Who asks: the holder of a token, in the name of its tenant.
pub struct Holder {
    call: Call,
    token: Private<String>,
}

/// What is answered.
pub struct Submission {
    /// Makes a repetition harmless.
    pub request: RequestId,
    /// The answers, by their questions; none: taken back.
    pub answers: Vec<(String, Option<Answer>)>,
    /// Whether more is to come.
    pub partial: bool,
    /// Of an anonymous survey: the partial answer that is gone on with.
    pub response: Option<String>,
    /// The language it was answered in.
    pub language: String,
    /// The time spent on questions, as far as known.
    pub times: BTreeMap<String, Duration>,
}

impl Holder {
    /// Whose token it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.call.tenant()
    }
}

impl Respondents {
    /// By way of `peers`.
    #[must_use]
    pub fn new(peers: Peers, clock: Arc<dyn Clock>) -> Self {
        Self { peers, clock }
    }

    /// Whoever holds a token. A damaged one is held by somebody of a tenant that there is not: what it asks is looked up like
    /// any other, so that the time tells nothing.
    ///
    /// # Errors
    /// UNAVAILABLE where feedback cannot be reached.
    pub async fn holder(&self, token: Private<String>, name: Name, until: Option<Instant>) -> Result<Holder, Fault> {
        let call = |tenant| Call {
            caller: Arc::new(Caller::internal(tenant)),
            request_id: name.clone(),
            deadline: until,
            now: self.clock.now(),
        };
        let nobody = TenantId::from_uuid(Uuid::nil());
        let request = ReadTokenRequest { token: token.expose().clone() };
        let tenant = match self.client(&call(nobody)).read_token(request).await.map_err(|status| fault(&status)) {
            Ok(read) => read.into_inner().tenant_id.parse().map_err(Fault::internal)?,
            Err(unknown) if unknown.reason == rapport_kernel::Reason::ResourceNotFound => nobody,
            Err(fault) => return Err(fault),
        };
        Ok(Holder { call: call(tenant), token })
    }

    /// What the holder is asked, in a language; empty: the one that was named, else the survey's own. Where a `request` is named
    /// that was taken, what it was answered with.
    ///
    /// # Errors
    /// NOT_FOUND, FAILED_PRECONDITION where the token can no longer be used; UNAVAILABLE.
    pub async fn questionnaire(
        &self,
        holder: &Holder,
        language: &str,
        response: Option<&str>,
        request: Option<RequestId>,
    ) -> Result<Questionnaire, Fault> {
        let request = GetInvitedQuestionnaireRequest {
            token: holder.token.expose().clone(),
            language: language.to_owned(),
            response_id: response.unwrap_or_default().to_owned(),
            request_id: request.map(|request| request.to_string()).unwrap_or_default(),
        };
        let answer = self.client(&holder.call).get_invited_questionnaire(request).await;
        convert::questionnaire(answer.map_err(|status| fault(&status))?.into_inner())
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// As [`Respondents::questionnaire`]; INVALID_ARGUMENT with what the survey does not take.
    pub async fn submit(&self, holder: &Holder, submission: Submission) -> Result<Taken, Fault> {
        let answers = submission.answers.into_iter();
        let request = SubmitInvitedResponseRequest {
            request_id: submission.request.to_string(),
            token: holder.token.expose().clone(),
            answers: answers.map(|(question, answer)| convert::said(&question, answer)).collect(),
            partial: submission.partial,
            response_id: submission.response.unwrap_or_default(),
            language: submission.language,
            times: submission.times.into_iter().map(|(id, time)| (id, convert::length(time))).collect(),
        };
        let answer = self.client(&holder.call).submit_invited_response(request).await;
        Ok(convert::taken(answer.map_err(|status| fault(&status))?.into_inner()))
    }

    /// Withdraws the holder's consent to be asked; answers on which channel.
    ///
    /// # Errors
    /// NOT_FOUND; UNAVAILABLE.
    pub async fn unsubscribe(&self, holder: &Holder) -> Result<String, Fault> {
        let request = UnsubscribeRequest { token: holder.token.expose().clone() };
        let answer = self.client(&holder.call).unsubscribe(request).await;
        Ok(answer.map_err(|status| fault(&status))?.into_inner().channel)
    }

    /// Erases the answer whose code the holder has; without a word where there is none.
    ///
    /// # Errors
    /// UNAVAILABLE.
    pub async fn erase(&self, holder: &Holder) -> Result<(), Fault> {
        let request = EraseByCodeRequest { code: holder.token.expose().clone() };
        self.client(&holder.call).erase_by_code(request).await.map(drop).map_err(|status| fault(&status))
    }

    fn client(&self, call: &Call) -> RespondentServiceClient<PeerChannel> {
        RespondentServiceClient::new(self.peers.channel("feedback", call))
            .max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
    }
}
