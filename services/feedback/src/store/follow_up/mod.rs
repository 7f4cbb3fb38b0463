//! Follow-ups: a body, with what lists are made by in columns of their own.

pub mod cause;
pub mod entry;
pub mod rule;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::column;
use super::sql::{Clause, decoded, encoded, locking, run};
use crate::domain::follow_up::{FollowUp, FollowUpId, Kind, Order, RuleId, Status};
use crate::domain::improvement::{Linked, cause_key};

/// How many ids one statement names.
const CHUNK: usize = 500;

fn follow_up(row: &QueryResult) -> Result<FollowUp, Fault> {
    decoded(&row.try_get_by_index::<Vec<u8>>(0).stored()?)
}

/// Adds a follow-up, or replaces it by its new state.
pub async fn put(tx: &Tx, one: &FollowUp) -> Result<(), Fault> {
    let text = "INSERT INTO follow_up (tenant, follow_up_id, subject_id, rule_id, kind, status, owner, team, overdue, \
                root_cause, opened_at, due_at, resolved_at, changed_at, scored_by, joined_to, revision, body) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
                ON CONFLICT (tenant, follow_up_id) DO UPDATE SET status = excluded.status, owner = excluded.owner, \
                team = excluded.team, overdue = excluded.overdue, root_cause = excluded.root_cause, \
                due_at = excluded.due_at, resolved_at = excluded.resolved_at, changed_at = excluded.changed_at, \
                scored_by = excluded.scored_by, joined_to = excluded.joined_to, revision = excluded.revision, body = excluded.body";
    let values = vec![
        tx.tenant().uuid().into(),
        one.id.uuid().into(),
        one.subject.uuid().into(),
        one.rule.map(RuleId::uuid).into(),
        one.kind.name().into(),
        one.status.name().into(),
        one.owner.expose().as_str().into(),
        one.team.as_str().into(),
        i16::from(one.is_overdue()).into(),
        cause_key(&one.root_cause).into(),
        one.opened_at.micros().into(),
        one.due_at.micros().into(),
        one.resolved_at.map(Timestamp::micros).into(),
        one.changed_at.micros().into(),
        one.next_score.as_ref().map(|score| score.subject.uuid()).into(),
        one.joined.map(FollowUpId::uuid).into(),
        column(one.revision)?.into(),
        encoded(one)?.into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// A follow-up.
pub async fn find(rx: &Rx, id: FollowUpId) -> Result<Option<FollowUp>, Fault> {
    let mut those = Clause::of(rx);
    those.and("follow_up_id = {}", id.uuid());
    those.select(rx, "body", "follow_up", "").await?.first().map(follow_up).transpose()
}

/// A follow-up that nobody else changes meanwhile.
pub async fn lock(tx: &Tx, id: FollowUpId) -> Result<Option<FollowUp>, Fault> {
    let mut those = Clause::of(tx);
    those.and("follow_up_id = {}", id.uuid());
    those.select(tx, "body", "follow_up", locking(tx)).await?.first().map(follow_up).transpose()
}

/// The open follow-up of a rule that subjects have; of several, which a merge may bring about until they are joined, the
/// first opened.
pub async fn open_of(tx: &Tx, subjects: &[SubjectId], rule: RuleId) -> Result<Option<FollowUp>, Fault> {
    let found = open_by_rules(tx, subjects, Some(rule)).await?;
    Ok(found.into_iter().min_by_key(|one| (one.opened_at, one.id)))
}

/// The open follow-ups of a rule, or of all rules, that subjects have, which nobody else changes meanwhile.
pub async fn open_by_rules(tx: &Tx, subjects: &[SubjectId], rule: Option<RuleId>) -> Result<Vec<FollowUp>, Fault> {
    let mut found: Vec<FollowUp> = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut those = Clause::of(tx);
        those.among("subject_id", some.iter().map(|subject| subject.uuid()));
        match rule {
            Some(rule) => those.and("rule_id = {}", rule.uuid()),
            None => those.only("rule_id IS NOT NULL"),
        }
        those.only("status IN ('open', 'in_progress')");
        let rest = format!(" ORDER BY follow_up_id{}", locking(tx));
        let rows = those.select(tx, "body", "follow_up", &rest).await?;
        found.extend(rows.iter().map(follow_up).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// The follow-ups joined to some, which nobody else changes meanwhile.
pub async fn joined_to(tx: &Tx, ids: &[FollowUpId]) -> Result<Vec<FollowUp>, Fault> {
    let mut found = Vec::new();
    for some in ids.chunks(CHUNK) {
        let mut those = Clause::of(tx);
        those.among("joined_to", some.iter().map(|id| id.uuid()));
        let rest = format!(" ORDER BY follow_up_id{}", locking(tx));
        let rows = those.select(tx, "body", "follow_up", &rest).await?;
        found.extend(rows.iter().map(follow_up).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// The resolved follow-ups of subjects but for those joined to others, which nobody else changes meanwhile.
pub async fn resolved_of(tx: &Tx, subjects: &[SubjectId]) -> Result<Vec<FollowUp>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut those = Clause::of(tx);
        those.among("subject_id", some.iter().map(|subject| subject.uuid()));
        those.only("status = 'resolved' AND joined_to IS NULL");
        let rest = format!(" ORDER BY follow_up_id{}", locking(tx));
        let rows = those.select(tx, "body", "follow_up", &rest).await?;
        found.extend(rows.iter().map(follow_up).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// Whether a tenant has any that was resolved.
pub async fn has_resolved(rx: &Rx) -> Result<bool, Fault> {
    let mut those = Clause::of(rx);
    those.only("status = 'resolved'");
    Ok(!those.select(rx, "1", "follow_up", " LIMIT 1").await?.is_empty())
}

/// Which follow-ups.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// Only those of these subjects.
    pub subjects: Option<Vec<SubjectId>>,
    /// Only those that stand so; empty: all.
    pub statuses: Vec<Status>,
    /// Only those that are so; empty: all.
    pub kinds: Vec<Kind>,
    /// Only this one's; empty: all.
    pub owner: rapport_kernel::Private<String>,
    /// Only this team's; empty: all.
    pub team: String,
    /// Only those of this rule.
    pub rule: Option<RuleId>,
    /// Only those that are overdue, or are not.
    pub overdue: Option<bool>,
    /// Only those of this root cause, as it is compared; empty: all.
    pub root_cause: String,
    /// Only those that follow this up.
    pub cause: Option<Uuid>,
    /// Only those opened from then on.
    pub start: Option<Timestamp>,
    /// Only those opened before then.
    pub end: Option<Timestamp>,
    /// Whether those joined to others are among them.
    pub show_joined: bool,
    /// In which order.
    pub order: Order,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// By what it is ordered.
    pub at: i64,
    /// Which of those alike in that.
    pub id: Uuid,
}

/// The place of a follow-up.
#[must_use]
pub fn place(one: &FollowUp, order: Order) -> Place {
    let at = match order {
        Order::NewestFirst | Order::OldestFirst => one.opened_at,
        Order::DueFirst => one.due_at,
        Order::LastChangedFirst => one.changed_at,
    };
    Place { at: at.micros(), id: one.id.uuid() }
}

/// The next follow-ups after a place.
pub async fn page(rx: &Rx, sieve: &Sieve, after: Option<Place>, limit: u64) -> Result<Vec<FollowUp>, Fault> {
    let mut those = Clause::of(rx);
    if let Some(subjects) = &sieve.subjects {
        those.among("subject_id", subjects.iter().map(|subject| subject.uuid()));
    }
    if !sieve.statuses.is_empty() {
        those.among("status", sieve.statuses.iter().map(|status| status.name()));
    }
    if !sieve.kinds.is_empty() {
        those.among("kind", sieve.kinds.iter().map(|kind| kind.name()));
    }
    for (column, value) in [("owner", sieve.owner.expose()), ("team", &sieve.team), ("root_cause", &sieve.root_cause)] {
        if !value.is_empty() {
            those.and(&format!("{column} = {{}}"), value.as_str());
        }
    }
    if let Some(rule) = sieve.rule {
        those.and("rule_id = {}", rule.uuid());
    }
    if let Some(overdue) = sieve.overdue {
        those.and("overdue = {}", i16::from(overdue));
    }
    if let Some(cause) = sieve.cause {
        let causes = "SELECT follow_up_id FROM follow_up_cause WHERE tenant = $1 AND stands = 1 AND cause_id = {}";
        those.and(&format!("follow_up_id IN ({causes})"), cause);
    }
    if !sieve.show_joined {
        those.only("joined_to IS NULL");
    }
    if let Some(start) = sieve.start {
        those.and("opened_at >= {}", start.micros());
    }
    if let Some(end) = sieve.end {
        those.and("opened_at < {}", end.micros());
    }
    let (by, falling) = match sieve.order {
        Order::NewestFirst => ("opened_at", true),
        Order::OldestFirst => ("opened_at", false),
        Order::DueFirst => ("due_at", false),
        Order::LastChangedFirst => ("changed_at", true),
    };
    if sieve.order == Order::DueFirst {
        those.only("status IN ('open', 'in_progress')");
    }
    if let Some(Place { at, id }) = after {
        those.beyond((by, "follow_up_id"), falling, (at, id));
    }
    let way = if falling { "DESC" } else { "ASC" };
    let rest = format!(" ORDER BY {by} {way}, follow_up_id {way} LIMIT {limit}");
    those.select(rx, "body", "follow_up", &rest).await?.iter().map(follow_up).collect()
}

/// Follow-ups after one, in the order of their ids.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<FollowUp>, Fault> {
    let mut those = Clause::of(rx);
    those.and("follow_up_id > {}", after);
    let rest = format!(" ORDER BY follow_up_id LIMIT {limit}");
    those.select(rx, "body", "follow_up", &rest).await?.iter().map(follow_up).collect()
}

/// The follow-ups that name a root cause, those joined to others with these, and how many of them were resolved since an instant.
pub async fn linked(rx: &Rx, cause: &str, start: Option<Timestamp>) -> Result<Linked, Fault> {
    let start = start.map_or(i64::MAX, Timestamp::micros);
    let columns =
        format!("COUNT(*), COALESCE(SUM(CASE WHEN resolved_at >= {start} THEN 1 ELSE 0 END), 0), MAX(resolved_at)");
    let mut those = Clause::of(rx);
    those.and("root_cause = {}", cause_key(cause));
    those.only("joined_to IS NULL");
    let rows = those.select(rx, &columns, "follow_up", "").await?;
    let Some(row) = rows.first() else { return Ok(Linked::default()) };
    Ok(Linked {
        all: row.try_get_by_index(0).stored()?,
        since_start: row.try_get_by_index(1).stored()?,
        last: row.try_get_by_index::<Option<i64>>(2).stored()?.map(Timestamp::from_column),
    })
}

/// Deletes the follow-ups of subjects, with their causes and history; answers how many rows that were. Those of others
/// that followed up something of theirs, or to which one of their scores was linked, are answered as they are held.
/// Those joined to one that is deleted are among them.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<(u64, Vec<FollowUp>), Fault> {
    let theirs = |tx: &Tx, column: &str| {
        let mut those = Clause::of(tx);
        those.among(column, subjects.iter().map(|subject| subject.uuid()));
        those
    };
    let mut others: Vec<Uuid> = Vec::new();
    let found = theirs(tx, "subject_id").select(tx, "follow_up_id", "follow_up_cause", "").await?;
    let scored = theirs(tx, "scored_by").select(tx, "follow_up_id", "follow_up", "").await?;
    for row in found.iter().chain(&scored) {
        others.push(row.try_get_by_index(0).stored()?);
    }
    let own = theirs(tx, "subject_id").select(tx, "follow_up_id", "follow_up", "").await?;
    let own = own.iter().map(|row| row.try_get_by_index(0).stored()).collect::<Result<Vec<Uuid>, Fault>>()?;
    for some in own.chunks(CHUNK) {
        let some: Vec<FollowUpId> = some.iter().copied().map(FollowUpId::from_uuid).collect();
        others.extend(joined_to(tx, &some).await?.iter().map(|one| one.id.uuid()));
    }
    let mut rows = theirs(tx, "subject_id").delete(tx, "follow_up_cause").await?;
    for some in own.chunks(CHUNK) {
        for (table, column) in [
            ("follow_up_cause", "follow_up_id"),
            ("follow_up_entry", "follow_up_id"),
            ("loop_due", "item_id"),
            ("follow_up", "follow_up_id"),
        ] {
            let mut those = Clause::of(tx);
            those.among(column, some.iter().copied());
            rows += those.delete(tx, table).await?;
        }
    }
    others.sort_unstable();
    others.dedup();
    let mut left = Vec::new();
    for id in others {
        left.extend(lock(tx, FollowUpId::from_uuid(id)).await?);
    }
    Ok((rows, left))
}
