//! Hearing what is said of a known record where its links stay as they are: its customer's profile alone is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_data::{Engine, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use super::apply::Prior;
use super::component::lock_customers;
use super::{Written, apply, grew, matching};
use crate::domain::bounds;
use crate::domain::claims::Statement;
use crate::domain::profile::{Profile, fold, objects_to_profiling};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::store::observation::Observation;
use crate::store::{link, observation, profile};

/// What a statement made of its record's customer.
pub(crate) struct Heard {
    pub(crate) profile: Arc<Profile>,
    pub(crate) written: Written,
    /// Whether the record had said just this before.
    pub(crate) known: bool,
}

/// Hears a statement of a known record that changes none of its strong identifiers.
pub(crate) async fn hear(
    tx: &Tx,
    rules: &Rules,
    subject: SubjectId,
    statement: &Statement,
    observed_at: Timestamp,
) -> Result<Heard, Fault> {
    tx.about(subject);
    let gone = || Fault::not_found("customer", subject.to_string());
    let customer = link::current(tx, subject).await?.ok_or_else(gone)?.customer;
    lock_customers(tx, &BTreeSet::from([customer])).await?;
    // On SQLite nothing changes between two looks.
    if tx.engine() == Engine::Postgres && link::current(tx, subject).await?.ok_or_else(gone)?.customer != customer {
        return Err(grew());
    }
    hear_of(tx, rules, (subject, customer), statement, observed_at).await
}

/// The same, where the customer that holds the record is known and locked.
pub(crate) async fn hear_of(
    tx: &Tx,
    rules: &Rules,
    (subject, customer): (SubjectId, CustomerId),
    statement: &Statement,
    observed_at: Timestamp,
) -> Result<Heard, Fault> {
    tx.about(subject);
    let row = profile::find(tx, customer).await?;
    let Some(profile::Row { held: Held::Live { revision, mut records }, updated_at, derived }) = row else {
        return Err(Fault::internal("a linked customer has no profile"));
    };
    let (said, objected) = (records.clone(), objects_to_profiling(&records));
    let record = records.iter_mut().find(|record| record.subject == subject);
    let claims = &mut record.ok_or_else(|| Fault::internal("a customer lacks a record"))?.claims;
    let changed = claims.hear(statement, observed_at);
    let known = observation::is_known(tx, subject, observed_at, statement).await?;
    let unseen = changed && !known && apply::is_unseen(customer, &said, &records, rules, tx.now());
    if unseen {
        apply::keep(tx, customer, records.clone()).await?;
    }
    let (profile, written) = if changed && !known && !unseen {
        bounds::check(&records)?;
        let object = (objects_to_profiling(&records) != objected).then(|| records.clone());
        let prior = Prior { customer, revision, derived, records: said };
        let profile = apply::update(tx, prior, records, rules).await?;
        let mut written = Written { live: vec![Arc::clone(&profile)], ..Written::default() };
        match object {
            Some(records) => {
                // On the heap: it links anew, and lies deep already.
                Box::pin(matching::object(tx, rules, &records, &mut written)).await?;
                let gone = || Fault::internal("a known record has no link");
                let customer = link::current(tx, subject).await?.ok_or_else(gone)?.customer;
                (current(tx, rules, customer).await?, written)
            }
            None => (profile, written),
        }
    } else {
        let profile = fold(customer, revision, updated_at, &records, rules).at(tx.now());
        (Arc::new(profile.with(derived, rules)), Written::default())
    };
    if !known {
        let heard = Observation { subject, observed_at, recorded_at: tx.now(), statement: statement.clone() };
        observation::add(tx, &[heard]).await?;
    }
    Ok(Heard { profile, written, known })
}

/// The profile of a customer as it stands in this unit.
pub(crate) async fn current(tx: &Tx, rules: &Rules, customer: CustomerId) -> Result<Arc<Profile>, Fault> {
    match profile::find(tx, customer).await? {
        Some(profile::Row { held: Held::Live { revision, records }, updated_at, derived }) => {
            let profile = fold(customer, revision, updated_at, &records, rules).at(tx.now());
            Ok(Arc::new(profile.with(derived, rules)))
        }
        _ => Err(Fault::internal("a linked customer has no profile")),
    }
}
