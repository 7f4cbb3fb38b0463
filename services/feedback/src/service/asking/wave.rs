//! Waves: a population is invited by an operation, step by step. First its members are gathered, page by page, then they are
//! asked some at a time, each as one customer is ([`Asking::invite`]). What became of a member is noted in the unit that invites it
//! or says why not: a step that runs again, after its instance was lost, finds it, and so does whoever is merged with it later.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rapport_data::{Answer, NewOperation, Receipt, Rx, Tx, Work};
use rapport_kernel::{CustomerId, Fault, OperationId, Reason as Cause, RequestId, TenantId};
use rapport_platform::Call;
use uuid::Uuid;

use super::{Asking, Invited, Order, keys, replayed};
use crate::domain::Customer;
use crate::domain::asking::{Fate, NotInvited, Population, Stage, Tally, Wave};
use crate::peers::Resolved;
use crate::store;
use crate::store::asking::{due, not_invited, wave as stored};

/// The name of the call that begins a wave.
pub const KIND: &str = "BatchInvite";
/// How many are invited at a time.
const TOGETHER: usize = 8;
/// How long the job rests after each step: calls have the database meanwhile.
const REST: Duration = Duration::from_millis(5);
/// How soon it is looked again whether a population was found.
const SOON: Duration = Duration::from_secs(1);
/// How long what is left of a wave is kept, and how often it is looked whether it has ended.
const KEPT: Duration = Duration::from_secs(3_600);
/// How many members one unit forgets.
const FORGOTTEN: u32 = 1_000;

/// The place of a customer in a wave.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which wave.
    pub operation: OperationId,
    /// Which of its members.
    pub member: CustomerId,
}

/// What a step came to.
pub enum Stepped {
    /// There is more to do.
    More {
        /// Where it goes on.
        stage: Stage,
        /// How many were asked.
        done: u64,
        /// How many there are; 0: it is not known yet.
        total: u64,
        /// After what rest.
        rest: Duration,
    },
    /// That was all.
    Done(Tally),
}

impl Asking {
    /// Begins a wave.
    ///
    /// # Errors
    /// NOT_FOUND for the survey or the segment; FAILED_PRECONDITION where the survey is not open; ALREADY_EXISTS for a request id
    /// used with another body; UNAVAILABLE where profiles cannot be reached.
    pub async fn begin_wave(
        &self,
        call: &Call,
        receipt: Receipt<OperationId>,
        request: Option<RequestId>,
        wave: Wave,
    ) -> Result<Answer<OperationId>, Fault> {
        if request.is_some()
            && let Some(bytes) = replayed(&self.db, call, receipt.clone()).await?
        {
            return Ok(Answer::Replayed(bytes));
        }
        if let Population::Segment(segment) = wave.population {
            self.profiles.is_filled(call, segment).await?;
        }
        let unit = move |tx: Tx| {
            let wave = wave.clone();
            async move {
                store::survey::hold(tx.conn(), tx.tenant(), wave.survey).await?.admit()?;
                let new = NewOperation { kind: KIND, unit: "customers", request: Vec::new() };
                let operation = tx.begin_operation(new).await?.id;
                stored::add(&tx, operation, &wave, tx.now().plus(KEPT)).await?;
                Ok(operation)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Does the next step of a wave.
    ///
    /// # Errors
    /// NOT_FOUND where the survey or the segment was deleted; UNAVAILABLE where a peer cannot be reached.
    pub async fn step_wave(&self, work: &Work, stage: Option<Stage>) -> Result<Stepped, Fault> {
        let operation = work.operation;
        let read = move |rx: Rx| async move { stored::get(&rx, operation).await };
        let wave = self.db.read(work.tenant, read).await?;
        let wave = wave.ok_or_else(|| Fault::not_found("survey", ""))?;
        let call = Call::internal(work.tenant, self.clock.now());
        match stage.unwrap_or(Stage::Waits) {
            Stage::Waits => {
                let found = match wave.population {
                    Population::Segment(segment) => self.profiles.is_filled(&call, segment).await?,
                    Population::Everybody => true,
                };
                let (stage, rest) =
                    if found { (Stage::Gathers(String::new()), Duration::ZERO) } else { (Stage::Waits, SOON) };
                Ok(Stepped::More { stage, done: 0, total: 0, rest })
            }
            Stage::Gathers(from) => self.gather(&call, work, &wave, &from).await,
            Stage::Asks { after, done, total } => self.ask_some(&call, work, &wave, (after, done, total)).await,
        }
    }

    /// Gathers a page of members.
    async fn gather(&self, call: &Call, work: &Work, wave: &Wave, from: &str) -> Result<Stepped, Fault> {
        let (members, next) = self.profiles.population(call, wave.population, from).await?;
        let (held, operation) = (work.clone(), work.operation);
        let unit = move |tx: Tx| {
            let (held, mut members) = (held.clone(), members.clone());
            async move {
                // Who was erased meanwhile is not brought back.
                let erased = tx.is_entombed(&members).await?;
                held.hold(&tx).await?;
                members.retain(|member| !erased.contains(member));
                stored::gather(&tx, operation, &members).await
            }
        };
        self.db.write(work.tenant, unit).await?;
        if !next.is_empty() {
            return Ok(Stepped::More { stage: Stage::Gathers(next), done: 0, total: 0, rest: REST });
        }
        let read = move |rx: Rx| async move { stored::count(&rx, operation).await };
        let total = self.db.read(work.tenant, read).await?;
        Ok(Stepped::More { stage: Stage::Asks { after: None, done: 0, total }, done: 0, total, rest: REST })
    }

    /// Asks some members.
    async fn ask_some(
        &self,
        call: &Call,
        work: &Work,
        wave: &Wave,
        (after, before, total): (Option<(i64, Uuid)>, u64, u64),
    ) -> Result<Stepped, Fault> {
        let (operation, bite) = (work.operation, wave.bite());
        let next = move |rx: Rx| async move { stored::next(&rx, operation, after, bite).await };
        let members = self.db.read(work.tenant, next).await?;
        let Some((place, last)) = members.last().copied() else {
            let read = move |rx: Rx| async move { stored::fates(&rx, operation).await };
            return Ok(Stepped::Done(Tally::of(self.db.read(work.tenant, read).await?)));
        };
        let each = members.into_iter().map(|(_, member)| async move {
            // Whom a step that ends early has not asked is found again.
            if work.enough.is_cancelled() {
                return Ok::<_, Fault>(None);
            }
            self.ask_member(call, wave, Place { operation, member }).await.map(Some)
        });
        let asked: Vec<Option<bool>> = stream::iter(each).buffered(TOGETHER).try_collect().await?;
        let done = before + asked.iter().flatten().count() as u64;
        let invited = asked.iter().filter(|asked| **asked == Some(true)).count();
        let after = if asked.iter().all(Option::is_some) { Some((place, last.uuid())) } else { after };
        let rest = wave.rest(u32::try_from(invited).unwrap_or(u32::MAX)).max(REST);
        Ok(Stepped::More { stage: Stage::Asks { after, done, total }, done, total, rest })
    }

    /// Asks a member, as any customer is asked; answers whether it is invited.
    async fn ask_member(&self, call: &Call, wave: &Wave, place: Place) -> Result<bool, Fault> {
        let order = Order {
            // What became of it is noted with it.
            request: None,
            survey: wave.survey,
            customer: Customer::Id(place.member),
            channel: wave.channel.clone(),
            spot: wave.spot.clone(),
            cause: String::new(),
            language: wave.language.clone(),
            wave: Some(place),
        };
        let receipt = Receipt::new("BatchInvite member", None, &[], |_: &Invited| Vec::new());
        match self.invite(call, receipt, order).await {
            Ok(answer) => Ok(matches!(answer, Answer::Fresh(Invited::Yes(_)))),
            Err(gone) if matches!(gone.reason, Cause::ResourceNotFound | Cause::Erased) => {
                let unit = move |tx: Tx| async move {
                    stored::settle(&tx, place.operation, place.member, &[], Fate::Gone).await.map(drop)
                };
                self.db.write(call.tenant(), unit).await?;
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Notes that a member is not invited, once.
    pub(super) async fn leave_out(
        &self,
        call: &Call,
        place: Place,
        resolved: &Resolved,
        one: NotInvited,
    ) -> Result<(), Fault> {
        let subjects = resolved.subjects.clone();
        let unit = move |tx: Tx| {
            let (one, subjects) = (one.clone(), subjects.clone());
            async move {
                if !tx.is_entombed(&subjects).await?.is_empty() {
                    return Ok(());
                }
                tx.lock(&keys(&subjects)).await?;
                let Some(wave) = stored::get(&tx, place.operation).await? else { return Ok(()) };
                let reason = one.refusal.reason;
                let fate = if wave.leaves_out(reason) { Fate::Outside } else { Fate::Not(reason) };
                let stands = stored::settle(&tx, place.operation, place.member, &subjects, fate).await?;
                if stands && fate != Fate::Outside {
                    not_invited::add(&tx, &one).await?;
                }
                Ok(())
            }
        };
        self.db.write(call.tenant(), unit).await
    }

    /// Forgets what is left of a wave that has ended.
    pub(super) async fn forget_wave(&self, tenant: TenantId, operation: OperationId) -> Result<(), Fault> {
        let again = self.clock.now().plus(KEPT);
        let unit = move |tx: Tx| async move {
            let ended = tx.operation(operation).await?.is_none_or(|operation| operation.finished_at.is_some());
            if ended {
                return stored::forget(&tx, operation, FORGOTTEN).await.map(drop);
            }
            due::put_off(&tx, operation.uuid(), again).await
        };
        self.db.write(tenant, unit).await
    }
}
