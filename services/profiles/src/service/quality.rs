//! Counting how well sources tell. Each instance counts in memory and adds what it counted to the table every second: a
//! count for each item in its own unit of work would make all units of a source wait for one row. So the figures lag by a
//! second, and an instance that is killed loses what it counted in its last one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapport_data::{Answer, Tx};
use rapport_kernel::fault::Kind;
use rapport_kernel::{Fault, TenantId, Timestamp};
use rapport_platform::Call;

use super::Profiles;
use super::identify::{Identification, Identified};
use crate::domain::catalogue::Catalogue;
use crate::domain::interaction::{Held, Outcome};
use crate::domain::quality::Counts;
use crate::domain::rules::Rules;
use crate::store::source_day;

/// How many sources and days are held apart at once, over all tenants: more are only made up.
const MOST: usize = 10_000;
const DAY: i64 = 86_400_000_000;

/// What was counted and not yet written, by tenant, source and day.
#[derive(Default)]
pub(crate) struct Quality(Mutex<HashMap<TenantId, Counted>>);

/// Counts by source and day.
pub(crate) type Counted = BTreeMap<(String, i64), Counts>;

impl Quality {
    fn held(&self) -> MutexGuard<'_, HashMap<TenantId, Counted>> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, tenant: TenantId, counted: Counted) {
        let mut held = self.held();
        for ((source, day), counts) in counted {
            let has_room = held.values().map(Counted::len).sum::<usize>() < MOST;
            let of_tenant = held.entry(tenant).or_default();
            let is_there = of_tenant.contains_key(&(source.clone(), day));
            let source = if has_room || is_there { source } else { String::new() };
            of_tenant.entry((source, day)).or_default().add(&counts);
        }
    }
}

/// What one unit of work counted.
#[derive(Clone, Default)]
pub(crate) struct Tally(BTreeMap<String, Counts>);

impl Tally {
    /// Counts what became of a telling.
    pub(crate) fn heard(&mut self, catalogue: &Catalogue, held: &Held, outcome: Outcome, now: Timestamp) {
        let source = &held.key().source;
        let counts = match self.0.get_mut(source) {
            Some(counts) => counts,
            None => self.0.entry(source.clone()).or_default(),
        };
        match outcome {
            Outcome::Unchanged => counts.duplicates += 1,
            Outcome::Created | Outcome::Updated | Outcome::Deleted => {
                counts.accepted += 1;
                counts.created += i64::from(outcome == Outcome::Created);
                counts.deleted += i64::from(outcome == Outcome::Deleted);
                counts.recorded = counts.recorded.max(Some(now));
                if let Held::Live(interaction) = held {
                    counts.saw(interaction.content.occurred_at, now);
                    if outcome == Outcome::Created {
                        counts.lagged(interaction.content.occurred_at, now);
                    }
                    for deviation in catalogue.deviations(source, &interaction.content) {
                        counts.unmapped(&format!("{}/{}", deviation.kind, deviation.name), 1);
                    }
                }
            }
        }
    }

    /// Counts a refusal that is the telling's own fault.
    pub(crate) fn refused(&mut self, source: &str, fault: &Fault) {
        if !matches!(fault.kind(), Kind::Invalid | Kind::NotFound | Kind::Precondition) {
            return;
        }
        // What is no source's name is not told apart: it could be anything.
        let source = if is_name(source) { source } else { "" };
        let counts = self.0.entry(source.to_owned()).or_default();
        counts.rejected += 1;
        let broken = fault.details.violations.as_slice();
        if broken.is_empty() {
            *counts.rules.entry(fault.reason.name().to_owned()).or_default() += 1;
        }
        for violation in broken {
            *counts.rules.entry(violation.rule.to_owned()).or_default() += 1;
        }
    }

    /// Counts a statement of a record that it had made before.
    pub(crate) fn repeated(&mut self, source: &str) {
        self.0.entry(source.to_owned()).or_default().duplicates += 1;
    }

    /// Counts a statement of a record, after which its customer has a strong identifier or none.
    pub(crate) fn stated(
        &mut self,
        catalogue: &Catalogue,
        source: &str,
        is_strong: bool,
        times: (Timestamp, Timestamp),
    ) {
        let counts = self.0.entry(source.to_owned()).or_default();
        counts.records += 1;
        counts.weak += i64::from(!is_strong);
        counts.saw(times.0, times.1);
        if let Some(deviation) = catalogue.source(source) {
            counts.unmapped(&format!("{}/{}", deviation.kind, deviation.name), 1);
        }
    }
}

/// As the contract has it.
fn is_name(source: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    (1..=64).contains(&source.len())
        && source.bytes().all(is_plain)
        && source.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

impl Profiles {
    /// Takes what a unit that was committed counted.
    pub(crate) fn tallied(&self, tenant: TenantId, tally: Tally, now: Timestamp) {
        let day = now.micros().div_euclid(DAY);
        self.0.quality.add(tenant, tally.0.into_iter().map(|(source, counts)| ((source, day), counts)).collect());
    }

    /// Counts a statement of a record, made at an instant.
    pub(crate) fn stated(
        &self,
        tenant: TenantId,
        rules: &Rules,
        (input, now): (&Identification, Timestamp),
        answer: &Result<Answer<Identified>, Fault>,
    ) {
        let (source, times) = (&input.name.source, (input.observed_at, now));
        match answer {
            Ok(Answer::Fresh(identified)) if identified.repeated => {
                let mut tally = Tally::default();
                tally.repeated(source);
                self.tallied(tenant, tally, now);
            }
            Ok(Answer::Fresh(identified)) => {
                let mut identifiers = identified.profile.identifiers.iter();
                let is_strong = identifiers.any(|(of, _)| rules.namespaces.strong(&of.namespace).is_some());
                let mut tally = Tally::default();
                tally.stated(&rules.catalogue, source, is_strong, times);
                self.tallied(tenant, tally, now);
            }
            Ok(Answer::Replayed(_)) => {}
            Err(fault) => self.refused(tenant, source, fault, now),
        }
    }

    /// Counts a refusal.
    pub fn refused(&self, tenant: TenantId, source: &str, fault: &Fault, now: Timestamp) {
        let mut tally = Tally::default();
        tally.refused(source, fault);
        self.tallied(tenant, tally, now);
    }

    /// Writes what was counted.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`]; what was not written is still held.
    pub async fn write_quality(&self) -> Result<(), Fault> {
        let counted = std::mem::take(&mut *self.0.quality.held());
        let mut failed = None;
        for (tenant, counted) in counted {
            if let Err(fault) = self.write_counted(tenant, counted).await {
                failed = Some(fault);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn write_counted(&self, tenant: TenantId, counted: Counted) -> Result<(), Fault> {
        let counted = Arc::new(counted);
        let all = Arc::clone(&counted);
        let unit = move |tx: Tx| {
            let counted = Arc::clone(&all);
            async move { source_day::add(&tx, &counted).await }
        };
        let written = self.0.database.write(tenant, unit).await;
        if written.is_err() {
            self.0.quality.add(tenant, Arc::unwrap_or_clone(counted));
        }
        written
    }

    /// How well sources told (one, or all where it is empty) in days.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn data_quality(
        &self,
        call: &Call,
        source: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<String, Counts>, Fault> {
        // What this instance counted is in its own answer.
        let counted = self.0.quality.held().remove(&call.tenant());
        if let Some(counted) = counted {
            self.write_counted(call.tenant(), counted).await?;
        }
        let days = (from.micros().div_euclid(DAY), to.micros().div_euclid(DAY));
        self.read(call, |rx| async move { source_day::sums(&rx, source, days).await }).await
    }
}
