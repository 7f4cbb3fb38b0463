//! ImportProfiles: many statements in one commit. Those of records that share nothing with anybody begin their customers
//! together; each of the others is heard by the unit that Identify runs, in their order. So an import is Identify one by
//! one; what is saved is the commit for each, and of newcomers the statements. An item that is refused is taken back alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_data::{Answer, Engine, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use rapport_platform::Call;

use super::component::lock_customers;
use super::identify::{Identification, Identified, Unit, identifier_key, record_key};
use super::{Outcome as _, Profiles, again, newcomers};
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, SourceRecord};
use crate::store::{identifier, link, subject};

/// What became of each statement, in order.
type Results = Vec<Result<Identified, Fault>>;

impl Profiles {
    /// Hears many statements in one commit: why each was refused that was, in order.
    ///
    /// # Errors
    /// Where the commit fails: then nothing was heard.
    pub async fn identify_many(
        &self,
        call: &Call,
        inputs: Vec<Identification>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        self.0.pace.called(inputs.len());
        let (rules, inputs, database) = (self.rules(call).await?, Arc::new(inputs), self.database(call));
        let (results, now) = again(|| {
            let (rules, inputs) = (Arc::clone(&rules), Arc::clone(&inputs));
            database.write(call.tenant(), move |tx: Tx| {
                let (rules, inputs) = (Arc::clone(&rules), Arc::clone(&inputs));
                async move { Ok((import(&tx, &rules, &inputs).await?, tx.now())) }
            })
        })
        .await?;
        Ok(inputs
            .iter()
            .zip(results)
            .map(|(input, result)| self.imported(call, &rules, (input, now), result))
            .collect())
    }

    /// Shows and counts what became of one statement, as Identify does.
    fn imported(
        &self,
        call: &Call,
        rules: &Rules,
        (input, now): (&Identification, Timestamp),
        result: Result<Identified, Fault>,
    ) -> Result<(), Fault> {
        let answer = result.map(Answer::Fresh);
        self.stated(call.tenant(), rules, (input, now), &answer);
        if let Answer::Fresh(identified) = answer? {
            self.show(call.tenant(), identified.written());
        }
        Ok(())
    }
}

async fn import(tx: &Tx, rules: &Rules, inputs: &[Identification]) -> Result<Results, Fault> {
    // Whoever is there from now on is not erased meanwhile.
    tx.hold_erasures().await?;
    if tx.engine() == Engine::Postgres {
        lock(tx, rules, inputs).await?;
    }
    let mut begun = newcomers::begin(tx, rules, inputs).await?;
    let mut results = Vec::with_capacity(inputs.len());
    for (at, input) in inputs.iter().enumerate() {
        results.push(match begun.remove(&at) {
            Some(identified) => Ok(identified),
            None => tx.attempt(Unit::new(tx, rules, input).run()).await?,
        });
    }
    Ok(results)
}

/// Takes the locks of all items at once: records and identifiers first, then customers, as one unit does. So two imports
/// do not wait for each other where they name the same; what an item reaches beyond that it locks by itself, and where
/// two wait for each other then, one runs again.
async fn lock(tx: &Tx, rules: &Rules, inputs: &[Identification]) -> Result<(), Fault> {
    let names: BTreeSet<SourceRecord> = inputs.iter().map(|input| input.name.clone()).collect();
    let names: Vec<SourceRecord> = names.into_iter().collect();
    let links = |identifier: &Identifier| {
        let (namespaces, name) = (&rules.namespaces, &identifier.namespace);
        namespaces.strong(name).is_some() || namespaces.weak(name).is_some()
    };
    let stated = inputs.iter().flat_map(|input| &input.statement.identifiers);
    let stated = stated.filter_map(|it| rules.namespaces.effective(it)).filter(|it| links(it));
    let mut identifiers: BTreeSet<Identifier> = stated.map(std::borrow::Cow::into_owned).collect();
    let known: Vec<SubjectId> = subject::by_names(tx, &names).await?.into_values().collect();
    let carried = identifier::of_subjects(tx, &known).await?.into_iter().map(|carried| carried.identifier);
    identifiers.extend(carried.filter(|it| rules.namespaces.weak(&it.namespace).is_some()));
    let keys = names.iter().map(record_key).chain(identifiers.iter().map(identifier_key));
    tx.lock(&keys.collect::<Vec<_>>()).await?;
    let carriers = identifier::carriers_of(tx, identifiers.iter(), 1).await?;
    let reached = carriers.values().flatten().map(|carrier| carrier.subject).chain(known);
    let reached: BTreeSet<SubjectId> = reached.filter(|subject| *subject != identifier::NOBODY).collect();
    let links = link::current_of(tx, &reached.into_iter().collect::<Vec<_>>()).await?;
    let customers: BTreeSet<CustomerId> = links.values().map(|link| link.customer).collect();
    lock_customers(tx, &customers).await
}
