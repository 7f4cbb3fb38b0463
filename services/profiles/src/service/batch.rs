//! Tellings on their way into the timeline: many in one unit of work, each key as its versions and deletions leave it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId};

use super::attach::{Attached, Wanted, attach};
use super::quality::Tally;
use super::{Written, stripe};
use crate::domain::interaction::{Content, Held, InteractionId, InteractionKey, Outcome, Said, Stamp, Telling};
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, Named};
use crate::events;
use crate::store::interaction;

/// In how many stripes the keys of a source are locked while they are written: a batch of a thousand takes all of
/// them, two single recordings seldom meet.
const STRIPES: u64 = 64;

/// What tellings made of the timeline.
#[derive(Default)]
pub(crate) struct Batch {
    /// What is held of the keys: what the table held, with what was told since.
    pub(crate) held: HashMap<InteractionKey, Held>,
    /// What the table held of those that changed.
    before: BTreeMap<InteractionKey, Held>,
    /// The keys that the table did not hold, in order.
    new: Vec<InteractionKey>,
    is_new: HashSet<InteractionKey>,
    /// Whose subjects they are, as far as it was looked up.
    pub(crate) customers: BTreeMap<SubjectId, CustomerId>,
    /// What became of each telling, in order.
    pub(crate) results: Vec<Result<(InteractionKey, Outcome), Fault>>,
    /// How well the sources told.
    pub(crate) tally: Tally,
}

/// Takes tellings within a unit of work, and writes what they change.
pub(crate) async fn take(tx: &Tx, rules: &Rules, tellings: Vec<Telling>) -> Result<(Batch, Written), Fault> {
    let keys: Vec<_> = tellings.iter().map(|telling| telling.key.clone()).collect();
    let mut batch = Batch { held: lock(tx, &keys).await?, ..Batch::default() };
    let (mut names, written) = Names::of(tx, rules, &tellings, &batch.held).await?;
    for telling in tellings {
        let key = telling.key.clone();
        let result = batch.hear(tx, rules, &mut names, telling);
        if let Err(fault) = &result {
            batch.tally.refused(&key.source, fault);
        }
        batch.results.push(result.map(|outcome| (key, outcome)));
    }
    batch.write(tx).await?;
    Ok((batch, written))
}

/// Waits until no other unit writes the keys; answers what is held of them.
pub(crate) async fn lock(tx: &Tx, keys: &[InteractionKey]) -> Result<HashMap<InteractionKey, Held>, Fault> {
    // Whoever is there from now on is not erased meanwhile: an erasure took its links and keys before, or comes after.
    tx.hold_erasures().await?;
    let stripe =
        |key: &InteractionKey| format!("interaction/{}/{}", key.source, stripe(&[key.external_id.expose()], STRIPES));
    let stripes: BTreeSet<String> = keys.iter().map(stripe).collect();
    tx.lock(&stripes.into_iter().collect::<Vec<_>>()).await?;
    interaction::held(tx, keys).await
}

/// Tells others what became of a key, where they were told less before.
pub(crate) async fn publish(tx: &Tx, before: Option<&Held>, after: &Held) -> Result<(), Fault> {
    if after.revision() <= before.map_or(0, Held::revision) {
        return Ok(());
    }
    match after {
        Held::Live(interaction) => tx.publish(events::interaction_changed(interaction)).await,
        Held::Deleted(tombstone) => match events::interaction_deleted(tombstone) {
            Some(event) => tx.publish(event).await,
            None => Ok(()),
        },
    }
}

impl Batch {
    fn hear(&mut self, tx: &Tx, rules: &Rules, names: &mut Names, mut telling: Telling) -> Result<Outcome, Fault> {
        let key = telling.key.clone();
        let mut stamp = None;
        if let Said::Recorded { named, referrer, content } = &mut telling.said {
            if let Some(referrer) = referrer {
                let referrer = names.get(referrer).ok_or_else(|| referrer.not_found())?;
                Content::refer(content, Some(referrer.subject));
            }
            let held = self.held.get(&key);
            if !matches!(held, Some(Held::Live(_))) {
                let attached = names.place(&key, held, named).ok_or_else(|| named.not_found())?;
                self.customers.insert(attached.subject, attached.profile.customer);
                stamp = Some(stamp_of(rules, &attached));
            }
        }
        let before = self.held.remove(&key);
        let (after, outcome) = Held::hear(before.clone(), telling, (InteractionId::new(), stamp), tx.now())?;
        match before {
            None => {
                self.new.push(key.clone());
                self.is_new.insert(key.clone());
            }
            Some(before) if before != after && !self.is_new.contains(&key) => {
                self.before.entry(key.clone()).or_insert(before);
            }
            Some(_) => {}
        }
        self.tally.heard(&rules.catalogue, &after, outcome, tx.now());
        self.held.insert(key, after);
        Ok(outcome)
    }

    async fn write(&self, tx: &Tx) -> Result<(), Fault> {
        let new: Vec<&Held> = self.new.iter().filter_map(|key| self.held.get(key)).collect();
        interaction::add(tx, &new).await?;
        for held in new {
            publish(tx, None, held).await?;
        }
        for (key, before) in &self.before {
            if let Some(after) = self.held.get(key) {
                interaction::replace(tx, before, after).await?;
                publish(tx, Some(before), after).await?;
            }
        }
        Ok(())
    }

    /// What became of each telling, in order.
    pub(crate) fn outcomes(&mut self) -> Vec<Result<Outcome, Fault>> {
        std::mem::take(&mut self.results).into_iter().map(|result| result.map(|(_, outcome)| outcome)).collect()
    }
}

/// What a new interaction keeps of its customer.
fn stamp_of(rules: &Rules, attached: &Attached) -> Stamp {
    let (subject, profile) = (attached.subject, &attached.profile);
    Stamp { subject, party: profile.party, dimensions: rules.declared.dimensions(profile) }
}

/// Where the names of tellings attach.
#[derive(Default)]
pub(crate) struct Names {
    ids: BTreeMap<SubjectId, Attached>,
    identifiers: BTreeMap<Identifier, Attached>,
    /// Where keys attached in this batch: what is told of them next does not attach anew.
    keys: HashMap<InteractionKey, Attached>,
}

impl Names {
    /// Looks up the names that are read: those of keys that nobody has told of yet (the first telling's), and those of
    /// referrers. Ids first, which is a look and no more; identifiers that nobody carries begin records, all at once,
    /// because the locks of a unit are taken at once.
    async fn of(
        tx: &Tx,
        rules: &Rules,
        tellings: &[Telling],
        held: &HashMap<InteractionKey, Held>,
    ) -> Result<(Self, Written), Fault> {
        let deleted: HashSet<&InteractionKey> =
            tellings.iter().filter(|telling| telling.said == Said::Deleted).map(|telling| &telling.key).collect();
        let stands = |key| matches!(held.get(key), Some(Held::Live(_))) && !deleted.contains(key);
        let mut names = Self::default();
        let mut ids = Vec::new();
        for (telling, named, referrer) in recorded(tellings) {
            let known = held.get(&telling.key).and_then(Held::subject).map(Named::Id);
            let of = (!stands(&telling.key)).then(|| known.unwrap_or_else(|| named.clone()));
            let named = of.into_iter().chain(referrer.cloned()).filter(|named| matches!(named, Named::Id(_)));
            ids.extend(named.map(|named| wanted(telling, named)));
        }
        if !ids.is_empty() {
            names.learn(&ids, attach(tx, rules, &ids).await?.0);
        }
        let (mut placed, mut identifiers) = (HashSet::new(), Vec::new());
        for (telling, named, referrer) in recorded(tellings) {
            let fails = |named: &Named| matches!(named, Named::Id(id) if !names.ids.contains_key(id));
            let reads = !stands(&telling.key) && held.get(&telling.key).and_then(Held::subject).is_none();
            let reads = reads && !placed.contains(&telling.key);
            if referrer.is_some_and(fails) || (reads && fails(named)) {
                continue;
            }
            if reads {
                placed.insert(&telling.key);
            }
            let named = reads.then(|| named.clone()).into_iter().chain(referrer.cloned());
            let named = named.filter(|named| matches!(named, Named::Identifier(_)));
            identifiers.extend(named.map(|named| wanted(telling, named)));
        }
        if identifiers.is_empty() {
            return Ok((names, Written::default()));
        }
        let (attached, written) = attach(tx, rules, &identifiers).await?;
        names.learn(&identifiers, attached);
        Ok((names, written))
    }

    fn learn(&mut self, wanted: &[Wanted], attached: Vec<Option<Attached>>) {
        for (wanted, attached) in wanted.iter().zip(attached) {
            let Some(attached) = attached else { continue };
            match &wanted.named {
                Named::Id(id) => self.ids.insert(*id, attached),
                Named::Identifier(identifier) => self.identifiers.insert(identifier.clone(), attached),
            };
        }
    }

    fn get(&self, named: &Named) -> Option<&Attached> {
        match named {
            Named::Id(id) => self.ids.get(id),
            Named::Identifier(identifier) => self.identifiers.get(identifier),
        }
    }

    /// Where a key attaches: where it is attached already, or where the telling's name leads.
    fn place(&mut self, key: &InteractionKey, held: Option<&Held>, named: &Named) -> Option<Attached> {
        if let Some(attached) = self.keys.get(key) {
            return Some(attached.clone());
        }
        let attached = match held.and_then(Held::subject) {
            Some(subject) => self.ids.get(&subject).cloned(),
            None => self.get(named).cloned(),
        };
        self.keys.extend(attached.clone().map(|attached| (key.clone(), attached)));
        attached
    }
}

/// The tellings that something happened, with the names they give.
fn recorded(tellings: &[Telling]) -> impl Iterator<Item = (&Telling, &Named, Option<&Named>)> {
    tellings.iter().filter_map(|telling| match &telling.said {
        Said::Recorded { named, referrer, .. } => Some((telling, named, referrer.as_ref())),
        Said::Deleted => None,
    })
}

fn wanted(telling: &Telling, named: Named) -> Wanted {
    let observed_at = match &telling.said {
        Said::Recorded { content, .. } => content.occurred_at,
        Said::Deleted => rapport_kernel::Timestamp::MAX,
    };
    Wanted { named, source: telling.key.source.clone(), observed_at }
}

/// Where one name attaches, and what was begun for it.
pub(crate) async fn referrer(
    tx: &Tx,
    rules: &Rules,
    (named, source): (&Named, &str),
    content: &mut Arc<Content>,
) -> Result<Written, Fault> {
    let wanted = Wanted { named: named.clone(), source: source.to_owned(), observed_at: content.occurred_at };
    let (attached, written) = attach(tx, rules, &[wanted]).await?;
    let attached = attached.into_iter().flatten().next().ok_or_else(|| named.not_found())?;
    Content::refer(content, Some(attached.subject));
    Ok(written)
}
