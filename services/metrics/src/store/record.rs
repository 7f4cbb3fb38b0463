//! Records: a row for each fact of the newest state of an aggregate, numbered from 0. One without facts is one row that
//! says so.

use std::collections::BTreeMap;

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QuerySelect as _, Value};

use super::{ROWS, list, marks, sql, unreadable};
use crate::domain::cuts::{hour_of, month_of};
use crate::domain::facts::{Fact, Family};
use crate::domain::records::{Kept, Kind, RecordKey};

/// `state` of a fact that stands: the one number that queries name.
pub(super) const LIVE: i16 = 0;
/// `state` of the one line of a record without facts.
const EMPTY: i16 = 1;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "fact")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i32,
    pub revision: i64,
    pub state: i16,
    pub recorded_at: i64,
    pub subject_id: Uuid,
    pub family: Option<i16>,
    pub occurred_at: Option<i64>,
    pub hour: Option<i64>,
    pub month: Option<i64>,
    pub dimensions: Option<Uuid>,
    pub series: Option<String>,
    pub slot: Option<String>,
    pub micros: Option<i64>,
    pub purchase: Option<bool>,
    pub thread: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Those of the records that are kept.
///
/// # Errors
/// Where the database fails.
pub async fn find(rx: &Rx, keys: &[RecordKey]) -> Result<BTreeMap<RecordKey, Kept>, Fault> {
    let mut found = BTreeMap::new();
    for of_kind in keys.chunk_by(|one, next| one.kind == next.kind) {
        let list = list(of_kind.iter().map(|key| key.id));
        let text = match rx.engine() {
            Engine::Sqlite => {
                "SELECT * FROM fact WHERE tenant = $1 AND kind = $2 AND id IN (SELECT unhex(value) FROM json_each($3))"
            }
            // One search of the primary key for each id, whatever the planner believes: without statistics, as during a
            // first import, it would rather read all of the tenant's facts for each batch. OFFSET 0 keeps the two apart.
            Engine::Postgres => {
                "SELECT held.* FROM jsonb_array_elements_text($3::jsonb) AS asked (id) CROSS JOIN LATERAL \
                 (SELECT * FROM fact WHERE tenant = $1 AND kind = $2 AND fact.id = asked.id::uuid OFFSET 0) AS held"
            }
        };
        let values = vec![rx.tenant().uuid().into(), of_kind[0].kind.column().into(), list];
        let query = Entity::find().from_raw_sql(sql(rx.conn(), text, values));
        gather(query.all(rx.conn()).await.stored()?, &mut found)?;
    }
    Ok(found)
}

/// Records of subjects, those without facts too: about `limit` of their facts. Answers whether there may be more.
///
/// # Errors
/// Where the database fails.
pub async fn of_subjects(
    rx: &Rx,
    subjects: &[SubjectId],
    limit: usize,
) -> Result<(BTreeMap<RecordKey, Kept>, bool), Fault> {
    let mut keys = Vec::new();
    let (mut rows, mut more) = (0, false);
    for some in subjects.chunks(ROWS) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid())));
        let left = u64::try_from(limit - rows).unwrap_or(u64::MAX);
        for row in query.limit(left).all(rx.conn()).await.stored()? {
            rows += 1;
            let kind = Kind::from_column(row.kind).ok_or_else(|| unreadable("fact"))?;
            keys.push(RecordKey { kind, id: row.id });
        }
        if rows == limit {
            more = true;
            break;
        }
    }
    keys.sort_unstable();
    keys.dedup();
    // A record goes as a whole: those whose last lines were beyond the limit are read again.
    Ok((find(rx, &keys).await?, more))
}

/// Deletes records.
///
/// # Errors
/// Where the database fails.
pub async fn delete(tx: &Tx, records: &BTreeMap<RecordKey, Kept>) -> Result<(), Fault> {
    let keys: Vec<RecordKey> = records.keys().copied().collect();
    for of_kind in keys.chunk_by(|one, next| one.kind == next.kind) {
        for some in of_kind.chunks(ROWS) {
            let query = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
            let query = query.filter(Column::Kind.eq(of_kind[0].kind.column()));
            let query = query.filter(Column::Id.is_in(some.iter().map(|key| key.id)));
            query.exec(tx.conn()).await.stored()?;
        }
    }
    Ok(())
}

/// Writes records, over what is kept of them: `before` tells how many facts each had.
///
/// # Errors
/// Where the database fails.
pub async fn put(tx: &Tx, records: &[(RecordKey, Kept)], before: &BTreeMap<RecordKey, Kept>) -> Result<(), Fault> {
    let content = [
        Column::Revision,
        Column::State,
        Column::RecordedAt,
        Column::SubjectId,
        Column::Family,
        Column::OccurredAt,
        Column::Hour,
        Column::Month,
        Column::Dimensions,
        Column::Series,
        Column::Slot,
        Column::Micros,
        Column::Purchase,
        Column::Thread,
    ];
    let rows: Vec<ActiveModel> = records.iter().flat_map(|(key, record)| lines(tx, *key, record)).collect();
    for some in rows.chunks(ROWS) {
        let key = OnConflict::columns([Column::Tenant, Column::Kind, Column::Id, Column::Line])
            .update_columns(content)
            .to_owned();
        Entity::insert_many(some.to_vec()).on_conflict(key).exec_without_returning(tx.conn()).await.stored()?;
    }
    let mut left: BTreeMap<(i16, usize), Vec<Uuid>> = BTreeMap::new();
    for (key, record) in records {
        let kept = record.facts.len().max(1);
        if before.get(key).is_some_and(|before| before.facts.len() > kept) {
            left.entry((key.kind.column(), kept)).or_default().push(key.id);
        }
    }
    for ((kind, kept), ids) in left {
        for some in ids.chunks(ROWS) {
            let (head, line) = (marks(tx.engine(), 1, 2), marks(tx.engine(), 3, 1));
            let ids = marks(tx.engine(), 4, some.len());
            let text = format!("DELETE FROM fact WHERE (tenant, kind) = ({head}) AND line >= {line} AND id IN ({ids})");
            let line = i32::try_from(kept).map_err(Fault::internal)?;
            let head = [Value::from(tx.tenant().uuid()), Value::from(kind), Value::from(line)];
            let values = head.into_iter().chain(some.iter().map(|id| Value::from(*id))).collect();
            tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?;
        }
    }
    Ok(())
}

fn lines(tx: &Tx, key: RecordKey, record: &Kept) -> Vec<ActiveModel> {
    let row = |line: usize, fact: Option<&Fact<Uuid>>| {
        let hour = fact.map(|fact| hour_of(fact.occurred_at));
        ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            kind: Set(key.kind.column()),
            id: Set(key.id),
            line: Set(i32::try_from(line).unwrap_or(i32::MAX)),
            revision: Set(record.revision),
            state: Set(if fact.is_some() { LIVE } else { EMPTY }),
            recorded_at: Set(record.recorded_at.micros()),
            subject_id: Set(record.subject.uuid()),
            family: Set(fact.map(|fact| fact.family.column())),
            occurred_at: Set(fact.map(|fact| fact.occurred_at.micros())),
            hour: Set(hour),
            month: Set(hour.map(month_of)),
            dimensions: Set(fact.map(|fact| fact.dimensions)),
            series: Set(fact.map(|fact| fact.series.clone())),
            slot: Set(fact.map(|fact| fact.slot.clone())),
            micros: Set(fact.map(|fact| fact.micros)),
            purchase: Set(fact.map(|fact| fact.purchase)),
            thread: Set(fact.and_then(|fact| fact.thread)),
        }
    };
    if record.facts.is_empty() {
        return vec![row(0, None)];
    }
    record.facts.iter().enumerate().map(|(line, fact)| row(line, Some(fact))).collect()
}

fn gather(mut rows: Vec<Model>, found: &mut BTreeMap<RecordKey, Kept>) -> Result<(), Fault> {
    rows.sort_by_key(|row| row.line);
    for row in rows {
        let kind = Kind::from_column(row.kind).ok_or_else(|| unreadable("fact"))?;
        let kept = found.entry(RecordKey { kind, id: row.id }).or_insert_with(|| Kept {
            revision: row.revision,
            recorded_at: Timestamp::from_column(row.recorded_at),
            subject: SubjectId::from_uuid(row.subject_id),
            facts: Vec::new(),
        });
        if row.state == LIVE {
            kept.facts.push(fact(row)?);
        }
    }
    Ok(())
}

fn fact(row: Model) -> Result<Fact<Uuid>, Fault> {
    let missing = || unreadable("fact");
    Ok(Fact {
        family: row.family.and_then(Family::from_column).ok_or_else(missing)?,
        occurred_at: Timestamp::from_column(row.occurred_at.ok_or_else(missing)?),
        dimensions: row.dimensions.ok_or_else(missing)?,
        series: row.series.ok_or_else(missing)?,
        slot: row.slot.ok_or_else(missing)?,
        micros: row.micros.unwrap_or(0),
        purchase: row.purchase.unwrap_or(false),
        thread: row.thread,
    })
}
