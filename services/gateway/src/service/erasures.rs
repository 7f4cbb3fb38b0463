//! Forgetting customers: an erasure is stored with its subjects, and a background task asks every service until each
//! has forgotten them and the bus holds nothing older. It survives any crash: what is not complete is asked again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use rapport_data::{Answer, Database, Receipt, Tx};
use rapport_kernel::{Clock, Fault, Kind, Reason, SubjectId, TenantId};
use rapport_platform::{Call, OnFailure, Platform};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::{Action, AuditEntry, Customer, Erasure, ErasureId};
use crate::peers::Services;
use crate::store;

/// How often what another instance stored, or left, is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one instance has the erasures to itself, unless it takes them again. Two at once would do no harm.
const LEASE: Duration = Duration::from_secs(10);
/// The first pause before a service is asked again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How many are looked at in one round, and how many at once.
const ROUND: (u64, usize) = (1_000, 8);

/// The erasures of all tenants.
#[derive(Clone)]
pub struct Erasures {
    db: Database,
    services: Services,
    clock: Arc<dyn Clock>,
    begun: Arc<Notify>,
}

impl Erasures {
    /// In a database.
    #[must_use]
    pub fn new(db: Database, services: Services, clock: Arc<dyn Clock>) -> Self {
        Self { db, services, clock, begun: Arc::default() }
    }

    /// Begins to forget a customer, or answers the erasure that covers it already.
    ///
    /// # Errors
    /// NOT_FOUND where there is no such customer and none was erased; UNAVAILABLE where profiles cannot be reached.
    pub async fn begin(
        &self,
        call: &Call,
        receipt: Receipt<Erasure>,
        customer: Customer,
    ) -> Result<Answer<Erasure>, Fault> {
        let (customer_id, subjects) = match self.services.resolve(call, &customer).await {
            Ok(resolved) => resolved,
            Err(fault) if fault.kind() == Kind::NotFound || fault.reason == Reason::Erased => {
                return self.erased_before(call, receipt, &customer).await;
            }
            Err(fault) => return Err(fault),
        };
        let (id, key) = (ErasureId::new(), call.caller.key);
        let unit = move |tx: Tx| {
            let subjects = subjects.clone();
            async move {
                let (tenant, now) = (tx.tenant(), tx.now());
                tx.lock(&[format!("erase/{customer_id}")]).await?;
                if let Some(known) = store::erasure::covering(tx.conn(), tenant, &subjects).await? {
                    return Ok(known);
                }
                let erasure = Erasure::begin(id, customer_id, subjects, now);
                store::erasure::insert(tx.conn(), tenant, &erasure).await?;
                let (action, target) = (Action::EraseCustomer, id.uuid());
                store::audit::note(tx.conn(), AuditEntry { tenant, key, action, target, at: now }).await?;
                Ok(erasure)
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.begun.notify_one();
        Ok(answer)
    }

    /// Profiles knows no such customer: it may be one that was erased, or the request one that was made before.
    async fn erased_before(
        &self,
        call: &Call,
        receipt: Receipt<Erasure>,
        customer: &Customer,
    ) -> Result<Answer<Erasure>, Fault> {
        let subject = if let Customer::Id(id) = customer { Some(*id) } else { None };
        let unit = move |tx: Tx| async move {
            let subjects: Vec<SubjectId> = subject.into_iter().collect();
            let known = store::erasure::covering(tx.conn(), tx.tenant(), &subjects).await?;
            known.ok_or_else(|| Fault::not_found("customer", subject.map(|id| id.to_string()).unwrap_or_default()))
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Returns an erasure.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn get(&self, call: &Call, id: ErasureId) -> Result<Erasure, Fault> {
        let query = move |rx: rapport_data::Rx| async move { store::erasure::get(rx.conn(), rx.tenant(), id).await };
        self.db.until(call.deadline).read(call.tenant(), query).await
    }

    /// Starts the task that brings erasures to their end, one instance at a time.
    pub fn start(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("gateway.erasures", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move { this.run(&stopping).await }
        });
    }

    async fn run(&self, stopping: &CancellationToken) -> Result<(), Fault> {
        let mut pauses: HashMap<ErasureId, Pause> = HashMap::new();
        loop {
            let next = pauses.values().map(|pause| pause.until).min();
            let look = Instant::now() + LOOK_EVERY;
            tokio::select! {
                () = self.begun.notified() => {}
                () = tokio::time::sleep_until(next.map_or(look, |next| next.min(look))) => {}
                () = stopping.cancelled() => break,
            }
            self.round(&mut pauses).await?;
        }
        self.db.system().release("erasures").await
    }

    /// Asks for every erasure that runs and is due.
    async fn round(&self, pauses: &mut HashMap<ErasureId, Pause>) -> Result<(), Fault> {
        let running =
            self.db.system().read(|rx| async move { store::erasure::running(rx.conn(), ROUND.0).await }).await?;
        pauses.retain(|id, _| running.iter().any(|(_, running)| running == id));
        if running.is_empty() || !self.db.system().lease("erasures", LEASE).await? {
            pauses.clear();
            return Ok(());
        }
        let now = Instant::now();
        let due = running.into_iter().filter(|(_, id)| pauses.get(id).is_none_or(|pause| pause.until <= now));
        let due: Vec<_> = due.map(|(tenant, id)| async move { (id, self.drive(tenant, id).await) }).collect();
        let mut driven = futures::stream::iter(due).buffer_unordered(ROUND.1);
        while let Some((id, complete)) = driven.next().await {
            match complete {
                Ok(true) => drop(pauses.remove(&id)),
                Ok(false) => pauses.entry(id).or_default().lengthen(),
                Err(fault) => {
                    tracing::warn!(erasure = %id, cause = ?fault, "an erasure did not go on; it is tried again");
                    pauses.entry(id).or_default().lengthen();
                }
            }
        }
        Ok(())
    }

    /// Asks every service that has not finished, and answers whether all have. As long as profiles has not forgotten
    /// the subjects, something new could still be recorded of them: so nobody else is asked before.
    async fn drive(&self, tenant: TenantId, id: ErasureId) -> Result<bool, Fault> {
        let read = move |rx: rapport_data::Rx| async move { store::erasure::get(rx.conn(), rx.tenant(), id).await };
        let mut erasure = self.db.read(tenant, read).await?;
        let mut failed = None;
        for service in erasure.pending() {
            match self.services.erase(service, tenant, &erasure, self.clock.now()).await {
                Ok(answered) => {
                    let note = move |tx: Tx| async move {
                        let erasure = store::erasure::lock(tx.conn(), tx.tenant(), id).await?;
                        let erasure = erasure.answered(service, answered.deleted_rows, answered.bus_clear, tx.now());
                        store::erasure::update(tx.conn(), tx.tenant(), &erasure).await?;
                        Ok(erasure)
                    };
                    erasure = self.db.write(tenant, note).await?;
                }
                Err(fault) if service == "profiles" && erasure.is_held_by(service) => return Err(fault),
                Err(fault) => failed = Some(fault),
            }
        }
        failed.map_or(Ok(erasure.completed_at.is_some()), Err)
    }
}

/// When an erasure is looked at again.
struct Pause {
    length: Duration,
    until: Instant,
}

impl Default for Pause {
    fn default() -> Self {
        Self { length: PAUSES.0 / 2, until: Instant::now() }
    }
}

impl Pause {
    fn lengthen(&mut self) {
        self.length = (self.length * 2).min(PAUSES.1);
        self.until = Instant::now() + self.length;
    }
}
