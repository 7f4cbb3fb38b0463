//! Persona sets and personas, as callers ask for them; finding them is `discovery`'s.

use std::collections::BTreeMap;

use rapport_data::{Answer, NewOperation, Operation, Receipt, Tx, keyset};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::persona::{Persona, PersonaId, PersonaSet, PersonaSetId, Settings, State};
use crate::events;
use crate::store::{persona, persona_member, persona_set};

/// The kind of the operations that find personas.
pub const DISCOVER: &str = "DiscoverPersonas";

/// A persona, and how many customers have it.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The persona.
    pub persona: Persona,
    /// How many customers have it now.
    pub customers: u64,
}

/// How somebody describes a persona.
#[derive(Clone, Debug)]
pub struct Describing {
    /// The persona.
    pub id: PersonaId,
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub description: String,
    /// The revision that this rests on, where the caller says.
    pub expected: Option<u64>,
}

impl Profiles {
    /// Begins to look for personas.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write_once`].
    pub async fn discover(
        &self,
        call: &Call,
        receipt: Receipt<Operation>,
        settings: Settings,
    ) -> Result<Answer<Operation>, Fault> {
        let unit = move |tx: Tx| {
            let settings = settings.clone();
            async move {
                let (id, created_at) = (PersonaSetId::new(), tx.now());
                let state = State::Discovering;
                let set = PersonaSet { id, settings, state, found: None, created_at, in_force_at: None };
                persona_set::put(&tx, &set).await?;
                // What is looked for lies in the set: an operation holds nothing but its id.
                let request = id.uuid().as_bytes().to_vec();
                tx.begin_operation(NewOperation { kind: DISCOVER, unit: "profiles", request }).await
            }
        };
        self.database(call).write_once(call.tenant(), receipt, unit).await
    }

    /// A set, or the one in force, with its personas.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn persona_set(
        &self,
        call: &Call,
        id: Option<PersonaSetId>,
    ) -> Result<(PersonaSet, Vec<Counted>), Fault> {
        let read = self.read(call, |rx| async move {
            let set = match id {
                Some(id) => persona_set::find(&rx, id).await?,
                None => persona_set::in_force(&rx).await?,
            };
            let missing = || Fault::not_found("persona_set", id.map_or("in force".to_owned(), |id| id.to_string()));
            let set = set.ok_or_else(missing)?;
            // Its personas may go on in the set that is: here they have nobody any more.
            let counts = match set.state {
                State::Assigning | State::InForce => persona_member::counts(&rx).await?,
                State::Discovering | State::Superseded | State::Failed => BTreeMap::new(),
            };
            let personas = counted(persona::of_set(&rx, set.id).await?, &counts);
            Ok((set, personas))
        });
        read.await
    }

    /// A page of sets before one, the newest first.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn persona_sets(
        &self,
        call: &Call,
        before: Option<PersonaSetId>,
        size: usize,
    ) -> Result<keyset::Page<PersonaSet, PersonaSetId>, Fault> {
        let rows = self.read(call, |rx| async move { persona_set::page(&rx, before, size).await });
        let weight = |set: &PersonaSet| {
            let traits: usize = set.settings.traits.iter().map(|name| name.len() * 2 + 16).sum();
            set.settings.name.len() + set.settings.filter.len() + traits + 128
        };
        Ok(keyset::page(rows.await?, size, weight, |set| set.id))
    }

    /// A page of the personas of a set, or of the one in force, from a place on.
    ///
    /// # Errors
    /// NOT_FOUND where there is no such set.
    pub async fn personas(
        &self,
        call: &Call,
        set: Option<PersonaSetId>,
        after: Option<usize>,
        size: usize,
    ) -> Result<keyset::Page<Counted, usize>, Fault> {
        let all = match self.persona_set(call, set).await {
            Ok((_, all)) => all,
            Err(fault) if set.is_none() && fault.reason == Reason::ResourceNotFound => Vec::new(),
            Err(fault) => return Err(fault),
        };
        let beyond = |counted: &Counted| after.is_none_or(|after| counted.persona.place > after);
        let rest: Vec<Counted> = all.into_iter().filter(beyond).collect();
        let weight = |counted: &Counted| counted.persona.features.len() * 128 + counted.persona.description.len() + 256;
        Ok(keyset::page(rest, size, weight, |counted| counted.persona.place))
    }

    /// A persona.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn persona(&self, call: &Call, id: PersonaId) -> Result<Counted, Fault> {
        let read = self.read(call, |rx| async move {
            let persona = persona::find(&rx, id).await?.ok_or_else(|| not_found(id))?;
            let customers = persona_member::counts(&rx).await?.get(&id).copied().unwrap_or(0);
            Ok(Counted { persona, customers })
        });
        read.await
    }

    /// Gives a persona another name and description.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED where it was changed since the caller read it.
    pub async fn describe_persona(
        &self,
        call: &Call,
        receipt: Receipt<Counted>,
        input: Describing,
    ) -> Result<Answer<Counted>, Fault> {
        let unit = move |tx: Tx| {
            let input = input.clone();
            async move {
                tx.lock(&[format!("persona/{}", input.id)]).await?;
                let mut persona = persona::find(&tx, input.id).await?.ok_or_else(|| not_found(input.id))?;
                if input.expected.is_some_and(|expected| expected != persona.revision) {
                    let text = "the etag is not the newest: read again, apply the change to what you read, retry";
                    return Err(Fault::new(Reason::StaleEtag, text).resource("persona", input.id.to_string()));
                }
                if persona.name != input.name || persona.description != input.description {
                    persona.is_named |= persona.name != input.name;
                    persona.name = input.name;
                    persona.description = input.description;
                    persona.revision += 1;
                    persona.updated_at = tx.now();
                    persona::put(&tx, std::slice::from_ref(&persona)).await?;
                    tx.publish(events::persona_changed(tx.tenant(), &persona)).await?;
                }
                let customers = persona_member::counts(&tx).await?.get(&persona.id).copied().unwrap_or(0);
                Ok(Counted { persona, customers })
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.rules_changed(call.tenant());
        Ok(answer)
    }
}

fn not_found(id: PersonaId) -> Fault {
    Fault::not_found("persona", id.to_string())
}

fn counted(personas: Vec<Persona>, counts: &BTreeMap<PersonaId, u64>) -> Vec<Counted> {
    let counted = |persona: Persona| {
        let customers = counts.get(&persona.id).copied().unwrap_or(0);
        Counted { persona, customers }
    };
    personas.into_iter().map(counted).collect()
}
