//! Follow-ups: opened by rules as this service's own events tell what happened, worked on by people, escalated by the
//! clock.

mod act;
mod clock;
mod hear;
mod join;
mod read;
mod rules;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rapport_data::{Database, Rx, Tx};
use rapport_kernel::{Clock, Fault, PageKey, SubjectId, TenantId};
use rapport_platform::Platform;
use tokio::sync::Notify;

pub use act::{Act, Manual};
pub use read::{Listing, Which};
pub use rules::RuleChange;
pub use watch::{Change, Told, Watch, Watching};

use super::Promises;
use crate::domain::follow_up::{Cancellation, Entry, FollowUp, FollowUpId, Rules, Touched};
use crate::events::loops as events;
use crate::peers::Profiles;
use crate::store::follow_up::{self as store, entry, rule};
use crate::store::loop_due::{self, Item};
use crate::store::sla_rule;

/// A tenant's rules as they were compiled, and of which versions of the rules and of the calendars they are.
type Known = ((i64, i64), Arc<Rules>);

/// The rules of tenants, compiled.
#[derive(Clone, Default)]
struct Compiled(Arc<Mutex<HashMap<TenantId, Known>>>);

impl Compiled {
    /// A tenant's rules, as the read or unit sees them.
    async fn of(&self, rx: &Rx) -> Result<Arc<Rules>, Fault> {
        let version = rule::version(rx).await?;
        // Whole after every statement.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&rx.tenant()).cloned();
        if let Some((_, rules)) = known.filter(|(known, _)| *known == version) {
            return Ok(rules);
        }
        let kept = rule::all(rx).await?;
        let kept: Vec<_> = kept.into_iter().map(|kept| (kept.id, kept.updated_at, kept.rule)).collect();
        let rules = Arc::new(Rules::new(&kept, &sla_rule::all(rx).await?.calendars));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(rx.tenant(), (version, Arc::clone(&rules)));
        Ok(rules)
    }
}

/// The follow-ups of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct FollowUps {
    db: Database,
    profiles: Profiles,
    page_key: PageKey,
    clock: Arc<dyn Clock>,
    compiled: Compiled,
    promises: Promises,
    /// Told when something may be due earlier than the clock's next look.
    wake: Arc<Notify>,
}

impl FollowUps {
    /// In a database, of customers that profiles knows.
    #[must_use]
    pub fn new(db: Database, profiles: Profiles, platform: &Platform, promises: Promises) -> Self {
        let (page_key, clock) = (platform.page_key.clone(), Arc::clone(&platform.clock));
        Self { db, profiles, page_key, clock, compiled: Compiled::default(), promises, wake: Arc::default() }
    }

    /// Forgets the follow-ups of subjects, within the unit that erases them; answers how many rows went.
    ///
    /// # Errors
    /// As the database's.
    pub async fn erase(&self, tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
        let (rows, others) = store::erase(tx, subjects).await?;
        for held in others {
            let theirs = held.causes.iter().filter(|cause| subjects.contains(&cause.subject));
            let mut keys: Vec<_> = theirs.map(|cause| cause.key).collect();
            let mut held = held;
            if let Some(lead) = held.joined
                && store::find(tx, lead).await?.is_none()
                && let Some(touched) = held.join(None, tx.now())
            {
                held = save(tx, touched).await?;
            }
            if held.next_score.as_ref().is_some_and(|score| subjects.contains(&score.subject))
                && let Some(touched) = held.link_score(None, tx.now())
            {
                held = save(tx, touched).await?;
            }
            while let Some(touched) = keys.pop().and_then(|key| held.withdraw(key, tx.now())) {
                held = save(tx, touched).await?;
            }
        }
        Ok(rows)
    }
}

/// Writes a follow-up's new state and history, and tells of it. One that has no cause left leads no other.
async fn save(tx: &Tx, touched: Touched) -> Result<FollowUp, Fault> {
    let Touched { follow_up, entries } = touched;
    write(tx, &follow_up, &entries).await?;
    if follow_up.cancellation == Some(Cancellation::CauseWithdrawn) {
        join::succeed(tx, &follow_up).await?;
    }
    Ok(follow_up)
}

async fn write(tx: &Tx, one: &FollowUp, entries: &[Entry]) -> Result<(), Fault> {
    store::put(tx, one).await?;
    entry::add(tx, one, entries).await?;
    loop_due::put(tx, Item::FollowUp, one.id.uuid(), one.wakes()).await?;
    tx.about(one.subject);
    if one.is_timeless() {
        return tx.publish_timeless(events::changed(one), one.changed_at).await;
    }
    tx.publish(events::changed(one)).await
}

/// That there is no such follow-up.
fn missing(id: FollowUpId) -> Fault {
    Fault::not_found("follow_up", id.to_string())
}
