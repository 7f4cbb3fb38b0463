//! What a respondent's page asks on behalf of whoever holds a token.

use rapport_data::{Answer, Receipt, Rx};
use rapport_kernel::{Fault, Reason, RequestId};
use rapport_platform::Call;

use super::answer::encode;
use super::{Asking, replayed};
use crate::convert::respondent::Asked;
use crate::domain::asking::Invitation;
use crate::domain::asking::token::{Token, unknown};
use crate::domain::response::NewResponse;
use crate::domain::{Response, ResponseId, Touch, Versioned};
use crate::store;

/// What the holder of a token is asked.
pub struct InvitedForm {
    /// The invitation.
    pub invitation: Invitation,
    /// The partial answer.
    pub response: Option<Response>,
    /// The language that it, else the invitation, names; empty: neither does.
    pub language: String,
    /// The survey told in one language.
    pub told: Versioned,
    /// The questions that are shown.
    pub shown: Vec<String>,
    /// Those of them that are required and missing.
    pub missing: Vec<String>,
    /// What the request was answered with that is asked about; none: it was not.
    pub taken: Option<Vec<u8>>,
}

/// An answer by a token.
pub struct Submission {
    /// Makes a retry harmless.
    pub request: Option<RequestId>,
    /// The token.
    pub token: Token,
    /// What is answered; the survey is the invitation's.
    pub new: NewResponse,
}

impl Asking {
    /// Returns what the holder of a token is asked.
    ///
    /// # Errors
    /// NOT_FOUND for a token that is none of the tenant's; FAILED_PRECONDITION where it can no longer be used.
    pub async fn questionnaire(&self, call: &Call, asked: Asked) -> Result<InvitedForm, Fault> {
        let invitation = self.bearer(call, &asked.token).await?;
        if asked.request.is_some()
            && let Some(bytes) = replayed(&self.db, call, receipt(asked.request, &asked.token)).await?
        {
            return self.taken(call, invitation, asked.language, bytes).await;
        }
        let (id, survey, anonymous) = (invitation.id, invitation.survey, invitation.anonymous);
        // Of an anonymous survey the same is asked whether the token was used or not.
        invitation.admit(self.clock.now())?;
        let begun = if anonymous { asked.response } else { invitation.response };
        let response = match begun {
            Some(id) => match self.responses.get(call, id).await {
                // Of an anonymous survey whoever knows the id of a partial answer began it.
                Ok(response) => Some(response).filter(|it| !it.complete && it.survey == survey),
                Err(gone) if gone.reason == Reason::ResourceNotFound => None,
                Err(fault) => return Err(fault),
            },
            None => None,
        };
        let begun_in = response.as_ref().map(|response| response.touch.language.clone());
        let named = begun_in.filter(|language| !language.is_empty()).unwrap_or_else(|| invitation.language.clone());
        let language = if asked.language.is_empty() { named.clone() } else { asked.language };
        let (told, shown, missing) = match &response {
            Some(response) => self.responses.questionnaire(call, response.id, language).await?,
            None => {
                let resolved = if anonymous {
                    None
                } else {
                    let customer = crate::domain::Customer::Id(invitation.subject());
                    Some(self.profiles.resolve(call, &customer).await?)
                };
                let touch = self.about(call, &invitation, Touch::default()).await?;
                let seed = (!anonymous).then(|| ResponseId::from_uuid(id.uuid()));
                let known = resolved.map(|resolved| resolved.known);
                self.responses.first_questionnaire(call, survey, seed, (known, touch), language).await?
            }
        };
        Ok(InvitedForm { invitation, response, language: named, told, shown, missing, taken: None })
    }

    /// What is told after an answer that was taken already, whatever became of the token, the survey or the answer since.
    async fn taken(
        &self,
        call: &Call,
        invitation: Invitation,
        language: String,
        bytes: Vec<u8>,
    ) -> Result<InvitedForm, Fault> {
        let survey = invitation.survey;
        let read = move |rx: Rx| async move {
            let survey = store::survey::get(rx.conn(), rx.tenant(), survey).await?;
            let version = store::survey_version::get(rx.conn(), rx.tenant(), survey.id, survey.version).await?;
            Ok(Versioned::whole(survey, version))
        };
        let whole = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let home = whole.version.definition.language.clone();
        let named = if language.is_empty() { invitation.language.clone() } else { language };
        let told = whole.told(if named.is_empty() { &home } else { &named });
        let (shown, missing) = (Vec::new(), Vec::new());
        Ok(InvitedForm { invitation, response: None, language: named, told, shown, missing, taken: Some(bytes) })
    }

    /// Takes the answer of the holder of a token.
    ///
    /// # Errors
    /// As [`Asking::submit`].
    pub async fn submit_invited(&self, call: &Call, mut submission: Submission) -> Result<Answer<Response>, Fault> {
        let invitation = self.bearer(call, &submission.token).await?;
        submission.new.survey = invitation.survey;
        if !invitation.anonymous {
            submission.new.response = None;
        }
        let receipt = receipt(submission.request, &submission.token);
        self.submit(call, receipt, submission.request, &submission.token, submission.new).await
    }

    /// Withdraws the consent of a token's holder to be asked on its channel; answers the channel and what consents call asking.
    ///
    /// # Errors
    /// NOT_FOUND for a token that is none of the tenant's; UNAVAILABLE where profiles cannot be reached.
    pub async fn unsubscribe(&self, call: &Call, token: &Token) -> Result<(String, String), Fault> {
        let invitation = self.bearer(call, token).await?;
        let (subject, purpose, channel) = (invitation.subject(), invitation.purpose, invitation.channel);
        self.profiles.refuse(call, subject, &purpose, &channel).await?;
        Ok((channel, purpose))
    }

    /// The invitation of a token.
    async fn bearer(&self, call: &Call, token: &Token) -> Result<Invitation, Fault> {
        let hash = token.hash();
        let read = move |rx: Rx| async move { store::asking::invitation::of_token(&rx, hash).await };
        self.db.until(call.deadline).read(call.tenant(), read).await?.ok_or_else(unknown)
    }
}

/// By what an answer by a token is known again. What it says is not looked at: the page names a request by what it was sent, and
/// what it makes of that depends on what is held.
fn receipt(request: Option<RequestId>, token: &Token) -> Receipt<Response> {
    Receipt::new("SubmitInvitedResponse", request, &token.hash(), encode)
}
