//! Identify: a source states what it knows of a party. The record is made or added to, and linked anew where its
//! identifiers changed; of a customer whose links stay as they are, only the profile is written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rapport_data::{Answer, Engine, Receipt, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::before::Before;
use super::component::{self, customer_key};
use super::hear::{current, hear, hear_of};
use super::matching::{self, Noted};
use super::shared::{Shared, Told};
use super::{Outcome, Profiles, Written, apply, candidates, grew, stripe};
use crate::domain::bounds;
use crate::domain::candidate::{Candidate, CandidateReason, CandidateState};
use crate::domain::claims::Statement;
use crate::domain::linking::{Cause, Cluster, Partition, partition};
use crate::domain::profile::{Profile, Record, objects_to_profiling};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, SourceRecord};
use crate::store::identifier::Carried;
use crate::store::observation::Observation;
use crate::store::subject::Subject;
use crate::store::{candidate, identifier, link, observation, profile, record, subject};

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
    /// Identifiers of the call that link nobody.
    pub ignored: Vec<Ignored>,
    /// Whether the record had stated just this of just that time before.
    pub repeated: bool,
    written: Written,
}

impl Identified {
    /// Of a record that shares nothing with any other, and began a customer.
    pub(super) fn begun(rules: &Rules, input: &Identification, profile: Arc<Profile>, written: Written) -> Self {
        let (subject, ignored) = (profile.customer, blocked(rules, input).collect());
        Self { profile, effect: Effect::Created, merged: Vec::new(), subject, ignored, repeated: false, written }
    }
}

/// The identifiers of a statement that are blocked.
fn blocked(rules: &Rules, input: &Identification) -> impl Iterator<Item = Ignored> {
    let blocked = input.statement.identifiers.iter().filter(|it| rules.namespaces.effective(it).is_none());
    blocked.map(|it| Ignored { identifier: it.clone(), blocked: true })
}

/// An identifier of a call that links nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The identifier.
    pub identifier: Identifier,
    /// Whether it is blocked; else too many records carry it.
    pub blocked: bool,
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
        let (of_unit, of_input, ran) = (Arc::clone(&rules), Arc::clone(&input), AtomicBool::new(false));
        let unit = move |tx| {
            let (rules, input) = (Arc::clone(&of_unit), Arc::clone(&of_input));
            // Where the first run could not keep to its customer alone, the next does not try to.
            let eager = !ran.swap(true, Ordering::Relaxed);
            async move { Unit { eager, ..Unit::new(&tx, &rules, &input) }.run().await }
        };
        let answer = self.change(call, receipt, unit).await;
        self.stated(call.tenant(), &rules, (&input, call.now), &answer);
        answer
    }
}

/// One run.
pub(super) struct Unit<'a> {
    tx: &'a Tx,
    rules: &'a Rules,
    input: &'a Identification,
    /// The identifiers of the call that count, as they count.
    stated: Vec<Identifier>,
    /// Whether its customer is locked together with the record, where nothing speaks against it.
    eager: bool,
}

impl<'a> Unit<'a> {
    pub(super) fn new(tx: &'a Tx, rules: &'a Rules, input: &'a Identification) -> Self {
        let stated = input.statement.identifiers.iter().filter_map(|it| rules.namespaces.effective(it));
        let stated: BTreeSet<Identifier> = stated.map(Cow::into_owned).collect();
        Self { tx, rules, input, stated: stated.into_iter().collect(), eager: false }
    }

    pub(super) async fn run(&self) -> Result<Identified, Fault> {
        let (tx, input) = (self.tx, self.input);
        let observed_at = input.observed_at;
        let Locked { weak, customer } = self.lock().await?;
        let known = record::find(tx, &input.name).await?;
        let before = if known.is_none() { Before::of(tx, &input.name).await? } else { Before::default() };
        let carried = known.as_ref().map_or(&[][..], |known| &known.carried);
        if tx.engine() == Engine::Postgres && self.weak(carried).any(|it| !weak.contains(it)) {
            return Err(grew());
        }
        let subject = match &known {
            Some(known) => known.subject.clone(),
            None => Subject { id: SubjectId::new(), name: input.name.clone(), created_at: tx.now() },
        };
        let news = news(carried, &self.stated, observed_at);
        let told = Told { subject: subject.id, stated: &self.stated, carried, news: &news };
        let mut shared = Shared::of(tx, self.rules, &told).await?;
        if known.is_none() {
            subject::add(tx, std::slice::from_ref(&subject)).await?;
            before.settle(tx, &input.name).await?;
        }
        let is_strong = |identifier: &Identifier| self.rules.namespaces.strong(&identifier.namespace).is_some();
        let waits = known.is_some() && self.waits(subject.id).await?;
        let stays = !waits && !shared.visits && shared.crossing.is_empty() && !news.iter().any(is_strong);
        let news: Vec<_> = news
            .into_iter()
            .map(|identifier| Carried { subject: subject.id, identifier, first_seen: observed_at })
            .collect();
        identifier::put(tx, &news).await?;
        let noted = self.note(subject.id, known.is_some(), &before).await?;
        shared.alike.extend(&noted.linked);
        let is_alone = shared.others.is_empty() && shared.quarantined.is_empty() && !shared.visits;
        let stays = stays && shared.alike.is_empty();
        if customer.is_some() && (!stays || known.as_ref().is_none_or(|known| known.customer != customer)) {
            // The customer was locked alone, and its record is another's by now, or must be linked anew: that would be
            // to take the locks of customers one after the other.
            return Err(grew());
        }
        let done = match known {
            None if is_alone && shared.alike.is_empty() => self.begin(&subject, &before).await?,
            Some(known) if stays => self.add(&known, customer.is_some(), observed_at, &shared).await?,
            known => self.relink(&subject, &before, &shared, known.is_none()).await?,
        };
        matching::review(tx, self.rules, &noted).await?;
        Ok(Identified { ignored: self.ignored(&shared), ..done })
    }

    /// Whether what would link the record was put up while nothing linked by itself, and now it does again.
    async fn waits(&self, subject: SubjectId) -> Result<bool, Fault> {
        let identity = &self.rules.identity;
        if identity.revision == 0 || !identity.automatic_merging {
            return Ok(false);
        }
        let found = candidate::of_subjects(self.tx, &[subject]).await?;
        let held = |it: &Candidate| it.state == CandidateState::Open && it.reason == CandidateReason::Automatic;
        Ok(found.iter().any(held))
    }

    /// Notes what the record claims by this call, where records are compared.
    async fn note(&self, subject: SubjectId, is_known: bool, before: &Before) -> Result<Noted, Fault> {
        if self.rules.matcher.is_none() {
            return Ok(Noted::default());
        }
        let (mut claims, mut objects) = (before.claims(), false);
        if is_known && let Some(link) = link::current(self.tx, subject).await? {
            let row = profile::find(self.tx, link.customer).await?;
            if let Some(profile::Row { held: Held::Live { records, .. }, .. }) = row {
                objects = objects_to_profiling(&records);
                let held = records.into_iter().find(|record| record.subject == subject);
                claims = held.map(|record| record.claims).unwrap_or_default();
            }
        }
        claims.hear(&self.input.statement, self.input.observed_at);
        matching::note(self.tx, self.rules, subject, &claims, objects).await
    }

    /// The record and the identifiers by which it may be linked: whoever changes who carries them waits. Where the call
    /// tells no new identifier, its customer as well: then nothing is linked anew, and one statement takes all locks.
    async fn lock(&self) -> Result<Locked, Fault> {
        let (tx, name) = (self.tx, &self.input.name);
        let mut locked = Locked::default();
        // Units run one after another on SQLite.
        if tx.engine() == Engine::Postgres {
            let is_weak = |it: &&Identifier| self.rules.namespaces.weak(&it.namespace).is_some();
            locked.weak.extend(self.stated.iter().filter(is_weak).cloned());
            if let Some(known) = record::find(tx, name).await? {
                locked.weak.extend(self.weak(&known.carried).cloned());
                let tells_none = news(&known.carried, &self.stated, self.input.observed_at).is_empty();
                locked.customer = known.customer.filter(|_| self.eager && tells_none && self.rules.matcher.is_none());
            }
            let mut keys = vec![record_key(name)];
            keys.extend(self.strong().chain(&locked.weak).map(identifier_key));
            let customers: Vec<String> = locked.customer.as_ref().map(customer_key).into_iter().collect();
            tx.lock_in_turn(&[&keys, &customers]).await?;
        }
        Ok(locked)
    }

    fn strong(&self) -> impl Iterator<Item = &Identifier> {
        self.stated.iter().filter(|it| self.rules.namespaces.strong(&it.namespace).is_some())
    }

    fn weak<'c>(&self, carried: &'c [Carried]) -> impl Iterator<Item = &'c Identifier> {
        let rules = self.rules;
        carried.iter().map(|it| &it.identifier).filter(move |it| rules.namespaces.weak(&it.namespace).is_some())
    }

    /// The identifiers of the call that link nobody.
    fn ignored(&self, shared: &Shared) -> Vec<Ignored> {
        let many = shared.quarantined.iter().map(|it| Ignored { identifier: it.clone(), blocked: false });
        blocked(self.rules, self.input).chain(many).collect()
    }

    /// A record that shares nothing with any other begins a customer of its own.
    async fn begin(&self, subject: &Subject, before: &Before) -> Result<Identified, Fault> {
        let mut claims = before.claims();
        claims.hear(&self.input.statement, self.input.observed_at);
        let record = Record { subject: subject.id, name: subject.name.clone(), created_at: subject.created_at, claims };
        bounds::check(std::slice::from_ref(&record))?;
        let component =
            component::Component { records: BTreeMap::from([(subject.id, record)]), ..component::Component::default() };
        let members = BTreeMap::from([(subject.id, Cause::Origin)]);
        let partition = Partition { clusters: vec![Cluster { customer: subject.id, members }], ..Partition::default() };
        let (_, written) = apply::relink(self.tx, &component, &partition, self.rules).await?;
        // Nothing else was said of it.
        observation::add(self.tx, &self.said(subject.id, before)).await?;
        let profile = written.live.first().cloned().ok_or_else(|| Fault::internal("no profile was begun"))?;
        Ok(Identified::begun(self.rules, self.input, profile, written))
    }

    /// A known record whose strong identifiers stay as they are: its customer's profile alone may change.
    async fn add(
        &self,
        known: &record::Record,
        is_locked: bool,
        observed_at: Timestamp,
        shared: &Shared,
    ) -> Result<Identified, Fault> {
        let (subject, statement) = (known.subject.id, &self.input.statement);
        let heard = match known.customer {
            // On SQLite nothing changes within a unit.
            Some(customer) if is_locked || self.tx.engine() == Engine::Sqlite => {
                hear_of(self.tx, self.rules, (subject, customer), statement, observed_at).await?
            }
            _ => hear(self.tx, self.rules, subject, statement, observed_at).await?,
        };
        let effect =
            if self.conflicts(heard.profile.customer, shared).await? { Effect::Conflict } else { Effect::Updated };
        Ok(Identified {
            profile: heard.profile,
            effect,
            merged: Vec::new(),
            subject,
            ignored: Vec::new(),
            repeated: heard.known,
            written: heard.written,
        })
    }

    /// The record's identifiers changed: all that hangs together with it is partitioned anew.
    async fn relink(
        &self,
        subject: &Subject,
        before: &Before,
        shared: &Shared,
        is_new: bool,
    ) -> Result<Identified, Fault> {
        let (tx, rules) = (self.tx, self.rules);
        let seeds: Vec<SubjectId> = shared.crossing.keys().chain(&shared.alike).copied().chain([subject.id]).collect();
        let mut component = component::lock(tx, &seeds, rules).await?;
        // Found by its name, and gone when its component was locked: an erasure took it meanwhile.
        let record = component.records.get_mut(&subject.id).ok_or_else(grew)?;
        if is_new {
            record.claims = before.claims();
        }
        record.claims.hear(&self.input.statement, self.input.observed_at);
        let partition = partition(&component.evidence, &rules.namespaces);
        let (changes, written) = apply::relink(tx, &component, &partition, rules).await?;
        changes.live.iter().try_for_each(|(_, records)| bounds::check(records))?;
        let customer = partition.of(subject.id).map(|cluster| cluster.customer);
        let customer = customer.ok_or_else(|| Fault::internal("the record has no customer"))?;
        let profile = match written.live.iter().find(|profile| profile.customer == customer) {
            Some(profile) => Arc::clone(profile),
            None => current(tx, rules, customer).await?,
        };
        let repeated = self.observe(subject.id, before).await?;
        candidates::refused(tx, &component, &partition, subject.id).await?;
        candidates::came_apart(tx, &partition, &changes, &shared.crossing).await?;
        let effect = if !changes.merged.is_empty() {
            Effect::Merged
        } else if self.conflicts(customer, shared).await? {
            Effect::Conflict
        } else if is_new && profile.records.len() == 1 {
            Effect::Created
        } else {
            Effect::Updated
        };
        let (merged, ignored) = (changes.merged, Vec::new());
        Ok(Identified { profile, effect, merged, subject: subject.id, ignored, repeated, written })
    }

    /// Whether an identifier of this call is carried by a record of another customer, or by too many records.
    async fn conflicts(&self, customer: CustomerId, shared: &Shared) -> Result<bool, Fault> {
        let quarantined = shared.quarantined.iter().any(|it| self.rules.namespaces.strong(&it.namespace).is_some());
        if shared.others.is_empty() {
            return Ok(quarantined);
        }
        let others: Vec<SubjectId> = shared.others.keys().copied().collect();
        let mut conflict = quarantined;
        for (other, link) in link::current_of(self.tx, &others).await? {
            if link.customer != customer {
                conflict = true;
                self.check_unique(shared.others.get(&other))?;
            }
        }
        Ok(conflict)
    }

    /// A value of a unique namespace is one customer's, unless nothing links by itself.
    fn check_unique(&self, namespaces: Option<&BTreeSet<String>>) -> Result<(), Fault> {
        let unique = |name: &&String| self.rules.namespaces.find(name).is_some_and(|namespace| namespace.unique);
        match namespaces.into_iter().flatten().find(unique) {
            Some(name) if self.rules.identity.automatic_merging => {
                let text = format!("another customer carries this value of {name}, which only one may");
                let fault = Fault::new(Reason::IdentityConflict, text).precondition("UNIQUE_IDENTIFIER", name.as_str());
                Err(fault.with("namespace", name))
            }
            _ => Ok(()),
        }
    }

    /// Notes what was said; answers whether it was known.
    async fn observe(&self, subject: SubjectId, before: &Before) -> Result<bool, Fault> {
        if observation::is_known(self.tx, subject, self.input.observed_at, &self.input.statement).await? {
            self.tx.about(subject);
            return Ok(true);
        }
        observation::add(self.tx, &self.said(subject, before)).await?;
        Ok(false)
    }

    fn said(&self, subject: SubjectId, before: &Before) -> Vec<Observation> {
        self.tx.about(subject);
        let recorded_at = self.tx.now();
        let told = (self.input.statement.clone(), self.input.observed_at);
        let said = before.said().chain([told]).map(|(statement, observed_at)| Observation {
            subject,
            observed_at,
            recorded_at,
            statement,
        });
        said.collect()
    }
}

/// What a unit locked before it read.
#[derive(Default)]
struct Locked {
    /// The weak identifiers.
    weak: BTreeSet<Identifier>,
    /// The record's customer.
    customer: Option<CustomerId>,
}

/// The identifiers that the record did not carry, or not as early.
fn news(carried: &[Carried], stated: &[Identifier], observed_at: Timestamp) -> Vec<Identifier> {
    let held: BTreeMap<&Identifier, Timestamp> =
        carried.iter().map(|carried| (&carried.identifier, carried.first_seen)).collect();
    let is_news = |identifier: &&Identifier| held.get(identifier).is_none_or(|first| *first > observed_at);
    stated.iter().filter(is_news).cloned().collect()
}

/// In how many stripes identifiers are locked: the server has room for some ten thousand locks, and a bulk call names a
/// thousand values.
const STRIPES: u64 = 256;

/// The lock under which a record is made or deleted.
pub(crate) fn record_key(name: &SourceRecord) -> String {
    format!("record/{}/{}", name.source, name.external_id.expose())
}

/// The lock under which it is changed who carries an identifier.
pub(crate) fn identifier_key(identifier: &Identifier) -> String {
    let stripe = stripe(&[&identifier.namespace, identifier.value.expose()], STRIPES);
    format!("identifier/{stripe}")
}
