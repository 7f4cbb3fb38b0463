//! What feedback told of scores, by the subject that gave them: the last of each kind is read, and the one before it where
//! the last is deleted.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::{CHUNK, delete_subjects, uuids};
use crate::domain::derived::{Scale, Score};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "score")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub response_id: Uuid,
    pub kind: String,
    pub score: i32,
    pub scale_min: i32,
    pub scale_max: i32,
    pub reversed: bool,
    pub occurred_at: i64,
    pub revision: i64,
    pub deleted: bool,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("Score").field("response_id", &self.response_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Score")
    }
}

/// A response's score, as of a revision of the response.
#[derive(Clone)]
pub struct Given {
    /// Who gave it.
    pub subject: SubjectId,
    /// The response.
    pub response: Uuid,
    /// The kind of survey, the score and its scale; `None` where the response was deleted.
    pub score: Option<(String, i32, Scale)>,
    /// When it was given.
    pub at: Timestamp,
    /// The response's revision.
    pub revision: u64,
}

/// Takes what was told; of each response the highest revision stays.
pub async fn put(tx: &Tx, given: &[Given]) -> Result<(), Fault> {
    // One statement touches no row twice.
    let mut newest = BTreeMap::<(SubjectId, Uuid), &Given>::new();
    for one in given {
        let held = newest.entry((one.subject, one.response)).or_insert(one);
        if held.revision < one.revision {
            *held = one;
        }
    }
    let row = |given: &&Given| {
        let (kind, score, scale) = given.score.clone().unwrap_or_default();
        ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            subject_id: Set(given.subject.uuid()),
            response_id: Set(given.response),
            kind: Set(kind),
            score: Set(score),
            scale_min: Set(scale.min),
            scale_max: Set(scale.max),
            reversed: Set(scale.reversed),
            occurred_at: Set(given.at.micros()),
            revision: Set(given.revision.cast_signed()),
            deleted: Set(given.score.is_none()),
        }
    };
    for some in newest.into_values().collect::<Vec<_>>().chunks(CHUNK) {
        let changed = [
            Column::Kind,
            Column::Score,
            Column::ScaleMin,
            Column::ScaleMax,
            Column::Reversed,
            Column::OccurredAt,
            Column::Revision,
            Column::Deleted,
        ];
        let newer = OnConflict::columns([Column::Tenant, Column::SubjectId, Column::ResponseId])
            .update_columns(changed)
            .action_and_where(Expr::cust("excluded.revision > score.revision"))
            .to_owned();
        let insert = Entity::insert_many(some.iter().map(row)).on_conflict(newer);
        insert.exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// The last score of each kind that subjects gave; of one instant that of the later response, whoever gave it.
pub async fn last(rx: &Rx, subjects: &[SubjectId], until: Timestamp) -> Result<BTreeMap<String, Score>, Fault> {
    let mut found = BTreeMap::<String, (Score, Uuid)>::new();
    for some in subjects.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(Column::SubjectId.is_in(uuids(some))).filter(Column::Deleted.eq(false));
        let query = query.filter(Column::OccurredAt.lte(until.micros()));
        for row in query.all(rx.conn()).await.stored()? {
            let scale = Scale { min: row.scale_min, max: row.scale_max, reversed: row.reversed };
            let at = Timestamp::from_column(row.occurred_at);
            let given = (Score { score: row.score, scale, at }, row.response_id);
            let held = found.entry(row.kind).or_insert(given);
            if (held.0.at, held.1) < (given.0.at, given.1) {
                *held = given;
            }
        }
    }
    Ok(found.into_iter().map(|(kind, (score, _))| (kind, score)).collect())
}

/// Deletes the scores of subjects; answers how many there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "score", subjects).await
}
