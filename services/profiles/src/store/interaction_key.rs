//! Where the interaction of a source's id lies: what makes that id unique, whatever the timeline is partitioned by.

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column as Values, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, sea_query::OnConflict};

use crate::domain::interaction::{Interaction, InteractionKey};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "interaction_key")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    pub interaction_id: Uuid,
    pub subject_id: Uuid,
    pub occurred_at: i64,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("InteractionKey").field("interaction_id", &self.interaction_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InteractionKey")
    }
}

/// Where those of the keys lie that are held.
pub(crate) async fn places(tx: &Tx, keys: &[InteractionKey]) -> Result<Vec<Model>, Fault> {
    let mut by_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in keys {
        by_source.entry(&key.source).or_default().push(key.external_id.expose());
    }
    let mut found = Vec::new();
    for (source, ids) in by_source {
        for some in ids.chunks(1_000) {
            let query = Entity::find().filter(Column::Tenant.eq(tx.tenant().uuid())).filter(Column::Source.eq(source));
            let query = query.filter(Column::ExternalId.is_in(some.iter().copied()));
            found.extend(query.all(tx.conn()).await.stored()?);
        }
    }
    Ok(found)
}

const INSERT: Bulk = Bulk {
    table: "interaction_key",
    columns: &["tenant", "source", "external_id", "interaction_id", "subject_id", "occurred_at", "version"],
    suffix: "",
};

pub(crate) async fn add(tx: &Tx, interactions: &[Interaction]) -> Result<(), Fault> {
    let text =
        |of: fn(&Interaction) -> &String| Values::Texts(interactions.iter().map(|one| of(one).clone()).collect());
    let number = |of: fn(&Interaction) -> i64| Values::Numbers(interactions.iter().map(of).collect());
    let id = |of: fn(&Interaction) -> Uuid| Values::Ids(interactions.iter().map(of).collect());
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), interactions.len()),
        text(|one| &one.key.source),
        text(|one| one.key.external_id.expose()),
        id(|one| one.id.uuid()),
        id(|one| one.subject.uuid()),
        number(|one| one.content.occurred_at.micros()),
        number(|one| one.version),
    ];
    INSERT.insert(tx.conn(), columns).await
}

pub(crate) async fn replace(tx: &Tx, interaction: &Interaction) -> Result<(), Fault> {
    let key = OnConflict::columns([Column::Tenant, Column::Source, Column::ExternalId])
        .update_columns([Column::OccurredAt, Column::Version])
        .to_owned();
    Entity::insert(row(tx, interaction)).on_conflict(key).exec_without_returning(tx.conn()).await.stored()?;
    Ok(())
}

pub(crate) async fn erase(tx: &Tx, subjects: &[Uuid]) -> Result<(), Fault> {
    let rows = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
    rows.filter(Column::SubjectId.is_in(subjects.iter().copied())).exec(tx.conn()).await.stored()?;
    Ok(())
}

fn row(tx: &Tx, interaction: &Interaction) -> ActiveModel {
    ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        source: Set(interaction.key.source.clone()),
        external_id: Set(interaction.key.external_id.expose().clone()),
        interaction_id: Set(interaction.id.uuid()),
        subject_id: Set(interaction.subject.uuid()),
        occurred_at: Set(interaction.content.occurred_at.micros()),
        version: Set(interaction.version),
    }
}
