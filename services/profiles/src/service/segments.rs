//! Segments: declared here; who is in them is derived. A change of what is derived counts the tenant's version
//! of it, and asks for the customers that an older version derived to be looked at again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_data::{Answer, Receipt, Rx, Tx, keyset};
use rapport_kernel::{CustomerId, Fault, OperationId, PageKey, Reason, TenantId, Timestamp};
use rapport_platform::Call;
use uuid::Uuid;

use super::evidence::histories;
use super::{Profiles, backfill};
use crate::domain::facts::{Facts, Heard, compile};
use crate::domain::happened::History;
use crate::domain::profile::{Profile, fold};
use crate::domain::reads::Reads;
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::segment::{Draft, MOST, Purpose, Segment, SegmentId};
use crate::domain::standing::Processing;
use crate::events;
use crate::store::segment_interval::{self, Figures, Member};
use crate::store::{derivation, profile, segment};

/// What page tokens are made for.
const LIST: &str = "ListSegments";
/// How long a preview looks at customers.
const PREVIEW: Duration = Duration::from_secs(2);
/// How many customers it looks at together.
const LOOK: u64 = 200;

/// How far a segment's members are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backfill {
    /// Whether all customers were looked at.
    pub complete: bool,
    /// How many are still to be looked at.
    pub remaining: u64,
    /// How many there are.
    pub total: u64,
}

/// A segment, and how far its members are found.
#[derive(Clone)]
pub struct Shown {
    /// The segment.
    pub segment: Segment,
    /// How far.
    pub backfill: Backfill,
    /// How many members it has.
    pub members: u64,
}

impl Shown {
    /// A segment that was just changed: nobody was looked at yet, and a change does not wait for counting.
    fn changed(segment: Segment) -> Self {
        Self { segment, backfill: Backfill::default(), members: 0 }
    }
}

/// Which parts of a segment to change.
#[derive(Clone)]
pub struct Change {
    /// The segment.
    pub id: SegmentId,
    /// Its etag as last read; empty: any.
    pub etag: String,
    /// Its new name.
    pub name: Option<String>,
    /// Its new description.
    pub description: Option<String>,
    /// Its new condition.
    pub condition: Option<String>,
    /// What it is for from now on.
    pub purpose: Option<Purpose>,
}

/// Who a condition would hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// How many of those looked at meet it.
    pub count: u64,
    /// How many were looked at.
    pub examined: u64,
    /// How many customers there are.
    pub total: u64,
    /// For how many it could not be evaluated.
    pub errors: u64,
    /// How many meet it and are left out, because they object to being profiled.
    pub objecting: u64,
    /// Some that meet it.
    pub sample: Vec<CustomerId>,
}

/// How a segment grows and shrinks.
pub struct Dynamics {
    /// The segment.
    pub segment: Segment,
    /// What its figures are made of.
    pub figures: Figures,
}

fn taken(name: &str) -> Fault {
    Fault::new(Reason::ResourceExists, "there is a segment of this name").resource("segment", name)
}

pub(super) fn missing(id: SegmentId) -> Fault {
    Fault::not_found("segment", id.to_string())
}

pub(super) fn stale(kind: &'static str, id: String) -> Fault {
    let text = "the etag is not the newest: read it again, look whether the change still fits, retry";
    Fault::new(Reason::StaleEtag, text).resource(kind, id)
}

impl Profiles {
    /// Makes a segment.
    ///
    /// # Errors
    /// ALREADY_EXISTS where there is one of that name; FAILED_PRECONDITION (INVALID_STATE) where there are too many.
    pub async fn create_segment(
        &self,
        call: &Call,
        receipt: Receipt<Shown>,
        draft: Draft,
    ) -> Result<Answer<Shown>, Fault> {
        let unit = move |tx: Tx| {
            let draft = draft.clone();
            async move {
                backfill::hold(&tx).await?;
                if segment::by_name(&tx, &draft.name).await?.is_some() {
                    return Err(taken(&draft.name));
                }
                if segment::count(&tx).await? >= MOST {
                    let text = format!("a tenant has at most {MOST} segments: delete some first");
                    return Err(Fault::new(Reason::InvalidState, text).precondition("SEGMENTS", MOST.to_string()));
                }
                let backfill::Change { version, operation } = backfill::changed(&tx).await?;
                let (id, created_at) = (SegmentId::new(), tx.now());
                let segment = Segment {
                    id,
                    draft,
                    revision: 1,
                    created_at,
                    updated_at: created_at,
                    made_by: version,
                    changed_by: version,
                    named_by: version,
                    operation,
                };
                segment::add(&tx, &segment).await?;
                tx.publish(events::segment_changed(tx.tenant(), id, Some(&segment), (1, created_at))).await?;
                Ok(Shown::changed(segment))
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.definitions_changed(call.tenant());
        Ok(answer)
    }

    /// A segment.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn segment(&self, call: &Call, id: SegmentId) -> Result<Shown, Fault> {
        self.read(call, |rx| async move {
            let segment = segment::find(&rx, id).await?.ok_or_else(|| missing(id))?;
            show(&rx, segment).await
        })
        .await
    }

    /// A page of segments, oldest first, and where the next one starts.
    ///
    /// # Errors
    /// INVALID_PAGE_TOKEN.
    pub async fn segments(
        &self,
        call: &Call,
        page_key: &PageKey,
        size: usize,
        token: &str,
    ) -> Result<(Vec<Shown>, Option<String>), Fault> {
        let after = page_key.open::<Uuid>(call.tenant(), LIST, token)?;
        let read = |rx: Rx| async move {
            let settled = derivation::find(&rx).await?.settled;
            Ok((segment::page(&rx, after, size).await?, settled))
        };
        let (rows, settled) = self.read(call, read).await?;
        let weight = |segment: &Segment| {
            segment.draft.name.len() + segment.draft.description.len() + segment.draft.condition.len() + 100
        };
        let page = keyset::page(rows, size, weight, |segment| segment.id.uuid());
        let next = page.next.map(|cursor| page_key.seal(call.tenant(), LIST, &cursor));
        let shown = |segment: Segment| {
            let backfill = Backfill { complete: segment.changed_by <= settled, ..Backfill::default() };
            Shown { segment, backfill, members: 0 }
        };
        Ok((page.items.into_iter().map(shown).collect(), next))
    }

    /// Changes a segment.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); ALREADY_EXISTS where another one has the new name.
    pub async fn update_segment(
        &self,
        call: &Call,
        receipt: Receipt<Shown>,
        change: Change,
    ) -> Result<Answer<Shown>, Fault> {
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move { update(&tx, change).await }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.definitions_changed(call.tenant());
        Ok(answer)
    }

    /// Deletes a segment; answers what takes its members out of it.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG).
    pub async fn delete_segment(
        &self,
        call: &Call,
        receipt: Receipt<OperationId>,
        id: SegmentId,
        etag: String,
    ) -> Result<Answer<OperationId>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                backfill::hold(&tx).await?;
                let segment = segment::find(&tx, id).await?.ok_or_else(|| missing(id))?;
                if !etag.is_empty() && etag != segment.etag() {
                    return Err(stale("segment", id.to_string()));
                }
                let change = backfill::changed(&tx).await?;
                segment::delete(&tx, id).await?;
                tx.publish(events::segment_changed(tx.tenant(), id, None, (segment.revision + 1, tx.now()))).await?;
                Ok(change.operation)
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.definitions_changed(call.tenant());
        Ok(answer)
    }

    /// Who a condition would hold for.
    ///
    /// # Errors
    /// INVALID_ARGUMENT (INVALID_CONDITION).
    pub async fn preview_segment(
        &self,
        call: &Call,
        (condition, purpose): (&str, Purpose),
        at: Timestamp,
        sample: usize,
    ) -> Result<Preview, Fault> {
        let program = compile(condition).map_err(|errors| errors.fault("condition"))?;
        let (reads, rules) = (Reads::of(&program), self.rules_now(call.tenant()).await?);
        let total = self.read(call, |rx| async move { profile::count_live(&rx).await }).await?;
        let mut preview = Preview { total, ..Preview::default() };
        let (mut after, began) = (Uuid::nil(), Instant::now());
        while began.elapsed() < PREVIEW {
            let look = self.read(call, |rx| {
                let (rules, reads) = (Arc::clone(&rules), reads.clone());
                async move { customers(&rx, (&rules, &reads), after, at).await }
            });
            let (profiles, histories) = look.await?;
            let Some(last) = profiles.last() else { break };
            after = last.customer.uuid();
            for profile in &profiles {
                let nothing = History::default();
                let history = histories.get(&profile.customer).unwrap_or(&nothing);
                let derived = &profile.derived;
                let facts =
                    Facts::new(profile, at, &derived.traits, Heard::of(derived), history).at_stage(&derived.stage);
                preview.examined += 1;
                preview.errors += u64::from(program.evaluate(&facts, at).is_err());
                let objects = profile.objections.contains_key(&Processing::Profiling);
                if !program.matches(&facts, at).value {
                    continue;
                }
                if objects && purpose == Purpose::Profiling {
                    preview.objecting += 1;
                } else {
                    preview.count += 1;
                    if preview.sample.len() < sample {
                        preview.sample.push(profile.customer);
                    }
                }
            }
            if (profiles.len() as u64) < LOOK {
                break;
            }
        }
        preview.total = preview.total.max(preview.examined);
        Ok(preview)
    }

    /// A page of a segment's members, now or at an instant, and where the next one starts.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_PAGE_TOKEN.
    pub async fn segment_members(
        &self,
        call: &Call,
        page_key: &PageKey,
        (id, at): (SegmentId, Option<Timestamp>),
        size: usize,
        token: &str,
    ) -> Result<(Vec<Member>, Option<String>), Fault> {
        let query = format!("ListSegmentMembers|{id}|{at:?}");
        let after = page_key.open::<Uuid>(call.tenant(), &query, token)?;
        let read = |rx: Rx| async move {
            segment::find(&rx, id).await?.ok_or_else(|| missing(id))?;
            segment_interval::members(&rx, id, at, after, size).await
        };
        let page = keyset::page(self.read(call, read).await?, size, |_| 60, |member| member.customer.uuid());
        let next = page.next.map(|cursor| page_key.seal(call.tenant(), &query, &cursor));
        Ok((page.items, next))
    }

    /// What segments' growth is made of; `ids`: only of these.
    ///
    /// # Errors
    /// NOT_FOUND where one of the ids is no segment.
    pub async fn segment_dynamics(
        &self,
        call: &Call,
        ids: &[SegmentId],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Dynamics>, Fault> {
        let read =
            |rx: Rx| async move { Ok((segment::all(&rx).await?, segment_interval::figures(&rx, start, end).await?)) };
        let (all, mut figures) = self.read(call, read).await?;
        let by_id: BTreeMap<SegmentId, Segment> = all.into_iter().map(|segment| (segment.id, segment)).collect();
        if let Some(unknown) = ids.iter().find(|id| !by_id.contains_key(id)) {
            return Err(missing(*unknown));
        }
        let asked = by_id.into_iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
        let dynamics =
            asked.map(|(id, segment)| Dynamics { segment, figures: figures.remove(&id).unwrap_or_default() });
        Ok(dynamics.collect())
    }

    /// What is derived was changed by this instance.
    pub(crate) fn definitions_changed(&self, tenant: TenantId) {
        self.rules_changed(tenant);
        self.0.wake.notify_one();
    }
}

async fn show(rx: &Rx, segment: Segment) -> Result<Shown, Fault> {
    let settled = derivation::find(rx).await?.settled;
    let total = profile::count_live(rx).await?;
    let complete = segment.changed_by <= settled || total == 0;
    let remaining = if complete { 0 } else { profile::count_behind(rx, segment.changed_by).await? };
    let members = segment_interval::count(rx, segment.id).await?;
    Ok(Shown { segment, backfill: Backfill { complete, remaining, total }, members })
}

async fn update(tx: &Tx, change: Change) -> Result<Shown, Fault> {
    let id = change.id;
    backfill::hold(tx).await?;
    let mut segment = segment::find(tx, id).await?.ok_or_else(|| missing(id))?;
    if !change.etag.is_empty() && change.etag != segment.etag() {
        return Err(stale("segment", id.to_string()));
    }
    let before = segment.draft.clone();
    let draft = &mut segment.draft;
    draft.name = change.name.unwrap_or_else(|| before.name.clone());
    draft.description = change.description.unwrap_or_else(|| before.description.clone());
    draft.condition = change.condition.unwrap_or_else(|| before.condition.clone());
    draft.purpose = change.purpose.unwrap_or(before.purpose);
    if segment.draft == before {
        // Where the back-fill after its last change ended before its end, another is begun.
        if let Some(operation) = backfill::ask_again(tx, segment.changed_by, segment.operation).await? {
            segment.operation = operation;
            segment::put(tx, &segment).await?;
        }
        return Ok(Shown::changed(segment));
    }
    if segment.draft.name != before.name && segment::by_name(tx, &segment.draft.name).await?.is_some() {
        return Err(taken(&segment.draft.name));
    }
    let is_other = (&segment.draft.condition, segment.draft.purpose) != (&before.condition, before.purpose);
    if is_other || segment.draft.name != before.name {
        let change = backfill::changed(tx).await?;
        segment.operation = change.operation;
        segment.changed_by = if is_other { change.version } else { segment.changed_by };
        segment.named_by = if segment.draft.name == before.name { segment.named_by } else { change.version };
    }
    segment.revision += 1;
    segment.updated_at = tx.now();
    segment::put(tx, &segment).await?;
    let moment = (segment.revision, segment.updated_at);
    tx.publish(events::segment_changed(tx.tenant(), id, Some(&segment), moment)).await?;
    Ok(Shown::changed(segment))
}

/// Customers after one, with what happened to them as far as it is read as of an instant.
async fn customers(
    rx: &Rx,
    (rules, reads): (&Rules, &Reads),
    after: Uuid,
    at: Timestamp,
) -> Result<(Vec<Profile>, BTreeMap<CustomerId, History>), Fault> {
    let rows = profile::customers_after(rx, after, LOOK).await?;
    let live = rows.into_iter().filter_map(|(customer, row)| match row.held {
        Held::Live { revision, records } => {
            Some(fold(customer, revision, row.updated_at, &records, rules).with(row.derived, rules))
        }
        Held::Redirect { .. } => None,
    });
    let profiles: Vec<Profile> = live.collect();
    let looks: Vec<_> = profiles.iter().map(|profile| (profile, at)).collect();
    let histories = histories(rx, &looks, reads).await?;
    Ok((profiles, histories))
}
