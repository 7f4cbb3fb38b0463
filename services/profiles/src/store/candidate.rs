//! Match candidates: pairs of records whose customers may be one.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Private, SubjectId, Timestamp};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{CHUNK, marks, rows, run};
use crate::domain::candidate::{Candidate, CandidateId, CandidateReason, CandidateState};

const COLUMNS: &str = "SELECT candidate_id, left_id, right_id, reason, namespace, limited_by, probability, \
                       model_version, state, revision, decided_by, remark, created_at, updated_at FROM match_candidate";

fn candidate(row: &QueryResult) -> Result<Candidate, Fault> {
    let unknown = || Fault::internal("a stored match candidate has an unknown code");
    let (reason, state) = (row.try_get_by_index::<i16>(3).stored()?, row.try_get_by_index::<i16>(8).stored()?);
    Ok(Candidate {
        id: CandidateId::from_uuid(row.try_get_by_index(0).stored()?),
        left: SubjectId::from_uuid(row.try_get_by_index(1).stored()?),
        right: SubjectId::from_uuid(row.try_get_by_index(2).stored()?),
        reason: CandidateReason::ALL.into_iter().find(|it| it.code() == reason).ok_or_else(unknown)?,
        namespace: row.try_get_by_index(4).stored()?,
        limit: row.try_get_by_index(5).stored()?,
        probability: row.try_get_by_index(6).stored()?,
        model_version: row.try_get_by_index::<i64>(7).stored()?.cast_unsigned(),
        state: CandidateState::ALL.into_iter().find(|it| it.code() == state).ok_or_else(unknown)?,
        revision: row.try_get_by_index::<i64>(9).stored()?.cast_unsigned(),
        decided_by: row.try_get_by_index(10).stored()?,
        comment: Private::new(row.try_get_by_index(11).stored()?),
        created_at: Timestamp::from_column(row.try_get_by_index(12).stored()?),
        updated_at: Timestamp::from_column(row.try_get_by_index(13).stored()?),
    })
}

/// The candidate of an id.
pub async fn find(rx: &Rx, id: CandidateId) -> Result<Option<Candidate>, Fault> {
    let text = format!("{COLUMNS} WHERE tenant = $1 AND candidate_id = $2");
    rows(rx, &text, [rx.tenant().uuid().into(), id.uuid().into()]).await?.first().map(candidate).transpose()
}

/// Every candidate that names one of the subjects.
pub async fn of_subjects(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<Candidate>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        for side in ["left_id", "right_id"] {
            let text = format!("{COLUMNS} WHERE tenant = $1 AND {side} IN ({})", marks(2, some.len()));
            let ids = some.iter().map(|subject| Value::from(subject.uuid()));
            let values = std::iter::once(Value::from(rx.tenant().uuid())).chain(ids);
            for row in rows(rx, &text, values).await? {
                found.push(candidate(&row)?);
            }
        }
    }
    found.sort_by_key(|candidate| candidate.id);
    found.dedup_by_key(|candidate| candidate.id);
    Ok(found)
}

/// Which candidates to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<CandidateState>,
    /// For this reason.
    pub reason: Option<CandidateReason>,
    /// At least so likely.
    pub min_probability: f64,
    /// Naming one of these subjects; empty: any.
    pub subjects: Vec<SubjectId>,
}

/// Candidates before one, the newest first, at most `limit`.
pub async fn page(rx: &Rx, filter: &Filter, before: Option<Uuid>, limit: u64) -> Result<Vec<Candidate>, Fault> {
    if !filter.subjects.is_empty() {
        let mut found = of_subjects(rx, &filter.subjects).await?;
        found.retain(|it| {
            filter.state.is_none_or(|state| it.state == state)
                && filter.reason.is_none_or(|reason| it.reason == reason)
                && (filter.min_probability <= 0.0 || it.probability.is_some_and(|held| held >= filter.min_probability))
                && before.is_none_or(|before| it.id.uuid() < before)
        });
        found.reverse();
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        return Ok(found);
    }
    let mut text = format!("{COLUMNS} WHERE tenant = $1");
    let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
    let mut also = |clause: &str, value: Value| {
        values.push(value);
        text.push_str(&format!(" AND {clause} ${}", values.len()));
    };
    if let Some(state) = filter.state {
        also("state =", state.code().into());
    }
    if let Some(reason) = filter.reason {
        also("reason =", reason.code().into());
    }
    if filter.min_probability > 0.0 {
        also("probability >=", filter.min_probability.into());
    }
    if let Some(before) = before {
        also("candidate_id <", before.into());
    }
    text.push_str(&format!(" ORDER BY candidate_id DESC LIMIT {limit}"));
    rows(rx, &text, values).await?.iter().map(candidate).collect()
}

/// How many are open, by reason.
pub async fn open_counts(rx: &Rx) -> Result<Vec<(CandidateReason, u64)>, Fault> {
    let text = "SELECT reason, COUNT(*) FROM match_candidate WHERE tenant = $1 AND state = 1 GROUP BY reason";
    let mut found = Vec::new();
    for row in rows(rx, text, [rx.tenant().uuid().into()]).await? {
        let (code, count) = (row.try_get_by_index::<i16>(0).stored()?, row.try_get_by_index::<i64>(1).stored()?);
        let reason = CandidateReason::ALL.into_iter().find(|it| it.code() == code);
        found.extend(reason.map(|reason| (reason, count.cast_unsigned())));
    }
    found.sort_unstable();
    Ok(found)
}

/// Stores a candidate, new or changed.
pub async fn put(tx: &Tx, candidate: &Candidate) -> Result<(), Fault> {
    let text = "INSERT INTO match_candidate (tenant, candidate_id, left_id, right_id, reason, namespace, limited_by, \
                probability, model_version, state, revision, decided_by, remark, created_at, updated_at) VALUES \
                ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
                ON CONFLICT (tenant, candidate_id) DO UPDATE SET reason = excluded.reason, \
                namespace = excluded.namespace, limited_by = excluded.limited_by, probability = excluded.probability, \
                model_version = excluded.model_version, state = excluded.state, revision = excluded.revision, \
                decided_by = excluded.decided_by, remark = excluded.remark, updated_at = excluded.updated_at";
    let values: [Value; 15] = [
        tx.tenant().uuid().into(),
        candidate.id.uuid().into(),
        candidate.left.uuid().into(),
        candidate.right.uuid().into(),
        candidate.reason.code().into(),
        candidate.namespace.clone().into(),
        candidate.limit.clone().into(),
        candidate.probability.into(),
        candidate.model_version.cast_signed().into(),
        candidate.state.code().into(),
        candidate.revision.cast_signed().into(),
        candidate.decided_by.clone().into(),
        candidate.comment.expose().clone().into(),
        candidate.created_at.micros().into(),
        candidate.updated_at.micros().into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// Deletes candidates.
pub async fn delete(tx: &Tx, ids: &[CandidateId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in ids.chunks(CHUNK) {
        let text =
            format!("DELETE FROM match_candidate WHERE tenant = $1 AND candidate_id IN ({})", marks(2, some.len()));
        let ids = some.iter().map(|id| Value::from(id.uuid()));
        deleted += run(tx, &text, std::iter::once(Value::from(tx.tenant().uuid())).chain(ids)).await?;
    }
    Ok(deleted)
}

/// Deletes every candidate that names one of the subjects; answers how many there were.
pub async fn forget(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let ids: Vec<CandidateId> = of_subjects(tx, subjects).await?.into_iter().map(|candidate| candidate.id).collect();
    delete(tx, &ids).await
}
