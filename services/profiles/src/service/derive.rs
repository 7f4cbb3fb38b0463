//! Deriving: which segments a customer is in, what is computed of it, its stage. A unit that writes profiles derives them
//! itself; what follows an interaction, a score, the clock or a new definition is derived here, by one function for all
//! causes: looked at without a lock first, and where something changes, again in a unit that holds the customer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};

use super::component::{Component, customer_key, lock_customers};
use super::evidence::{Last, histories, history, subjects};
use super::{Profiles, Written, again, apply, resumed, rules};
use crate::domain::definitions::{Compiled, Definitions, Parts};
use crate::domain::derived::{Derivation, Derived, Flip, Inputs, derive};
use crate::domain::happened::History;
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::reads::{Reads, Touched};
use crate::domain::relink::{Changes, Held};
use crate::domain::rules::Rules;
use crate::events;
use crate::store::profile_revision::{self, Reached};
use crate::store::{persona_member, profile, segment_interval};

/// How many customers are looked at together, and how many are changed by one unit.
pub(super) const LOOK: usize = 100;
pub(super) const UNIT: usize = 25;

/// Why customers are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Something happened to them, or no longer did.
    Event,
    /// They gave a score, or one was deleted; or how they feel, or what stands open, is another.
    Score,
    /// It is time: whoever is due is given its next time.
    Clock,
    /// What is derived has changed.
    Definitions,
}

/// A customer's new state: its profile with what is derived, and what it entered and left.
pub(crate) struct Fresh {
    pub(crate) profile: Profile,
    pub(crate) flips: Vec<Flip>,
    before: Option<Arc<Derived>>,
}

/// Derives the customers that a unit writes: where no records moved, what reads something that is said otherwise now.
pub(crate) async fn of_changes(
    tx: &Tx,
    component: &Component,
    changes: &Changes,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<Fresh>, Fault> {
    let newest = component.derived.values().map(|derived| derived.version).max().unwrap_or(0);
    let renewed = rules::renewed(tx, rules, newest).await?;
    let rules = renewed.as_ref().unwrap_or(rules);
    let mut fresh = Vec::with_capacity(changes.live.len());
    let begun: BTreeSet<SubjectId> =
        changes.moves.iter().filter(|moved| moved.from.is_none()).map(|moved| moved.subject).collect();
    for (customer, records) in &changes.live {
        let profile = fold(*customer, changes.revision, now, records, rules);
        // An id that led elsewhere until now begins anew: it is no founding member of segments that were made meanwhile.
        let led_elsewhere = matches!(component.held.get(customer), Some(Held::Redirect { .. }));
        let before = component.derived.get(customer).filter(|_| !led_elsewhere).cloned();
        let moved = moved(component, changes, *customer, records);
        let all_new = records.iter().all(|record| begun.contains(&record.subject));
        let nothing = Arc::new(Derived { version: rules.definitions.version, ..Derived::default() });
        let start = before.clone().unwrap_or(nothing);
        let touched = match component.held.get(customer) {
            Some(Held::Live { records: said, .. }) if !moved && before.is_some() && said != records => {
                let held = fold(*customer, changes.revision, now, said, rules).at(now);
                Touched::between(&held, &profile.clone().at(now))
            }
            // Nobody said anything: it is folded or linked by other rules.
            _ => Touched::everything(),
        };
        let parts = rules.definitions.parts(&touched, &start, now);
        let mut history = BTreeMap::new();
        let mut last = Last { scores: start.scores.clone(), memory: start.memory.clone() };
        if !all_new {
            history = histories(tx, &[(&profile, start.valid_until.min(now))], &parts.reads).await?;
            if moved || rules.definitions.weigh_otherwise(start.version) {
                last = heard(tx, &profile, rules).await?;
            }
        }
        let history = history.remove(customer).unwrap_or_default();
        let mut derivation = derived(&start, &profile, (&history, &last), (rules, &parts), now);
        if moved
            && !all_new
            && !derivation.flips.is_empty()
            && let Some(earlier) = resumed::earlier(tx, *customer, records, now).await?
        {
            derivation.resume(&earlier);
        }
        let profile = profile.at(now).with(Arc::new(derivation.derived), rules);
        fresh.push(Fresh { profile, flips: derivation.flips, before });
    }
    Ok(fresh)
}

/// Whether a customer has other records than before.
fn moved(component: &Component, changes: &Changes, customer: CustomerId, records: &[Record]) -> bool {
    if changes.moves.iter().any(|moved| moved.to == customer || moved.from == Some(customer)) {
        return true;
    }
    match component.held.get(&customer) {
        Some(Held::Live { records: before, .. }) => {
            let ids = |records: &[Record]| records.iter().map(|record| record.subject).collect::<BTreeSet<_>>();
            ids(before) != ids(records)
        }
        Some(Held::Redirect { .. }) => true,
        // A unit that moves no record gives no component.
        None => !component.derived.contains_key(&customer),
    }
}

/// Writes what deriving customers changed beside their rows: intervals, and when to look again.
pub(crate) async fn write(
    tx: &Tx,
    component: &Component,
    changes: &Changes,
    fresh: &[Fresh],
    now: Timestamp,
) -> Result<(), Fault> {
    let mut flips = Vec::new();
    for one in fresh {
        flips.extend(one.flips.iter().map(|flip| (one.profile.customer, *flip)));
        let before = one.before.as_ref().map_or(Timestamp::MAX, |before| before.valid_until);
        wake(tx, one.profile.customer, before, one.profile.derived.valid_until).await?;
    }
    let mut gone = Vec::new();
    for (id, _) in &changes.redirects {
        let Some(before) = component.derived.get(id) else { continue };
        wake(tx, *id, before.valid_until, Timestamp::MAX).await?;
        if !before.segments.is_empty() {
            gone.push(*id);
        }
    }
    let last = component.derived.values().map(|derived| derived.changed_at).max().unwrap_or(Timestamp::MIN);
    segment_interval::end(tx, &gone, now.max(last)).await?;
    segment_interval::write(tx, &flips).await
}

async fn wake(tx: &Tx, customer: CustomerId, before: Timestamp, after: Timestamp) -> Result<(), Fault> {
    if before == after {
        return Ok(());
    }
    tx.wake_at(customer, (after < Timestamp::MAX).then_some(after)).await
}

fn derived(
    before: &Derived,
    profile: &Profile,
    (history, last): (&History, &Last),
    (rules, parts): (&Rules, &Parts),
    now: Timestamp,
) -> Derivation {
    let (calendar, definitions) = (rules.calendar(profile), &*rules.definitions);
    let Last { scores, memory } = last;
    derive(before, &Inputs { profile, history, scores, memory, calendar, definitions, parts }, now)
}

/// What feedback told of a profile's records until now.
async fn heard(rx: &Rx, profile: &Profile, rules: &Rules) -> Result<Last, Fault> {
    let ids: Vec<SubjectId> = subjects(profile).collect();
    Last::of(rx, &ids, Timestamp::MAX, &rules.settings.sentiment_weights).await
}

/// What would be derived of a profile that only might be.
pub(crate) async fn preview(rx: &Rx, profile: &Profile, before: &Derived, rules: &Rules) -> Result<Derived, Fault> {
    let ids: Vec<SubjectId> = subjects(profile).collect();
    let history = history(rx, &ids, rules.definitions.reads(), None).await?;
    let last = heard(rx, profile, rules).await?;
    Ok(derived(before, profile, (&history, &last), (rules, &rules.definitions.whole()), rx.now()).derived)
}

/// Customers to derive, with what became another since they were.
pub(crate) type Touches = BTreeMap<CustomerId, Touched>;

/// A customer as it is stored.
pub(super) struct Stored {
    pub(super) profile: Profile,
    before: Arc<Derived>,
    /// Whether a trait that its records state is folded otherwise since it was derived.
    retold: bool,
    /// What of it is looked at.
    parts: Arc<Parts>,
}

/// What deriving customers again found.
pub(super) struct Found {
    pub(super) stored: Stored,
    derivation: Derivation,
    /// Whether a segment that it is in was named anew.
    renamed: bool,
}

impl Found {
    /// Whether anything must be written: what is seen, or an earlier time to look again, or one that has come.
    pub(super) fn changes(&self, now: Timestamp) -> bool {
        let (before, after) = (&self.stored.before, &self.derivation.derived);
        !before.looks_like(after)
            || !self.derivation.flips.is_empty()
            || after.valid_until < before.valid_until
            || before.valid_until <= now
            || self.renamed
            || self.stored.retold
    }
}

/// Derives customers as they are stored; those that are none any more are left out.
async fn look(rx: &Rx, rules: &Rules, touches: &Touches, cause: Cause) -> Result<Vec<Found>, Fault> {
    let rows = profile::by_ids(rx, &touches.keys().copied().collect::<Vec<_>>()).await?;
    look_at(rx, rules, rows.into_iter().collect(), touches, cause).await
}

pub(super) async fn look_at(
    rx: &Rx,
    rules: &Rules,
    rows: Vec<(CustomerId, profile::Row)>,
    touches: &Touches,
    cause: Cause,
) -> Result<Vec<Found>, Fault> {
    let newest = rows.iter().map(|(_, row)| row.derived.version).max().unwrap_or(0);
    let renewed = rules::renewed(rx, rules, newest).await?;
    let (rules, now) = (renewed.as_ref().unwrap_or(rules), rx.now());
    let (definitions, untouched) = (&*rules.definitions, Touched::default());
    // Most share a cause, and the version that they were derived by.
    let mut known = BTreeMap::<(&Touched, u64), Arc<Parts>>::new();
    let mut parts_of = |customer: CustomerId, before: &Derived| {
        let touched = touches.get(&customer).unwrap_or(&untouched);
        if before.valid_until <= now {
            return definitions.whole();
        }
        let parts = known.entry((touched, before.version)).or_insert_with(|| definitions.parts(touched, before, now));
        Arc::clone(parts)
    };
    let stored = rows.into_iter().filter_map(|(customer, row)| match row.held {
        Held::Live { revision, records } => {
            let retold = is_retold(&records, definitions, row.derived.version);
            let profile = fold(customer, revision, row.updated_at, &records, rules);
            let parts = parts_of(customer, &row.derived);
            Some(Stored { profile, before: row.derived, retold, parts })
        }
        Held::Redirect { .. } => None,
    });
    let stored: Vec<Stored> = stored.collect();
    let mut happened = happened(rx, &stored, now).await?;
    let mut found = Vec::with_capacity(stored.len());
    for stored in stored {
        let profile = &stored.profile;
        let last = if cause == Cause::Score || definitions.weigh_otherwise(stored.before.version) {
            heard(rx, profile, rules).await?
        } else {
            Last { scores: stored.before.scores.clone(), memory: stored.before.memory.clone() }
        };
        let history = happened.remove(&profile.customer).unwrap_or_default();
        let derivation = derived(&stored.before, profile, (&history, &last), (rules, &stored.parts), now);
        let version = stored.before.version;
        let named = |compiled: &Arc<Compiled>| compiled.segment.named_by > version;
        let renamed = version < definitions.version
            && stored.before.segments.keys().filter_map(|id| definitions.segment(*id)).any(named);
        found.push(Found { stored, derivation, renamed });
    }
    Ok(found)
}

/// What happened to customers, of each as far as what is looked at of it reads.
async fn happened(rx: &Rx, stored: &[Stored], now: Timestamp) -> Result<BTreeMap<CustomerId, History>, Fault> {
    let mut alike = BTreeMap::<&Reads, Vec<(&Profile, Timestamp)>>::new();
    for one in stored.iter().filter(|one| one.parts.reads.sees_any()) {
        // Turns of the clock since are followed one by one.
        let from = one.before.valid_until.min(now);
        alike.entry(&one.parts.reads).or_default().push((&one.profile, from));
    }
    let mut found = BTreeMap::new();
    for (reads, looks) in alike {
        found.extend(histories(rx, &looks, reads).await?);
    }
    Ok(found)
}

/// Whether records state a trait that is folded otherwise than by a version of the definitions.
fn is_retold(records: &[Record], definitions: &Definitions, version: u64) -> bool {
    let states = |name: &String| {
        let claims = |record: &Record| record.claims.traits.get(name).is_some_and(|claim| claim.value.is_some());
        records.iter().any(claims)
    };
    version < definitions.version && definitions.traits_since(version).any(states)
}

impl Profiles {
    /// Derives customers again, and writes and tells what that changes. Ids that are no customers any more are passed
    /// over. Harmless however often.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub(crate) async fn derive(&self, tenant: TenantId, touches: &Touches, cause: Cause) -> Result<(), Fault> {
        let rules = self.rules_now(tenant).await?;
        for some in chunks(touches, LOOK) {
            let changed = if cause == Cause::Clock {
                // Whoever was due is written in any case: it has a next time to be looked at, or none.
                some
            } else {
                let read = |rx: Rx| {
                    let (rules, some) = (Arc::clone(&rules), &some);
                    async move {
                        // A unit under way may have looked before the cause was committed, and write what was so then.
                        rx.outlast(&some.keys().map(customer_key).collect::<Vec<_>>()).await?;
                        Ok((look(&rx, &rules, some, cause).await?, rx.now()))
                    }
                };
                let (found, now) = self.0.database.read(tenant, read).await?;
                let changed = found.into_iter().filter(|found| found.changes(now));
                let changed: BTreeSet<CustomerId> = changed.map(|found| found.stored.profile.customer).collect();
                some.into_iter().filter(|(customer, _)| changed.contains(customer)).collect()
            };
            for some in chunks(&changed, UNIT) {
                self.derive_unit(tenant, &rules, some, cause).await?;
            }
        }
        Ok(())
    }

    /// Derives customers that are due.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub(crate) async fn derive_due(
        &self,
        tenant: TenantId,
        customers: impl IntoIterator<Item = CustomerId>,
    ) -> Result<(), Fault> {
        let touches = customers.into_iter().map(|customer| (customer, Touched::default())).collect();
        self.derive(tenant, &touches, Cause::Clock).await
    }

    pub(super) async fn derive_unit(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        touches: Touches,
        cause: Cause,
    ) -> Result<(), Fault> {
        let touches = Arc::new(touches);
        let written = again(|| {
            let (rules, touches) = (Arc::clone(rules), Arc::clone(&touches));
            self.0.database.write(tenant, move |tx| {
                let (rules, touches) = (Arc::clone(&rules), Arc::clone(&touches));
                async move { rederive(&tx, &rules, &touches, cause).await }
            })
        });
        self.show(tenant, &written.await?);
        Ok(())
    }
}

/// So many at a time.
pub(super) fn chunks(touches: &Touches, size: usize) -> Vec<Touches> {
    let all: Vec<_> = touches.iter().collect();
    let some = |some: &[(&CustomerId, &Touched)]| some.iter().map(|(id, touched)| (**id, (*touched).clone())).collect();
    all.chunks(size).map(some).collect()
}

/// Derives customers again within a unit that holds them.
async fn rederive(tx: &Tx, rules: &Rules, touches: &Touches, cause: Cause) -> Result<Written, Fault> {
    lock_customers(tx, &touches.keys().copied().collect()).await?;
    let found = look(tx, rules, touches, cause).await?;
    let (mut written, mut flips, mut personas, mut reached) = (Written::default(), vec![], vec![], vec![]);
    let there: BTreeSet<CustomerId> = found.iter().map(|found| found.stored.profile.customer).collect();
    if cause == Cause::Clock {
        for gone in touches.keys().filter(|customer| !there.contains(customer)) {
            tx.wake_at(*gone, None).await?;
        }
    }
    for found in found {
        let changes = found.changes(tx.now());
        let Found { stored: Stored { mut profile, before, retold, .. }, derivation, .. } = found;
        let Derivation { derived, flips: some } = derivation;
        if !changes {
            if cause == Cause::Clock {
                let due = before.valid_until;
                tx.wake_at(profile.customer, (due < Timestamp::MAX).then_some(due)).await?;
            }
            continue;
        }
        let customer = profile.customer;
        profile = profile.at(tx.now());
        profile.revision += 1;
        profile.updated_at = tx.now().max(profile.updated_at);
        reached.push(Reached { customer, revision: profile.revision, at: profile.updated_at });
        if retold && rules.personas.is_some() {
            personas.push((customer, profile.persona.as_ref().map(|has| has.persona)));
        }
        profile::derive(tx, customer, profile.revision, &derived, profile.updated_at).await?;
        let due = derived.valid_until;
        if due != before.valid_until || cause == Cause::Clock {
            tx.wake_at(customer, (due < Timestamp::MAX).then_some(due)).await?;
        }
        flips.extend(some.iter().map(|flip| (customer, *flip)));
        let profile = Arc::new(profile.with(Arc::new(derived), rules));
        tx.publish(events::profile_flipped(&profile, &some, profile.updated_at)).await?;
        written.live.push(profile);
    }
    profile_revision::add(tx, &reached).await?;
    persona_member::put(tx, &personas).await?;
    segment_interval::write(tx, &flips).await?;
    apply::index(tx, &written.live, rules).await?;
    Ok(written)
}
