//! Answering by an invitation's token. Where the survey knows its respondents, the answer and what it does to the invitation are one
//! unit. Where it is anonymous they share nothing: that the token is used is claimed in a unit of its own, which neither tells a time
//! nor the answer; hours later all uses of the survey are noted together. What is between, is that one claims before one
//! answers: a retry of the same request finds its claim.

use std::time::Duration;

use prost::Message as _;
use rapport_data::{Answer, Receipt, Rx, Tx};
use rapport_kernel::{Fault, Reason, RequestId, Timestamp};
use rapport_platform::Call;
use uuid::Uuid;

use super::{Asking, replayed, rewrite};
use crate::convert::response::render;
use crate::domain::asking::token::{Scope, Token, unknown};
use crate::domain::asking::{Answered, Invitation};
use crate::domain::response::NewResponse;
use crate::domain::{Customer, Response, ResponseId};
use crate::service::responses::submit::Ids;
use crate::store;
use crate::store::asking::due;

/// How many uses of an anonymous survey are noted at once: among so many, none can be told.
const TOGETHER: u64 = 5;
/// How long they wait for one another.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);
/// The length of what an anonymous survey takes for an instant.
const HOUR: i64 = 3_600_000_000;

impl Asking {
    /// Takes an answer by a token.
    ///
    /// # Errors
    /// NOT_FOUND for a token that is none of the tenant's; FAILED_PRECONDITION where it can no longer be used; else as
    /// [`crate::service::Responses::submit`].
    pub async fn submit(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        request: Option<RequestId>,
        token: &Token,
        new: NewResponse,
    ) -> Result<Answer<Response>, Fault> {
        let hash = token.hash();
        let read = move |rx: Rx| async move { store::asking::invitation::of_token(&rx, hash).await };
        let held = self.db.until(call.deadline).read(call.tenant(), read).await?.ok_or_else(unknown)?;
        if request.is_some()
            && let Some(bytes) = replayed(&self.db, call, receipt.clone()).await?
        {
            return Ok(Answer::Replayed(bytes));
        }
        if held.survey != new.survey {
            return Err(Fault::invalid_field("survey_id", "invitation.survey", "must be the invitation's survey"));
        }
        let answer = if held.anonymous {
            self.nobodys(call, receipt, request, token, (held, new)).await
        } else {
            self.somebodys(call, receipt, hash, (held, new)).await
        };
        self.wake.notify_one();
        answer
    }

    /// Takes an answer of whom the invitation names.
    async fn somebodys(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        hash: [u8; 32],
        (held, new): (Invitation, NewResponse),
    ) -> Result<Answer<Response>, Fault> {
        held.admit(0, self.clock.now())?;
        let resolved = self.profiles.resolve(call, &Customer::Id(held.subject())).await?;
        let (ids, responses) = (Ids::new(), self.responses.clone());
        let unit = move |tx: Tx| {
            let (mut new, resolved, responses) = (new.clone(), resolved.clone(), responses.clone());
            async move {
                tx.hold_erasures().await?;
                let held = store::asking::invitation::lock_token(&tx, hash).await?.ok_or_else(unknown)?;
                held.admit(0, tx.now())?;
                new.touch = held.touch(new.touch);
                new.response = new.response.or(going_on(&tx, &held).await?);
                // The first answer has the invitation's id: questions stand in the order in which they were shown before it.
                let ids = if held.response.is_none() { ids.with(ResponseId::from_uuid(held.id.uuid())) } else { ids };
                let response = responses.take(&tx, ids, Some(&resolved), new).await?;
                if response.touch.invitation != Some(held.id.uuid()) {
                    let text = "must be a response that was begun by the invitation, or absent";
                    return Err(Fault::invalid_field("response_id", "invitation.response", text));
                }
                let revision = held.revision;
                let answered = Answered { response: response.id, complete: response.complete };
                rewrite(&tx, revision, &held.answered(answered, tx.now())).await?;
                Ok(response)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Takes an answer of nobody.
    async fn nobodys(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        request: Option<RequestId>,
        token: &Token,
        (held, mut new): (Invitation, NewResponse),
    ) -> Result<Answer<Response>, Fault> {
        new.touch = held.touch(new.touch);
        let claim = token.claim(request.map_or_else(Uuid::new_v4, RequestId::uuid));
        let whole = !new.partial;
        self.claim(call, &held, claim, whole).await?;
        let (ids, responses, key) = (Ids::new(), self.responses.clone(), self.page_key.clone());
        let unit = move |tx: Tx| {
            let (new, responses, key) = (new.clone(), responses.clone(), key.clone());
            async move {
                let response = responses.take(&tx, ids, None, new).await?;
                if response.complete {
                    let code = Token::of(&key, Scope::Erasure, tx.tenant(), response.id.uuid());
                    store::asking::code::add(&tx, code.hash(), response.id).await?;
                }
                Ok(response)
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await;
        if answer.is_err() && whole {
            // What was refused used nothing. Where this fails too, the same request finds its claim.
            let (survey, id) = (held.survey, held.id);
            let back = move |tx: Tx| async move { store::asking::spent::give_back(&tx, survey, id, claim).await };
            drop(self.db.write(call.tenant(), back).await);
        }
        answer
    }

    /// Claims a use of a token, where it is to be used.
    async fn claim(&self, call: &Call, held: &Invitation, claim: [u8; 32], whole: bool) -> Result<(), Fault> {
        let (id, clock) = (held.id, std::sync::Arc::clone(&self.clock));
        let unit = move |tx: Tx| {
            let clock = std::sync::Arc::clone(&clock);
            async move {
                tx.hold_erasures().await?;
                let held = store::asking::invitation::lock(&tx, id).await?;
                let claims = store::asking::spent::claims(&tx, held.survey, id).await?;
                if claims.iter().any(|known| *known == claim) {
                    return Ok(());
                }
                held.admit(u32::try_from(claims.len()).unwrap_or(u32::MAX), clock.now())?;
                if whole {
                    store::asking::spent::claim(&tx, held.survey, id, claim).await?;
                    // By the hour, as all that is kept of such a survey.
                    let hour = Timestamp::from_column(clock.now().micros().div_euclid(HOUR) * HOUR);
                    due::add(&tx, held.survey.uuid(), due::USES, hour.plus(LONGEST_WAIT)).await?;
                    if store::asking::spent::count(&tx, held.survey).await? >= TOGETHER {
                        due::put_off(&tx, held.survey.uuid(), hour.plus(Duration::from_secs(3_600))).await?;
                    }
                }
                Ok(())
            }
        };
        self.db.until(call.deadline).write(call.tenant(), unit).await
    }

    /// Erases the anonymous answer of a code; without a word where there is none.
    ///
    /// # Errors
    /// As the database's.
    pub async fn erase_by_code(&self, call: &Call, code: &Token) -> Result<(), Fault> {
        let hash = code.hash();
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            let Some(id) = store::asking::code::take(&tx, hash).await? else { return Ok(()) };
            match store::response::lock(tx.conn(), tx.tenant(), id).await {
                Ok(response) => crate::service::responses::remove(&tx, &response).await,
                Err(gone) if gone.reason == Reason::ResourceNotFound => Ok(()),
                Err(fault) => Err(fault),
            }
        };
        self.db.until(call.deadline).write(call.tenant(), unit).await
    }

    /// The code by which the author of an anonymous answer can erase it.
    #[must_use]
    pub fn code(&self, call: &Call, id: ResponseId) -> String {
        Token::of(&self.page_key, Scope::Erasure, call.tenant(), id.uuid()).text()
    }
}

/// The partial answer that was begun by an invitation.
async fn going_on(rx: &Rx, held: &Invitation) -> Result<Option<ResponseId>, Fault> {
    let Some(id) = held.response else { return Ok(None) };
    match store::response::get(rx.conn(), rx.tenant(), id).await {
        Ok(response) => Ok(Some(id).filter(|_| !response.complete)),
        Err(gone) if gone.reason == Reason::ResourceNotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A response as a call is answered with it.
pub(super) fn encode(response: &Response) -> Vec<u8> {
    render(response).encode_to_vec()
}
