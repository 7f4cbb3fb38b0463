//! Deriving: which segments a customer is in, what is computed of it, its stage. A unit that writes profiles derives them
//! itself; what follows an interaction, a score, the clock or a new definition is derived here, by one function for all
//! causes: looked at without a lock first, and where something changes, again in a unit that holds the customer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};

use super::component::{Component, lock_customers};
use super::evidence::{histories, history, subjects};
use super::{Profiles, Written, again, apply, rules};
use crate::domain::claims::Statement;
use crate::domain::definitions::Compiled;
use crate::domain::derived::{Derivation, Derived, Flip, Inputs, Score, derive};
use crate::domain::happened::History;
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::{Changes, Held};
use crate::domain::rules::Rules;
use crate::events;
use crate::store::observation::{self, Observation};
use crate::store::{profile, score, segment_interval};

/// How many customers are looked at together, and how many are changed by one unit.
const LOOK: usize = 100;
const UNIT: usize = 25;

/// Why customers are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Something happened to them, or no longer did.
    Event,
    /// They gave a score, or one was deleted.
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

/// Derives the customers that a unit writes. Where neither records nor definitions moved, and nothing derived looks at
/// the profile, all stays as it was.
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
    for (customer, records) in &changes.live {
        let profile = fold(*customer, changes.revision, now, records, rules);
        // An id that led elsewhere until now begins anew: it is no founding member of segments that were made meanwhile.
        let led_elsewhere = matches!(component.held.get(customer), Some(Held::Redirect { .. }));
        let before = component.derived.get(customer).filter(|_| !led_elsewhere).cloned();
        let moved = moved(component, changes, *customer, records);
        if let Some(before) = &before
            && !moved
            && before.version == rules.definitions.version
            && !rules.definitions.reads().profile
        {
            // But that a flag may end earlier.
            let valid_until = before.valid_until.min(profile.flag_ends_after(now));
            let derived = Arc::new(Derived { valid_until, ..(**before).clone() });
            let profile = profile.at(now).with(derived, rules);
            fresh.push(Fresh { profile, flips: Vec::new(), before: Some(Arc::clone(before)) });
            continue;
        }
        let all_new = records
            .iter()
            .all(|record| changes.moves.iter().any(|moved| moved.subject == record.subject && moved.from.is_none()));
        let begun = Arc::new(Derived { version: rules.definitions.version, ..Derived::default() });
        let start = before.clone().unwrap_or(begun);
        let ids: Vec<SubjectId> = subjects(&profile).collect();
        let mut history = BTreeMap::new();
        let mut last = start.scores.clone();
        if !all_new {
            history = histories(tx, &[&profile], rules.definitions.reads()).await?;
            if moved {
                last = score::last(tx, &ids, Timestamp::MAX).await?;
            }
        }
        let history = history.remove(customer).unwrap_or_default();
        let derivation = derived(&start, &profile, &history, &last, rules, now);
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
    history: &History,
    scores: &BTreeMap<String, Score>,
    rules: &Rules,
    now: Timestamp,
) -> Derivation {
    let (calendar, definitions) = (rules.calendar(profile), &*rules.definitions);
    derive(before, &Inputs { profile, history, scores, calendar, definitions }, now)
}

/// What would be derived of a profile that only might be.
pub(crate) async fn preview(rx: &Rx, profile: &Profile, before: &Derived, rules: &Rules) -> Result<Derived, Fault> {
    let ids: Vec<SubjectId> = subjects(profile).collect();
    let history = history(rx, &ids, rules.definitions.reads(), None).await?;
    let last = score::last(rx, &ids, Timestamp::MAX).await?;
    Ok(derived(before, profile, &history, &last, rules, rx.now()).derived)
}

/// A customer as it is stored.
struct Stored {
    profile: Profile,
    before: Arc<Derived>,
}

/// What deriving customers again found.
struct Found {
    stored: Stored,
    derivation: Derivation,
    /// Whether a segment that it is in was named anew.
    renamed: bool,
}

impl Found {
    /// Whether anything must be written: what is seen, or an earlier time to look again, or one that has come.
    fn changes(&self, now: Timestamp) -> bool {
        let (before, after) = (&self.stored.before, &self.derivation.derived);
        !before.looks_like(after)
            || !self.derivation.flips.is_empty()
            || after.valid_until < before.valid_until
            || before.valid_until <= now
            || self.renamed
    }
}

/// Derives customers as they are stored; those that are none any more are left out.
async fn look(rx: &Rx, rules: &Rules, customers: &[CustomerId], cause: Cause) -> Result<Vec<Found>, Fault> {
    let rows = profile::by_ids(rx, customers).await?;
    look_at(rx, rules, rows.into_iter().collect(), cause).await
}

async fn look_at(
    rx: &Rx,
    rules: &Rules,
    rows: Vec<(CustomerId, profile::Row)>,
    cause: Cause,
) -> Result<Vec<Found>, Fault> {
    let newest = rows.iter().map(|(_, row)| row.derived.version).max().unwrap_or(0);
    let renewed = rules::renewed(rx, rules, newest).await?;
    let rules = renewed.as_ref().unwrap_or(rules);
    let stored = rows.into_iter().filter_map(|(customer, row)| match row.held {
        Held::Live { revision, records } => {
            let profile = fold(customer, revision, row.updated_at, &records, rules);
            Some(Stored { profile, before: row.derived })
        }
        Held::Redirect { .. } => None,
    });
    let stored: Vec<Stored> = stored.collect();
    let profiles: Vec<&Profile> = stored.iter().map(|stored| &stored.profile).collect();
    let mut histories = histories(rx, &profiles, rules.definitions.reads()).await?;
    let mut found = Vec::with_capacity(stored.len());
    for stored in stored {
        let profile = &stored.profile;
        let last = if cause == Cause::Score {
            score::last(rx, &subjects(profile).collect::<Vec<_>>(), Timestamp::MAX).await?
        } else {
            stored.before.scores.clone()
        };
        let history = histories.remove(&profile.customer).unwrap_or_default();
        let derivation = derived(&stored.before, profile, &history, &last, rules, rx.now());
        let named = |compiled: &Compiled| {
            let segment = &compiled.segment;
            segment.named_by > stored.before.version && stored.before.segments.contains_key(&segment.id)
        };
        let renamed = rules.definitions.segments.iter().any(|compiled| named(compiled));
        found.push(Found { stored, derivation, renamed });
    }
    Ok(found)
}

impl Profiles {
    /// Derives customers again, and writes and tells what that changes. Ids that are no customers any more are passed
    /// over. Harmless however often.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub async fn derive(&self, tenant: TenantId, customers: &[CustomerId], cause: Cause) -> Result<(), Fault> {
        let rules = self.rules_now(tenant).await?;
        for some in customers.chunks(LOOK) {
            let changed = if cause == Cause::Clock {
                // Whoever was due is written in any case: it has a next time to be looked at, or none.
                some.to_vec()
            } else {
                let read = |rx: Rx| {
                    let rules = Arc::clone(&rules);
                    async move { Ok((look(&rx, &rules, some, cause).await?, rx.now())) }
                };
                let (found, now) = self.0.database.read(tenant, read).await?;
                let changed = found.into_iter().filter(|found| found.changes(now));
                changed.map(|found| found.stored.profile.customer).collect()
            };
            for some in changed.chunks(UNIT) {
                self.derive_unit(tenant, &rules, some, cause).await?;
            }
        }
        Ok(())
    }

    async fn derive_unit(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        customers: &[CustomerId],
        cause: Cause,
    ) -> Result<(), Fault> {
        let customers: Arc<[CustomerId]> = customers.into();
        let written = again(|| {
            let (rules, customers) = (Arc::clone(rules), Arc::clone(&customers));
            self.0.database.write(tenant, move |tx| {
                let (rules, customers) = (Arc::clone(&rules), Arc::clone(&customers));
                async move { rederive(&tx, &rules, &customers, cause).await }
            })
        });
        self.show(tenant, &written.await?);
        Ok(())
    }

    /// Looks at the next customers that an older version of the definitions derived. Answers where to go on, `None` after
    /// the last.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub(crate) async fn catch_up(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        after: uuid::Uuid,
    ) -> Result<Option<uuid::Uuid>, Fault> {
        let version = rules.definitions.version;
        let read = |rx: Rx| {
            let rules = Arc::clone(rules);
            async move {
                let rows = profile::behind(&rx, version, after, LOOK as u64).await?;
                let last = rows.last().map(|(customer, _)| customer.uuid());
                Ok((look_at(&rx, &rules, rows, Cause::Definitions).await?, last, rx.now()))
            }
        };
        let (found, last, now) = self.0.database.read(tenant, read).await?;
        let (changed, same): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.changes(now));
        let seen: Arc<[(CustomerId, u64)]> =
            same.iter().map(|found| (found.stored.profile.customer, found.stored.profile.revision)).collect();
        if !seen.is_empty() {
            let confirm = move |tx: Tx| {
                let seen = Arc::clone(&seen);
                async move { profile::confirm(&tx, &seen, version).await }
            };
            self.0.database.write(tenant, confirm).await?;
        }
        let changed: Vec<CustomerId> = changed.iter().map(|found| found.stored.profile.customer).collect();
        for some in changed.chunks(UNIT) {
            self.derive_unit(tenant, rules, some, Cause::Definitions).await?;
        }
        Ok(last)
    }
}

/// Derives customers again within a unit that holds them.
async fn rederive(tx: &Tx, rules: &Rules, customers: &[CustomerId], cause: Cause) -> Result<Written, Fault> {
    lock_customers(tx, &customers.iter().copied().collect()).await?;
    let found = look(tx, rules, customers, cause).await?;
    let (mut written, mut flips) = (Written::default(), Vec::new());
    let there: BTreeSet<CustomerId> = found.iter().map(|found| found.stored.profile.customer).collect();
    if cause == Cause::Clock {
        for gone in customers.iter().filter(|customer| !there.contains(customer)) {
            tx.wake_at(*gone, None).await?;
        }
    }
    for found in found {
        let changes = found.changes(tx.now());
        let Found { stored: Stored { mut profile, before }, derivation, .. } = found;
        let Derivation { derived, flips: some } = derivation;
        if !changes {
            if cause == Cause::Clock {
                let due = before.valid_until;
                tx.wake_at(profile.customer, (due < Timestamp::MAX).then_some(due)).await?;
            }
            continue;
        }
        let customer = profile.customer;
        let flags = profile.flags.len();
        profile = profile.at(tx.now());
        profile.revision += 1;
        profile.updated_at = tx.now().max(profile.updated_at);
        if profile.flags.len() < flags {
            note(tx, &profile).await?;
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
    segment_interval::write(tx, &flips).await?;
    apply::index(tx, &written.live, rules).await?;
    Ok(written)
}

/// Keeps that a flag ended though nobody said anything, so that it is known which revision the profile had when.
async fn note(tx: &Tx, profile: &Profile) -> Result<(), Fault> {
    let (now, profile_revision, statement) = (tx.now(), profile.revision, Statement::default());
    let subject = profile.records.first().map_or(profile.customer, |(subject, ..)| *subject);
    let nothing = Observation { subject, observed_at: now, recorded_at: now, profile_revision, statement };
    observation::add(tx, &[nothing]).await
}
