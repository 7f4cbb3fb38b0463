//! Declared traits: what their values must be, and which of them metrics can be grouped by.

use rapport_data::{Answer, Receipt, Tx, keyset};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::Profiles;
use super::segments::definitions_changed;
use crate::domain::declared::TraitDefinition;
use crate::events;
use crate::store::trait_definition;

impl Profiles {
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
                if definition.computed.is_some() {
                    definitions_changed(&tx).await?;
                }
                if trait_definition::add(&tx, &definition).await? {
                    tx.publish(events::trait_definition_changed(tx.tenant(), &definition)).await?;
                    return Ok(definition);
                }
                let text = "a trait of this name is declared already; its type cannot change";
                Err(Fault::new(Reason::ResourceExists, text).resource("trait_definition", definition.name))
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.definitions_changed(call.tenant());
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
