//! Inviting one customer. The contact is reserved first, then the invitation is written where it still may be: so that
//! neither a quota nor a cool-down nor a cap is ever exceeded, however many invite at once, and on however many instances.

use rapport_data::{Answer, Receipt, Rx, Tx};
use rapport_kernel::{Fault, Reason as Cause, Timestamp};
use rapport_platform::Call;
use uuid::Uuid;

use super::check::{History, dearest, quota, since, wanted};
use super::wave::Place;
use super::{Asking, Invited, Order, keys, replayed};
use crate::domain::asking::token::{Scope, Token};
use crate::domain::asking::{
    Candidate, Fate, Invitation, InvitationId, NotInvited, Reason, Refusal, Spot, Status, judge, remind_at,
};
use crate::domain::ticket::TicketId;
use crate::domain::{Survey, SurveyState};
use crate::peers::{Contact, Resolved};
use crate::{events, store};

/// How often it is tried again where other contacts of the customer win.
const AGAIN: u32 = 4;

impl Asking {
    /// Invites a customer, where that may be; else notes why not.
    ///
    /// # Errors
    /// NOT_FOUND for the survey, the customer or the ticket that it is about; FAILED_PRECONDITION where the customer was erased;
    /// ABORTED where other contacts of it kept winning; ALREADY_EXISTS for a request id used with another body.
    pub async fn invite(&self, call: &Call, receipt: Receipt<Invited>, order: Order) -> Result<Answer<Invited>, Fault> {
        if order.request.is_some()
            && let Some(bytes) = replayed(&self.db, call, receipt.clone()).await?
        {
            return Ok(Answer::Replayed(bytes));
        }
        let resolved = self.profiles.resolve(call, &order.customer).await?;
        let mut again = AGAIN;
        loop {
            match self.try_to(call, receipt.clone(), &order, &resolved).await {
                Err(lost) if lost.reason == Cause::Contention && again > 0 => again -= 1,
                outcome => {
                    self.wake.notify_one();
                    return outcome;
                }
            }
        }
    }

    async fn try_to(
        &self,
        call: &Call,
        receipt: Receipt<Invited>,
        order: &Order,
        resolved: &Resolved,
    ) -> Result<Answer<Invited>, Fault> {
        let (survey, history, mut outcome) = self.look(call, order, resolved).await?;
        let mut reserved = None;
        let id = InvitationId::new();
        if let Ok(channels) = outcome.clone() {
            let mut refused = Err(Refusal::from(Reason::Unreachable));
            for (place, channel) in channels.iter().enumerate() {
                let wanted = wanted(resolved, &history, &survey, channel);
                match self.contacts.reserve(call, &wanted, &id.to_string()).await? {
                    Contact::Allowed(contact) => {
                        reserved = Some((channel.clone(), contact));
                        break;
                    }
                    Contact::Refused(refusal) => refused = dearest(refused, refusal, place),
                }
            }
            if reserved.is_none() {
                outcome = refused.map(|_| Vec::new());
            }
        }
        let Some((channel, contact)) = reserved else {
            let refusal = outcome.err().unwrap_or(Reason::Unreachable.into());
            return self.decline(call, order, resolved, refusal).await;
        };
        let written = self.write(call, receipt, order, resolved, (id, channel, contact)).await;
        let kept = matches!(&written, Ok(Answer::Fresh(Invited::Yes(_))));
        if let (false, Some(contact)) = (kept, contact) {
            // Where this fails the reservation expires by itself.
            drop(self.contacts.release(call, contact).await);
        }
        match written {
            Ok(Answer::Fresh(Invited::No(refusal))) => self.decline(call, order, resolved, refusal).await,
            written => written,
        }
    }

    /// What this service itself says: the channels, or why not.
    async fn look(
        &self,
        call: &Call,
        order: &Order,
        resolved: &Resolved,
    ) -> Result<(Survey, History, Result<Vec<String>, Refusal>), Fault> {
        let (this, asked, customer) = (self.clone(), order.clone(), resolved.clone());
        let read = move |rx: Rx| {
            let (this, asked, customer) = (this.clone(), asked.clone(), customer.clone());
            async move {
                let survey = store::survey::get(rx.conn(), rx.tenant(), asked.survey).await?;
                is_there(&rx, &asked.spot).await?;
                let since = since(std::iter::once(&survey), this.clock.now());
                let history = History::read(&rx, &customer.subjects, since).await?;
                let outcome = this.judged(&rx, &survey, &history, &asked, &customer).await?;
                Ok((survey, history, outcome))
            }
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// By what is held, as a unit sees it.
    async fn judged(
        &self,
        rx: &Rx,
        survey: &Survey,
        history: &History,
        order: &Order,
        resolved: &Resolved,
    ) -> Result<Result<Vec<String>, Refusal>, Fault> {
        let form = self.forms.of(rx.tenant(), survey)?;
        let candidate = Candidate {
            survey,
            form: &form,
            customer: &resolved.asked,
            past: &history.past,
            channel: &order.channel,
            spot: &order.spot,
            cause: &order.cause,
        };
        let now = self.clock.now();
        let outcome = judge(candidate, now);
        // The quota is looked at first here: nobody's contact is reserved for nothing.
        match (outcome.is_ok(), quota(rx, survey, now).await?) {
            (true, Some(refusal)) => Ok(Err(refusal)),
            _ => Ok(outcome),
        }
    }

    /// Writes the invitation, where it still may be.
    async fn write(
        &self,
        call: &Call,
        receipt: Receipt<Invited>,
        order: &Order,
        resolved: &Resolved,
        (id, channel, contact): (InvitationId, String, Option<Uuid>),
    ) -> Result<Answer<Invited>, Fault> {
        let (this, order, resolved) = (self.clone(), order.clone(), resolved.clone());
        let token = Token::of(&self.page_key, Scope::Invitation, call.tenant(), id.uuid()).hash();
        let unit = move |tx: Tx| {
            let (this, order, resolved, channel) = (this.clone(), order.clone(), resolved.clone(), channel.clone());
            async move {
                let subject = resolved.respondent.subject;
                if !tx.is_entombed(&resolved.subjects).await?.is_empty() {
                    return Err(Fault::new(Cause::Erased, "the customer was erased"));
                }
                let survey = store::survey::hold(tx.conn(), tx.tenant(), order.survey).await?;
                let quota_key = (survey.asking.quota > 0).then(|| format!("asking survey {}", survey.id));
                let quota_key: Vec<String> = quota_key.into_iter().collect();
                tx.lock_in_turn(&[&keys(&resolved.subjects), &quota_key]).await?;
                let now = this.clock.now();
                let since = since(std::iter::once(&survey), now);
                let history = History::read(&tx, &resolved.subjects, since).await?;
                if let Err(refusal) = this.judged(&tx, &survey, &history, &order, &resolved).await? {
                    return Err(refused(&refusal));
                }
                let version = store::survey_version::get(tx.conn(), tx.tenant(), survey.id, survey.version).await?;
                let invitation = Box::new(make(
                    &survey,
                    version.definition.anonymous,
                    &order,
                    &resolved,
                    (id, channel, contact),
                    now,
                ));
                if let Some(Place { operation, member }) = order.wave
                    && !store::asking::wave::settle(&tx, operation, member, &resolved.subjects, Fate::Invited).await?
                {
                    return Err(refused(&Reason::Duplicate.into()));
                }
                store::asking::invitation::insert(&tx, &invitation, token).await?;
                tx.about(subject);
                tx.publish(events::invitations::changed(&invitation)).await?;
                Ok(Invited::Yes(invitation))
            }
        };
        let written = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await;
        written
            .or_else(|fault| refusal_of(&fault).map_or(Err(fault), |refusal| Ok(Answer::Fresh(Invited::No(refusal)))))
    }

    /// Notes that a customer is not invited.
    async fn decline(
        &self,
        call: &Call,
        order: &Order,
        resolved: &Resolved,
        refusal: Refusal,
    ) -> Result<Answer<Invited>, Fault> {
        let one = NotInvited {
            id: Uuid::now_v7(),
            survey: order.survey,
            subject: resolved.respondent.subject,
            refusal,
            at: self.clock.now(),
            channel: order.channel.clone(),
            spot: order.spot.clone(),
        };
        match order.wave {
            Some(place) => self.leave_out(call, place, resolved, one).await?,
            None => self.note(call, one).await?,
        }
        Ok(Answer::Fresh(Invited::No(refusal)))
    }

    /// Notes that somebody was not invited.
    pub(super) async fn note(&self, call: &Call, one: NotInvited) -> Result<(), Fault> {
        let unit = move |tx: Tx| {
            let one = one.clone();
            async move {
                if tx.is_entombed(&[one.subject]).await?.is_empty() {
                    store::asking::not_invited::add(&tx, &one).await?;
                }
                Ok(())
            }
        };
        self.db.until(call.deadline).write(call.tenant(), unit).await
    }
}

/// Whether the ticket that an invitation is about is held here; what interactions there are, others know.
pub(super) async fn is_there(rx: &Rx, spot: &Spot) -> Result<(), Fault> {
    let Some(ticket) = spot.ticket else { return Ok(()) };
    match store::ticket::of_ids(rx, &[TicketId::from_uuid(ticket)]).await?.is_empty() {
        true => Err(Fault::not_found("ticket", ticket.to_string())),
        false => Ok(()),
    }
}

/// A refusal, as the fault that ends a unit: nothing is then written, nor kept for a retry.
fn refused(refusal: &Refusal) -> Fault {
    let retry = refusal.retry.map(|at| at.micros().to_string()).unwrap_or_default();
    Fault::new(Cause::InvalidState, "the customer is not invited")
        .with(REFUSAL, refusal.reason.name())
        .with(RETRY, retry)
}

const REFUSAL: &str = "not_invited";
const RETRY: &str = "retry_at";

/// The refusal that ended a unit; none where something else did.
fn refusal_of(fault: &Fault) -> Option<Refusal> {
    let told = |name: &str| fault.details.metadata.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let reason = Reason::of(told(REFUSAL)?)?;
    let retry = told(RETRY)?.parse().ok().map(Timestamp::from_column);
    Some(Refusal { reason, retry })
}

fn make(
    survey: &Survey,
    anonymous: bool,
    order: &Order,
    resolved: &Resolved,
    (id, channel, contact): (InvitationId, String, Option<Uuid>),
    now: Timestamp,
) -> Invitation {
    debug_assert!(survey.state == SurveyState::Open, "it was judged");
    let asking = &survey.asking;
    let expires_at = Invitation::ends(asking, now);
    let theirs = resolved.known.language.clone().unwrap_or_default();
    Invitation {
        id,
        survey: survey.id,
        kind: survey.kind,
        anonymous,
        respondent: resolved.respondent.clone(),
        status: Status::Invited,
        channel,
        purpose: asking.purpose().to_owned(),
        topic: asking.topic.clone(),
        spot: order.spot.clone(),
        cause: order.cause.clone(),
        language: if order.language.is_empty() { theirs } else { order.language.clone() },
        contact,
        is_confirmed: false,
        invited_at: now,
        expires_at,
        delivered_at: None,
        started_at: None,
        completed_at: None,
        uses: 0,
        max_uses: asking.max_uses.max(1),
        reminders: 0,
        remind_at: remind_at(now, expires_at, &asking.reminders, 0),
        remind_after: asking.reminders.clone(),
        response: None,
        revision: 1,
        updated_at: now,
    }
}
