//! How a customer's consents and preferences came to be: what its records were told of them, the newest first.

use std::time::Instant;

use rapport_data::keyset;
use rapport_kernel::{Fault, SubjectId};
use rapport_platform::Call;
use serde::{Deserialize, Serialize};

use super::Profiles;
use crate::domain::claims::{Consent, Statement};
use crate::domain::standing::{Preference, Preferring};
use crate::domain::value::Named;
use crate::store::observation::{self, About, Observation, Place};

/// How many observations one read takes.
const ROWS: u64 = 500;

/// Where a page begins: after so many entries of the observation at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    place: Place,
    skip: usize,
}

/// One entry of a history.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// What was said.
    pub said: T,
    /// On which record.
    pub subject: SubjectId,
    /// When it was recorded.
    pub recorded_at: rapport_kernel::Timestamp,
    at: Cursor,
}

/// What is listed.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Whose.
    pub named: Named,
    /// After which entry.
    pub after: Option<Cursor>,
    /// How many at most.
    pub size: usize,
}

impl Profiles {
    /// What was said of consents, of one purpose or (empty) of any.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn consent_history(
        &self,
        call: &Call,
        listing: Listing,
        purpose: &str,
    ) -> Result<keyset::Page<Entry<Consent>, Cursor>, Fault> {
        let wanted = |consent: &&Consent| purpose.is_empty() || consent.purpose == purpose;
        let of = |statement: &Statement| statement.consents.iter().filter(wanted).cloned().collect();
        let weight = |entry: &Entry<Consent>| 1024 + entry.said.proof.expose().len();
        self.told(call, listing, About::Consents, of, weight).await
    }

    /// What was said of preferences, of one or of any.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn preference_history(
        &self,
        call: &Call,
        listing: Listing,
        of: Option<Preference>,
    ) -> Result<keyset::Page<Entry<Preferring>, Cursor>, Fault> {
        let wanted = |said: &&Preferring| of.is_none_or(|of| of == said.preference);
        let of = |statement: &Statement| statement.preferences.iter().filter(wanted).cloned().collect();
        let weight = |entry: &Entry<Preferring>| 512 + entry.said.choice.as_ref().map_or(0, |choice| choice.weight());
        self.told(call, listing, About::Preferences, of, weight).await
    }

    async fn told<T: Send>(
        &self,
        call: &Call,
        listing: Listing,
        about: About,
        of: impl Fn(&Statement) -> Vec<T> + Send,
        weight: impl Fn(&Entry<T>) -> usize,
    ) -> Result<keyset::Page<Entry<T>, Cursor>, Fault> {
        let (began, Listing { named, after, size }) = (Instant::now(), listing);
        let (this, rules) = (self.clone(), self.rules(call).await?);
        let read = self.read(call, |rx| async move {
            let (_, profile) = this.find(&rx, &named, (&rules, began)).await?;
            let subjects: Vec<SubjectId> = profile.records.iter().map(|(subject, ..)| *subject).collect();
            let (mut entries, mut from) = (Vec::new(), after);
            loop {
                let start = from.as_ref().map(|cursor| cursor.place);
                let rows = observation::history(&rx, &subjects, about, start, ROWS).await?;
                let is_last = (rows.len() as u64) < ROWS;
                let next = rows.last().map(|(place, heard)| Cursor { place: *place, skip: of(&heard.statement).len() });
                for (place, heard) in &rows {
                    let skip = from.as_ref().filter(|cursor| cursor.place == *place).map_or(0, |cursor| cursor.skip);
                    entries.extend(of_observation(*place, heard, &of, skip));
                }
                // One more than the page holds says that another follows.
                if is_last || entries.len() > size {
                    return Ok(entries);
                }
                from = next;
            }
        });
        let mut entries = read.await?;
        entries.truncate(size + 1);
        Ok(keyset::page(entries, size, weight, |entry| entry.at.clone()))
    }
}

fn of_observation<T>(
    place: Place,
    heard: &Observation,
    of: impl Fn(&Statement) -> Vec<T>,
    skip: usize,
) -> impl Iterator<Item = Entry<T>> {
    let (subject, recorded_at) = (heard.subject, heard.recorded_at);
    let numbered = of(&heard.statement).into_iter().enumerate().skip(skip);
    numbered.map(move |(at, said)| Entry { said, subject, recorded_at, at: Cursor { place, skip: at + 1 } })
}
