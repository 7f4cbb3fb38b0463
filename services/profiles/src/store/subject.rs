//! Subjects: the source records, each for ever itself.

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;

use super::{CHUNK, delete_subjects, uuids};
use crate::domain::value::SourceRecord;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subject")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    pub source: String,
    pub external_id: String,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("Subject").field("subject_id", &self.subject_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subject")
    }
}

/// A subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub id: SubjectId,
    /// The source record it is.
    pub name: SourceRecord,
    /// When it was first recorded.
    pub created_at: Timestamp,
}

impl From<Model> for Subject {
    fn from(row: Model) -> Self {
        Self {
            id: SubjectId::from_uuid(row.subject_id),
            name: SourceRecord { source: row.source, external_id: Private::new(row.external_id) },
            created_at: Timestamp::from_column(row.created_at),
        }
    }
}

/// The subject of a source record.
pub async fn find(rx: &Rx, name: &SourceRecord) -> Result<Option<Subject>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Source.eq(&name.source));
    let query = query.filter(Column::ExternalId.eq(name.external_id.expose()));
    Ok(query.one(rx.conn()).await.stored()?.map(Subject::from))
}

/// The subjects of those source records that are known.
pub async fn by_names(rx: &Rx, names: &[SourceRecord]) -> Result<BTreeMap<SourceRecord, SubjectId>, Fault> {
    let mut ids = BTreeMap::<&str, Vec<&String>>::new();
    for name in names {
        ids.entry(&name.source).or_default().push(name.external_id.expose());
    }
    let mut found = BTreeMap::new();
    for (source, ids) in ids {
        for some in ids.chunks(CHUNK) {
            let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Source.eq(source));
            let query = query.filter(Column::ExternalId.is_in(some.iter().copied()));
            let subjects = query.all(rx.conn()).await.stored()?.into_iter().map(Subject::from);
            found.extend(subjects.map(|subject| (subject.name, subject.id)));
        }
    }
    Ok(found)
}

/// Those of the subjects that exist.
pub async fn by_ids(rx: &Rx, ids: &[SubjectId]) -> Result<BTreeMap<SubjectId, Subject>, Fault> {
    let mut found = BTreeMap::new();
    for some in ids.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let rows = query.filter(Column::SubjectId.is_in(uuids(some))).all(rx.conn()).await.stored()?;
        found.extend(rows.into_iter().map(Subject::from).map(|subject| (subject.id, subject)));
    }
    Ok(found)
}

/// How many subjects there are.
pub async fn count(rx: &Rx) -> Result<u64, Fault> {
    use sea_orm::PaginatorTrait as _;

    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).count(rx.conn()).await.stored()
}

const INSERT: Bulk =
    Bulk { table: "subject", columns: &["tenant", "subject_id", "source", "external_id", "created_at"], suffix: "" };

/// Adds subjects.
pub async fn add(tx: &Tx, subjects: &[Subject]) -> Result<(), Fault> {
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), subjects.len()),
        Values::Ids(subjects.iter().map(|subject| subject.id.uuid()).collect()),
        Values::Texts(subjects.iter().map(|subject| subject.name.source.clone()).collect()),
        Values::Texts(subjects.iter().map(|subject| subject.name.external_id.expose().clone()).collect()),
        Values::Numbers(subjects.iter().map(|subject| subject.created_at.micros()).collect()),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// Deletes subjects; answers how many there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "subject", subjects).await
}
