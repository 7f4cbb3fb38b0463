//! Follows interactions to infer the channels a customer is met on. What remains of a record's interactions is said of the
//! record, as something that was seen of it, whenever it has changed by more than its rounding: seldom, so that recording
//! does not turn into writing profiles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Rx, Tx};
use rapport_kernel::{Fault, Reason, SubjectId, TenantId};

use super::hear::hear;
use super::{Profiles, Written, again, rules};
use crate::domain::channels::{LOOKED_AT, met};
use crate::domain::claims::Statement;
use crate::domain::relink::Held;
use crate::domain::standing::{Basis, Choice, Preference, Preferring};
use crate::store::{interaction, link, profile};

/// Who says so.
const SOURCE: &str = "interactions";

/// Infers channels.
pub struct Meeting(pub Profiles);

impl Meeting {
    /// Looks at what happened to subjects, and says of them what is new.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn look_at(&self, tenant: TenantId, subjects: BTreeSet<SubjectId>) -> Result<(), Fault> {
        if subjects.is_empty() {
            return Ok(());
        }
        let database = &self.0.0.database;
        let looked = database.read(tenant, |rx| async move { look(&rx, subjects).await });
        for (subject, said) in looked.await? {
            self.say(tenant, subject, said).await?;
        }
        Ok(())
    }

    async fn say(&self, tenant: TenantId, subject: SubjectId, said: Preferring) -> Result<(), Fault> {
        let (built_in, said) = (self.0.0.built_in.clone(), Arc::new(said));
        let unit = move |tx: Tx| {
            let (built_in, said) = (built_in.clone(), Arc::clone(&said));
            async move {
                let rules = rules::read(&tx, &built_in, None).await?;
                let observed_at = said.observed_at;
                let statement = Statement { preferences: [(*said).clone()].into(), ..Statement::default() };
                match hear(&tx, &rules, subject, &statement, observed_at).await {
                    Ok(heard) => Ok(heard.written),
                    // It was erased meanwhile.
                    Err(fault) if fault.reason == Reason::ResourceNotFound => Ok(Written::default()),
                    // It holds as much as it may already: nothing is inferred of it.
                    Err(fault) if fault.reason == Reason::InvalidState => Ok(Written::default()),
                    Err(fault) if fault.reason == Reason::IdentityConflict => Ok(Written::default()),
                    Err(fault) => Err(fault),
                }
            }
        };
        let unit = Arc::new(unit);
        let written = again(|| {
            let unit = Arc::clone(&unit);
            self.0.0.database.write(tenant, move |tx| unit(tx))
        });
        self.0.show(tenant, &written.await?);
        Ok(())
    }
}

/// Of which subjects something else is to be said than is held.
async fn look(rx: &Rx, subjects: BTreeSet<SubjectId>) -> Result<Vec<(SubjectId, Preferring)>, Fault> {
    let subjects: Vec<SubjectId> = subjects.into_iter().collect();
    let links = link::current_of(rx, &subjects).await?;
    let customers: BTreeSet<_> = links.values().map(|link| link.customer).collect();
    let rows = profile::by_ids(rx, &customers.into_iter().collect::<Vec<_>>()).await?;
    let mut news = Vec::new();
    for row in rows.into_values() {
        let Held::Live { records, .. } = row.held else { continue };
        for record in records.into_iter().filter(|record| links.contains_key(&record.subject)) {
            let choice = met(&interaction::channels(rx, record.subject, LOOKED_AT).await?).map(Choice::Met);
            let held = record.claims.preferences.get(&(Preference::MetOn, Basis::Observed));
            if held.and_then(|held| held.choice.as_ref()) != choice.as_ref() {
                // Later than what is held, though clocks differ.
                let last = held.map(|held| held.observed_at.plus(Duration::from_micros(1)));
                let observed_at = last.map_or(rx.now(), |last| rx.now().max(last));
                let (preference, basis, source) = (Preference::MetOn, Basis::Observed, SOURCE.to_owned());
                news.push((record.subject, Preferring { observed_at, preference, basis, choice, source }));
            }
        }
    }
    Ok(news)
}
