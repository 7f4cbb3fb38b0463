//! Reading profiles: hot from this process, cold by one key, or as they were known at an instant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use rapport_data::Rx;
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::evidence::{Last, history};
use super::hot::Known;
use super::{Profiles, rules};
use crate::domain::claims::Claims;
use crate::domain::derived::{Derived, Inputs, derive};
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::Named;
use crate::store::observation::Observation;
use crate::store::{identifier, link, observation, profile, profile_revision, segment_interval, subject};

/// How often a read follows an id that moved while it was read.
const MOST_HOPS: usize = 4;

impl Profiles {
    /// A customer's profile now, at `min_revision` or later.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION (REVISION_NOT_REACHED).
    pub async fn get(&self, call: &Call, named: &Named, min_revision: u64) -> Result<Arc<Profile>, Fault> {
        if let Named::Id(id) = named
            && let Some(profile) = self.hot(call, *id)
            && profile.revision >= min_revision
        {
            return self.timely(call, profile).await;
        }
        let (_, profile) = self.load(call, named).await?;
        reached(self.timely(call, profile).await?, min_revision)
    }

    /// A customer's profile, and the subject that what is said of it attaches to.
    ///
    /// # Errors
    /// As [`Profiles::get`].
    pub async fn get_with_subject(
        &self,
        call: &Call,
        named: &Named,
        min_revision: u64,
    ) -> Result<(SubjectId, Arc<Profile>), Fault> {
        if let Named::Id(id) = named {
            return Ok((*id, self.get(call, named, min_revision).await?));
        }
        let (subject, profile) = self.load(call, named).await?;
        Ok((subject, reached(self.timely(call, profile).await?, min_revision)?))
    }

    /// Many customers' profiles, in the order asked; `None` where there is no such customer.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn batch(&self, call: &Call, named: &[Named]) -> Result<Vec<Option<Arc<Profile>>>, Fault> {
        let mut found = Vec::with_capacity(named.len());
        let mut cold = Vec::new();
        for named in named {
            let hot = match named {
                Named::Id(id) => self.hot(call, *id),
                Named::Identifier(_) => None,
            };
            if let (None, Named::Id(id)) = (&hot, named) {
                cold.push(*id);
            }
            found.push(hot);
        }
        let began = Instant::now();
        let (this, rules) = (self.clone(), self.rules(call).await?);
        let read = self.read(call, |rx| async move {
            // One statement for all ids; what is left are ids that lead elsewhere, and identifiers.
            let mut read = BTreeMap::new();
            for (id, row) in profile::by_ids(&rx, &cold).await? {
                if let Ok(profile) = this.keep(&rx, id, row, (&rules, began)) {
                    read.insert(id, profile);
                }
            }
            for (place, named) in found.iter_mut().zip(named) {
                if let (None, Named::Id(id)) = (&place, named) {
                    *place = read.get(id).cloned();
                }
                if place.is_none() {
                    *place = match this.find(&rx, named, (&rules, began)).await {
                        Ok((_, profile)) => Some(profile),
                        Err(fault) if fault.reason == Reason::ResourceNotFound => None,
                        Err(fault) => return Err(fault),
                    };
                }
            }
            Ok(found)
        });
        let mut found = read.await?;
        let late = |profile: &Arc<Profile>| profile.valid_until().is_some_and(|until| until <= call.now);
        let due: BTreeSet<CustomerId> =
            found.iter().flatten().filter(|profile| late(profile)).map(|profile| profile.customer).collect();
        if !due.is_empty() {
            Box::pin(self.derive_due(call.tenant(), due)).await?;
            for profile in found.iter_mut().flatten().filter(|profile| late(profile)) {
                *profile = self.get(call, &Named::Id(profile.customer), 0).await?;
            }
        }
        Ok(found)
    }

    /// The profile as of now: where the instant has passed until which it held, it is derived again.
    async fn timely(&self, call: &Call, profile: Arc<Profile>) -> Result<Arc<Profile>, Fault> {
        if profile.valid_until().is_none_or(|until| until > call.now) {
            return Ok(profile);
        }
        // A unit of work that is seldom needed is not part of every read's own future.
        Box::pin(self.derive_due(call.tenant(), [profile.customer])).await?;
        // Another unit may have derived it first, and not have shown it yet: then what is hot is still late.
        match self.hot(call, profile.customer) {
            Some(derived) if derived.valid_until().is_none_or(|until| until > call.now) => Ok(derived),
            _ => Ok(self.load(call, &Named::Id(profile.customer)).await?.1),
        }
    }

    /// A customer's profile as it was known at an instant: what had been recorded by then, linked as it then was.
    ///
    /// # Errors
    /// NOT_FOUND where it was not known then.
    pub async fn get_as_of(&self, call: &Call, named: &Named, at: Timestamp) -> Result<Profile, Fault> {
        let rules = self.rules(call).await?;
        let read = self.read(call, |rx| async move {
            let subject = match named {
                Named::Id(id) => *id,
                Named::Identifier(identifier) => {
                    identifier::first_carrier(&rx, identifier, at).await?.ok_or_else(|| named.not_found())?
                }
            };
            let link = link::at(&rx, subject, at).await?.ok_or_else(|| named.not_found())?;
            past(&rx, link.customer, at, &rules::as_of(&rx, &rules, at).await?).await
        });
        read.await
    }

    fn hot(&self, call: &Call, id: CustomerId) -> Option<Arc<Profile>> {
        let (hot, tenant) = (&self.0.hot, call.tenant());
        let profile = match hot.get(tenant, id)? {
            Known::Live(profile) => profile,
            Known::Merged(to, _) => match hot.get(tenant, to)? {
                Known::Live(profile) => profile,
                Known::Merged(..) | Known::Gone => return None,
            },
            Known::Gone => return None,
        };
        Some(profile.shared_at(call.now))
    }

    async fn load(&self, call: &Call, named: &Named) -> Result<(SubjectId, Arc<Profile>), Fault> {
        let began = Instant::now();
        let (this, rules) = (self.clone(), self.rules(call).await?);
        Box::pin(self.read(call, |rx| async move { this.find(&rx, named, (&rules, began)).await })).await
    }

    /// The customer that holds a subject now, by a read that began at an instant.
    pub(crate) async fn find(
        &self,
        rx: &Rx,
        named: &Named,
        read: (&Rules, Instant),
    ) -> Result<(SubjectId, Arc<Profile>), Fault> {
        let (subject, mut id) = match named {
            Named::Id(id) => (*id, *id),
            Named::Identifier(identifier) => {
                let subject = identifier::first_carrier(rx, identifier, Timestamp::MAX).await?;
                let subject = subject.ok_or_else(|| named.not_found())?;
                let link = link::current(rx, subject).await?.ok_or_else(|| named.not_found())?;
                (subject, link.customer)
            }
        };
        for _ in 0..MOST_HOPS {
            match profile::find(rx, id).await? {
                Some(row) => match self.keep(rx, id, row, read) {
                    Ok(profile) => return Ok((subject, profile)),
                    Err(to) => id = to,
                },
                // A record that never was a customer's home, or one whose customer changed just now.
                None => id = link::current(rx, subject).await?.ok_or_else(|| named.not_found())?.customer,
            }
        }
        Err(Fault::new(Reason::Contention, "the customer was merged and split while it was read; try again"))
    }

    /// Keeps what was read of an id for the next reader; answers the profile, or where the id leads.
    fn keep(
        &self,
        rx: &Rx,
        id: CustomerId,
        row: profile::Row,
        (rules, began): (&Rules, Instant),
    ) -> Result<Arc<Profile>, CustomerId> {
        let (known, answer) = match row.held {
            Held::Live { revision, records } => {
                let profile = fold(id, revision, row.updated_at, &records, rules).at(rx.now());
                let profile = Arc::new(profile.with(row.derived, rules));
                (Known::Live(Arc::clone(&profile)), Ok(profile))
            }
            Held::Redirect { revision, to } => (Known::Merged(to, revision), Err(to)),
        };
        self.0.hot.put(rx.tenant(), id, known, began);
        answer
    }
}

fn reached(profile: Arc<Profile>, min_revision: u64) -> Result<Arc<Profile>, Fault> {
    if profile.revision >= min_revision {
        return Ok(profile);
    }
    let text = format!("the profile is at revision {}, below the one asked for; try again", profile.revision);
    let fault = Fault::new(Reason::RevisionNotReached, text).precondition("REVISION", profile.customer.to_string());
    Err(fault.with("revision", profile.revision))
}

/// A customer as it was known at an instant.
async fn past(rx: &Rx, customer: CustomerId, at: Timestamp, rules: &Rules) -> Result<Profile, Fault> {
    let mut reached = profile_revision::at(rx, customer, at).await?;
    let mut members = Vec::new();
    for link in link::until(rx, customer, at).await? {
        reached = reached.max((link.profile_revision, link.started_at));
        if link.ended_at.is_none_or(|ended| ended > at) {
            members.push(link.subject);
        }
    }
    let subjects = subject::by_ids(rx, &members).await?;
    let mut records: BTreeMap<SubjectId, Record> = BTreeMap::new();
    for (id, subject) in subjects {
        let claims = Claims::default();
        records.insert(id, Record { subject: id, name: subject.name, created_at: subject.created_at, claims });
    }
    let mut told = BTreeMap::<SubjectId, Vec<Observation>>::new();
    for heard in observation::of_subjects(rx, &members, at).await? {
        told.entry(heard.subject).or_default().push(heard);
    }
    for (subject, told) in told {
        if let Some(record) = records.get_mut(&subject) {
            record.claims = Claims::told(told.iter().map(|heard| (&heard.statement, heard.observed_at)));
        }
    }
    let records: Vec<Record> = records.into_values().collect();
    let (revision, updated_at) = reached;
    let profile = fold(customer, revision, updated_at, &records, rules).at(at);
    // Segments as it was in them; computed traits and the stage as they are defined now, over what was recorded then.
    let (before, definitions) = (Derived::default(), &*rules.definitions);
    let history = history(rx, &members, definitions.reads(), Some(at)).await?;
    let Last { scores, memory } = Last::of(rx, &members, at, &rules.settings.sentiment_weights).await?;
    let calendar = rules.calendar(&profile);
    let parts = definitions.whole();
    let (history, scores, memory, parts) = (&history, &scores, &memory, &parts);
    let inputs = Inputs { profile: &profile, history, scores, memory, calendar, definitions, parts };
    let segments = segment_interval::at(rx, customer, at).await?;
    let segments = segments.into_iter().map(|(id, (since, _))| (id, since)).collect();
    let derived = Derived { segments, ..derive(&before, &inputs, at).derived };
    Ok(profile.with(Arc::new(derived), rules))
}
