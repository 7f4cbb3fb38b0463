//! Asking customers, with restraint: who may be asked, inviting them, what becomes of the invitations.

mod answer;
mod batch;
mod check;
mod clock;
mod forms;
mod invite;
mod list;
mod respondent;
mod told;
mod watch;
pub mod wave;

use std::sync::Arc;

use rapport_data::{Answer, Database, Receipt, Rx, Tx};
use rapport_kernel::{Clock, Fault, PageKey, Reason, RequestId, SubjectId};
use rapport_platform::{Call, Platform, Tasks};
use tokio::sync::Notify;

use self::forms::AskForms;
use super::Responses;
use crate::convert::invitation::Delivery;
use crate::domain::asking::token::{Scope, Token};
use crate::domain::asking::{Invitation, InvitationId, Refusal, Spot};
use crate::domain::{Customer, SurveyId};
use crate::peers::{Contacts, Profiles};
use crate::{events, store};

pub use respondent::{InvitedForm, Submission};
pub use told::Occasion;
pub use watch::{Change, Told, Watch};

/// Asking, of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Asking {
    db: Database,
    profiles: Profiles,
    contacts: Contacts,
    responses: Responses,
    forms: AskForms,
    page_key: PageKey,
    tasks: Tasks,
    clock: Arc<dyn Clock>,
    /// Told when something may be due earlier than the clock's next look.
    wake: Arc<Notify>,
}

/// Somebody to be invited.
#[derive(Clone, Debug)]
pub struct Order {
    /// Makes a retry harmless.
    pub request: Option<RequestId>,
    /// By which survey.
    pub survey: SurveyId,
    /// Whom.
    pub customer: Customer,
    /// By which channel; empty: by any of the survey's.
    pub channel: String,
    /// About what.
    pub spot: Spot,
    /// What tells one occasion to be asked from another.
    pub cause: String,
    /// The language to be asked in; empty: the customer's.
    pub language: String,
    /// The wave of which it is a member; none: it is asked by itself.
    pub wave: Option<wave::Place>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Invited {
    /// The customer is invited.
    Yes(Box<Invitation>),
    /// It is not.
    No(Refusal),
}

/// Whether a customer may be asked by a survey: by which channel, or why not.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The survey.
    pub survey: SurveyId,
    /// The channel, or why not.
    pub outcome: Result<String, Refusal>,
}

impl Asking {
    /// In a database, of customers that profiles knows, by the contact policy that personalisation keeps.
    #[must_use]
    pub fn new(platform: &Platform, db: Database, profiles: Profiles, responses: Responses) -> Self {
        Self {
            db,
            profiles,
            contacts: Contacts::new(platform.peers.clone()),
            responses,
            forms: AskForms::default(),
            page_key: platform.page_key.clone(),
            tasks: platform.tasks.clone(),
            clock: Arc::clone(&platform.clock),
            wake: Arc::default(),
        }
    }

    /// The secrets of tokens.
    #[must_use]
    pub const fn key(&self) -> &PageKey {
        &self.page_key
    }

    /// Returns an invitation.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: InvitationId) -> Result<Invitation, Fault> {
        let read = move |rx: Rx| async move { store::asking::invitation::get(&rx, id).await };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// Notes what was heard of a delivery.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it can no longer be.
    pub async fn delivery(
        &self,
        call: &Call,
        receipt: Receipt<Invitation>,
        heard: Delivery,
    ) -> Result<Answer<Invitation>, Fault> {
        let (failed, at, etag) = (heard.failed, heard.at, heard.etag);
        self.change(call, receipt, heard.invitation, move |it, tx| it.delivery(&etag, failed, at, tx.now())).await
    }

    /// Withdraws an invitation.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is closed.
    pub async fn cancel(
        &self,
        call: &Call,
        receipt: Receipt<Invitation>,
        id: InvitationId,
        etag: String,
    ) -> Result<Answer<Invitation>, Fault> {
        self.change(call, receipt, id, move |it, tx| it.cancel(&etag, tx.now())).await
    }

    /// Makes the token of an invitation good, and returns the invitation.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION where it is closed.
    pub async fn issue(&self, call: &Call, id: InvitationId) -> Result<Invitation, Fault> {
        let token = Token::of(&self.page_key, Scope::Invitation, call.tenant(), id.uuid()).hash();
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            let held = store::asking::invitation::lock(&tx, id).await?;
            held.issue(tx.now())?;
            store::asking::invitation::set_token(&tx, id, token).await?;
            Ok(held)
        };
        self.db.until(call.deadline).write(call.tenant(), unit).await
    }

    async fn change(
        &self,
        call: &Call,
        receipt: Receipt<Invitation>,
        id: InvitationId,
        change: impl Fn(Invitation, &Tx) -> Result<Invitation, Fault> + Clone + Send + Sync + 'static,
    ) -> Result<Answer<Invitation>, Fault> {
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move {
                // An erasure took it before, or waits: no event of it follows its erasure.
                tx.hold_erasures().await?;
                let held = store::asking::invitation::lock(&tx, id).await?;
                let revision = held.revision;
                tx.about(held.subject());
                let changed = change(held, &tx)?;
                rewrite(&tx, revision, &changed).await?;
                Ok(changed)
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.wake.notify_one();
        Ok(answer)
    }
}

/// Writes an invitation over what it was, and tells of it; where nothing changed, neither.
async fn rewrite(tx: &Tx, held: u64, changed: &Invitation) -> Result<(), Fault> {
    if changed.revision == held {
        return Ok(());
    }
    store::asking::invitation::update(tx, changed).await?;
    tx.publish(events::invitations::changed(changed)).await
}

/// What a request was answered with before: what is judged must not be judged anew by what it did itself.
async fn replayed<T: Send + Sync + 'static>(
    db: &Database,
    call: &Call,
    receipt: Receipt<T>,
) -> Result<Option<Vec<u8>>, Fault> {
    let new = || Fault::new(Reason::Cancelled, "this is asked for the first time");
    let unit = move |_: Tx| async move { Err::<T, _>(new()) };
    match db.until(call.deadline).write_once(call.tenant(), receipt, unit).await {
        Ok(Answer::Replayed(bytes)) => Ok(Some(bytes)),
        Ok(Answer::Fresh(_)) => Err(Fault::internal("a unit that fails was committed")),
        Err(fault) if fault.reason == Reason::Cancelled => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What units that ask the same customers exclude each other by.
fn keys(subjects: &[SubjectId]) -> Vec<String> {
    subjects.iter().map(|subject| format!("asking {subject}")).collect()
}
