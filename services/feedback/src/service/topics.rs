//! The taxonomy: read, changed, and asked what is talked about. Who changes it has every text that is stored read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_data::{Answer, Database, NewOperation, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, OperationId, PageKey, Reason, TenantId, Timestamp};
use rapport_platform::Call;

use super::Page;
use super::reading::Readers;
use crate::domain::etag;
use crate::domain::reading::Reading;
use crate::domain::topic::{self as domain, Topic, TopicId};
use crate::store::text_reading::{Counted, Tally};
use crate::store::topic::{self as store, Kept};

/// The kind of operation that reads stored texts again.
pub const KIND: &str = "RereadTexts";

/// After how many texts others have their turn.
const TURN: usize = 20;

/// The taxonomies of all tenants.
#[derive(Clone)]
pub struct Topics {
    db: Database,
    page_key: PageKey,
    readers: Readers,
}

/// A topic as it is after a change, and what reads stored texts again.
#[derive(Clone)]
pub struct Changed {
    /// The topic.
    pub kept: Kept,
    /// The operation.
    pub operation: OperationId,
}

/// A change of a topic: what it becomes of what it was.
#[derive(Clone)]
pub struct Change {
    /// Which.
    pub id: TopicId,
    /// Its etag as last read; empty: any.
    pub etag: String,
    /// What it becomes.
    pub becomes: Arc<dyn Fn(Topic) -> Result<Topic, Fault> + Send + Sync>,
}

/// What trends are asked of.
#[derive(Clone)]
pub struct Asked {
    /// The periods, in order: at least one.
    pub periods: Vec<(Timestamp, Timestamp)>,
    /// When the time before begins.
    pub before: Timestamp,
    /// Which texts.
    pub counted: Counted,
}

/// What texts are about.
#[derive(Clone, Default)]
pub struct Trends {
    /// All texts, period by period.
    pub texts: Vec<Tally>,
    /// All texts of the time before.
    pub texts_before: Tally,
    /// Each topic (and whether it is a competitor): period by period, and before.
    pub topics: BTreeMap<(String, bool), (Vec<Tally>, Tally)>,
}

fn missing(id: TopicId) -> Fault {
    Fault::not_found("topic", id.to_string())
}

/// The topics of a tenant, by name: those that ship where it never changed them.
async fn all(rx: &Rx) -> Result<Vec<Kept>, Fault> {
    let mut all = match store::version(rx).await? {
        0 => standard(rx.tenant()),
        _ => store::all(rx).await?,
    };
    all.sort_by_cached_key(|kept| kept.topic.key());
    Ok(all)
}

fn standard(tenant: TenantId) -> Vec<Kept> {
    let kept = |(id, topic)| Kept { id, revision: 0, created_at: None, updated_at: None, topic };
    Topic::standard(tenant).into_iter().map(kept).collect()
}

/// Begins a change of the taxonomy: others that change it wait. The first one makes those that ship the tenant's own.
async fn begin(tx: &Tx) -> Result<Vec<Kept>, Fault> {
    store::changed(tx).await?;
    if store::version(tx).await? == 1 {
        for kept in standard(tx.tenant()) {
            store::put(tx, &kept, true).await?;
        }
    }
    store::all(tx).await
}

/// Asks for stored texts to be read again.
async fn reread(tx: &Tx) -> Result<OperationId, Fault> {
    let new = NewOperation { kind: KIND, unit: "texts", request: Vec::new() };
    Ok(tx.begin_operation(new).await?.id)
}

fn unique(held: &[Kept], topic: &Topic, but: Option<TopicId>) -> Result<(), Fault> {
    let key = topic.key();
    if !held.iter().any(|kept| Some(kept.id) != but && kept.topic.key() == key) {
        return Ok(());
    }
    let text = "there is a topic or a competitor of this name";
    Err(Fault::new(Reason::ResourceExists, text).resource("topic", topic.name.clone()))
}

impl Topics {
    /// In a database; `readers` is what texts are read by.
    #[must_use]
    pub const fn new(db: Database, page_key: PageKey, readers: Readers) -> Self {
        Self { db, page_key, readers }
    }

    /// Reads texts that are not stored, each with what is said of its language.
    ///
    /// # Errors
    /// As the database's.
    pub async fn analyse(&self, call: &Call, texts: &[(String, String)]) -> Result<Vec<Reading>, Fault> {
        let readers = self.readers.clone();
        let read = move |rx: Rx| {
            let readers = readers.clone();
            async move { readers.of(&rx).await }
        };
        let reader = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let mut readings = Vec::with_capacity(texts.len());
        for (text, language) in texts {
            readings.push(reader.look_at(text, language));
            if readings.len() % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(readings)
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a name that is taken; FAILED_PRECONDITION where there are too many.
    pub async fn create(&self, call: &Call, receipt: Receipt<Changed>, topic: Topic) -> Result<Answer<Changed>, Fault> {
        let id = TopicId::new();
        let unit = move |tx: Tx| {
            let topic = topic.clone();
            async move {
                let held = begin(&tx).await?;
                unique(&held, &topic, None)?;
                if held.len() >= domain::MOST {
                    let text =
                        format!("a tenant has at most {} topics and competitors: delete some first", domain::MOST);
                    return Err(Fault::new(Reason::InvalidState, text).precondition("TOPICS", domain::MOST.to_string()));
                }
                let now = Some(tx.now());
                let kept = Kept { id, revision: 1, created_at: now, updated_at: now, topic };
                store::put(&tx, &kept, true).await?;
                Ok(Changed { kept, operation: reread(&tx).await? })
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Changes a topic.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; ALREADY_EXISTS for a name that is taken; INVALID_ARGUMENT where the change
    /// leaves nothing that speaks of it.
    pub async fn update(
        &self,
        call: &Call,
        receipt: Receipt<Changed>,
        wanted: Change,
    ) -> Result<Answer<Changed>, Fault> {
        let unit = move |tx: Tx| {
            let wanted = wanted.clone();
            async move {
                let all = begin(&tx).await?;
                let held = all.iter().find(|kept| kept.id == wanted.id).ok_or_else(|| missing(wanted.id))?;
                etag::check(held.revision, &wanted.etag)?;
                let topic = (wanted.becomes)(held.topic.clone())?;
                unique(&all, &topic, Some(held.id))?;
                let kept = Kept { revision: held.revision + 1, updated_at: Some(tx.now()), topic, ..held.clone() };
                store::put(&tx, &kept, false).await?;
                Ok(Changed { kept, operation: reread(&tx).await? })
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<OperationId>,
        id: TopicId,
        etag: String,
    ) -> Result<Answer<OperationId>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                let all = begin(&tx).await?;
                let held = all.iter().find(|kept| kept.id == id).ok_or_else(|| missing(id))?;
                etag::check(held.revision, &etag)?;
                store::delete(&tx, id).await?;
                reread(&tx).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// One topic.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: TopicId) -> Result<Kept, Fault> {
        let read = move |rx: Rx| async move {
            all(&rx).await?.into_iter().find(|kept| kept.id == id).ok_or_else(|| missing(id))
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of topics, by name.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, size: usize, token: &str) -> Result<Page<Kept>, Fault> {
        const QUERY: &str = "ListTopics";
        let after = self.page_key.open::<String>(call.tenant(), QUERY, token)?;
        let mut rows = self.db.until(call.deadline).read(call.tenant(), async |rx: Rx| all(&rx).await).await?;
        if let Some(after) = after {
            rows.retain(|kept| kept.topic.key() > after);
        }
        rows.truncate(size.saturating_add(1));
        let weight = |kept: &Kept| serde_json::to_vec(&kept.topic).map_or(0, |bytes| bytes.len() + 200);
        let page = keyset::page(rows, size, weight, |kept| kept.topic.key());
        let next = page.next.map(|cursor| self.page_key.seal(call.tenant(), QUERY, &cursor));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// What texts of a time are about.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED where the texts are too many for the time given; else as the database's.
    pub async fn trends(&self, call: &Call, asked: Asked) -> Result<Trends, Fault> {
        let read = move |rx: Rx| {
            let asked = asked.clone();
            async move { trends(&rx, &asked).await }
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }
}

async fn trends(rx: &Rx, asked: &Asked) -> Result<Trends, Fault> {
    let Asked { periods, before, counted } = asked;
    let mut trends = Trends::default();
    for (index, (from, until)) in periods.iter().enumerate() {
        trends.texts.push(counted.texts(rx, *from, *until).await?);
        for (topic, tally) in counted.topics(rx, *from, *until).await? {
            let (held, _) =
                trends.topics.entry(topic).or_insert_with(|| (vec![Tally::default(); periods.len()], Tally::default()));
            held[index] = tally;
        }
    }
    let Some((start, _)) = periods.first() else { return Ok(trends) };
    trends.texts_before = counted.texts(rx, *before, *start).await?;
    for (topic, tally) in counted.topics(rx, *before, *start).await? {
        let entry = trends.topics.entry(topic);
        entry.or_insert_with(|| (vec![Tally::default(); periods.len()], Tally::default())).1 = tally;
    }
    Ok(trends)
}
