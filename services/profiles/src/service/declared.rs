//! Declared traits: what their values must be, which of several survives, which of them metrics can be grouped by. A
//! change counts for reads at once; profiles that it makes others are told in the background ([`super::backfill`]).

use rapport_data::{Answer, Receipt, Tx, keyset};
use rapport_kernel::{Fault, Reason, Violations};
use rapport_platform::Call;

use super::{Profiles, backfill};
use crate::domain::declared::TraitDefinition;
use crate::events;
use crate::store::trait_definition::{self, Version};

/// A change of a definition: of the one that is held, by the one that is given.
pub type Change = fn(&mut TraitDefinition, &TraitDefinition);

/// What to change of a declared trait.
#[derive(Clone, Debug)]
pub struct Updating {
    /// The new values; its name says which.
    pub definition: TraitDefinition,
    /// What of it is taken over.
    pub changes: Vec<Change>,
    /// The type, where the call names one: it must be the one that is held.
    pub kind: Option<crate::domain::value::TraitType>,
    /// The revision as last read.
    pub expected: Option<u64>,
}

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
                lock(&tx).await?;
                let held = trait_definition::find(&tx, &definition.name).await?;
                if held.as_ref().is_some_and(|held| !held.deleted) {
                    let text = "a trait of this name is declared already; its type cannot change";
                    return Err(Fault::new(Reason::ResourceExists, text).resource("trait_definition", definition.name));
                }
                definition.revision = held.as_ref().map_or(0, |held| held.definition.revision);
                definition.created_at = tx.now();
                put(&tx, held.as_ref(), definition, false).await
            }
        };
        self.define(call, receipt, unit).await
    }

    /// Changes a declared trait.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); INVALID_ARGUMENT where it would be of another type, or what results is none.
    pub async fn redeclare(
        &self,
        call: &Call,
        receipt: Receipt<TraitDefinition>,
        input: Updating,
    ) -> Result<Answer<TraitDefinition>, Fault> {
        let unit = move |tx: Tx| {
            let input = input.clone();
            async move {
                lock(&tx).await?;
                let held = held(&tx, &input.definition.name, input.expected).await?;
                if input.kind.is_some_and(|kind| kind != held.definition.kind) {
                    let text = format!("must stay {}: a trait's type cannot change", held.definition.kind.words());
                    return Err(Fault::invalid_field("trait_definition.type", "type.fixed", text));
                }
                let mut definition = held.definition.clone();
                input.changes.iter().for_each(|change| change(&mut definition, &input.definition));
                let mut wrong = Violations::new();
                for (field, rule, text) in definition.refusals() {
                    wrong.add(format!("trait_definition.{field}"), rule, text);
                }
                wrong.check()?;
                if definition == held.definition {
                    return looked_at(&tx, held).await;
                }
                put(&tx, Some(&held), definition, false).await
            }
        };
        self.define(call, receipt, unit).await
    }

    /// Takes a declaration back.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG).
    pub async fn undeclare(
        &self,
        call: &Call,
        receipt: Receipt<TraitDefinition>,
        name: String,
        expected: Option<u64>,
    ) -> Result<Answer<TraitDefinition>, Fault> {
        let unit = move |tx: Tx| {
            let name = name.clone();
            async move {
                lock(&tx).await?;
                let held = held(&tx, &name, expected).await?;
                put(&tx, Some(&held), held.definition.clone(), true).await
            }
        };
        self.define(call, receipt, unit).await
    }

    async fn define<F, Fut>(
        &self,
        call: &Call,
        receipt: Receipt<TraitDefinition>,
        unit: F,
    ) -> Result<Answer<TraitDefinition>, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<TraitDefinition, Fault>> + Send + 'static,
    {
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.refold(call.tenant());
        self.definitions_changed(call.tenant());
        Ok(answer)
    }

    /// A declared trait.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn definition(&self, call: &Call, name: &str) -> Result<TraitDefinition, Fault> {
        let read = self.read(call, |rx| async move { trait_definition::find(&rx, name).await });
        let found = read.await?.filter(|found| !found.deleted);
        Ok(found.ok_or_else(|| Fault::not_found("trait_definition", name))?.definition)
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
        let weight = |definition: &TraitDefinition| {
            let sources = definition.trusted_sources.iter().map(|source| source.len() + 4);
            definition.name.len() + definition.description.len() + sources.sum::<usize>() + 64
        };
        Ok(keyset::page(rows.await?, size, weight, |definition| definition.name.clone()))
    }
}

/// Definitions change one after another.
async fn lock(tx: &Tx) -> Result<(), Fault> {
    backfill::hold(tx).await
}

/// A definition that stays as it is: where the back-fill after its last change ended before its end, another is begun.
async fn looked_at(tx: &Tx, held: Version) -> Result<TraitDefinition, Fault> {
    let Some(operation) = held.definition.operation else { return Ok(held.definition) };
    let Some(begun) = backfill::ask_again(tx, held.definition.changed_by, operation).await? else {
        return Ok(held.definition);
    };
    let definition = TraitDefinition { operation: Some(begun), ..held.definition };
    trait_definition::amend(tx, &definition).await?;
    Ok(definition)
}

async fn held(tx: &Tx, name: &str, expected: Option<u64>) -> Result<Version, Fault> {
    let held = trait_definition::find(tx, name).await?.filter(|held| !held.deleted);
    let held = held.ok_or_else(|| Fault::not_found("trait_definition", name))?;
    if expected.is_some_and(|expected| expected != held.definition.revision) {
        let text = "the etag is not the newest: read the definition again, apply the change to it, retry";
        return Err(Fault::new(Reason::StaleEtag, text).resource("trait_definition", name));
    }
    Ok(held)
}

/// Writes the next version, tells of it, and asks for what it makes of profiles to be told.
async fn put(
    tx: &Tx,
    before: Option<&Version>,
    mut definition: TraitDefinition,
    deleted: bool,
) -> Result<TraitDefinition, Fault> {
    let last = before.map(|before| before.definition.updated_at);
    let after = |last: rapport_kernel::Timestamp| last.plus(std::time::Duration::from_micros(1));
    definition.updated_at = last.map_or(tx.now(), |last| tx.now().max(after(last)));
    definition.revision += 1;
    let was_computed = before.is_some_and(|before| before.definition.computed.is_some());
    let folded = |definition: &TraitDefinition, deleted: bool| (!deleted).then(|| definition.clone());
    let held = before.and_then(|before| folded(&before.definition, before.deleted));
    let folds_alike = match (held, folded(&definition, deleted)) {
        (Some(before), Some(after)) => before.folds_as(&after),
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    };
    if was_computed || definition.computed.is_some() || !folds_alike {
        let change = backfill::changed(tx).await?;
        definition.changed_by = change.version;
        definition.operation = Some(change.operation);
    }
    let version = Version { definition, deleted };
    trait_definition::add(tx, &version).await?;
    tx.publish(events::trait_definition_changed(tx.tenant(), &version)).await?;
    Ok(version.definition)
}
