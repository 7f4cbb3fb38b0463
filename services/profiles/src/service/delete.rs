//! DeleteSourceRecord: a source deleted its record. What remains of the record's claims follows from all that was ever
//! said on it, so that the order in which it was told does not show. No link changes: the record's history stays its
//! customer's.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, Reason, Timestamp};
use rapport_platform::Call;

use super::apply::Prior;
use super::component::lock_customers;
use super::hear::current;
use super::identify::record_key;
use super::say::Said;
use super::{Profiles, Written, apply, grew, matching};
use crate::domain::account::AccountId;
use crate::domain::claims::{Claims, Statement};
use crate::domain::profile::objects_to_profiling;
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::SourceRecord;
use crate::store::observation::Observation;
use crate::store::{account_member, link, observation, profile, source_deletion, subject};

/// Which record.
#[derive(Clone, Debug)]
pub struct Deleting {
    /// The record.
    pub name: SourceRecord,
    /// When its source deleted it.
    pub observed_at: Timestamp,
}

impl Profiles {
    /// Hears that a source deleted its record.
    ///
    /// # Errors
    /// NOT_FOUND where nobody told of the record yet: that it is deleted is known then all the same.
    pub async fn delete_record(
        &self,
        call: &Call,
        receipt: Receipt<Said>,
        input: Deleting,
    ) -> Result<Answer<Said>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        loop {
            let (rules, of_unit) = (Arc::clone(&rules), Arc::clone(&input));
            let unit = move |tx: Tx| {
                let (rules, input) = (Arc::clone(&rules), Arc::clone(&of_unit));
                async move { delete(&tx, &rules, &input).await }
            };
            match self.change(call, receipt.clone(), unit).await {
                // Where it became known meanwhile it is deleted after all.
                Err(fault) if fault.reason == Reason::ResourceNotFound && !self.remember(call, &input).await? => {}
                answer => return answer,
            }
        }
    }

    /// Notes the deletion of a record that nobody told of yet; answers whether it still was none.
    async fn remember(&self, call: &Call, input: &Arc<Deleting>) -> Result<bool, Fault> {
        let (database, input) = (self.database(call), Arc::clone(input));
        let unit = move |tx: Tx| {
            let input = Arc::clone(&input);
            async move {
                tx.lock(&[record_key(&input.name)]).await?;
                if let Some(known) = subject::find(&tx, &input.name).await? {
                    // One that an erasure is about to take is nobody's: there is nothing to delete.
                    return Ok(link::current(&tx, known.id).await?.is_none());
                }
                source_deletion::put(&tx, &input.name, input.observed_at).await?;
                Ok(true)
            }
        };
        database.write(call.tenant(), unit).await
    }
}

async fn delete(tx: &Tx, rules: &Rules, input: &Deleting) -> Result<Said, Fault> {
    tx.lock(&[record_key(&input.name)]).await?;
    // The record's id is personal: the fault names the source alone.
    let gone = || Fault::not_found("source_record", format!("of {}", input.name.source));
    let subject = subject::find(tx, &input.name).await?.ok_or_else(gone)?.id;
    tx.about(subject);
    let customer = link::current(tx, subject).await?.ok_or_else(gone)?.customer;
    lock_customers(tx, &BTreeSet::from([customer])).await?;
    if link::current(tx, subject).await?.ok_or_else(gone)?.customer != customer {
        return Err(grew());
    }
    let statement = Statement { deleted_by: Some(input.name.source.clone()), ..Statement::default() };
    if observation::is_known(tx, subject, input.observed_at, &statement).await? {
        return Ok(Said::new(current(tx, rules, customer).await?, Written::default()));
    }
    let Some(profile::Row { held: Held::Live { revision, mut records }, derived, .. }) =
        profile::find(tx, customer).await?
    else {
        return Err(Fault::internal("a linked customer has no profile"));
    };
    let prior = Prior { customer, revision, derived, records: records.clone() };
    let history = observation::of_subjects(tx, &[subject], Timestamp::MAX).await?;
    let told = history.iter().map(|heard| (&heard.statement, heard.observed_at));
    let claims = Claims::told(told.chain([(&statement, input.observed_at)]));
    let record = records.iter_mut().find(|record| record.subject == subject);
    let record = record.ok_or_else(|| Fault::internal("a customer lacks a record"))?;
    let left: Vec<AccountId> =
        record.claims.memberships.keys().filter(|account| !claims.memberships.contains_key(account)).copied().collect();
    account_member::forget(tx, subject, &left).await?;
    record.claims = claims;
    let (claims, objects) = (record.claims.clone(), objects_to_profiling(&records));
    let profile = apply::update(tx, prior, records, rules).await?;
    let (observed_at, recorded_at) = (input.observed_at, tx.now());
    observation::add(tx, &[Observation { subject, observed_at, recorded_at, statement }]).await?;
    let mut written = Written { live: vec![Arc::clone(&profile)], ..Written::default() };
    // What is deleted is compared no more.
    let noted = matching::note(tx, rules, subject, &claims, objects).await?;
    matching::relink(tx, rules, &noted.linked, &mut written).await?;
    matching::review(tx, rules, &noted).await?;
    Ok(Said::new(profile, written))
}
