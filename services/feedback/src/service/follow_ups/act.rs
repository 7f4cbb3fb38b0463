//! What people do with follow-ups.

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, Private, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::{FollowUps, join, missing, save};
use crate::domain::follow_up::cause::Place;
use crate::domain::follow_up::{Assigning, FollowUp, FollowUpId, Kind, Opening, Priority, Resolving, Rules, Touched};
use crate::domain::{Customer, etag};
use crate::store::follow_up as store;

/// A follow-up that is opened by hand.
#[derive(Clone, Debug)]
pub struct Manual {
    /// Of whom.
    pub customer: Customer,
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub title: Private<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// Who gets it.
    pub owner: Private<String>,
    /// Which team gets it.
    pub team: String,
    /// When it is due.
    pub due_at: Timestamp,
    /// Where and about what.
    pub place: Place,
}

/// Which follow-up, as of which state.
#[derive(Clone, Debug)]
pub struct Act {
    /// Which.
    pub id: FollowUpId,
    /// Its etag as last read; empty: any.
    pub etag: String,
    /// Who acts.
    pub author: Private<String>,
}

impl FollowUps {
    /// Opens one by hand.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; FAILED_PRECONDITION where it was erased; INVALID_ARGUMENT for a due time that has
    /// passed.
    pub async fn create(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        manual: Manual,
    ) -> Result<Answer<FollowUp>, Fault> {
        let resolved = self.profiles.resolve(call, &manual.customer).await?;
        let id = FollowUpId::new();
        let unit = move |tx: Tx| {
            let (manual, resolved) = (manual.clone(), resolved.clone());
            async move {
                tx.hold_erasures().await?;
                let respondent = resolved.respondent;
                if !tx.is_entombed(&[respondent.subject]).await?.is_empty() {
                    return Err(Fault::new(Reason::Erased, "the customer was erased"));
                }
                if manual.due_at <= tx.now() {
                    return Err(Fault::invalid_field("due_time", "follow_up.due_time", "must be later than now"));
                }
                let opening = Opening {
                    id,
                    subject: respondent.subject,
                    customer: Some(resolved.customer),
                    rule: None,
                    kind: manual.kind,
                    priority: manual.priority,
                    owner: manual.owner,
                    team: manual.team,
                    title: manual.title,
                    window: manual.due_at.since(tx.now()).as_secs(),
                    calendar: None,
                    steps: Vec::new(),
                    cause: None,
                    place: manual.place,
                    party: respondent.party,
                    dimensions: respondent.dimensions,
                };
                let hours = crate::domain::sla::Hours::Always;
                let mut touched = FollowUp::open(opening, &hours, tx.now());
                touched.follow_up.due_at = manual.due_at;
                save(&tx, touched).await
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.wake.notify_one();
        Ok(answer)
    }

    /// Changes one.
    async fn act(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        act: Act,
        change: impl Fn(&FollowUp, &Rules, Timestamp) -> Result<Option<Touched>, Fault> + Clone + Send + Sync + 'static,
    ) -> Result<Answer<FollowUp>, Fault> {
        let compiled = self.compiled.clone();
        let unit = move |tx: Tx| {
            let (compiled, change, act) = (compiled.clone(), change.clone(), act.clone());
            async move {
                // An erasure took it before, or waits: no event of it follows its erasure.
                tx.hold_erasures().await?;
                let held = store::lock(&tx, act.id).await?.ok_or_else(|| missing(act.id))?;
                tx.about(held.subject);
                etag::check(held.revision, &act.etag)?;
                match change(&held, &*compiled.of(&tx).await?, tx.now())? {
                    Some(touched) => {
                        let changed = save(&tx, touched).await?;
                        join::end(&tx, &changed, &act.author).await?;
                        Ok(changed)
                    }
                    None => Ok(held),
                }
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.wake.notify_one();
        Ok(answer)
    }

    /// Gives it to somebody, or another time.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is over; as for all that follow.
    pub async fn assign(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        act: Act,
        wanted: Assigning,
    ) -> Result<Answer<FollowUp>, Fault> {
        let author = act.author.clone();
        let assign = move |held: &FollowUp, rules: &Rules, now| {
            held.assign(wanted.clone(), &rules.hours(held.calendar), &author, now).map(Some)
        };
        self.act(call, receipt, act, assign).await
    }

    /// Begins to work on it.
    ///
    /// # Errors
    /// As [`FollowUps::assign`].
    pub async fn start(&self, call: &Call, receipt: Receipt<FollowUp>, act: Act) -> Result<Answer<FollowUp>, Fault> {
        let author = act.author.clone();
        self.act(call, receipt, act, move |held, _, now| held.start(&author, now)).await
    }

    /// Comments on it.
    ///
    /// # Errors
    /// As [`FollowUps::assign`], but it may be over.
    pub async fn comment(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        act: Act,
        text: Private<String>,
    ) -> Result<Answer<FollowUp>, Fault> {
        let author = act.author.clone();
        self.act(call, receipt, act, move |held, _, now| Ok(Some(held.comment(&text, &author, now)))).await
    }

    /// Resolves it.
    ///
    /// # Errors
    /// As [`FollowUps::assign`].
    pub async fn resolve(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        act: Act,
        how: Resolving,
    ) -> Result<Answer<FollowUp>, Fault> {
        let author = act.author.clone();
        self.act(call, receipt, act, move |held, _, now| held.resolve(how.clone(), &author, now).map(Some)).await
    }

    /// Cancels it.
    ///
    /// # Errors
    /// As [`FollowUps::assign`].
    pub async fn cancel(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        act: Act,
        note: Private<String>,
    ) -> Result<Answer<FollowUp>, Fault> {
        let author = act.author.clone();
        self.act(call, receipt, act, move |held, _, now| held.cancel(&note, &author, now).map(Some)).await
    }

    /// Opens it again.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is open, or its rule has opened another one for
    /// the customer.
    pub async fn reopen(
        &self,
        call: &Call,
        receipt: Receipt<FollowUp>,
        act: Act,
        due_at: Option<Timestamp>,
        note: Private<String>,
    ) -> Result<Answer<FollowUp>, Fault> {
        let subjects = self.subjects(call, act.id).await?;
        let compiled = self.compiled.clone();
        let unit = move |tx: Tx| {
            let (compiled, act, note, subjects) = (compiled.clone(), act.clone(), note.clone(), subjects.clone());
            async move {
                tx.hold_erasures().await?;
                let (customer, subjects) = subjects;
                tx.lock(&[format!("follow-ups of {customer}")]).await?;
                let held = store::lock(&tx, act.id).await?.ok_or_else(|| missing(act.id))?;
                tx.about(held.subject);
                etag::check(held.revision, &act.etag)?;
                if let Some(rule) = held.rule
                    && let Some(other) = store::open_of(&tx, &subjects, rule).await?
                    && other.id != held.id
                {
                    let text = "the customer has another follow-up open by the same rule";
                    return Err(
                        Fault::new(Reason::InvalidState, text).precondition("FOLLOW_UP_OPEN", other.id.to_string())
                    );
                }
                let hours = compiled.of(&tx).await?.hours(held.calendar);
                save(&tx, held.reopen(due_at, (&note, &act.author), &hours, tx.now())?).await
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.wake.notify_one();
        Ok(answer)
    }

    /// The customer of a follow-up, and all subjects that are it now; one that nobody knows stands by itself.
    async fn subjects(&self, call: &Call, id: FollowUpId) -> Result<(SubjectId, Vec<SubjectId>), Fault> {
        let held = self.get(call, id).await?;
        match self.profiles.resolve(call, &Customer::Id(held.subject)).await {
            Ok(resolved) => Ok((resolved.customer, resolved.subjects)),
            Err(fault) if fault.reason == Reason::ResourceNotFound => Ok((held.subject, vec![held.subject])),
            Err(fault) => Err(fault),
        }
    }
}
