//! Taking mentions as sources tell of them, one or many in one commit, and reading them again.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, TenantId};
use rapport_platform::Call;

use super::{Mentions, read, write};
use crate::domain::mention::{Mention, MentionId, MentionKey, Told};
use crate::domain::{Customer, Party, Respondent};
use crate::service::reading::Reader;
use crate::store::mention as store;
use crate::store::text_reading::{self, Source};

/// How many customers are asked for at once.
const ASKED: usize = 32;
/// How many mentions one unit reads again: others write between two.
const UNIT: usize = 20;

/// What a source tells of a mention.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Of which.
    pub key: MentionKey,
    /// Who said it, where somebody knows.
    pub customer: Option<Customer>,
    /// What.
    pub told: Told,
}

/// What recording did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not known.
    Created,
    /// It changed.
    Updated,
    /// It was known so.
    Unchanged,
    /// It is gone.
    Deleted,
}

/// What became of a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The mention; none where it is gone.
    pub mention: Option<Mention>,
    /// What happened.
    pub outcome: Outcome,
}

/// Whose a mention is said to be.
type Named = Option<(Respondent, CustomerId)>;

/// A recording whose author was asked for.
#[derive(Clone)]
struct Item {
    recording: Recording,
    named: Named,
    /// The ids that it gets where it is new.
    ids: (MentionId, SubjectId),
}

impl Mentions {
    /// Takes what a source tells of one mention.
    ///
    /// # Errors
    /// NOT_FOUND for a customer named by an id that there is not; FAILED_PRECONDITION where it was erased.
    pub async fn record(
        &self,
        call: &Call,
        receipt: Receipt<Recorded>,
        recording: Recording,
    ) -> Result<Answer<Recorded>, Fault> {
        let item = self.ask(call, recording).await?;
        let readers = self.readers.clone();
        let unit = move |tx: Tx| {
            let (item, readers) = (item.clone(), readers.clone());
            async move {
                let (erased, reader) = (begin(&tx, &[&item]).await?, readers.of(&tx).await?);
                take(&tx, &reader, item, &erased).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Takes many in one commit: why each was refused that was, in order.
    ///
    /// # Errors
    /// Where profiles cannot be reached, or the commit fails: then nothing was taken.
    pub async fn record_many(&self, call: &Call, recordings: Vec<Recording>) -> Result<Vec<Result<(), Fault>>, Fault> {
        let ask = |recording| self.ask(call, recording);
        let asked: Vec<Result<Item, Fault>> =
            futures::stream::iter(recordings).map(ask).buffered(ASKED).collect().await;
        let (mut results, mut sound) = (Vec::new(), Vec::new());
        for (index, one) in asked.into_iter().enumerate() {
            match one {
                Ok(item) => {
                    results.push(Ok(()));
                    sound.push((index, item));
                }
                // Nobody is refused because somebody cannot be asked for now.
                Err(fault) if fault.is_transient() => return Err(fault),
                Err(fault) => results.push(Err(fault)),
            }
        }
        let readers = self.readers.clone();
        let unit = move |tx: Tx| {
            let (sound, readers) = (sound.clone(), readers.clone());
            async move {
                let items: Vec<&Item> = sound.iter().map(|(_, item)| item).collect();
                let (erased, reader) = (begin(&tx, &items).await?, readers.of(&tx).await?);
                let mut results = Vec::with_capacity(sound.len());
                for (index, item) in sound {
                    let taken = tx.attempt(take(&tx, &reader, item, &erased)).await?;
                    results.push((index, taken.map(drop)));
                }
                Ok(results)
            }
        };
        for (index, result) in self.db.until(call.deadline).write(call.tenant(), unit).await? {
            results[index] = result;
        }
        Ok(results)
    }

    /// Asks who said it. An identifier that nobody carries (yet) names nobody.
    async fn ask(&self, call: &Call, recording: Recording) -> Result<Item, Fault> {
        let named = match &recording.customer {
            None => None,
            Some(customer) => match self.profiles.resolve(call, customer).await {
                Ok(resolved) => Some((resolved.respondent, resolved.customer)),
                Err(fault)
                    if fault.reason == Reason::ResourceNotFound && matches!(customer, Customer::Identifier { .. }) =>
                {
                    None
                }
                Err(fault) => return Err(fault),
            },
        };
        Ok(Item { recording, named, ids: (MentionId::new(), SubjectId::new()) })
    }

    /// Reads mentions again after the taxonomy changed.
    ///
    /// # Errors
    /// As the database's.
    pub async fn reread(&self, tenant: TenantId, ids: Vec<MentionId>) -> Result<(), Fault> {
        for some in ids.chunks(UNIT) {
            let (some, readers) = (some.to_vec(), self.readers.clone());
            let unit = move |tx: Tx| {
                let (mut some, readers) = (some.clone(), readers.clone());
                async move {
                    // An erasure took a mention before, or waits: no event of it follows its erasure.
                    tx.hold_erasures().await?;
                    // Whoever locks several does so in their order.
                    some.sort_unstable();
                    let reader = readers.of(&tx).await?;
                    for id in some {
                        let Some(mut held) = store::lock(&tx, id).await? else {
                            text_reading::delete(&tx, Source::Mention, &[id.uuid()]).await?;
                            continue;
                        };
                        let reading = read(&reader, &held);
                        if reading == held.reading {
                            text_reading::mark(&tx, reader.version(), Source::Mention, &[id.uuid()]).await?;
                            continue;
                        }
                        (held.reading, held.revision) = (reading, held.revision + 1);
                        write(&tx, &reader, &held, true).await?;
                    }
                    Ok(())
                }
            };
            self.db.write(tenant, unit).await?;
        }
        Ok(())
    }
}

/// Keeps others from the mentions of items, and erasures off; answers who of their authors is erased.
async fn begin(tx: &Tx, items: &[&Item]) -> Result<BTreeSet<SubjectId>, Fault> {
    tx.hold_erasures().await?;
    let locks: Vec<String> =
        items.iter().map(|item| format!("mention {}", item.recording.key.hash(tx.tenant()))).collect();
    tx.lock(&locks).await?;
    let subjects: Vec<SubjectId> = items.iter().filter_map(|item| Some(item.named.as_ref()?.0.subject)).collect();
    tx.is_entombed(&subjects).await
}

async fn take(tx: &Tx, reader: &Reader, item: Item, erased: &BTreeSet<SubjectId>) -> Result<Recorded, Fault> {
    let Item { recording, named, ids: (id, subject) } = item;
    if named.as_ref().is_some_and(|(respondent, _)| erased.contains(&respondent.subject)) {
        return Err(Fault::new(Reason::Erased, "the customer was erased"));
    }
    let key = recording.key.hash(tx.tenant());
    if store::gone::is(tx, key).await? {
        return Ok(Recorded { mention: None, outcome: Outcome::Deleted });
    }
    if let Some(mut held) = store::lock_key(tx, key).await? {
        let had_words = held.reading.is_some();
        tx.about(held.respondent.subject);
        if !held.hear(recording.told, named, tx.now()) {
            return Ok(Recorded { mention: Some(held), outcome: Outcome::Unchanged });
        }
        held.reading = read(reader, &held);
        write(tx, reader, &held, had_words).await?;
        return Ok(Recorded { mention: Some(held), outcome: Outcome::Updated });
    }
    let (respondent, customer) = match named {
        Some((respondent, customer)) => (respondent, Some(customer)),
        None => (Respondent::anonymous(subject, Party::Customer), None),
    };
    let (created_at, updated_at) = (tx.now(), tx.now());
    let (key, told, replies) = (recording.key, recording.told, Vec::new());
    let mut mention =
        Mention { id, key, respondent, customer, told, replies, reading: None, revision: 1, created_at, updated_at };
    mention.reading = read(reader, &mention);
    write(tx, reader, &mention, false).await?;
    Ok(Recorded { mention: Some(mention), outcome: Outcome::Created })
}
