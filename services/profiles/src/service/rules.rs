//! The rules of tenants, kept in this process for a second: every call asks for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rapport_data::{Database, Rx};
use rapport_kernel::{Fault, TenantId, Timestamp};
use rapport_platform::Call;
use serde::de::IgnoredAny;

use super::Profiles;
use crate::domain::catalogue::Catalogue;
use crate::domain::definitions::Definitions;
use crate::domain::matching::Matcher;
use crate::domain::namespace::Namespaces;
use crate::domain::persona::Assigner;
use crate::domain::rules::{Reading, Rules};
use crate::store::{
    catalogue_entry, derivation, identity_settings, lifecycle, match_model, namespace, persona, persona_set, segment,
    settings, source_trust, trait_definition,
};

/// How long after they were read the rules that are held may be used.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// What every tenant's rules begin from.
#[derive(Clone)]
pub struct BuiltIn {
    namespaces: Namespaces,
    /// Counts the readings and the changes of rules in this process, in their order.
    readings: Arc<AtomicU64>,
}

impl BuiltIn {
    /// With these namespaces.
    #[must_use]
    pub fn new(namespaces: Namespaces) -> Self {
        Self { namespaces, readings: Arc::default() }
    }

    /// The next place among the readings and the changes of rules.
    pub(super) fn next_reading(&self) -> Reading {
        Reading(self.readings.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// The rules of tenants, as read.
#[derive(Default)]
pub struct Cache(Mutex<Held>);

#[derive(Default)]
struct Held {
    tenants: HashMap<TenantId, (Arc<Rules>, Instant)>,
    /// What was read before a change: most of what it has compiled is used again.
    compiled: HashMap<TenantId, Arc<Rules>>,
    /// Counts this instance's own changes of rules: what was read before one is not kept after it.
    changed: u64,
}

impl Cache {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant's rules as last read, be they stale: what of them is dear to make is used again where it still holds.
    fn known(&self, tenant: TenantId) -> Option<Arc<Rules>> {
        let mut held = self.held();
        let known = held.tenants.get(&tenant).map(|(rules, _)| Arc::clone(rules));
        known.or_else(|| held.compiled.remove(&tenant))
    }

    fn fresh(&self, tenant: TenantId) -> Result<Arc<Rules>, u64> {
        let held = self.held();
        match held.tenants.get(&tenant) {
            Some((rules, read_at)) if read_at.elapsed() < FRESH => Ok(Arc::clone(rules)),
            _ => Err(held.changed),
        }
    }
}

/// A tenant's rules as they stand; `built_in` are those of a tenant that changed nothing. What `held` has compiled is
/// used again where it did not change.
///
/// # Errors
/// Where the database fails; as for all that follow.
pub async fn read(rx: &Rx, built_in: &BuiltIn, held: Option<&Rules>) -> Result<Rules, Fault> {
    let reading = built_in.next_reading();
    let declared = trait_definition::all(rx).await?;
    let definitions = definitions(rx, held.map(|held| &held.definitions)).await?;
    let personas = match persona_set::in_force(rx).await? {
        Some(set) => Assigner::new(&set, persona::of_set(rx, set.id).await?).map(Arc::new),
        None => None,
    };
    let settings = settings::find(rx).await?;
    // What is stored was read as a country before.
    let namespaces = match settings.phone_region.parse() {
        Ok(region) => built_in.namespaces.clone().in_region(region),
        Err(_) => built_in.namespaces.clone(),
    };
    let namespaces = namespaces.with(namespace::all(rx).await?);
    let identity = identity_settings::get(rx).await?;
    let (entries, strictness) = catalogue_entry::rules(rx).await?;
    let (declared, catalogue) = (declared.into_iter().collect(), Catalogue::new(entries, strictness));
    Ok(Rules { namespaces, declared, identity, matcher: None, personas, catalogue, definitions, settings, reading })
}

async fn definitions(rx: &Rx, held: Option<&Arc<Definitions>>) -> Result<Arc<Definitions>, Fault> {
    let versions = derivation::find(rx).await?;
    if let Some(held) = held.filter(|held| held.version == versions.version) {
        return Ok(Arc::clone(held));
    }
    let (lifecycle, segments) = (lifecycle::find(rx).await?, segment::all(rx).await?);
    let newest = trait_definition::newest(rx).await?;
    let declared: Vec<_> = newest.into_iter().map(|version| (version.definition, version.deleted)).collect();
    let definitions = Definitions::new(versions, &declared, lifecycle, segments, held.map(|held| &**held));
    Ok(Arc::new(definitions))
}

/// The rules with definitions of a version at least; `None` where these are. For a unit that finds that another instance
/// knows newer ones.
pub async fn renewed(rx: &Rx, rules: &Rules, version: u64) -> Result<Option<Rules>, Fault> {
    if rules.definitions.version >= version {
        return Ok(None);
    }
    let declared = trait_definition::all(rx).await?;
    let definitions = definitions(rx, Some(&rules.definitions)).await?;
    // What the definitions are followed by is at least as new as they are.
    let settings = settings::find(rx).await?;
    Ok(Some(Rules { declared: declared.into_iter().collect(), definitions, settings, ..rules.clone() }))
}

/// The same, with what weighs pairs of records: it is large, so that what was read `before` is kept where it still holds.
async fn read_all(rx: &Rx, built_in: &BuiltIn, before: Option<&Rules>) -> Result<Rules, Fault> {
    let rules = read(rx, built_in, before).await?;
    let Some(version) = match_model::active(rx).await? else { return Ok(rules) };
    let matcher = before.and_then(|before| before.matcher.clone());
    if let Some(matcher) = matcher.filter(|matcher| matcher.version == version) {
        return Ok(Rules { matcher: Some(matcher), ..rules });
    }
    let Some((model, ..)) = match_model::find::<IgnoredAny>(rx, version).await? else { return Ok(rules) };
    let matcher = Matcher::new(version, model).map_err(Fault::internal)?;
    Ok(Rules { matcher: Some(Arc::new(matcher)), ..rules })
}

/// A tenant's rules as they stood at an instant, as far as a profile is folded by them.
///
/// # Errors
/// Where the database fails.
pub async fn as_of(rx: &Rx, now: &Rules, at: Timestamp) -> Result<Rules, Fault> {
    let personas = match persona_set::in_force_at(rx, at).await? {
        Some(set) => Assigner::new(&set, persona::of_set(rx, set.id).await?).map(Arc::new),
        None => None,
    };
    let catalogue = now.catalogue.clone().with_sources(source_trust::as_of(rx, at).await?);
    Ok(Rules {
        declared: trait_definition::as_of(rx, at).await?.into_iter().collect(),
        personas,
        catalogue,
        ..now.clone()
    })
}

impl Profiles {
    /// The rules of the call's tenant.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn rules(&self, call: &Call) -> Result<Arc<Rules>, Fault> {
        match self.0.rules.fresh(call.tenant()) {
            Ok(rules) => Ok(rules),
            Err(before) => self.refresh(&self.database(call), call.tenant(), before).await,
        }
    }

    /// The rules of a tenant, with the newest definitions there are: for what follows a cause that was committed.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub(crate) async fn rules_now(&self, tenant: TenantId) -> Result<Arc<Rules>, Fault> {
        let database = &self.0.database;
        let before = match self.0.rules.fresh(tenant) {
            Ok(rules) => {
                let newest = database.read(tenant, |rx| async move { derivation::find(&rx).await }).await?;
                if rules.definitions.version >= newest.version {
                    return Ok(rules);
                }
                self.0.rules.held().changed
            }
            Err(before) => before,
        };
        self.refresh(database, tenant, before).await
    }

    async fn refresh(&self, database: &Database, tenant: TenantId, before: u64) -> Result<Arc<Rules>, Fault> {
        let (built_in, began, known) = (&self.0.built_in, Instant::now(), self.0.rules.known(tenant));
        let read = |rx| async move { read_all(&rx, built_in, known.as_deref()).await };
        let rules = Arc::new(database.read(tenant, read).await?);
        let mut held = self.0.rules.held();
        if held.changed == before {
            held.tenants.insert(tenant, (Arc::clone(&rules), began));
        }
        Ok(rules)
    }

    /// The rules of a tenant as they stand, for work in the background.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub(crate) async fn rules_of(&self, tenant: TenantId) -> Result<Rules, Fault> {
        let (built_in, known) = (&self.0.built_in, self.0.rules.known(tenant));
        self.0.database.read(tenant, |rx| async move { read_all(&rx, built_in, known.as_deref()).await }).await
    }

    /// The rules by which a tenant's profiles are folded were changed by this instance: its next call sees them, and
    /// profiles folded by them.
    pub(crate) fn refold(&self, tenant: TenantId) {
        // First, so that whatever is read after the rules are given up is read after this.
        self.0.hot.refold(tenant, self.0.built_in.next_reading());
        self.rules_changed(tenant);
    }

    /// A tenant's rules were changed by this instance: its next call sees them.
    pub(crate) fn rules_changed(&self, tenant: TenantId) {
        let mut held = self.0.rules.held();
        held.changed += 1;
        if let Some((rules, _)) = held.tenants.remove(&tenant) {
            held.compiled.insert(tenant, rules);
        }
    }
}
