//! The rules of tenants, kept in this process for a second: every call asks for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rapport_data::Rx;
use rapport_kernel::{Fault, TenantId, Timestamp};
use rapport_platform::Call;
use serde::de::IgnoredAny;

use super::Profiles;
use crate::domain::catalogue::Catalogue;
use crate::domain::matching::Matcher;
use crate::domain::namespace::Namespaces;
use crate::domain::persona::Assigner;
use crate::domain::rules::Rules;
use crate::store::{
    catalogue_entry, identity_settings, match_model, namespace, persona, persona_set, settings, trait_definition,
};

/// How long after they were read the rules that are held may be used.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// The rules of tenants, as read.
#[derive(Default)]
pub struct Cache(Mutex<Held>);

#[derive(Default)]
struct Held {
    tenants: HashMap<TenantId, (Arc<Rules>, Instant)>,
    /// Counts this instance's own changes of rules: what was read before one is not kept after it.
    changed: u64,
}

impl Cache {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant's matcher as last read, be it stale: its version tells.
    fn matcher(&self, tenant: TenantId) -> Option<Arc<Matcher>> {
        self.held().tenants.get(&tenant).and_then(|(rules, _)| rules.matcher.clone())
    }

    fn fresh(&self, tenant: TenantId) -> Result<Arc<Rules>, u64> {
        let held = self.held();
        match held.tenants.get(&tenant) {
            Some((rules, read_at)) if read_at.elapsed() < FRESH => Ok(Arc::clone(rules)),
            _ => Err(held.changed),
        }
    }
}

/// A tenant's rules as they stand; `built_in` are those of a tenant that changed nothing.
///
/// # Errors
/// Where the database fails.
pub async fn read(rx: &Rx, built_in: &Namespaces) -> Result<Rules, Fault> {
    let declared = trait_definition::all(rx).await?.into_iter().collect();
    let personas = match persona_set::in_force(rx).await? {
        Some(set) => Assigner::new(&set, persona::of_set(rx, set.id).await?).map(Arc::new),
        None => None,
    };
    let settings = settings::find(rx).await?;
    // What is stored was read as a country before.
    let namespaces = match settings.phone_region.parse() {
        Ok(region) => built_in.clone().in_region(region),
        Err(_) => built_in.clone(),
    };
    let namespaces = namespaces.with(namespace::all(rx).await?);
    let identity = identity_settings::get(rx).await?;
    let (entries, strictness) = catalogue_entry::rules(rx).await?;
    let catalogue = Catalogue::new(entries, strictness);
    Ok(Rules { namespaces, declared, identity, matcher: None, personas, catalogue, settings })
}

/// The same, with what weighs pairs of records: it is large, so that what was read `before` is kept where it still holds.
async fn read_all(rx: &Rx, built_in: &Namespaces, before: Option<Arc<Matcher>>) -> Result<Rules, Fault> {
    let rules = read(rx, built_in).await?;
    let Some(version) = match_model::active(rx).await? else { return Ok(rules) };
    if let Some(matcher) = before.filter(|matcher| matcher.version == version) {
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
    Ok(Rules { declared: trait_definition::as_of(rx, at).await?.into_iter().collect(), ..now.clone() })
}

impl Profiles {
    /// The rules of the call's tenant.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn rules(&self, call: &Call) -> Result<Arc<Rules>, Fault> {
        let (tenant, began) = (call.tenant(), Instant::now());
        let before = match self.0.rules.fresh(tenant) {
            Ok(rules) => return Ok(rules),
            Err(before) => before,
        };
        let (built_in, known) = (&self.0.built_in, self.0.rules.matcher(tenant));
        let rules = Arc::new(self.read(call, |rx| async move { read_all(&rx, built_in, known).await }).await?);
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
        let (built_in, known) = (&self.0.built_in, self.0.rules.matcher(tenant));
        self.0.database.read(tenant, |rx| async move { read_all(&rx, built_in, known).await }).await
    }

    /// A tenant's rules were changed by this instance: its next call sees them.
    pub(crate) fn rules_changed(&self, tenant: TenantId) {
        let mut held = self.0.rules.held();
        held.changed += 1;
        held.tenants.remove(&tenant);
    }
}
