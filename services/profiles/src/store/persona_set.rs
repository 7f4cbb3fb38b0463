//! Persona sets: what was looked for, and what was found.

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ExprTrait as _, QueryOrder as _, QuerySelect as _};

use super::run;
use crate::domain::persona::{PersonaSet, PersonaSetId, State};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "persona_set")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub persona_set_id: Uuid,
    pub state: i16,
    pub settings: String,
    pub found: Option<String>,
    pub created_at: i64,
    pub in_force_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A condition and the names of categories may hold what somebody stated.
        f.debug_struct("PersonaSet").field("persona_set_id", &self.persona_set_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonaSet")
    }
}

const fn column(state: State) -> i16 {
    match state {
        State::Discovering => 1,
        State::Assigning => 2,
        State::InForce => 3,
        State::Superseded => 4,
        State::Failed => 5,
    }
}

fn set(row: Model) -> Result<PersonaSet, Fault> {
    let all = [State::Discovering, State::Assigning, State::InForce, State::Superseded, State::Failed];
    let unreadable = || Fault::internal("a stored persona set cannot be read");
    Ok(PersonaSet {
        id: PersonaSetId::from_uuid(row.persona_set_id),
        settings: serde_json::from_str(&row.settings).map_err(|_| unreadable())?,
        state: all.into_iter().find(|state| column(*state) == row.state).ok_or_else(unreadable)?,
        found: row.found.map(|found| serde_json::from_str(&found).map_err(|_| unreadable())).transpose()?,
        created_at: Timestamp::from_column(row.created_at),
        in_force_at: row.in_force_at.map(Timestamp::from_column),
    })
}

/// A set.
pub async fn find(rx: &Rx, id: PersonaSetId) -> Result<Option<PersonaSet>, Fault> {
    let query = Entity::find_by_id((rx.tenant().uuid(), id.uuid()));
    query.one(rx.conn()).await.stored()?.map(set).transpose()
}

/// The set in force.
pub async fn in_force(rx: &Rx) -> Result<Option<PersonaSet>, Fault> {
    let states = [column(State::Assigning), column(State::InForce)];
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::State.is_in(states));
    query.one(rx.conn()).await.stored()?.map(set).transpose()
}

/// The set that was in force at an instant.
pub async fn in_force_at(rx: &Rx, at: Timestamp) -> Result<Option<PersonaSet>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::InForceAt.lte(at.micros()));
    // Of two that came in force at one instant the one that still is came later.
    let still = Expr::col(Column::State).is_in([column(State::Assigning), column(State::InForce)]);
    let query = query.order_by_desc(Column::InForceAt).order_by_desc(still);
    query.one(rx.conn()).await.stored()?.map(set).transpose()
}

/// The sets made before one, the newest first, one more than `size`.
pub async fn page(rx: &Rx, before: Option<PersonaSetId>, size: usize) -> Result<Vec<PersonaSet>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    if let Some(before) = before {
        query = query.filter(Column::PersonaSetId.lt(before.uuid()));
    }
    let rows = query.order_by_desc(Column::PersonaSetId).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    rows.into_iter().map(set).collect()
}

/// Writes a set, new or changed.
pub async fn put(tx: &Tx, set: &PersonaSet) -> Result<(), Fault> {
    let encode = |text: Result<String, serde_json::Error>| text.map_err(|_| Fault::internal("a set is not encodable"));
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        persona_set_id: Set(set.id.uuid()),
        state: Set(column(set.state)),
        settings: Set(encode(serde_json::to_string(&set.settings))?),
        found: Set(set.found.as_ref().map(|found| encode(serde_json::to_string(found))).transpose()?),
        created_at: Set(set.created_at.micros()),
        in_force_at: Set(set.in_force_at.map(Timestamp::micros)),
    };
    let there = sea_orm::sea_query::OnConflict::columns([Column::Tenant, Column::PersonaSetId])
        .update_columns([Column::State, Column::Found, Column::InForceAt])
        .to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// Takes the set in force out of force.
pub async fn supersede(tx: &Tx) -> Result<(), Fault> {
    let text = "UPDATE persona_set SET state = $2 WHERE tenant = $1 AND state IN ($3, $4)";
    let [superseded, assigning, in_force] = [State::Superseded, State::Assigning, State::InForce].map(column);
    run(tx, text, [tx.tenant().uuid().into(), superseded.into(), assigning.into(), in_force.into()]).await.map(drop)
}
