//! Facts: one row for each interaction and response, its newest state.

use std::collections::BTreeMap;

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::QuerySelect as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::{ROWS, list, sql, unreadable};
use crate::domain::cuts::{hour_of, month_of};
use crate::domain::facts::{Content, FactKey, Family, Kept, Slot, State};

/// `state` of a fact that stands: the one number that queries name.
pub(super) const LIVE: i16 = 0;
const DELETED: i16 = 1;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "fact")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub family: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub revision: i64,
    pub state: i16,
    pub recorded_at: i64,
    pub subject_id: Uuid,
    pub occurred_at: Option<i64>,
    pub hour: Option<i64>,
    pub month: Option<i64>,
    pub dimensions: Option<Uuid>,
    pub slot: Option<String>,
    pub micros: Option<i64>,
    pub purchase: Option<bool>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Those of the facts that are kept.
///
/// # Errors
/// Where the database fails.
pub async fn find(rx: &Rx, keys: &[FactKey]) -> Result<BTreeMap<FactKey, Kept>, Fault> {
    let mut found = BTreeMap::new();
    for family in [Family::Interactions, Family::Nps] {
        let keys: Vec<Uuid> = keys.iter().filter(|key| key.family == family).map(|key| key.id).collect();
        if keys.is_empty() {
            continue;
        }
        let list = list(keys.into_iter());
        let text = match rx.engine() {
            Engine::Sqlite => {
                "SELECT * FROM fact WHERE tenant = $1 AND family = $2 AND id IN (SELECT unhex(value) FROM json_each($3))"
            }
            // One search of the primary key for each id, whatever the planner believes: without statistics, as during a
            // first import, it would rather read all of the tenant's facts for each batch.
            Engine::Postgres => {
                "SELECT held.* FROM jsonb_array_elements_text($3::jsonb) AS asked (id) CROSS JOIN LATERAL \
                 (SELECT * FROM fact WHERE tenant = $1 AND family = $2 AND fact.id = asked.id::uuid LIMIT 1) AS held"
            }
        };
        let values = vec![rx.tenant().uuid().into(), family.column().into(), list];
        let query = Entity::find().from_raw_sql(sql(rx.conn(), text, values));
        for row in query.all(rx.conn()).await.stored()? {
            let (key, fact) = kept(row)?;
            found.insert(key, fact);
        }
    }
    Ok(found)
}

/// Facts of subjects, deleted ones too, at most `limit` of them.
///
/// # Errors
/// Where the database fails.
pub async fn of_subjects(rx: &Rx, subjects: &[SubjectId], limit: usize) -> Result<Vec<(FactKey, Kept)>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(ROWS) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid())));
        let left = u64::try_from(limit - found.len()).unwrap_or(u64::MAX);
        for row in query.limit(left).all(rx.conn()).await.stored()? {
            found.push(kept(row)?);
        }
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

/// Deletes facts.
///
/// # Errors
/// Where the database fails.
pub async fn delete(tx: &Tx, facts: &[(FactKey, Kept)]) -> Result<(), Fault> {
    for some in facts.chunks(ROWS) {
        let mut families: BTreeMap<_, Vec<Uuid>> = BTreeMap::new();
        for (key, _) in some {
            families.entry(key.family.column()).or_default().push(key.id);
        }
        for (family, ids) in families {
            let query = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
            let query = query.filter(Column::Family.eq(family)).filter(Column::Id.is_in(ids));
            query.exec(tx.conn()).await.stored()?;
        }
    }
    Ok(())
}

/// Writes facts, over what is kept of them.
///
/// # Errors
/// Where the database fails.
pub async fn put(tx: &Tx, facts: &[(FactKey, Kept)]) -> Result<(), Fault> {
    let content = [
        Column::Revision,
        Column::State,
        Column::RecordedAt,
        Column::SubjectId,
        Column::OccurredAt,
        Column::Hour,
        Column::Month,
        Column::Dimensions,
        Column::Slot,
        Column::Micros,
        Column::Purchase,
    ];
    for some in facts.chunks(ROWS) {
        let key = OnConflict::columns([Column::Tenant, Column::Family, Column::Id]).update_columns(content).to_owned();
        let rows = some.iter().map(|(key, fact)| row(tx, *key, fact));
        Entity::insert_many(rows).on_conflict(key).exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

fn row(tx: &Tx, key: FactKey, fact: &Kept) -> ActiveModel {
    let (state, content) = match &fact.state {
        State::Live(content) => (LIVE, Some(content)),
        State::Deleted(_) => (DELETED, None),
    };
    let hour = content.map(|content| hour_of(content.occurred_at));
    ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        family: Set(key.family.column()),
        id: Set(key.id),
        revision: Set(fact.revision),
        state: Set(state),
        recorded_at: Set(fact.recorded_at.micros()),
        subject_id: Set(fact.subject().uuid()),
        occurred_at: Set(content.map(|content| content.occurred_at.micros())),
        hour: Set(hour),
        month: Set(hour.map(month_of)),
        dimensions: Set(content.map(|content| content.dimensions)),
        slot: Set(content.map(|content| content.slot.column())),
        micros: Set(content.map(|content| content.micros)),
        purchase: Set(content.map(|content| content.purchase)),
    }
}

fn kept(row: Model) -> Result<(FactKey, Kept), Fault> {
    let family = Family::from_column(row.family).ok_or_else(|| unreadable("fact"))?;
    let subject = SubjectId::from_uuid(row.subject_id);
    let state = match row.state {
        LIVE => State::Live(Content {
            subject,
            occurred_at: Timestamp::from_column(row.occurred_at.ok_or_else(|| unreadable("fact"))?),
            dimensions: row.dimensions.ok_or_else(|| unreadable("fact"))?,
            slot: row.slot.as_deref().and_then(Slot::from_column).ok_or_else(|| unreadable("fact"))?,
            micros: row.micros.unwrap_or(0),
            purchase: row.purchase.unwrap_or(false),
        }),
        DELETED => State::Deleted(subject),
        _ => return Err(unreadable("fact")),
    };
    let fact = Kept { revision: row.revision, recorded_at: Timestamp::from_column(row.recorded_at), state };
    Ok((FactKey { family, id: row.id }, fact))
}
