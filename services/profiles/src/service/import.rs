//! ImportProfiles: many statements in one unit of work, with the result that Identify of each has, in whatever order they
//! come. Records go one of three ways: what shares nothing with any other begins a customer, what changes no strong
//! identifier is added to its customer, and the rest is linked anew. Each way takes few statements for many records. Where
//! a rule refuses something of what is linked together, that is done again item by item, so that only those are refused
//! that must be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use rapport_platform::Call;

use super::component::{self, Component, lock_customers};
use super::identify::{Identification, Unit, identifier_key, record_key};
use super::{Profiles, Written, again, apply, grew};
use crate::domain::bounds;
use crate::domain::claims::{Claims, Statement};
use crate::domain::linking::{Cause, Cluster, Partition, partition};
use crate::domain::profile::Record;
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, SourceRecord};
use crate::store::identifier::Carried;
use crate::store::observation::{Known, Observation};
use crate::store::subject::Subject;
use crate::store::{identifier, link, observation, profile, subject};

/// Records that are linked anew at once: what hangs together with them has to fit a component.
const TOGETHER: usize = 64;

/// Why each statement was refused that was, in order.
type Results = Vec<Result<(), Fault>>;

impl Profiles {
    /// Hears many statements in one commit: why each was refused that was, in order.
    ///
    /// # Errors
    /// Where the commit fails: then nothing was heard.
    pub async fn identify_many(&self, call: &Call, inputs: Vec<Identification>) -> Result<Results, Fault> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let (rules, inputs, database) = (self.rules(call).await?, Arc::new(inputs), self.database(call));
        let (results, written) = again(|| {
            let (rules, inputs) = (Arc::clone(&rules), Arc::clone(&inputs));
            database.write(call.tenant(), move |tx: Tx| {
                let (rules, inputs) = (Arc::clone(&rules), Arc::clone(&inputs));
                async move { import(&tx, &rules, &inputs).await }
            })
        })
        .await?;
        self.show(call.tenant(), &written);
        Ok(results)
    }
}

async fn import(tx: &Tx, rules: &Rules, inputs: &[Identification]) -> Result<(Results, Written), Fault> {
    // Whoever is there from now on is not erased meanwhile.
    tx.hold_erasures().await?;
    let strong = inputs.iter().flat_map(|input| strong(rules, &input.statement)).map(identifier_key);
    let keys: BTreeSet<String> = inputs.iter().map(|input| record_key(&input.name)).chain(strong).collect();
    tx.lock(&keys.into_iter().collect::<Vec<_>>()).await?;
    let (mut begin, mut relink, mut add) = sort(tx, rules, inputs).await?;
    let mut batch = Batch { tx, rules, results: inputs.iter().map(|_| Ok(())).collect(), written: Written::default() };
    batch.begin(&mut begin).await?;
    for some in relink.chunks_mut(TOGETHER) {
        batch.relink(some).await?;
    }
    batch.add(&mut add).await?;
    Ok((batch.results, batch.written))
}

/// What one record says, in the order of its items.
struct Said<'a> {
    subject: SubjectId,
    name: &'a SourceRecord,
    is_new: bool,
    items: Vec<(usize, &'a Identification)>,
}

impl<'a> Said<'a> {
    /// The identifiers it states, with the first instant of each.
    fn stated(&self) -> BTreeMap<&'a Identifier, Timestamp> {
        let mut stated = BTreeMap::new();
        for (_, item) in &self.items {
            for identifier in &item.statement.identifiers {
                let first = stated.entry(identifier).or_insert(item.observed_at);
                *first = item.observed_at.min(*first);
            }
        }
        stated
    }

    fn subject(&self, tx: &Tx) -> Subject {
        Subject { id: self.subject, name: self.name.clone(), created_at: tx.now() }
    }

    fn carried(&self) -> Vec<Carried> {
        let carried = |(identifier, first_seen): (&Identifier, Timestamp)| Carried {
            subject: self.subject,
            identifier: identifier.clone(),
            first_seen,
        };
        self.stated().into_iter().map(carried).collect()
    }
}

fn strong<'a>(rules: &'a Rules, statement: &'a Statement) -> impl Iterator<Item = &'a Identifier> {
    statement.identifiers.iter().filter(|it| rules.namespaces.strong(&it.namespace).is_some())
}

/// The records that begin a customer, those that are linked anew, and those that are added to.
type Ways<'a> = (Vec<Said<'a>>, Vec<Said<'a>>, Vec<Said<'a>>);

async fn sort<'a>(tx: &Tx, rules: &Rules, inputs: &'a [Identification]) -> Result<Ways<'a>, Fault> {
    let names: BTreeSet<&SourceRecord> = inputs.iter().map(|input| &input.name).collect();
    let known = subject::by_names(tx, &names.into_iter().cloned().collect::<Vec<_>>()).await?;
    let mut places = BTreeMap::<&SourceRecord, usize>::new();
    let mut all = Vec::<Said<'_>>::new();
    for (index, input) in inputs.iter().enumerate() {
        let place = *places.entry(&input.name).or_insert_with(|| {
            let held = known.get(&input.name).copied();
            let subject = held.unwrap_or_else(SubjectId::new);
            all.push(Said { subject, name: &input.name, is_new: held.is_none(), items: Vec::new() });
            all.len() - 1
        });
        all[place].items.push((index, input));
    }
    let ids: Vec<SubjectId> = known.values().copied().collect();
    let mut held = BTreeMap::<SubjectId, BTreeMap<Identifier, Timestamp>>::new();
    for carried in identifier::of_subjects(tx, &ids).await? {
        held.entry(carried.subject).or_default().insert(carried.identifier, carried.first_seen);
    }
    let mut stating = BTreeMap::<&Identifier, usize>::new();
    for said in &all {
        for (_, item) in &said.items {
            for identifier in strong(rules, &item.statement) {
                stating.entry(identifier).or_insert(0);
            }
        }
        for identifier in said.stated().into_keys() {
            stating.entry(identifier).and_modify(|records| *records += 1);
        }
    }
    let carriers = identifier::carriers_of(tx, stating.keys().copied(), 1).await?;
    lock_held(tx, &ids, &carriers).await?;
    let (mut begin, mut relink, mut add) = (Vec::new(), Vec::new(), Vec::new());
    for said in all {
        let news = |(identifier, at): (&Identifier, Timestamp)| {
            let first = held.get(&said.subject).and_then(|held| held.get(identifier));
            stating.contains_key(identifier) && first.is_none_or(|first| *first > at)
        };
        let shared = |identifier: &Identifier| {
            carriers.contains_key(identifier) || stating.get(identifier).is_some_and(|records| *records > 1)
        };
        if said.is_new && !said.stated().into_keys().any(shared) {
            begin.push(said);
        } else if said.is_new || said.stated().into_iter().any(news) {
            relink.push(said);
        } else {
            add.push(said);
        }
    }
    Ok((begin, relink, add))
}

/// Locks the customers that are touched, as far as they are known: at once, so that seldom two units wait for each other.
async fn lock_held(tx: &Tx, ids: &[SubjectId], carriers: &BTreeMap<Identifier, Vec<Carried>>) -> Result<(), Fault> {
    let carriers = carriers.values().flatten().map(|carrier| carrier.subject);
    let reached: BTreeSet<SubjectId> = carriers.chain(ids.iter().copied()).collect();
    let links = link::current_of(tx, &reached.into_iter().collect::<Vec<_>>()).await?;
    lock_customers(tx, &links.values().map(|link| link.customer).collect()).await
}

/// An import on its way.
struct Batch<'a> {
    tx: &'a Tx,
    rules: &'a Rules,
    results: Results,
    written: Written,
}

impl Batch<'_> {
    /// Records that share nothing with any other: each begins a customer of its own.
    async fn begin(&mut self, records: &mut [Said<'_>]) -> Result<(), Fault> {
        let (tx, mut known) = (self.tx, Known::default());
        let (mut subjects, mut carried, mut heard) = (Vec::new(), Vec::new(), Vec::new());
        let (mut component, mut partition) = (Component::default(), Partition::default());
        for said in records {
            let (id, created_at) = (said.subject, tx.now());
            let new = Record { subject: id, name: said.name.clone(), created_at, claims: Claims::default() };
            let mut record = [new];
            for (index, item) in std::mem::take(&mut said.items) {
                let before = record[0].claims.clone();
                record[0].claims.hear(&item.statement, item.observed_at);
                if let Err(fault) = bounds::check(&record) {
                    (record[0].claims, self.results[index]) = (before, Err(fault));
                    continue;
                }
                if known.add(id, item.observed_at, &item.statement)? {
                    heard.push(observed(tx, id, item, 1));
                }
                said.items.push((index, item));
            }
            if said.items.is_empty() {
                continue;
            }
            let [record] = record;
            subjects.push(said.subject(tx));
            carried.extend(said.carried());
            component.records.insert(id, record);
            let members = BTreeMap::from([(id, Cause::Origin)]);
            partition.clusters.push(Cluster { customer: id, members });
        }
        subject::add(tx, &subjects).await?;
        identifier::put(tx, &carried).await?;
        self.wrote(apply::relink(tx, &component, &partition, self.rules).await?.1);
        observation::add(tx, &heard).await
    }

    /// Records whose identifiers link them: together, or, where a rule refuses something of that, item by item.
    async fn relink(&mut self, records: &[Said<'_>]) -> Result<(), Fault> {
        let (tx, rules) = (self.tx, self.rules);
        if let Ok(written) = tx.attempt(relink(tx, rules, records)).await? {
            self.wrote(written);
            return Ok(());
        }
        let mut items: Vec<_> = records.iter().flat_map(|said| said.items.iter().copied()).collect();
        items.sort_unstable_by_key(|(index, _)| *index);
        for (index, input) in items {
            match tx.attempt(Unit { tx, rules, input }.run()).await? {
                Ok(identified) => self.wrote(identified.into_written()),
                Err(fault) => self.results[index] = Err(fault),
            }
        }
        Ok(())
    }

    /// Known records whose strong identifiers stay as they are: their customers' profiles alone change.
    async fn add(&mut self, records: &mut [Said<'_>]) -> Result<(), Fault> {
        let tx = self.tx;
        let ids: Vec<SubjectId> = records.iter().map(|said| said.subject).collect();
        let links = link::current_of(tx, &ids).await?;
        let customers: BTreeSet<CustomerId> = links.values().map(|link| link.customer).collect();
        lock_customers(tx, &customers).await?;
        // A link that moved while the lock was waited for is another customer's.
        let mut held = profile::by_ids(tx, &customers.into_iter().collect::<Vec<_>>()).await?;
        let mut known = known(tx, records).await?;
        let (mut carried, mut heard, mut changed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for said in records {
            let customer = links.get(&said.subject).ok_or_else(grew)?.customer;
            let Some(profile::Row { held: Held::Live { revision, records }, .. }) = held.get_mut(&customer) else {
                return Err(grew());
            };
            let place = records.iter().position(|record| record.subject == said.subject).ok_or_else(grew)?;
            for (index, item) in std::mem::take(&mut said.items) {
                if known.contains(said.subject, item.observed_at, &item.statement)? {
                    continue;
                }
                let before = records[place].claims.clone();
                let changes = records[place].claims.hear(&item.statement, item.observed_at);
                if changes && let Err(fault) = bounds::check(records) {
                    (records[place].claims, self.results[index]) = (before, Err(fault));
                    continue;
                }
                if changes {
                    changed.insert(customer);
                }
                known.add(said.subject, item.observed_at, &item.statement)?;
                heard.push(observed(tx, said.subject, item, *revision + u64::from(changed.contains(&customer))));
                said.items.push((index, item));
            }
            carried.extend(said.carried());
        }
        identifier::put(tx, &carried).await?;
        let changed = held.into_iter().filter(|(customer, _)| changed.contains(customer));
        let changed = changed.filter_map(|(customer, row)| match row.held {
            Held::Live { revision, records } => Some((customer, revision, records)),
            Held::Redirect { .. } => None,
        });
        let live = apply::update_many(tx, changed.collect(), self.rules).await?;
        self.written.live.extend(live);
        observation::add(tx, &heard).await
    }

    fn wrote(&mut self, written: Written) {
        self.written.live.extend(written.live);
        self.written.merged.extend(written.merged);
        self.written.gone.extend(written.gone);
    }
}

/// Partitions anew all that hangs together with records.
async fn relink(tx: &Tx, rules: &Rules, records: &[Said<'_>]) -> Result<Written, Fault> {
    let seeds = seeds(tx, rules, records).await?;
    let new: Vec<Subject> = records.iter().filter(|said| said.is_new).map(|said| said.subject(tx)).collect();
    subject::add(tx, &new).await?;
    identifier::put(tx, &records.iter().flat_map(Said::carried).collect::<Vec<_>>()).await?;
    let mut component = component::lock(tx, &seeds, &rules.namespaces).await?;
    let mut known = known(tx, records).await?;
    for said in records {
        let record = component.records.get_mut(&said.subject).ok_or_else(grew)?;
        for (_, item) in &said.items {
            record.claims.hear(&item.statement, item.observed_at);
        }
    }
    let partition = partition(&component.evidence, &rules.namespaces);
    let (changes, written) = apply::relink(tx, &component, &partition, rules).await?;
    changes.live.iter().try_for_each(|(_, records)| bounds::check(records))?;
    let revisions: BTreeMap<CustomerId, u64> =
        written.live.iter().map(|profile| (profile.customer, profile.revision)).collect();
    let mut heard = Vec::new();
    for said in records {
        let customer = partition.of(said.subject).map(|cluster| cluster.customer);
        let customer = customer.ok_or_else(|| Fault::internal("a record has no customer"))?;
        let held = || component.held.get(&customer).map_or(0, Held::revision);
        let revision = revisions.get(&customer).copied().unwrap_or_else(held);
        for (_, item) in &said.items {
            if known.add(said.subject, item.observed_at, &item.statement)? {
                heard.push(observed(tx, said.subject, item, revision));
            }
        }
    }
    observation::add(tx, &heard).await?;
    Ok(written)
}

/// The records, and those that carried a value which, with them, too many carry: their links must be made anew.
async fn seeds(tx: &Tx, rules: &Rules, records: &[Said<'_>]) -> Result<Vec<SubjectId>, Fault> {
    let mut stating = BTreeMap::<&Identifier, BTreeSet<SubjectId>>::new();
    for said in records {
        for (_, item) in &said.items {
            for identifier in strong(rules, &item.statement) {
                stating.entry(identifier).or_default().insert(said.subject);
            }
        }
    }
    let limit = |identifier: &Identifier| {
        rules.namespaces.find(&identifier.namespace).map_or(0, |namespace| namespace.records_per_value)
    };
    let most = stating.keys().map(|identifier| limit(identifier)).max().unwrap_or(0);
    let carriers = identifier::carriers_of(tx, stating.keys().copied(), most + 1).await?;
    let mut seeds: BTreeSet<SubjectId> = records.iter().map(|said| said.subject).collect();
    for (identifier, mut records) in stating {
        let held = carriers.get(identifier).map_or(&[][..], Vec::as_slice);
        records.extend(held.iter().map(|carrier| carrier.subject));
        if held.len() <= limit(identifier) && records.len() > limit(identifier) {
            seeds.extend(records.into_iter().filter(|subject| *subject != identifier::NOBODY));
        }
    }
    Ok(seeds.into_iter().collect())
}

/// What the records have said before.
async fn known(tx: &Tx, records: &[Said<'_>]) -> Result<Known, Fault> {
    let old = records.iter().filter(|said| !said.is_new);
    let said = old.flat_map(|said| said.items.iter().map(|(_, item)| (said.subject, item.observed_at)));
    observation::known(tx, &said.collect::<Vec<_>>()).await
}

fn observed(tx: &Tx, subject: SubjectId, item: &Identification, profile_revision: u64) -> Observation {
    let (observed_at, statement) = (item.observed_at, item.statement.clone());
    Observation { subject, observed_at, recorded_at: tx.now(), profile_revision, statement }
}
