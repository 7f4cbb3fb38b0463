//! Finding personas, step by step: draw a sample of all customers, learn from it, put what was found in force, and write
//! each customer's persona beside its profile. It goes on from any step after its instance was lost, and holds no more
//! than the sample in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rapport_clusters::{Cluster, Discovery, Row, Sample, Unfit};
use rapport_data::{Rx, Tx, Work};
use rapport_kernel::{CustomerId, Fault, Reason};
use rapport_platform::Call;
use uuid::Uuid;

use super::apply::Prior;
use super::component::lock_customers;
use super::{Profiles, Written, apply, rules};
use crate::domain::persona::{Assigner, Filter, Found, Persona, PersonaId, PersonaSet, PersonaSetId, State, carried};
use crate::domain::profile::{Profile, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::events;
use crate::store::{persona, persona_member, persona_set, profile};

/// How many profiles a step reads to draw from.
const DRAW: u64 = 1_000;
/// How many profiles a step gives their persona.
const ASSIGN: u64 = 200;
/// How long a step that writes rests, so that calls have the database for themselves.
const REST: Duration = Duration::from_millis(10);

/// Where a discovery is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It draws; the cursor holds who was drawn until now.
    Draw,
    /// It has drawn.
    Learn,
    /// What was found is in force; customers are told.
    Assign,
}

/// A stage, the last customer it has seen, and the customers drawn: seventeen bytes and sixteen for each.
struct Cursor {
    stage: Stage,
    after: Uuid,
    drawn: Vec<u128>,
}

impl Cursor {
    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let Some((stage, ids)) = bytes.split_first() else {
            return Ok(Self { stage: Stage::Draw, after: Uuid::nil(), drawn: Vec::new() });
        };
        let wrong = || Fault::internal("a cursor of a discovery");
        let stage = match stage {
            0 => Stage::Draw,
            1 => Stage::Learn,
            2 => Stage::Assign,
            _ => return Err(wrong()),
        };
        let mut ids = ids.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok());
        let after = ids.next().ok_or_else(wrong)?;
        Ok(Self { stage, after, drawn: ids.map(|id| id.as_u128()).collect() })
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + 16 * self.drawn.len());
        bytes.push(match self.stage {
            Stage::Draw => 0,
            Stage::Learn => 1,
            Stage::Assign => 2,
        });
        bytes.extend(self.after.as_bytes());
        self.drawn.iter().for_each(|id| bytes.extend(id.to_be_bytes()));
        bytes
    }
}

/// What a step came to.
pub enum Advance {
    /// There is more to do.
    More {
        /// Where to go on.
        cursor: Vec<u8>,
        /// How much is done.
        done: u64,
        /// How much there is.
        total: u64,
        /// How long to rest first.
        pause: Duration,
    },
    /// That was the last: the set that was asked for, and how much was done.
    Done(PersonaSetId, u64),
}

impl Profiles {
    /// Does a step of a discovery.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (INVALID_STATE) where there are no groups to be found; as the database.
    pub async fn advance(&self, call: &Call, work: Work) -> Result<Advance, Fault> {
        let id = Uuid::from_slice(&work.request).map_err(Fault::internal)?;
        let id = PersonaSetId::from_uuid(id);
        let cursor = Cursor::read(&work.cursor)?;
        let set = self.read(call, |rx| async move { persona_set::find(&rx, id).await }).await?;
        let set = set.ok_or_else(|| Fault::not_found("persona_set", id.to_string()))?;
        match cursor.stage {
            Stage::Draw => self.draw(call, &work, set, cursor).await,
            Stage::Learn => self.learn(call, work, set, cursor).await,
            Stage::Assign => self.assign(call, work, set, cursor).await,
        }
    }

    async fn draw(&self, call: &Call, work: &Work, set: PersonaSet, cursor: Cursor) -> Result<Advance, Fault> {
        let rules = self.rules(call).await?;
        let (after, first) = (cursor.after, work.total == 0);
        let read = self.read(call, |rx| async move {
            // Each is looked at twice: to draw it, and to give it its persona.
            let total = if first { 2 * profile::count(&rx).await? } else { 0 };
            Ok((profile::after(&rx, after, DRAW).await?, total))
        });
        let (page, total) = read.await?;
        let mut sample = Sample::new(set.settings.seed.cast_unsigned(), set.settings.sample_size);
        cursor.drawn.iter().for_each(|id| sample.offer(*id));
        let filter = compiled(&set)?;
        let mut done = work.done;
        for (customer, row) in &page {
            let Held::Live { revision, records } = &row.held else { continue };
            done += 1;
            let profile = fold(*customer, *revision, row.updated_at, records, &rules);
            if is_grouped(&set, filter.as_ref(), &profile).is_some() {
                sample.offer(customer.uuid().as_u128());
            }
        }
        let (stage, after) = match page.last() {
            Some((last, _)) => (Stage::Draw, last.uuid()),
            None => (Stage::Learn, Uuid::nil()),
        };
        let cursor = Cursor { stage, after, drawn: sample.members() };
        let total = total.max(work.total).max(done);
        Ok(Advance::More { cursor: cursor.write(), done, total, pause: Duration::ZERO })
    }

    /// Learns from the sample, and puts what was found in force.
    async fn learn(&self, call: &Call, work: Work, set: PersonaSet, cursor: Cursor) -> Result<Advance, Fault> {
        let before = self.read(call, |rx| async move { Before::read(&rx).await }).await?;
        let (rows, held): (Vec<Row>, Vec<_>) = self.rows(call, &set, &cursor.drawn, &before).await?.into_iter().unzip();
        let settings = set.settings.engine(rows.len());
        let sample = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        // It computes for seconds: on a thread of its own. Whoever gives the step up waits for nothing but the thread.
        let learning = tokio::task::spawn_blocking(move || rapport_clusters::discover(&rows, &settings));
        let found = match learning.await.map_err(Fault::internal)? {
            Ok(found) => found,
            Err(unfit) => return self.fail(call, work, set, unfit).await,
        };
        let Discovery { model, clusters, trials, labels } = found;
        let customers: Vec<_> = held.into_iter().zip(labels).collect();
        let carried = carried(before.personas.len(), clusters.len(), &customers);
        let found = Arc::new((Found { model, sample, trials }, clusters, carried, before));
        let (done, total, id) = (work.done, work.total, set.id);
        let again = cursor;
        let cursor = Cursor { stage: Stage::Assign, after: Uuid::nil(), drawn: Vec::new() }.write();
        let kept = cursor.clone();
        let unit = move |tx: Tx| {
            let (work, set, found, cursor) = (work.clone(), set.clone(), Arc::clone(&found), kept.clone());
            async move {
                work.hold(&tx).await?;
                let (found, clusters, carried, before) = &*found;
                if !before.hold(&tx).await? {
                    return Ok(false);
                }
                persona_set::supersede(&tx).await?;
                let (state, in_force_at) = (State::Assigning, Some(tx.now()));
                persona_set::put(&tx, &PersonaSet { state, found: Some(found.clone()), in_force_at, ..set }).await?;
                let personas = before.followed_by(&tx, id, clusters, carried).await?;
                persona::put(&tx, &personas).await?;
                for persona in &personas {
                    tx.publish(events::persona_changed(tx.tenant(), persona)).await?;
                }
                work.keep(&tx, cursor, done, total).await?;
                Ok(true)
            }
        };
        if !self.0.database.write(call.tenant(), unit).await? {
            // Another discovery was faster: what is carried on is found out again.
            let cursor = again.write();
            return Ok(Advance::More { cursor, done, total, pause: REST });
        }
        self.refold(call.tenant());
        // Units that began with the rules of before write the personas of before: they are let by first.
        tokio::time::sleep(2 * rules::FRESH).await;
        Ok(Advance::More { cursor, done, total, pause: Duration::ZERO })
    }

    /// What the engine sees of those drawn, and the place of the persona that each has until now. One that was merged
    /// away or erased since, or changed so that it is not grouped, is left out.
    async fn rows(
        &self,
        call: &Call,
        set: &PersonaSet,
        drawn: &[u128],
        before: &Before,
    ) -> Result<Vec<(Row, Option<usize>)>, Fault> {
        let (rules, filter) = (self.rules(call).await?, compiled(set)?);
        let mut rows = Vec::with_capacity(drawn.len());
        for some in drawn.chunks(500) {
            let ids: Vec<CustomerId> = some.iter().map(|id| CustomerId::from_uuid(Uuid::from_u128(*id))).collect();
            let read = self.read(call, |rx| async move { profile::by_ids(&rx, &ids).await });
            for (customer, row) in read.await? {
                if let Held::Live { revision, records } = row.held {
                    let profile = fold(customer, revision, row.updated_at, &records, &rules);
                    let row = is_grouped(set, filter.as_ref(), &profile);
                    rows.extend(row.map(|row| (row, before.place(&profile))));
                }
            }
        }
        Ok(rows)
    }

    async fn fail(&self, call: &Call, work: Work, set: PersonaSet, unfit: Unfit) -> Result<Advance, Fault> {
        let (id, least) = (set.id, set.settings.least);
        let unit = move |tx: Tx| {
            let (work, set) = (work.clone(), set.clone());
            async move {
                work.hold(&tx).await?;
                persona_set::put(&tx, &PersonaSet { state: State::Failed, ..set }).await
            }
        };
        self.0.database.write(call.tenant(), unit).await?;
        let text = match unfit {
            Unfit::NothingDiffers => {
                "the customers asked for do not differ in any of these traits: name others, or widen the filter"
                    .to_owned()
            }
            Unfit::TooFew { distinct } => format!(
                "the customers asked for are of {distinct} different kinds by these traits, fewer than {least} personas: \
                 name more traits, or widen the filter"
            ),
        };
        Err(Fault::new(Reason::InvalidState, text).precondition("PERSONAS", id.to_string()))
    }

    /// Writes the personas of a page of customers, where they are not those that are held.
    async fn assign(&self, call: &Call, work: Work, set: PersonaSet, cursor: Cursor) -> Result<Advance, Fault> {
        let (this, after, id) = (self.clone(), cursor.after, set.id);
        let (done, total) = (work.done, work.total);
        let unit = move |tx: Tx| {
            let (this, work, set) = (this.clone(), work.clone(), set.clone());
            async move {
                work.hold(&tx).await?;
                let rules = rules::read(&tx, &this.0.built_in, None).await?;
                // Another set is in force by now: customers are told of that one.
                if rules.personas.as_ref().is_none_or(|personas| personas.set != id) {
                    return Ok(None);
                }
                let page = profile::after(&tx, after, ASSIGN).await?;
                let Some((last, _)) = page.last() else {
                    persona_set::put(&tx, &PersonaSet { state: State::InForce, ..set }).await?;
                    return Ok(None);
                };
                let last = last.uuid();
                let live = page.iter().filter(|(_, row)| matches!(row.held, Held::Live { .. })).count();
                let written = tell(&tx, &rules, page).await?;
                let done = done + u64::try_from(live).unwrap_or(u64::MAX);
                let cursor = Cursor { stage: Stage::Assign, after: last, drawn: Vec::new() }.write();
                work.keep(&tx, cursor.clone(), done, total.max(done)).await?;
                Ok(Some((written, cursor, done)))
            }
        };
        let Some((written, cursor, done)) = self.0.database.write(call.tenant(), unit).await? else {
            return Ok(Advance::Done(id, done));
        };
        self.show(call.tenant(), &written);
        Ok(Advance::More { cursor, done, total: total.max(done), pause: REST })
    }
}

/// The set that is in force until now.
struct Before {
    set: Option<PersonaSetId>,
    assigner: Option<Assigner>,
    personas: Vec<PersonaId>,
}

impl Before {
    async fn read(rx: &Rx) -> Result<Self, Fault> {
        let Some(set) = persona_set::in_force(rx).await? else {
            return Ok(Self { set: None, assigner: None, personas: Vec::new() });
        };
        let personas = persona::of_set(rx, set.id).await?;
        let ids = personas.iter().map(|persona| persona.id).collect();
        Ok(Self { set: Some(set.id), assigner: Assigner::new(&set, personas), personas: ids })
    }

    /// The place of the persona that a customer has.
    fn place(&self, profile: &Profile) -> Option<usize> {
        let has = self.assigner.as_ref()?.membership(profile)?.persona;
        self.personas.iter().position(|persona| *persona == has)
    }

    /// Keeps others from changing the set that is in force, and its personas; answers whether it still is this one.
    async fn hold(&self, tx: &Tx) -> Result<bool, Fault> {
        let personas = self.personas.iter().map(|id| format!("persona/{id}"));
        tx.lock(&personas.chain(["persona_set".to_owned()]).collect::<Vec<_>>()).await?;
        Ok(persona_set::in_force(tx).await?.map(|set| set.id) == self.set)
    }

    /// What the next set makes of its personas: those that are found again, those that are new, those that retire.
    async fn followed_by(
        &self,
        tx: &Tx,
        set: PersonaSetId,
        clusters: &[Cluster],
        carried: &[Option<usize>],
    ) -> Result<Vec<Persona>, Fault> {
        let mut old = BTreeMap::new();
        if let Some(before) = self.set {
            old.extend(persona::of_set(tx, before).await?.into_iter().map(|persona| (persona.id, persona)));
        }
        let mut personas = Vec::with_capacity(clusters.len() + old.len());
        for (place, cluster) in clusters.iter().cloned().enumerate() {
            let carries = carried.get(place).copied().flatten().and_then(|at| self.personas.get(at));
            personas.push(match carries.and_then(|id| old.remove(id)) {
                Some(persona) => persona.again(set, place, cluster, tx.now()),
                None => Persona::found(PersonaId::new(), set, place, cluster, tx.now()),
            });
        }
        personas.extend(old.into_values().map(|persona| persona.retired(tx.now())));
        Ok(personas)
    }
}

/// Gives those of a page their personas who are not held to have them: each with a new revision, and told of.
async fn tell(tx: &Tx, rules: &Rules, page: Vec<(CustomerId, profile::Row)>) -> Result<Written, Fault> {
    let ids: Vec<CustomerId> = page.iter().map(|(customer, _)| *customer).collect();
    let held = persona_member::of(tx, &ids).await?;
    let differs = |(customer, row): &(CustomerId, profile::Row)| {
        let Held::Live { revision, records } = &row.held else { return held.contains_key(customer) };
        let profile = fold(*customer, *revision, row.updated_at, records, rules);
        profile.persona.map(|has| has.persona) != held.get(customer).copied()
    };
    let stale: BTreeSet<CustomerId> =
        page.iter().filter(|entry| differs(entry)).map(|(customer, _)| *customer).collect();
    lock_customers(tx, &stale).await?;
    let mut written = Written::default();
    // As they are now that nobody else changes them.
    for (customer, row) in profile::by_ids(tx, &stale.into_iter().collect::<Vec<_>>()).await? {
        match row.held {
            Held::Live { revision, records } => {
                let prior = Prior { customer, revision, derived: row.derived, records: records.clone() };
                written.live.push(apply::update(tx, prior, records, rules).await?);
            }
            Held::Redirect { .. } => {
                persona_member::delete(tx, &[customer]).await?;
            }
        }
    }
    Ok(written)
}

fn compiled(set: &PersonaSet) -> Result<Option<Filter>, Fault> {
    match set.settings.filter.as_str() {
        "" => Ok(None),
        source => Filter::compile(source).map(Some).map_err(|errors| errors.fault("filter")),
    }
}

/// What the engine sees of a customer that is grouped.
fn is_grouped(set: &PersonaSet, filter: Option<&Filter>, profile: &Profile) -> Option<Row> {
    let admitted = filter.is_none_or(|filter| filter.admits(profile));
    if admitted { set.settings.row(profile) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_bytes(stage in 0..3_usize, after in any::<u128>(), drawn in proptest::collection::vec(any::<u128>(), 0..40)) {
            let stage = [Stage::Draw, Stage::Learn, Stage::Assign][stage];
            let read = Cursor::read(&Cursor { stage, after: Uuid::from_u128(after), drawn: drawn.clone() }.write());
            let read = read.expect("its own bytes");
            prop_assert!(read.stage == stage && read.after.as_u128() == after && read.drawn == drawn);
        }
    }
}
