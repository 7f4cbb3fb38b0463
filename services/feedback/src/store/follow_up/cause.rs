//! What follow-ups follow up: of each cause and rule, which follow-up it belongs to.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};

use super::super::sql::{Clause, decoded, encoded, run};
use super::super::{column, revision};
use super::CHUNK;
use crate::domain::follow_up::{CauseKey, CauseType, FollowUpId, Progress, RuleId};

/// A cause of a rule.
#[derive(Clone, Debug)]
pub struct Link {
    /// The cause.
    pub key: CauseKey,
    /// The rule.
    pub rule: RuleId,
    /// The follow-up.
    pub follow_up: FollowUpId,
    /// The subject it hangs on.
    pub subject: SubjectId,
    /// As of which revision of the cause.
    pub revision: u64,
    /// Whether it was not withdrawn.
    pub stands: bool,
    /// How far a ticket had come when the condition first held.
    pub progress: Option<Progress>,
}

/// Those of causes.
pub async fn of(rx: &Rx, keys: &[CauseKey]) -> Result<Vec<Link>, Fault> {
    let mut found = Vec::new();
    for some in keys.chunks(CHUNK) {
        let mut those = Clause::of(rx);
        those.among("cause_id", some.iter().map(|key| key.id));
        let columns = "cause_id, kind, rule_id, follow_up_id, subject_id, revision, stands, progress";
        for row in those.select(rx, columns, "follow_up_cause", " ORDER BY rule_id").await? {
            let kind: String = row.try_get_by_index(1).stored()?;
            let kind = CauseType::ALL.into_iter().find(|one| one.name() == kind);
            let kind = kind.ok_or_else(|| Fault::internal("a cause's row holds an unknown kind"))?;
            let progress: Option<Vec<u8>> = row.try_get_by_index(7).stored()?;
            found.push(Link {
                key: CauseKey { kind, id: row.try_get_by_index(0).stored()? },
                rule: RuleId::from_uuid(row.try_get_by_index(2).stored()?),
                follow_up: FollowUpId::from_uuid(row.try_get_by_index(3).stored()?),
                subject: SubjectId::from_uuid(row.try_get_by_index(4).stored()?),
                revision: revision(row.try_get_by_index(5).stored()?)?,
                stands: row.try_get_by_index::<i16>(6).stored()? == 1,
                progress: progress.as_deref().map(decoded).transpose()?,
            });
        }
    }
    Ok(found)
}

/// Adds a link, or replaces it by its new state.
pub async fn put(tx: &Tx, link: &Link) -> Result<(), Fault> {
    let text = "INSERT INTO follow_up_cause (tenant, cause_id, rule_id, kind, follow_up_id, subject_id, revision, \
                stands, progress) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                ON CONFLICT (tenant, cause_id, rule_id) DO UPDATE SET follow_up_id = excluded.follow_up_id, \
                subject_id = excluded.subject_id, revision = excluded.revision, stands = excluded.stands, \
                progress = excluded.progress";
    let values = vec![
        tx.tenant().uuid().into(),
        link.key.id.into(),
        link.rule.uuid().into(),
        link.key.kind.name().into(),
        link.follow_up.uuid().into(),
        link.subject.uuid().into(),
        column(link.revision)?.into(),
        i16::from(link.stands).into(),
        link.progress.as_ref().map(encoded).transpose()?.into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// A cause as it is held here: its revision, and when it last changed.
pub struct Held {
    /// Its revision.
    pub revision: u64,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// A cause as it is held now, where its revision and the time of its change are kept here. None: it is gone.
pub async fn held(rx: &Rx, key: CauseKey) -> Result<Option<Held>, Fault> {
    let (columns, table, id) = match key.kind {
        CauseType::Response => ("revision, updated_at", "response", "response_id = {}"),
        CauseType::Ticket => ("revision, changed_at", "ticket", "ticket_id = {}"),
        CauseType::Mention => ("revision, updated_at", "mention", "mention_id = {}"),
        CauseType::Promise => ("revision, changed_at", "promise", "promise_id = {}"),
    };
    let mut those = Clause::of(rx);
    those.and(id, key.id);
    let rows = those.select(rx, columns, table, "").await?;
    let read = |row: &sea_orm::QueryResult| {
        let changed_at = Timestamp::from_column(row.try_get_by_index(1).stored()?);
        Ok(Held { revision: revision(row.try_get_by_index(0).stored()?)?, changed_at })
    };
    rows.first().map(read).transpose()
}
