//! Identifiers: which subject carries which value, and since when.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Bulk, Column as Values, Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::{CHUNK, delete_subjects, rows, uuids};
use crate::domain::value::Identifier;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identifier")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub namespace: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub value: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    pub first_seen: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("Identifier").field("subject_id", &self.subject_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identifier")
    }
}

/// What a subject carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The subject.
    pub subject: SubjectId,
    /// The identifier.
    pub identifier: Identifier,
    /// The first instant at which it carried it.
    pub first_seen: Timestamp,
}

impl From<Model> for Carried {
    fn from(row: Model) -> Self {
        Self {
            subject: SubjectId::from_uuid(row.subject_id),
            identifier: Identifier { namespace: row.namespace, value: Private::new(row.value) },
            first_seen: Timestamp::from_column(row.first_seen),
        }
    }
}

/// Who first carried a value: the order of the index, then names among those of one instant.
const FIRST: &str = "SELECT i.subject_id FROM identifier i JOIN subject s ON s.tenant = i.tenant AND \
                     s.subject_id = i.subject_id WHERE i.tenant = $1 AND i.namespace = $2 AND i.value";
const ORDER: &str = "ORDER BY i.first_seen, s.source, s.external_id LIMIT 1";

/// Nobody, who carries the values that stay quarantined though few enough records carry them: what they would link
/// is too large to be one component. It is no subject, so no look-up by a value finds it.
pub const NOBODY: SubjectId = SubjectId::from_uuid(Uuid::nil());

/// The subject that first carried an identifier; of several at one instant, the first by its record's name. `by`:
/// only subjects that were recorded by then.
pub async fn first_carrier(rx: &Rx, identifier: &Identifier, by: Timestamp) -> Result<Option<SubjectId>, Fault> {
    let text = "SELECT i.subject_id FROM identifier i JOIN subject s ON s.tenant = i.tenant AND \
                s.subject_id = i.subject_id WHERE i.tenant = $1 AND i.namespace = $2 AND i.value = $3 AND \
                s.created_at <= $4 ORDER BY i.first_seen, s.source, s.external_id LIMIT 1";
    let values = [
        rx.tenant().uuid().into(),
        identifier.namespace.clone().into(),
        identifier.value.expose().clone().into(),
        by.micros().into(),
    ];
    let found = rows(rx, text, values).await?;
    let id = |row: &sea_orm::QueryResult| row.try_get_by_index::<Uuid>(0).map(SubjectId::from_uuid).stored();
    found.first().map(id).transpose()
}

/// Those who carry an identifier, at most `limit`.
pub async fn carriers(rx: &Rx, identifier: &Identifier, limit: usize) -> Result<Vec<Carried>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    let query = query.filter(Column::Namespace.eq(&identifier.namespace));
    let query = query.filter(Column::Value.eq(identifier.value.expose())).order_by_asc(Column::SubjectId);
    let found = query.limit(u64::try_from(limit).unwrap_or(u64::MAX)).all(rx.conn()).await.stored()?;
    Ok(found.into_iter().map(Carried::from).collect())
}

/// Those who carry each of many identifiers, at most `limit` of each; those that nobody carries are left out.
pub async fn carriers_of(
    rx: &Rx,
    identifiers: impl Iterator<Item = &Identifier>,
    limit: usize,
) -> Result<BTreeMap<Identifier, Vec<Carried>>, Fault> {
    let asked: BTreeSet<&Identifier> = identifiers.collect();
    let asked: Vec<[&str; 2]> = asked.iter().map(|it| [it.namespace.as_str(), it.value.expose().as_str()]).collect();
    const ONE: &str = "SELECT subject_id, first_seen FROM identifier WHERE tenant = $1";
    let text = match rx.engine() {
        Engine::Sqlite => format!(
            "SELECT i.namespace, i.value, i.subject_id, i.first_seen FROM json_each($2) AS asked JOIN identifier i ON \
             i.tenant = $1 AND i.namespace = asked.value ->> 0 AND i.value = asked.value ->> 1 AND i.subject_id IN \
             (SELECT one.subject_id FROM ({ONE} AND namespace = asked.value ->> 0 AND value = asked.value ->> 1 \
             ORDER BY subject_id LIMIT {limit}) AS one)"
        ),
        Engine::Postgres => format!(
            "SELECT asked.value ->> 0, asked.value ->> 1, one.subject_id, one.first_seen \
             FROM jsonb_array_elements($2::jsonb) AS asked (value) CROSS JOIN LATERAL ({ONE} AND namespace = \
             (asked.value ->> 0) COLLATE \"C\" AND value = (asked.value ->> 1) COLLATE \"C\" ORDER BY subject_id \
             LIMIT {limit}) AS one"
        ),
    };
    let mut found = BTreeMap::<Identifier, Vec<Carried>>::new();
    for some in asked.chunks(CHUNK) {
        let list = serde_json::to_string(some).map_err(Fault::internal)?;
        for row in rows(rx, &text, [rx.tenant().uuid().into(), list.into()]).await? {
            let value = Private::new(row.try_get_by_index::<String>(1).stored()?);
            let identifier = Identifier { namespace: row.try_get_by_index(0).stored()?, value };
            let subject = SubjectId::from_uuid(row.try_get_by_index(2).stored()?);
            let first_seen = Timestamp::from_column(row.try_get_by_index(3).stored()?);
            let carried = Carried { subject, identifier: identifier.clone(), first_seen };
            found.entry(identifier).or_default().push(carried);
        }
    }
    for carriers in found.values_mut() {
        carriers.sort_by_key(|carrier| carrier.subject);
    }
    Ok(found)
}

/// For each identifier of one namespace that anybody carries, the subject that first did.
pub async fn first_carriers(rx: &Rx, namespace: &str, values: &[String]) -> Result<BTreeMap<String, SubjectId>, Fault> {
    let mut found = BTreeMap::new();
    for some in values.chunks(CHUNK) {
        let list = serde_json::to_string(some).map_err(Fault::internal)?;
        // One search for each value, however many carry it: those who first did, and of them the first by name.
        let text = match rx.engine() {
            Engine::Sqlite => {
                format!("SELECT asked.value, ({FIRST} = asked.value {ORDER}) FROM json_each($3) AS asked")
            }
            Engine::Postgres => format!(
                "SELECT asked.value, first.subject_id FROM jsonb_array_elements_text($3::jsonb) AS asked (value) \
                 CROSS JOIN LATERAL ({FIRST} = asked.value COLLATE \"C\" {ORDER}) AS first"
            ),
        };
        let values = [rx.tenant().uuid().into(), namespace.to_owned().into(), list.into()];
        for row in rows(rx, &text, values).await? {
            let value = row.try_get_by_index::<String>(0).stored()?;
            if let Some(subject) = row.try_get_by_index::<Option<Uuid>>(1).stored()? {
                found.insert(value, SubjectId::from_uuid(subject));
            }
        }
    }
    Ok(found)
}

/// All that subjects carry.
pub async fn of_subjects(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<Carried>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(Column::SubjectId.is_in(uuids(some)));
        found.extend(query.all(rx.conn()).await.stored()?.into_iter().map(Carried::from));
    }
    Ok(found)
}

const PUT: Bulk = Bulk {
    table: "identifier",
    columns: &["tenant", "namespace", "value", "subject_id", "first_seen"],
    suffix: "ON CONFLICT (tenant, namespace, value, subject_id) DO UPDATE SET first_seen = excluded.first_seen \
             WHERE excluded.first_seen < identifier.first_seen",
};

/// Notes what subjects carry; of two first instants the earlier one stays.
pub async fn put(tx: &Tx, carried: &[Carried]) -> Result<(), Fault> {
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), carried.len()),
        Values::Texts(carried.iter().map(|it| it.identifier.namespace.clone()).collect()),
        Values::Texts(carried.iter().map(|it| it.identifier.value.expose().clone()).collect()),
        Values::Ids(carried.iter().map(|it| it.subject.uuid()).collect()),
        Values::Numbers(carried.iter().map(|it| it.first_seen.micros()).collect()),
    ];
    PUT.insert(tx.conn(), columns).await
}

/// Lets a value link again, or forgets it where nobody else carries it any more.
pub async fn release(tx: &Tx, identifier: &Identifier) -> Result<(), Fault> {
    let query = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
    let query = query.filter(Column::Namespace.eq(&identifier.namespace));
    let query = query.filter(Column::Value.eq(identifier.value.expose())).filter(Column::SubjectId.eq(NOBODY.uuid()));
    query.exec(tx.conn()).await.stored().map(drop)
}

/// Deletes what subjects carry; answers how many rows there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "identifier", subjects).await
}

/// Takes from subjects what they carry.
pub async fn remove(tx: &Tx, carried: &[Carried]) -> Result<(), Fault> {
    for held in carried {
        let query = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
        let query = query.filter(Column::Namespace.eq(&held.identifier.namespace));
        let query = query.filter(Column::Value.eq(held.identifier.value.expose()));
        query.filter(Column::SubjectId.eq(held.subject.uuid())).exec(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// The values of a namespace that more than so many records carry, and how many do.
pub async fn carried_by_more(rx: &Rx, namespace: &str, limit: usize) -> Result<Vec<(Identifier, usize)>, Fault> {
    let text = format!(
        "SELECT value, COUNT(*) FROM identifier WHERE tenant = $1 AND namespace = $2 GROUP BY value \
         HAVING COUNT(*) > {limit}"
    );
    let mut found = Vec::new();
    for row in rows(rx, &text, [rx.tenant().uuid().into(), namespace.to_owned().into()]).await? {
        let value = Private::new(row.try_get_by_index::<String>(0).stored()?);
        let carriers = usize::try_from(row.try_get_by_index::<i64>(1).stored()?).unwrap_or(usize::MAX);
        found.push((Identifier { namespace: namespace.to_owned(), value }, carriers));
    }
    Ok(found)
}
