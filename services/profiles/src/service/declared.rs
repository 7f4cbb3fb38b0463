//! Declared traits, kept in this process for a second: every Identify and every fact asks for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rapport_data::{Answer, Receipt, Tx, keyset};
use rapport_kernel::{Fault, Reason, TenantId};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::declared::{Declared, TraitDefinition};
use crate::events;
use crate::store::trait_definition;

/// How long after it was read what is held may be used.
const FRESH: Duration = Duration::from_secs(1);

/// The declared traits of tenants, as read.
#[derive(Default)]
pub struct Cache(Mutex<Held>);

#[derive(Default)]
struct Held {
    tenants: HashMap<TenantId, (Arc<Declared>, Instant)>,
    /// Counts this instance's own declarations: what was read before one is not kept after it.
    declared: u64,
}

impl Cache {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Profiles {
    /// The traits that a tenant declared.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn declared(&self, call: &Call) -> Result<Arc<Declared>, Fault> {
        let (tenant, began) = (call.tenant(), Instant::now());
        let before = {
            let held = self.0.declared.held();
            match held.tenants.get(&tenant) {
                Some((declared, read_at)) if read_at.elapsed() < FRESH => return Ok(Arc::clone(declared)),
                _ => held.declared,
            }
        };
        let all = self.read(call, |rx| async move { trait_definition::all(&rx).await }).await?;
        let declared = Arc::new(all.into_iter().collect::<Declared>());
        let mut held = self.0.declared.held();
        if held.declared == before {
            held.tenants.insert(tenant, (Arc::clone(&declared), began));
        }
        Ok(declared)
    }

    /// Declares a trait.
    ///
    /// # Errors
    /// ALREADY_EXISTS where one of that name is declared.
    pub async fn declare(
        &self,
        call: &Call,
        receipt: Receipt<TraitDefinition>,
        definition: TraitDefinition,
    ) -> Result<Answer<TraitDefinition>, Fault> {
        let unit = move |tx: Tx| {
            let mut definition = definition.clone();
            async move {
                definition.created_at = tx.now();
                if trait_definition::add(&tx, &definition).await? {
                    tx.publish(events::trait_definition_changed(tx.tenant(), &definition)).await?;
                    return Ok(definition);
                }
                let text = "a trait of this name is declared already; its type cannot change";
                Err(Fault::new(Reason::ResourceExists, text).resource("trait_definition", definition.name))
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        let mut held = self.0.declared.held();
        held.declared += 1;
        held.tenants.remove(&call.tenant());
        Ok(answer)
    }

    /// A declared trait.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn definition(&self, call: &Call, name: &str) -> Result<TraitDefinition, Fault> {
        let read = self.read(call, |rx| async move { trait_definition::find(&rx, name).await });
        read.await?.ok_or_else(|| Fault::not_found("trait_definition", name))
    }

    /// A page of declared traits after a name.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn definitions(
        &self,
        call: &Call,
        after: Option<String>,
        size: usize,
    ) -> Result<keyset::Page<TraitDefinition, String>, Fault> {
        let rows = self.read(call, |rx| async move { trait_definition::page(&rx, after.as_deref(), size).await });
        let weight = |definition: &TraitDefinition| definition.name.len() + definition.description.len() + 32;
        Ok(keyset::page(rows.await?, size, weight, |definition| definition.name.clone()))
    }
}
