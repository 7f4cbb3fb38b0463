//! Recording, correcting and deleting interactions, one or many in one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rapport_data::{Answer, Receipt, Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp, Violations};
use rapport_platform::Call;

use super::batch::{self, Batch, take};
use super::quality::Tally;
use super::{Profiles, Written, again};
use crate::domain::correction::Field;
use crate::domain::interaction::{Content, Held, Interaction, InteractionId, InteractionKey, Outcome, Said, Telling};
use crate::domain::rules::Rules;
use crate::domain::value::Named;
use crate::store::{interaction, link};

/// An interaction with those it belongs to now.
#[derive(Clone)]
pub struct Shown {
    /// As it is held.
    pub interaction: Interaction,
    /// The customer it belongs to now.
    pub customer: CustomerId,
    /// The customer that who referred it belongs to now.
    pub referrer: Option<CustomerId>,
}

/// What recording, correcting or deleting one interaction did.
#[derive(Clone)]
pub struct One {
    /// As it is held now; `None` where it is held as deleted.
    pub held: Option<Shown>,
    /// What happened.
    pub outcome: Outcome,
    written: Written,
    /// How well the source told, and when.
    tally: (Tally, Timestamp),
}

impl super::Outcome for One {
    fn written(&self) -> &Written {
        &self.written
    }
}

/// A correction.
#[derive(Clone)]
pub struct Correction {
    /// Of which interaction.
    pub key: InteractionKey,
    /// The source's version; 0: none is given.
    pub version: i64,
    /// The revision that it corrects; `None`: whatever is held, if the version is higher.
    pub expected: Option<u64>,
    /// Which fields it corrects.
    pub fields: BTreeSet<Field>,
    /// Their new content.
    pub content: Arc<Content>,
    /// Who referred the customer, where that is corrected.
    pub referrer: Option<Named>,
}

/// A deletion.
#[derive(Clone)]
pub struct Deletion {
    /// Of which interaction.
    pub key: InteractionKey,
    /// The source's version; `None`: the one held.
    pub version: Option<i64>,
    /// The revision that is deleted; `None`: any.
    pub expected: Option<u64>,
}

/// How an interaction is named.
pub enum Which {
    /// By its id.
    Id(InteractionId),
    /// By its source's id.
    Key(InteractionKey),
}

impl Profiles {
    /// Records one interaction.
    ///
    /// # Errors
    /// NOT_FOUND where a customer id is not known.
    pub async fn record(&self, call: &Call, telling: Telling, receipt: Receipt<One>) -> Result<Answer<One>, Fault> {
        self.cover(newest([&telling])).await?;
        let (rules, source) = (self.rules(call).await?, telling.key.source.clone());
        let unit = move |tx: Tx| {
            let (rules, telling) = (Arc::clone(&rules), telling.clone());
            async move { one(&tx, take(&tx, &rules, vec![telling]).await?).await }
        };
        self.counted(call, &source, self.change(call, receipt, unit).await)
    }

    /// Records and deletes many in one commit: what became of each, in order.
    ///
    /// # Errors
    /// Where the commit fails: then nothing was recorded.
    pub async fn record_many(&self, call: &Call, tellings: Vec<Telling>) -> Result<Vec<Result<Outcome, Fault>>, Fault> {
        if tellings.is_empty() {
            return Ok(Vec::new());
        }
        self.0.pace.called(tellings.len());
        self.cover(newest(&tellings)).await?;
        let (rules, tellings) = (self.rules(call).await?, Arc::new(tellings));
        let database = self.database(call);
        let (results, written, tally, now) = again(|| {
            let (rules, tellings) = (Arc::clone(&rules), Arc::clone(&tellings));
            database.write(call.tenant(), move |tx: Tx| {
                let (rules, tellings) = (Arc::clone(&rules), Arc::clone(&tellings));
                async move {
                    let (mut batch, written) = take(&tx, &rules, tellings.to_vec()).await?;
                    Ok((batch.outcomes(), written, batch.tally, tx.now()))
                }
            })
        })
        .await?;
        self.show(call.tenant(), &written);
        self.tallied(call.tenant(), tally, now);
        Ok(results)
    }

    /// Corrects an interaction that stands.
    ///
    /// # Errors
    /// NOT_FOUND where it is not held, or deleted, or a referrer's id is not known; ABORTED where another revision is
    /// held than the one expected.
    pub async fn correct(
        &self,
        call: &Call,
        correction: Correction,
        receipt: Receipt<One>,
    ) -> Result<Answer<One>, Fault> {
        self.cover(Some(correction.content.occurred_at)).await?;
        let (rules, correction) = (self.rules(call).await?, Arc::new(correction));
        let source = correction.key.source.clone();
        let unit = move |tx: Tx| {
            let (rules, correction) = (Arc::clone(&rules), Arc::clone(&correction));
            async move { correct(&tx, &rules, &correction).await }
        };
        self.counted(call, &source, self.change(call, receipt, unit).await)
    }

    /// Deletes an interaction, or keeps one from being recorded.
    ///
    /// # Errors
    /// NOT_FOUND where neither a version is given nor an interaction held; ABORTED where another revision is held than
    /// the one expected.
    pub async fn delete(&self, call: &Call, deletion: Deletion, receipt: Receipt<One>) -> Result<Answer<One>, Fault> {
        let (rules, deletion) = (self.rules(call).await?, Arc::new(deletion));
        let source = deletion.key.source.clone();
        let unit = move |tx: Tx| {
            let (rules, deletion) = (Arc::clone(&rules), Arc::clone(&deletion));
            async move { delete(&tx, &rules, &deletion).await }
        };
        self.counted(call, &source, self.change(call, receipt, unit).await)
    }

    /// Counts how well a source told, once it is known what became of it. What had been done before was counted then.
    fn counted(&self, call: &Call, source: &str, done: Result<Answer<One>, Fault>) -> Result<Answer<One>, Fault> {
        match &done {
            Ok(Answer::Fresh(one)) => self.tallied(call.tenant(), one.tally.0.clone(), one.tally.1),
            Ok(Answer::Replayed(_)) => {}
            Err(fault) => self.refused(call.tenant(), source, fault, call.now),
        }
        done
    }

    /// One interaction.
    ///
    /// # Errors
    /// NOT_FOUND where there is none, or it was deleted.
    pub async fn interaction(&self, call: &Call, which: Which) -> Result<Shown, Fault> {
        let read = self.read(call, |rx| async move {
            let found = match &which {
                Which::Id(id) => interaction::by_id(&rx, *id).await?,
                Which::Key(key) => {
                    match interaction::held(&rx, std::slice::from_ref(key)).await?.into_values().next() {
                        Some(Held::Live(interaction)) => Some(interaction),
                        Some(Held::Deleted(_)) | None => None,
                    }
                }
            };
            let found = found.ok_or_else(|| match &which {
                Which::Id(id) => Fault::not_found("interaction", id.to_string()),
                Which::Key(key) => missing(key),
            })?;
            shown(&rx, vec![found], BTreeMap::new()).await?.pop().ok_or_else(|| Fault::internal("one is shown as one"))
        });
        read.await
    }

    /// Sees to it that what happened until an instant has its place: see [`interaction::cover`].
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub async fn cover(&self, until: Option<Timestamp>) -> Result<(), Fault> {
        let covered = &self.0.covered;
        let Some(until) = until.filter(|until| until.micros() >= covered.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let unit = move |tx: Tx| async move { interaction::cover(&tx, until).await };
        covered.fetch_max(self.0.database.system().write(unit).await?.micros(), Ordering::Relaxed);
        Ok(())
    }
}

/// The latest instant at which something of tellings happened.
fn newest<'a>(tellings: impl IntoIterator<Item = &'a Telling>) -> Option<Timestamp> {
    let instant = |telling: &Telling| match &telling.said {
        Said::Recorded { content, .. } => Some(content.occurred_at),
        Said::Deleted => None,
    };
    tellings.into_iter().filter_map(instant).max()
}

/// That there is no such interaction. Its id is personal, and stays out of it.
fn missing(key: &InteractionKey) -> Fault {
    Fault::not_found("interaction", format!("of {}", key.source))
}

fn fresh(expected: Option<u64>, revision: u64, id: InteractionId) -> Result<(), Fault> {
    if expected.is_none_or(|expected| expected == revision) {
        return Ok(());
    }
    let text = "the etag is not the newest: read the interaction again, look whether the change still fits, retry";
    Err(Fault::new(Reason::StaleEtag, text).resource("interaction", id.to_string()))
}

async fn correct(tx: &Tx, rules: &Rules, correction: &Correction) -> Result<One, Fault> {
    let Correction { key, version, expected, fields, content, referrer } = correction;
    let held = batch::lock(tx, std::slice::from_ref(key)).await?.remove(key);
    let Some(Held::Live(before)) = held else { return Err(missing(key)) };
    fresh(*expected, before.revision, before.id)?;
    tx.about(before.subject);
    let mut after = before.clone();
    let (mut written, mut outcome) = (Written::default(), Outcome::Unchanged);
    let mut tally = Tally::default();
    if expected.is_some() || *version > before.version {
        let mut by = Arc::clone(content);
        if let Some(referrer) = referrer {
            written = batch::referrer(tx, rules, (referrer, &key.source), &mut by).await?;
        }
        let corrected = before.content.corrected(fields, &by);
        keeps(rules, key, &corrected)?;
        let version = before.version.max(*version);
        if version > before.version || corrected != *before.content {
            after.correct(version, Arc::new(corrected), tx.now());
            outcome = Outcome::Updated;
            let (before, after) = (Held::Live(before), Held::Live(after.clone()));
            interaction::replace(tx, &before, &after).await?;
            batch::publish(tx, Some(&before), &after).await?;
        }
    }
    tally.heard(&rules.catalogue, &Held::Live(after.clone()), outcome, tx.now());
    let held = shown(tx, vec![after], BTreeMap::new()).await?.pop();
    Ok(One { held, outcome, written, tally: (tally, tx.now()) })
}

/// Refuses content that the catalogue does not let through.
fn keeps(rules: &Rules, key: &InteractionKey, content: &Content) -> Result<(), Fault> {
    let mut violations = Violations::new();
    for deviation in rules.catalogue.deviations(&key.source, content) {
        if deviation.is_refused {
            violations.add(format!("interaction.{}", deviation.field), deviation.rule, deviation.text);
        }
    }
    violations.check()
}

async fn delete(tx: &Tx, rules: &Rules, deletion: &Deletion) -> Result<One, Fault> {
    let Deletion { key, version, expected } = deletion;
    let held = batch::lock(tx, std::slice::from_ref(key)).await?.remove(key);
    if let Some(subject) = held.as_ref().and_then(Held::subject) {
        tx.about(subject);
    }
    let version = match (&held, version) {
        (Some(Held::Live(held)), version) => {
            fresh(*expected, held.revision, held.id)?;
            // Who names the very state deletes it, whatever its version.
            let version = version.unwrap_or(held.version);
            if expected.is_some() { version.max(held.version) } else { version }
        }
        (Some(Held::Deleted(held)), version) => version.unwrap_or(held.version),
        (None, Some(version)) => *version,
        (None, None) => return Err(missing(key)),
    };
    let telling = Telling { key: key.clone(), version, said: Said::Deleted };
    let mut batch = take(tx, rules, vec![telling]).await?.0;
    let outcome = batch.outcomes().pop().unwrap_or_else(|| Err(Fault::internal("one telling has one result")))?;
    Ok(One { held: None, outcome, written: Written::default(), tally: (batch.tally, tx.now()) })
}

/// What became of the one telling of a batch.
async fn one(tx: &Tx, (mut batch, written): (Batch, Written)) -> Result<One, Fault> {
    let (key, outcome) = batch.results.pop().unwrap_or_else(|| Err(Fault::internal("one telling has one result")))?;
    let held = match batch.held.remove(&key) {
        Some(Held::Live(interaction)) => {
            tx.about(interaction.subject);
            shown(tx, vec![interaction], batch.customers).await?.pop()
        }
        Some(Held::Deleted(tombstone)) => {
            tombstone.subject.into_iter().for_each(|subject| tx.about(subject));
            None
        }
        None => return Err(Fault::internal("what was taken is held")),
    };
    Ok(One { held, outcome, written, tally: (batch.tally, tx.now()) })
}

/// Interactions with those they belong to now; some of whom are known.
pub(crate) async fn shown(
    rx: &Rx,
    interactions: Vec<Interaction>,
    mut customers: BTreeMap<SubjectId, CustomerId>,
) -> Result<Vec<Shown>, Fault> {
    let subjects = interactions.iter().flat_map(|one| [Some(one.subject), one.content.referrer]).flatten();
    let others: BTreeSet<SubjectId> = subjects.filter(|subject| !customers.contains_key(subject)).collect();
    if !others.is_empty() {
        let links = link::current_of(rx, &others.into_iter().collect::<Vec<_>>()).await?;
        customers.extend(links.into_iter().map(|(subject, link)| (subject, link.customer)));
    }
    let customer = |subject: SubjectId| customers.get(&subject).copied();
    let show = |interaction: Interaction| Shown {
        customer: customer(interaction.subject).unwrap_or(interaction.subject),
        referrer: interaction.content.referrer.and_then(customer),
        interaction,
    };
    Ok(interactions.into_iter().map(show).collect())
}
