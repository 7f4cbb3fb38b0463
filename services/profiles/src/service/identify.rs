//! Identify: a source states what it knows of a party. The record is made or added to, and linked anew where its
//! identifiers changed; of a customer whose links stay as they are, only the profile is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use rapport_platform::Call;

use super::component::{self, lock_customers};
use super::{Outcome, Profiles, Written, apply, grew, stripe};
use crate::domain::bounds;
use crate::domain::claims::{Claims, Statement};
use crate::domain::linking::{Cause, Cluster, Partition, partition};
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, SourceRecord};
use crate::store::identifier::Carried;
use crate::store::observation::Observation;
use crate::store::subject::Subject;
use crate::store::{identifier, link, observation, profile, subject};

/// What a source states.
#[derive(Clone, Debug)]
pub struct Identification {
    /// The record that states it.
    pub name: SourceRecord,
    /// What it states.
    pub statement: Statement,
    /// When the source knew it.
    pub observed_at: Timestamp,
}

/// What Identify did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A new customer was made.
    Created,
    /// A known customer was updated, or confirmed as it was.
    Updated,
    /// Customers that were apart are now one.
    Merged,
    /// An identifier points elsewhere, but a limit or a split keeps the two apart.
    Conflict,
}

/// The outcome of Identify.
pub struct Identified {
    /// The profile after it.
    pub profile: Arc<Profile>,
    /// What happened.
    pub effect: Effect,
    /// The customers that were merged into it.
    pub merged: Vec<CustomerId>,
    /// The record's subject.
    pub subject: SubjectId,
    written: Written,
}

impl Outcome for Identified {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// Hears a source.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (IDENTITY_CONFLICT) where too many records hang together, or the customer would hold too much;
    /// (INVALID_STATE) where the record would; as [`rapport_data::Database`].
    pub async fn identify(
        &self,
        call: &Call,
        receipt: Receipt<Identified>,
        input: Identification,
    ) -> Result<Answer<Identified>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move { Unit { tx: &tx, rules: &rules, input: &input }.run().await }
        };
        self.change(call, receipt, unit).await
    }
}

impl Identified {
    /// What it wrote.
    pub(super) fn into_written(self) -> Written {
        self.written
    }
}

/// One run.
pub(super) struct Unit<'a> {
    pub(super) tx: &'a Tx,
    pub(super) rules: &'a Rules,
    pub(super) input: &'a Identification,
}

/// What else carries the identifiers of the call.
struct Shared {
    /// Other records that carry one.
    others: BTreeSet<SubjectId>,
    /// Records that carried one which, by this call, is carried by too many: their links must be made anew.
    crossing: BTreeSet<SubjectId>,
    /// Whether one is carried by too many records.
    quarantined: bool,
}

impl Unit<'_> {
    pub(super) async fn run(&self) -> Result<Identified, Fault> {
        let (tx, input) = (self.tx, self.input);
        let observed_at = input.observed_at;
        self.lock().await?;
        let known = subject::find(tx, &input.name).await?;
        let carried = match &known {
            Some(known) => identifier::of_subjects(tx, &[known.id]).await?,
            None => Vec::new(),
        };
        let subject = match &known {
            Some(known) => known.clone(),
            None => Subject { id: SubjectId::new(), name: input.name.clone(), created_at: tx.now() },
        };
        let shared = self.shared(subject.id).await?;
        let news = news(&carried, &input.statement, observed_at);
        if known.is_none() {
            subject::add(tx, std::slice::from_ref(&subject)).await?;
        }
        let news: Vec<_> = news
            .into_iter()
            .map(|identifier| Carried { subject: subject.id, identifier, first_seen: observed_at })
            .collect();
        identifier::put(tx, &news).await?;
        match known {
            None if shared.others.is_empty() && !shared.quarantined => self.begin(&subject, observed_at).await,
            Some(_) if news.iter().all(|news| self.rules.namespaces.strong(&news.identifier.namespace).is_none()) => {
                self.add(&subject, observed_at, &shared).await
            }
            known => self.relink(&subject, observed_at, &shared, known.is_none()).await,
        }
    }

    /// The record and its strong identifiers: whoever changes who carries them waits.
    async fn lock(&self) -> Result<(), Fault> {
        let mut keys = vec![record_key(&self.input.name)];
        keys.extend(self.strong().map(identifier_key));
        self.tx.lock(&keys).await
    }

    fn strong(&self) -> impl Iterator<Item = &Identifier> {
        self.input.statement.identifiers.iter().filter(|it| self.rules.namespaces.strong(&it.namespace).is_some())
    }

    async fn shared(&self, subject: SubjectId) -> Result<Shared, Fault> {
        let mut shared = Shared { others: BTreeSet::new(), crossing: BTreeSet::new(), quarantined: false };
        for identifier in self.strong() {
            let limit =
                self.rules.namespaces.find(&identifier.namespace).map_or(0, |namespace| namespace.records_per_value);
            let carriers = identifier::carriers(self.tx, identifier, limit + 1).await?;
            if carriers.iter().any(|carrier| carrier.subject == identifier::NOBODY) {
                shared.quarantined = true;
                continue;
            }
            let mine = carriers.iter().any(|carrier| carrier.subject == subject);
            let others = carriers.iter().map(|carrier| carrier.subject).filter(|other| *other != subject);
            if carriers.len() + usize::from(!mine) <= limit {
                shared.others.extend(others);
            } else {
                shared.quarantined = true;
                if carriers.len() == limit && !mine {
                    shared.crossing.extend(others);
                }
            }
        }
        Ok(shared)
    }

    /// A record that shares nothing with any other begins a customer of its own.
    async fn begin(&self, subject: &Subject, observed_at: Timestamp) -> Result<Identified, Fault> {
        let claims = Claims::of(&self.input.statement, observed_at);
        let record = Record { subject: subject.id, name: subject.name.clone(), created_at: subject.created_at, claims };
        bounds::check(std::slice::from_ref(&record))?;
        let component =
            component::Component { records: BTreeMap::from([(subject.id, record)]), ..component::Component::default() };
        let members = BTreeMap::from([(subject.id, Cause::Origin)]);
        let partition = Partition { clusters: vec![Cluster { customer: subject.id, members }] };
        let (_, written) = apply::relink(self.tx, &component, &partition, self.rules).await?;
        self.observe(subject.id, observed_at, 1).await?;
        let profile = written.live.first().cloned().ok_or_else(|| Fault::internal("no profile was begun"))?;
        Ok(Identified { profile, effect: Effect::Created, merged: Vec::new(), subject: subject.id, written })
    }

    /// A known record whose strong identifiers stay as they are: its customer's profile alone may change.
    async fn add(&self, subject: &Subject, observed_at: Timestamp, shared: &Shared) -> Result<Identified, Fault> {
        let heard = hear(self.tx, self.rules, subject.id, &self.input.statement, observed_at).await?;
        let effect =
            if self.conflicts(heard.profile.customer, shared).await? { Effect::Conflict } else { Effect::Updated };
        Ok(Identified {
            profile: heard.profile,
            effect,
            merged: Vec::new(),
            subject: subject.id,
            written: heard.written,
        })
    }

    /// The record's identifiers changed: all that hangs together with it is partitioned anew.
    async fn relink(
        &self,
        subject: &Subject,
        observed_at: Timestamp,
        shared: &Shared,
        is_new: bool,
    ) -> Result<Identified, Fault> {
        let (tx, rules) = (self.tx, self.rules);
        let seeds: Vec<SubjectId> = shared.crossing.iter().copied().chain([subject.id]).collect();
        let mut component = component::lock(tx, &seeds, &rules.namespaces).await?;
        // Found by its name, and gone when its component was locked: an erasure took it meanwhile.
        let record = component.records.get_mut(&subject.id).ok_or_else(grew)?;
        record.claims.hear(&self.input.statement, observed_at);
        let partition = partition(&component.evidence, &rules.namespaces);
        let (changes, written) = apply::relink(tx, &component, &partition, rules).await?;
        changes.live.iter().try_for_each(|(_, records)| bounds::check(records))?;
        let customer = partition.of(subject.id).map(|cluster| cluster.customer);
        let customer = customer.ok_or_else(|| Fault::internal("the record has no customer"))?;
        let profile = match written.live.iter().find(|profile| profile.customer == customer) {
            Some(profile) => Arc::clone(profile),
            None => current(tx, rules, customer).await?,
        };
        self.observe(subject.id, observed_at, profile.revision).await?;
        let effect = if !changes.merged.is_empty() {
            Effect::Merged
        } else if self.conflicts(customer, shared).await? {
            Effect::Conflict
        } else if is_new && profile.records.len() == 1 {
            Effect::Created
        } else {
            Effect::Updated
        };
        Ok(Identified { profile, effect, merged: changes.merged, subject: subject.id, written })
    }

    /// Whether an identifier of this call is carried by a record of another customer, or by too many records.
    async fn conflicts(&self, customer: CustomerId, shared: &Shared) -> Result<bool, Fault> {
        if shared.quarantined || shared.others.is_empty() {
            return Ok(shared.quarantined);
        }
        let others: Vec<SubjectId> = shared.others.iter().copied().collect();
        Ok(link::current_of(self.tx, &others).await?.values().any(|link| link.customer != customer))
    }

    async fn observe(&self, subject: SubjectId, observed_at: Timestamp, revision: u64) -> Result<(), Fault> {
        self.tx.about(subject);
        let statement = self.input.statement.clone();
        if observation::is_known(self.tx, subject, observed_at, &statement).await? {
            return Ok(());
        }
        let (recorded_at, profile_revision) = (self.tx.now(), revision);
        observation::add(self.tx, &[Observation { subject, observed_at, recorded_at, profile_revision, statement }])
            .await
    }
}

/// The identifiers that the record did not carry, or not as early.
fn news(carried: &[Carried], statement: &Statement, observed_at: Timestamp) -> Vec<Identifier> {
    let held: BTreeMap<&Identifier, Timestamp> =
        carried.iter().map(|carried| (&carried.identifier, carried.first_seen)).collect();
    let is_news = |identifier: &&Identifier| held.get(identifier).is_none_or(|first| *first > observed_at);
    statement.identifiers.iter().filter(is_news).cloned().collect()
}

/// In how many stripes records and identifiers are locked: the server has room for some ten thousand locks, and a bulk call names a
/// thousand values.
const STRIPES: u64 = 256;

/// The lock under which a record is made or added to.
pub(crate) fn record_key(name: &SourceRecord) -> String {
    format!("record/{}", stripe(&[&name.source, name.external_id.expose()], STRIPES))
}

/// The lock under which it is changed who carries an identifier.
pub(crate) fn identifier_key(identifier: &Identifier) -> String {
    let stripe = stripe(&[&identifier.namespace, identifier.value.expose()], STRIPES);
    format!("identifier/{stripe}")
}

/// What a statement made of its record's customer.
pub(crate) struct Heard {
    pub(crate) profile: Arc<Profile>,
    pub(crate) written: Written,
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
    if link::current(tx, subject).await?.ok_or_else(gone)?.customer != customer {
        return Err(grew());
    }
    let row = profile::find(tx, customer).await?;
    let Some(profile::Row { held: Held::Live { revision, mut records }, updated_at }) = row else {
        return Err(Fault::internal("a linked customer has no profile"));
    };
    let record = records.iter_mut().find(|record| record.subject == subject);
    let changed =
        record.ok_or_else(|| Fault::internal("a customer lacks a record"))?.claims.hear(statement, observed_at);
    let known = observation::is_known(tx, subject, observed_at, statement).await?;
    let (profile, written) = if changed && !known {
        bounds::check(&records)?;
        let profile = apply::update(tx, (customer, revision), records, rules).await?;
        (Arc::clone(&profile), Written { live: vec![profile], ..Written::default() })
    } else {
        (Arc::new(fold(customer, revision, updated_at, &records, rules)), Written::default())
    };
    if !known {
        let (recorded_at, profile_revision) = (tx.now(), profile.revision);
        let statement = statement.clone();
        let heard = Observation { subject, observed_at, recorded_at, profile_revision, statement };
        observation::add(tx, &[heard]).await?;
    }
    Ok(Heard { profile, written })
}

/// The profile of a customer as it stands in this unit.
pub(crate) async fn current(tx: &Tx, rules: &Rules, customer: CustomerId) -> Result<Arc<Profile>, Fault> {
    match profile::find(tx, customer).await? {
        Some(profile::Row { held: Held::Live { revision, records }, updated_at }) => {
            Ok(Arc::new(fold(customer, revision, updated_at, &records, rules)))
        }
        _ => Err(Fault::internal("a linked customer has no profile")),
    }
}
