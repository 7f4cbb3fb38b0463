//! Personas, by their sets.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::QueryOrder as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::domain::persona::{Persona, PersonaId, PersonaSetId};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "persona")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub persona_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub persona_set_id: Uuid,
    pub place: i32,
    pub name: String,
    pub is_named: bool,
    pub description: String,
    pub sample_customers: i64,
    pub features: String,
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub retired_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The names of categories are values that somebody stated.
        f.debug_struct("Persona").field("persona_id", &self.persona_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Persona")
    }
}

fn persona(row: Model) -> Result<Persona, Fault> {
    Ok(Persona {
        id: PersonaId::from_uuid(row.persona_id),
        set: PersonaSetId::from_uuid(row.persona_set_id),
        place: usize::try_from(row.place).map_err(Fault::internal)?,
        name: row.name,
        is_named: row.is_named,
        description: row.description,
        sample_customers: row.sample_customers.cast_unsigned(),
        features: serde_json::from_str(&row.features).map_err(|_| Fault::internal("a stored persona is unreadable"))?,
        revision: row.revision.cast_unsigned(),
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
        retired_at: row.retired_at.map(Timestamp::from_column),
    })
}

/// A persona, as it is in the last set that it was found in.
pub async fn find(rx: &Rx, id: PersonaId) -> Result<Option<Persona>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::PersonaId.eq(id.uuid()));
    query.order_by_desc(Column::Revision).one(rx.conn()).await.stored()?.map(persona).transpose()
}

/// The personas of a set, by their places. They are few.
pub async fn of_set(rx: &Rx, set: PersonaSetId) -> Result<Vec<Persona>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    let query = query.filter(Column::PersonaSetId.eq(set.uuid())).order_by_asc(Column::Place);
    query.all(rx.conn()).await.stored()?.into_iter().map(persona).collect()
}

/// All personas there ever were, each as [`find`] has it.
pub async fn all(rx: &Rx) -> Result<Vec<Persona>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).order_by_asc(Column::Revision);
    let rows = query.all(rx.conn()).await.stored()?;
    let newest: BTreeMap<Uuid, Model> = rows.into_iter().map(|row| (row.persona_id, row)).collect();
    newest.into_values().map(persona).collect()
}

/// Writes personas, new or changed.
pub async fn put(tx: &Tx, personas: &[Persona]) -> Result<(), Fault> {
    let mut rows = Vec::with_capacity(personas.len());
    for persona in personas {
        let features = serde_json::to_string(&persona.features);
        rows.push(ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            persona_id: Set(persona.id.uuid()),
            persona_set_id: Set(persona.set.uuid()),
            place: Set(i32::try_from(persona.place).map_err(Fault::internal)?),
            name: Set(persona.name.clone()),
            is_named: Set(persona.is_named),
            description: Set(persona.description.clone()),
            sample_customers: Set(persona.sample_customers.cast_signed()),
            features: Set(features.map_err(|_| Fault::internal("a persona is not encodable"))?),
            revision: Set(persona.revision.cast_signed()),
            created_at: Set(persona.created_at.micros()),
            updated_at: Set(persona.updated_at.micros()),
            retired_at: Set(persona.retired_at.map(Timestamp::micros)),
        });
    }
    let key = [Column::Tenant, Column::PersonaId, Column::PersonaSetId];
    let described = [Column::Name, Column::IsNamed, Column::Description];
    let changed = described.into_iter().chain([Column::Revision, Column::UpdatedAt, Column::RetiredAt]);
    let there = OnConflict::columns(key).update_columns(changed).to_owned();
    Entity::insert_many(rows).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}
