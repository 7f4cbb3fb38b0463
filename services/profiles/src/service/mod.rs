//! The use cases, a file per noun. [`Profiles`] is what they share.

pub mod accounts;
pub mod apply;
pub mod attach;
pub mod backfill;
mod batch;
mod before;
pub mod candidates;
pub mod catalogue;
pub mod channels;
pub mod component;
mod crowding;
pub mod declared;
pub mod delete;
pub mod derive;
pub mod discovery;
pub mod erase;
pub mod evidence;
pub mod explain;
pub mod follow;
pub mod health;
pub mod hear;
pub mod history;
pub mod hot;
pub mod identify;
pub mod identity_settings;
pub mod import;
pub mod interactions;
mod lifecycle;
pub mod lineage;
pub mod matching;
pub mod members;
pub mod merge;
pub mod namespaces;
mod newcomers;
mod passes;
pub mod personas;
pub mod potential;
pub mod quality;
pub mod quarantine;
pub mod read;
pub mod renormalise;
mod resumed;
pub mod rules;
pub mod say;
pub mod search;
pub mod segments;
pub mod settings;
mod shared;
pub mod split;
pub mod timeline;
pub mod training;
pub mod watch;
pub mod watch_segment;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use rapport_data::{Answer, Database, Receipt, Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, TenantId};
use rapport_platform::Call;

use self::rules::BuiltIn;
use crate::domain::namespace::Namespaces;
use crate::domain::profile::Profile;
use hot::{Hot, Known};
use tokio::sync::Notify;

/// How often a unit of work is run again whose customers grew while it waited for them.
const MOST_RUNS: u32 = 10;

/// The profiles of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Profiles(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    /// The namespaces of a tenant that changed none.
    pub(crate) built_in: BuiltIn,
    pub(crate) hot: Hot,
    pub(crate) rules: rules::Cache,
    /// Told when something may be due earlier than the clock's next look.
    pub(crate) wake: Notify,
    pub(crate) pace: backfill::Pace,
    /// Until when, in microseconds, what happens has its place in the timeline.
    pub(crate) covered: AtomicI64,
    pub(crate) quality: quality::Quality,
}

/// What a unit of work wrote that this instance's reads must show at once.
#[derive(Clone, Default)]
pub struct Written {
    /// Customers with a new state.
    pub live: Vec<Arc<Profile>>,
    /// Ids that were merged away: where to, and by which revision.
    pub merged: Vec<(CustomerId, CustomerId, u64)>,
    /// Ids that were erased.
    pub gone: Vec<CustomerId>,
    /// Records that take part in matching again, and whom they look like: they are yet to be linked anew.
    pub(crate) alike: BTreeSet<SubjectId>,
}

/// The outcome of a unit of work that changes profiles.
pub trait Outcome: Send + Sync + 'static {
    /// What it wrote.
    fn written(&self) -> &Written;
}

impl Profiles {
    /// Over a database.
    #[must_use]
    pub fn new(database: Database, built_in: Namespaces) -> Self {
        let (hot, rules, wake) = (Hot::default(), rules::Cache::default(), Notify::new());
        let (covered, quality) = (AtomicI64::new(i64::MIN), quality::Quality::default());
        let pace = backfill::Pace::default();
        let built_in = BuiltIn::new(built_in);
        let inner = Inner { database, built_in, hot, rules, wake, pace, covered, quality };
        Self(Arc::new(inner))
    }

    /// The database, for a call: waiting ends with its deadline.
    pub(crate) fn database(&self, call: &Call) -> Database {
        self.0.database.until(call.deadline)
    }

    /// Reads the tenant's data.
    pub(crate) async fn read<T, F, Fut>(&self, call: &Call, query: F) -> Result<T, Fault>
    where
        F: FnOnce(Rx) -> Fut + Send,
        Fut: Future<Output = Result<T, Fault>> + Send,
    {
        self.database(call).read(call.tenant(), query).await
    }

    /// Runs a unit of work once for its receipt; again where the customers it needs grew while it waited for them.
    /// What it wrote is what this instance's next read answers.
    pub(crate) async fn change<T, F, Fut>(&self, call: &Call, receipt: Receipt<T>, work: F) -> Result<Answer<T>, Fault>
    where
        T: Outcome,
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.0.pace.called(1);
        let (database, work) = (self.database(call), Arc::new(work));
        let answer = again(|| {
            let (unit, receipt) = (Arc::clone(&work), receipt.clone());
            database.write_once(call.tenant(), receipt, move |tx| unit(tx))
        });
        let answer = answer.await?;
        if let Answer::Fresh(outcome) = &answer {
            self.show(call.tenant(), outcome.written());
        }
        Ok(answer)
    }

    /// As [`Profiles::change`], for what erases: it begins with the tenant's lock of erasures.
    pub(crate) async fn change_erasing<T, F, Fut>(&self, call: &Call, work: F) -> Result<T, Fault>
    where
        T: Outcome,
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let (database, work) = (self.database(call), Arc::new(work));
        let outcome = again(|| {
            let unit = Arc::clone(&work);
            database.write_erasing(call.tenant(), move |tx| unit(tx))
        });
        let outcome = outcome.await?;
        self.show(call.tenant(), outcome.written());
        Ok(outcome)
    }

    /// Links a customer's records anew, as a job does that goes through all of them. Where too many hang together, or too
    /// much, they stay as they are, as they do for every other call.
    pub(crate) async fn link_anew<F, Fut>(&self, tenant: TenantId, unit: F) -> Result<(), Fault>
    where
        F: Fn(Tx) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Written, Fault>> + Send + 'static,
    {
        match again(|| self.0.database.write(tenant, unit.clone())).await {
            Ok(written) => {
                self.show(tenant, &written);
                Ok(())
            }
            Err(fault) if fault.reason == Reason::IdentityConflict => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Makes what was committed visible to this instance's reads.
    pub(crate) fn show(&self, tenant: TenantId, written: &Written) {
        let (hot, now) = (&self.0.hot, Instant::now());
        for profile in &written.live {
            hot.put(tenant, profile.customer, Known::Live(Arc::clone(profile)), now);
        }
        for (id, to, revision) in &written.merged {
            hot.put(tenant, *id, Known::Merged(*to, *revision), now);
        }
        for id in &written.gone {
            hot.put(tenant, *id, Known::Gone, now);
        }
    }
}

/// That the customers a unit needs grew while it waited: it runs again.
pub(crate) fn grew() -> Fault {
    Fault::new(Reason::Contention, "concurrent changes kept winning; try again")
}

/// Runs a unit again while it loses against others.
pub(crate) async fn again<T, Fut>(run: impl Fn() -> Fut) -> Result<T, Fault>
where
    Fut: Future<Output = Result<T, Fault>>,
{
    let mut runs = 0;
    loop {
        runs += 1;
        match run().await {
            Err(fault) if fault.reason == Reason::Contention && runs < MOST_RUNS => {
                tokio::time::sleep(Duration::from_millis(u64::from(runs))).await;
            }
            other => return other,
        }
    }
}

/// The stripe, of so many, that words fall into.
pub(crate) fn stripe(words: &[&str], stripes: u64) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    (bytes.fold(0xcbf2_9ce4_8422_2325, mix) >> 32) % stripes
}
