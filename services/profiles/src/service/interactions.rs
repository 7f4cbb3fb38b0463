//! Recording interactions, one or many in one commit, and reading a customer's timeline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Rx, Tx, keyset};
use rapport_kernel::{CustomerId, Fault, PageKey, SubjectId, Timestamp};
use rapport_platform::Call;

use super::attach::{Attached, Wanted, attach, resolve};
use super::{Profiles, Written, again, stripe};
use crate::domain::declared::Declared;
use crate::domain::interaction::{Interaction, InteractionId, InteractionKey, Outcome, Telling};
use crate::domain::rules::Rules;
use crate::domain::value::Named;
use crate::events;
use crate::store::{interaction, link};

/// In how many stripes the keys of a source are locked while they are written: a batch of a thousand takes all of
/// them, two single recordings seldom meet.
const STRIPES: u64 = 64;
/// Rows of the timeline that are read at once.
const ROWS: usize = 50;

/// What recording one interaction did.
#[derive(Clone)]
pub struct Recorded {
    /// As it is held now.
    pub interaction: Interaction,
    /// The customer it belongs to now.
    pub customer: CustomerId,
    /// What happened.
    pub outcome: Outcome,
}

/// A single recording, and the records that it began.
#[derive(Clone)]
pub struct One {
    /// What it did.
    pub recorded: Recorded,
    written: Written,
}

impl super::Outcome for One {
    fn written(&self) -> &Written {
        &self.written
    }
}

/// Which interactions to list.
pub struct Listing {
    /// Whose.
    pub named: Named,
    /// Only this kind; empty: all.
    pub kind: String,
    /// At or after.
    pub start: Option<Timestamp>,
    /// Before.
    pub end: Option<Timestamp>,
    /// How many at most.
    pub size: usize,
    /// Where to go on.
    pub token: String,
}

/// A page of a customer's timeline.
pub struct Timeline {
    /// Whose.
    pub customer: CustomerId,
    /// Newest first.
    pub items: Vec<Interaction>,
    /// Where the next page starts.
    pub next: Option<String>,
}

impl Profiles {
    /// Records one interaction.
    ///
    /// # Errors
    /// NOT_FOUND where the customer id is not known.
    pub async fn record(&self, call: &Call, telling: Telling, receipt: Receipt<One>) -> Result<Answer<One>, Fault> {
        let rules = self.rules(call).await?;
        self.change(call, receipt, move |tx| {
            let (rules, telling) = (Arc::clone(&rules), telling.clone());
            async move {
                let (batch, written) = take(&tx, &rules, vec![telling]).await?;
                let recorded = batch
                    .results(&tx)
                    .await?
                    .pop()
                    .unwrap_or_else(|| Err(Fault::internal("one telling has one result")))?;
                tx.about(recorded.interaction.subject);
                Ok(One { recorded, written })
            }
        })
        .await
    }

    /// Records many in one commit: what became of each, in order.
    ///
    /// # Errors
    /// Where the commit fails: then nothing was recorded.
    pub async fn record_many(&self, call: &Call, tellings: Vec<Telling>) -> Result<Vec<Result<Outcome, Fault>>, Fault> {
        if tellings.is_empty() {
            return Ok(Vec::new());
        }
        let (rules, tellings) = (self.rules(call).await?, Arc::new(tellings));
        let database = self.database(call);
        let (results, written) = again(|| {
            let (rules, tellings) = (Arc::clone(&rules), Arc::clone(&tellings));
            database.write(call.tenant(), move |tx: Tx| {
                let (rules, tellings) = (Arc::clone(&rules), Arc::clone(&tellings));
                async move {
                    let (batch, written) = take(&tx, &rules, tellings.to_vec()).await?;
                    Ok((batch.outcomes(), written))
                }
            })
        })
        .await?;
        self.show(call.tenant(), &written);
        Ok(results)
    }

    /// A page of a customer's timeline, newest first, over all its records.
    ///
    /// # Errors
    /// NOT_FOUND where the customer is not known; INVALID_PAGE_TOKEN.
    pub async fn timeline(&self, call: &Call, listing: Listing, page_key: &PageKey) -> Result<Timeline, Fault> {
        let (tenant, size, query) = (call.tenant(), listing.size, listing.query());
        let after = page_key.open::<interaction::Cursor>(tenant, &query, &listing.token)?;
        let read = |rx: Rx| async move {
            let (_, customer) = resolve(&rx, &listing.named).await?;
            let members = link::members(&rx, &[customer]).await?;
            let subjects: Vec<SubjectId> = members.into_iter().map(|link| link.subject).collect();
            Ok((customer, rows(&rx, &listing, &subjects, after).await?))
        };
        let (customer, rows) = self.database(call).read(tenant, read).await?;
        let page = keyset::page(rows, size, weight, cursor);
        let next = page.next.map(|cursor| page_key.seal(tenant, &query, &cursor));
        Ok(Timeline { customer, items: page.items, next })
    }
}

/// Takes tellings within a unit of work.
async fn take(tx: &Tx, rules: &Rules, tellings: Vec<Telling>) -> Result<(Batch, Written), Fault> {
    let keys: Vec<_> = tellings.iter().map(|telling| telling.key.clone()).collect();
    // Whoever is there from now on is not erased meanwhile: an erasure took its links and keys before, or comes after.
    tx.hold_erasures().await?;
    tx.lock(&stripes(&keys)).await?;
    let mut batch = Batch { held: interaction::held(tx, &keys).await?, ..Batch::default() };
    let new: Vec<&Telling> = tellings.iter().filter(|telling| !batch.held.contains_key(&telling.key)).collect();
    let wanted: Vec<Wanted> = new.iter().map(|telling| wanted(telling)).collect();
    let (attached, written) = attach(tx, rules, &wanted).await?;
    let mut attached = attached.into_iter();
    for telling in tellings {
        let place = if batch.began_with(&telling.key) { None } else { Some(attached.next().flatten()) };
        batch.take(tx, &rules.declared, telling, place);
    }
    batch.write(tx).await?;
    Ok((batch, written))
}

impl Listing {
    /// What a page token is bound to.
    fn query(&self) -> String {
        let customer = match &self.named {
            Named::Id(id) => id.to_string(),
            Named::Identifier(identifier) => format!("{}:{}", identifier.namespace, identifier.value.expose()),
        };
        format!("ListInteractions|{customer}|{}|{:?}|{:?}", self.kind, self.start, self.end)
    }
}

fn wanted(telling: &Telling) -> Wanted {
    let (source, observed_at) = (telling.key.source.clone(), telling.content.occurred_at);
    Wanted { named: telling.named.clone(), source, observed_at }
}

/// A batch of tellings on its way into the timeline.
#[derive(Default)]
struct Batch {
    /// What the table held of the keys, with what newer tellings made of it.
    held: HashMap<InteractionKey, Interaction>,
    /// What the table holds of those that change: where a batch has several versions, it is before the first.
    before: BTreeMap<InteractionKey, Interaction>,
    /// What is new, and where in it each key is.
    new: Vec<Interaction>,
    places: BTreeMap<InteractionKey, usize>,
    /// Whose subjects they are, as far as it was looked up.
    customers: BTreeMap<SubjectId, CustomerId>,
    results: Vec<Result<(InteractionKey, Outcome), Fault>>,
}

impl Batch {
    /// Whether the table holds the key.
    fn began_with(&self, key: &InteractionKey) -> bool {
        self.held.contains_key(key)
    }

    /// Takes a telling; `place` is where it attaches, for a key that the table does not hold.
    fn take(&mut self, tx: &Tx, declared: &Declared, telling: Telling, place: Option<Option<Attached>>) {
        let key = telling.key.clone();
        let result = if let Some(interaction) = self.held.get_mut(&key) {
            let before = interaction.clone();
            let outcome = interaction.hear(telling);
            if outcome == Outcome::Updated {
                self.before.entry(key.clone()).or_insert(before);
            }
            Ok((key, outcome))
        } else if let Some(at) = self.places.get(&key) {
            Ok((key, self.new[*at].hear(telling)))
        } else if let Some(Some(attached)) = place {
            self.places.insert(key.clone(), self.new.len());
            self.customers.insert(attached.subject, attached.profile.customer);
            self.new.push(begin(tx, declared, telling, &attached));
            Ok((key, Outcome::Created))
        } else {
            Err(telling.named.not_found())
        };
        self.results.push(result);
    }

    async fn write(&self, tx: &Tx) -> Result<(), Fault> {
        interaction::add(tx, &self.new).await?;
        for interaction in &self.new {
            tx.publish(events::interaction_changed(interaction)).await?;
        }
        for (key, before) in &self.before {
            if let Some(after) = self.held.get(key) {
                interaction::replace(tx, before, after).await?;
                tx.publish(events::interaction_changed(after)).await?;
            }
        }
        Ok(())
    }

    /// What became of each telling, in order.
    fn outcomes(self) -> Vec<Result<Outcome, Fault>> {
        self.results.into_iter().map(|result| result.map(|(_, outcome)| outcome)).collect()
    }

    /// The same, with what is held at the end and whose it is now.
    async fn results(self, tx: &Tx) -> Result<Vec<Result<Recorded, Fault>>, Fault> {
        let mut held = self.held;
        held.extend(self.new.into_iter().map(|interaction| (interaction.key.clone(), interaction)));
        let mut customers = self.customers;
        let subjects: BTreeSet<SubjectId> = held.values().map(|interaction| interaction.subject).collect();
        let others: Vec<SubjectId> = subjects.into_iter().filter(|of| !customers.contains_key(of)).collect();
        if !others.is_empty() {
            let links = link::current_of(tx, &others).await?;
            customers.extend(links.into_iter().map(|(subject, link)| (subject, link.customer)));
        }
        let recorded = |(key, outcome): (InteractionKey, Outcome)| {
            let interaction = held.get(&key).ok_or_else(|| Fault::internal("what was taken is held"))?.clone();
            let customer = customers.get(&interaction.subject).copied().unwrap_or(interaction.subject);
            Ok(Recorded { interaction, customer, outcome })
        };
        Ok(self.results.into_iter().map(|result| result.and_then(recorded)).collect())
    }
}

/// A new interaction, as its first telling has it.
fn begin(tx: &Tx, declared: &Declared, telling: Telling, attached: &Attached) -> Interaction {
    Interaction {
        id: InteractionId::new(),
        subject: attached.subject,
        key: telling.key,
        version: telling.version,
        content: telling.content,
        party: attached.profile.party,
        dimensions: declared.dimensions(&attached.profile),
        recorded_at: tx.now(),
        revision: 1,
    }
}

/// The rows of a page: some at a time, so that heavy ones are not all held before the page is cut.
async fn rows(
    rx: &Rx,
    listing: &Listing,
    subjects: &[SubjectId],
    mut after: Option<interaction::Cursor>,
) -> Result<Vec<Interaction>, Fault> {
    let limit = listing.size + 1;
    let (mut rows, mut bytes) = (Vec::new(), 0_usize);
    loop {
        let wanted = ROWS.min(limit - rows.len());
        let (kind, start, end) = (listing.kind.as_str(), listing.start, listing.end);
        let filter = interaction::Filter { subjects, kind, start, end, after };
        let some = interaction::page(rx, filter, u64::try_from(wanted).unwrap_or(u64::MAX)).await?;
        let ended = some.len() < wanted;
        bytes += some.iter().map(weight).sum::<usize>();
        rows.extend(some);
        let Some(last) = rows.last() else { return Ok(rows) };
        // The last one only tells that there is more.
        if ended || rows.len() == limit || bytes - weight(last) >= keyset::MOST_BYTES {
            return Ok(rows);
        }
        after = Some(cursor(last));
    }
}

fn cursor(row: &Interaction) -> interaction::Cursor {
    (row.content.occurred_at.micros(), row.id.uuid())
}

/// About how many bytes an interaction takes in an answer.
fn weight(interaction: &Interaction) -> usize {
    let attributes: usize =
        interaction.content.attributes.iter().map(|(name, value)| name.len() + value.weight()).sum();
    400 + interaction.key.external_id.expose().len() + interaction.content.product.len() + attributes
}

/// The locks of keys.
fn stripes(keys: &[InteractionKey]) -> Vec<String> {
    let stripe =
        |key: &InteractionKey| format!("interaction/{}/{}", key.source, stripe(&[key.external_id.expose()], STRIPES));
    keys.iter().map(stripe).collect::<BTreeSet<_>>().into_iter().collect()
}
