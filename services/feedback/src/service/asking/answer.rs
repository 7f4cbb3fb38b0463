//! Answering by an invitation's token. Where the survey knows its respondents, the answer and what it does to the invitation are one
//! unit.
//!
//! Where it is anonymous nothing that can be asked for tells whether an invited customer has answered: the company sent the
//! tokens, and holds them still. So the invitation never changes by an answer; that its token is used is claimed in a unit of
//! its own, under a mark that leads to no invitation, with neither a time nor the answer.
//!
//! What is said in part uses nothing, for nothing may lead from the token to what was begun by it: whoever lost the page begins
//! anew. It is kept aside instead: whoever knows its id goes on with it, and it counts nowhere, so that one token is never
//! more than its uses in any figure. Said whole by a token, a use is claimed for it, and it counts.
//!
//! A token that has no use left is answered by as any other: it is asked the same, and what is said whole is checked, thanked for
//! and given a code; it stays aside. By its id it is read, corrected and deleted as any other is. Were it refused
//! instead, or did its id lead to nothing, whoever holds the token had but to try it. One way stays open: whoever answers by a
//! token that is not theirs can look whether their own words are counted afterwards. That cannot be closed while a token
//! counts but once; it uses up the token, though, so it is no look but a false answer.
//!
//! Between the units is, that one claims before one answers: a retry of the same request finds its claim.

use std::sync::Arc;

use prost::Message as _;
use rapport_data::{Answer, Receipt, Rx, Tx};
use rapport_kernel::{Fault, Kind, Reason, RequestId};
use rapport_platform::Call;
use uuid::Uuid;

use super::{Asking, replayed, rewrite};
use crate::convert::response::render;
use crate::domain::asking::token::{Scope, Token, unknown};
use crate::domain::asking::{Answered, Invitation};
use crate::domain::response::{NewResponse, Right};
use crate::domain::{Customer, Response, ResponseId, SurveyId, Touch};
use crate::service::responses::submit::Ids;
use crate::store;

/// How many customers must have been invited alike before an anonymous answer tells how: the groups that figures of fewer are
/// withheld of.
const ALIKE: usize = 5;

/// A use of a token to an anonymous survey.
#[derive(Clone, Copy)]
struct Use {
    survey: SurveyId,
    mark: [u8; 32],
    claim: [u8; 32],
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// It was made.
    Made,
    /// The same request had made it.
    Held,
    /// The token has no use left.
    Refused,
}

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
            self.nobodys(call, receipt.clone(), request, token, (held, new)).await
        } else {
            self.somebodys(call, receipt.clone(), hash, (held, new)).await
        };
        self.wake.notify_one();
        match answer {
            // Of a page that was sent twice at once, the other one may have been taken since it was looked for.
            Err(fault) if request.is_some() && matches!(fault.kind(), Kind::Precondition | Kind::NotFound) => {
                replayed(&self.db, call, receipt).await?.map(Answer::Replayed).ok_or(fault)
            }
            answer => answer,
        }
    }

    /// Takes an answer of whom the invitation names.
    async fn somebodys(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        hash: [u8; 32],
        (held, new): (Invitation, NewResponse),
    ) -> Result<Answer<Response>, Fault> {
        held.admit(self.clock.now())?;
        let resolved = self.profiles.resolve(call, &Customer::Id(held.subject())).await?;
        let (ids, responses) = (Ids::new(), self.responses.clone());
        let unit = move |tx: Tx| {
            let (mut new, resolved, responses) = (new.clone(), resolved.clone(), responses.clone());
            async move {
                tx.hold_erasures().await?;
                let held = store::asking::invitation::lock_token(&tx, hash).await?.ok_or_else(unknown)?;
                held.admit(tx.now())?;
                new.touch = held.touch(new.touch, true);
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
        new.touch = self.about(call, &held, new.touch).await?;
        held.admit(self.clock.now())?;
        if new.partial {
            new.right = Right::Aside;
            return self.take_nobodys(call, receipt, new).await;
        }
        // Before it is claimed: what the survey does not take uses nothing, and whether it takes it, it says of any token.
        new.right = Right::Claimed;
        self.rehearse(call, new.clone()).await?;
        let claim = token.claim(request.map_or_else(Uuid::new_v4, RequestId::uuid));
        let one = Use { survey: held.survey, mark: token.mark(), claim };
        // A claim without its answer would swallow the next one: once begun it is ended, though the caller goes away.
        let (this, call) = (self.clone(), Call { deadline: None, ..call.clone() });
        let work = async move { this.claimed(&call, receipt, (held, one), new).await };
        self.tasks.finish(work).await
    }

    async fn claimed(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        (held, one): (Invitation, Use),
        mut new: NewResponse,
    ) -> Result<Answer<Response>, Fault> {
        let claim = self.claim(call, &held, one).await?;
        if claim == Claim::Refused {
            new.right = Right::Aside;
        }
        let answer = self.take_nobodys(call, receipt.clone(), new).await;
        if answer.is_err() && claim == Claim::Made {
            // Unless the same request was taken at another try. Where this fails too, the same request finds its claim.
            let back = move |tx: Tx| async move {
                store::asking::spent::give_back(&tx, one.survey, one.mark, one.claim).await
            };
            if matches!(replayed(&self.db, call, receipt).await, Ok(None)) {
                drop(self.db.write(call.tenant(), back).await);
            }
        }
        answer
    }

    /// What an answer by an invitation is about.
    pub(super) async fn about(&self, call: &Call, held: &Invitation, told: Touch) -> Result<Touch, Fault> {
        if !held.anonymous {
            return Ok(held.touch(told, true));
        }
        let asked = held.clone();
        let read = move |rx: Rx| async move { store::asking::invitation::is_one_of(&rx, ALIKE, &asked).await };
        let one_of = self.db.until(call.deadline).read(call.tenant(), read).await?;
        Ok(held.touch(told, one_of))
    }

    async fn take_nobodys(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        new: NewResponse,
    ) -> Result<Answer<Response>, Fault> {
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
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Claims a use of a token.
    async fn claim(&self, call: &Call, held: &Invitation, one: Use) -> Result<Claim, Fault> {
        let (id, clock) = (held.id, Arc::clone(&self.clock));
        let unit = move |tx: Tx| {
            let clock = Arc::clone(&clock);
            async move {
                tx.hold_erasures().await?;
                // Two that use it at once do so one after the other.
                let held = store::asking::invitation::lock(&tx, id).await?;
                let claims = store::asking::spent::claims(&tx, one.survey, one.mark).await?;
                if claims.iter().any(|known| *known == one.claim) {
                    return Ok(Claim::Held);
                }
                held.admit(clock.now())?;
                if claims.len() >= held.max_uses as usize {
                    return Ok(Claim::Refused);
                }
                store::asking::spent::claim(&tx, one.survey, one.mark, one.claim).await?;
                Ok(Claim::Made)
            }
        };
        self.db.until(call.deadline).write(call.tenant(), unit).await
    }

    /// Whether an answer would be taken; nothing of it is kept.
    async fn rehearse(&self, call: &Call, new: NewResponse) -> Result<(), Fault> {
        let (ids, responses) = (Ids::new(), self.responses.clone());
        // All that is done is undone: the unit fails.
        let unit = move |tx: Tx| {
            let (new, responses) = (new.clone(), responses.clone());
            async move {
                responses.take(&tx, ids, None, new).await?;
                Err::<(), _>(Fault::new(Reason::Cancelled, "nothing of it is kept"))
            }
        };
        match self.db.until(call.deadline).write(call.tenant(), unit).await {
            Err(fault) if fault.reason != Reason::Cancelled => Err(fault),
            _ => Ok(()),
        }
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
