//! The segments that a tenant made.

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, OperationId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::run;
use crate::domain::segment::{Draft, Purpose, Segment, SegmentId};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment_id: Uuid,
    pub name: String,
    pub description: String,
    pub condition: String,
    pub operational: bool,
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub made_by: i64,
    pub changed_by: i64,
    pub named_by: i64,
    pub operation_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A condition may name personal data: the row prints its id only.
        f.debug_struct("Segment").field("segment_id", &self.segment_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Segment")
    }
}

impl From<Model> for Segment {
    fn from(row: Model) -> Self {
        Self {
            id: SegmentId::from_uuid(row.segment_id),
            draft: Draft {
                name: row.name,
                description: row.description,
                condition: row.condition,
                purpose: if row.operational { Purpose::Operational } else { Purpose::Profiling },
            },
            revision: row.revision.cast_unsigned(),
            created_at: Timestamp::from_column(row.created_at),
            updated_at: Timestamp::from_column(row.updated_at),
            made_by: row.made_by.cast_unsigned(),
            changed_by: row.changed_by.cast_unsigned(),
            named_by: row.named_by.cast_unsigned(),
            operation: OperationId::from_uuid(row.operation_id),
        }
    }
}

fn of_tenant(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()))
}

/// All segments, oldest first.
pub async fn all(rx: &Rx) -> Result<Vec<Segment>, Fault> {
    let rows = of_tenant(rx).order_by_asc(Column::SegmentId).all(rx.conn()).await.stored()?;
    Ok(rows.into_iter().map(Segment::from).collect())
}

/// How many there are.
pub async fn count(rx: &Rx) -> Result<u64, Fault> {
    of_tenant(rx).count(rx.conn()).await.stored()
}

/// One segment.
pub async fn find(rx: &Rx, id: SegmentId) -> Result<Option<Segment>, Fault> {
    let found = Entity::find_by_id((rx.tenant().uuid(), id.uuid())).one(rx.conn()).await.stored()?;
    Ok(found.map(Segment::from))
}

/// The segment of a name.
pub async fn by_name(rx: &Rx, name: &str) -> Result<Option<Segment>, Fault> {
    let found = of_tenant(rx).filter(Column::Name.eq(name)).one(rx.conn()).await.stored()?;
    Ok(found.map(Segment::from))
}

/// Segments after one, one more than `size`.
pub async fn page(rx: &Rx, after: Option<Uuid>, size: usize) -> Result<Vec<Segment>, Fault> {
    let mut query = of_tenant(rx);
    if let Some(after) = after {
        query = query.filter(Column::SegmentId.gt(after));
    }
    let rows = query.order_by_asc(Column::SegmentId).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    Ok(rows.into_iter().map(Segment::from).collect())
}

fn row(tx: &Tx, segment: &Segment) -> ActiveModel {
    ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        segment_id: Set(segment.id.uuid()),
        name: Set(segment.draft.name.clone()),
        description: Set(segment.draft.description.clone()),
        condition: Set(segment.draft.condition.clone()),
        operational: Set(segment.draft.purpose == Purpose::Operational),
        revision: Set(segment.revision.cast_signed()),
        created_at: Set(segment.created_at.micros()),
        updated_at: Set(segment.updated_at.micros()),
        made_by: Set(segment.made_by.cast_signed()),
        changed_by: Set(segment.changed_by.cast_signed()),
        named_by: Set(segment.named_by.cast_signed()),
        operation_id: Set(segment.operation.uuid()),
    }
}

/// Adds a segment.
pub async fn add(tx: &Tx, segment: &Segment) -> Result<(), Fault> {
    Entity::insert(row(tx, segment)).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// Replaces a segment by its new state.
pub async fn put(tx: &Tx, segment: &Segment) -> Result<(), Fault> {
    Entity::update(row(tx, segment)).exec(tx.conn()).await.stored().map(drop)
}

/// Deletes a segment.
pub async fn delete(tx: &Tx, id: SegmentId) -> Result<(), Fault> {
    let text = "DELETE FROM segment WHERE tenant = $1 AND segment_id = $2";
    run(tx, text, [tx.tenant().uuid().into(), id.uuid().into()]).await.map(drop)
}
