//! Who was in which segment from when until when, on this service's clock. The current interval has no end.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _, Value};

use super::{CHUNK, delete_customers, number, rows, run, uuids};
use crate::domain::derived::Flip;
use crate::domain::segment::SegmentId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_interval")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub entered_at: i64,
    pub left_at: Option<i64>,
    pub founding: bool,
    pub since: i64,
    pub undone: bool,
}

impl ActiveModelBehavior for ActiveModel {}

/// A member of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The customer.
    pub customer: CustomerId,
    /// Since when: what a merge and its split took and gave back counts on.
    pub entered_at: Timestamp,
    /// Whether it was there when the segment was made.
    pub founding: bool,
}

fn of_tenant(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()))
}

/// Writes what customers entered and left, each one's in order.
pub async fn write(tx: &Tx, flips: &[(CustomerId, Flip)]) -> Result<(), Fault> {
    // What was entered and left again within one derivation is one row, begun and ended.
    let mut begun: Vec<Model> = Vec::new();
    for (customer, flip) in flips {
        let (segment_id, customer_id) = (flip.segment.uuid(), customer.uuid());
        if flip.entered {
            let (tenant, entered_at, founding) = (tx.tenant().uuid(), flip.at.micros(), flip.founding);
            let since = flip.since.micros();
            begun.push(Model {
                tenant,
                segment_id,
                customer_id,
                entered_at,
                left_at: None,
                founding,
                since,
                undone: false,
            });
            continue;
        }
        let is_it =
            |row: &&mut Model| row.segment_id == segment_id && row.customer_id == customer_id && row.left_at.is_none();
        match begun.iter_mut().find(is_it) {
            Some(row) => (row.left_at, row.undone) = (Some(flip.at.micros()), flip.undone),
            None => {
                let text = "UPDATE segment_interval SET left_at = $4, undone = $5 WHERE tenant = $1 AND segment_id = $2 AND \
                            customer_id = $3 AND left_at IS NULL";
                let key = [tx.tenant().uuid().into(), segment_id.into(), customer_id.into()];
                run(tx, text, key.into_iter().chain([flip.at.micros().into(), flip.undone.into()])).await?;
            }
        }
    }
    for some in begun.chunks(CHUNK) {
        let row = |row: &Model| ActiveModel {
            tenant: Set(row.tenant),
            segment_id: Set(row.segment_id),
            customer_id: Set(row.customer_id),
            entered_at: Set(row.entered_at),
            left_at: Set(row.left_at),
            founding: Set(row.founding),
            since: Set(row.since),
            undone: Set(row.undone),
        };
        let key = [Column::Tenant, Column::SegmentId, Column::CustomerId, Column::EnteredAt];
        let again = OnConflict::columns(key).update_column(Column::LeftAt).to_owned();
        let insert = Entity::insert_many(some.iter().map(row)).on_conflict(again);
        insert.exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// The segments that customers are in.
pub async fn of_customers(rx: &Rx, customers: &[CustomerId]) -> Result<BTreeMap<CustomerId, Vec<SegmentId>>, Fault> {
    let mut found = BTreeMap::<CustomerId, Vec<SegmentId>>::new();
    for some in customers.chunks(CHUNK) {
        let query = of_tenant(rx).filter(Column::CustomerId.is_in(uuids(some))).filter(Column::LeftAt.is_null());
        for row in query.all(rx.conn()).await.stored()? {
            let of = found.entry(CustomerId::from_uuid(row.customer_id)).or_default();
            of.push(SegmentId::from_uuid(row.segment_id));
        }
    }
    Ok(found)
}

/// Ends all intervals of customers that are no more.
pub async fn end(tx: &Tx, customers: &[CustomerId], at: Timestamp) -> Result<(), Fault> {
    for some in customers.chunks(CHUNK) {
        let update = Entity::update_many()
            .col_expr(Column::LeftAt, Expr::value(at.micros()))
            .filter(Column::Tenant.eq(tx.tenant().uuid()))
            .filter(Column::CustomerId.is_in(uuids(some)))
            .filter(Column::LeftAt.is_null());
        update.exec(tx.conn()).await.stored()?;
    }
    Ok(())
}

fn covers(at: Option<Timestamp>) -> Condition {
    let Some(at) = at else { return Condition::all().add(Column::LeftAt.is_null()) };
    let ended = Condition::any().add(Column::LeftAt.is_null()).add(Column::LeftAt.gt(at.micros()));
    Condition::all().add(Column::EnteredAt.lte(at.micros())).add(ended)
}

/// Members of a segment now, or at an instant, after one, one more than `size`.
pub async fn members(
    rx: &Rx,
    segment: SegmentId,
    at: Option<Timestamp>,
    after: Option<Uuid>,
    size: usize,
) -> Result<Vec<Member>, Fault> {
    let mut query = of_tenant(rx).filter(Column::SegmentId.eq(segment.uuid())).filter(covers(at));
    if let Some(after) = after {
        query = query.filter(Column::CustomerId.gt(after));
    }
    let rows = query.order_by_asc(Column::CustomerId).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    let member = |row: Model| Member {
        customer: CustomerId::from_uuid(row.customer_id),
        entered_at: Timestamp::from_column(row.since),
        founding: row.founding,
    };
    Ok(rows.into_iter().map(member).collect())
}

/// The segments that a customer was in at an instant, since when, and whether it was there when they were made.
pub async fn at(rx: &Rx, customer: CustomerId, at: Timestamp) -> Result<BTreeMap<SegmentId, (Timestamp, bool)>, Fault> {
    let query = of_tenant(rx).filter(Column::CustomerId.eq(customer.uuid())).filter(covers(Some(at)));
    let rows = query.all(rx.conn()).await.stored()?;
    let one = |row: Model| (SegmentId::from_uuid(row.segment_id), (Timestamp::from_column(row.since), row.founding));
    Ok(rows.into_iter().map(one).collect())
}

/// How many members a segment has.
pub async fn count(rx: &Rx, segment: SegmentId) -> Result<u64, Fault> {
    let query = of_tenant(rx).filter(Column::SegmentId.eq(segment.uuid())).filter(Column::LeftAt.is_null());
    query.count(rx.conn()).await.stored()
}

/// What a segment's figures are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Founding members, now or before.
    pub founding: i64,
    /// Of them those who became it at or after the start.
    pub founded: i64,
    /// Members at the start.
    pub at_start: i64,
    /// Entries by day (since 1970) between start and end, but for founding members, and for what a merge took and its split
    /// gave back.
    pub entries: BTreeMap<i64, i64>,
    /// Exits likewise.
    pub exits: BTreeMap<i64, i64>,
}

/// The microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// The figures of all segments of the tenant. What a merge and its split took and gave back, or gave and took back, between
/// start and end is no exit and no entry; where one of the two lies outside, the other is what was known.
pub async fn figures(rx: &Rx, start: Timestamp, end: Timestamp) -> Result<BTreeMap<SegmentId, Figures>, Fault> {
    let mut found = BTreeMap::<SegmentId, Figures>::new();
    let range = [rx.tenant().uuid().into(), start.micros().into(), end.micros().into()];
    // One that resumes an earlier one is no member's founding, but an entry.
    let text = format!(
        "SELECT segment_id, SUM(CASE WHEN {FOUNDED} THEN 1 ELSE 0 END), \
         SUM(CASE WHEN {FOUNDED} AND entered_at >= $2 AND entered_at < $3 THEN 1 ELSE 0 END), \
         SUM(CASE WHEN entered_at < $2 AND (left_at IS NULL OR left_at >= $2) THEN 1 ELSE 0 END) \
         FROM segment_interval WHERE tenant = $1 GROUP BY segment_id"
    );
    for row in rows(rx, &text, range.clone()).await? {
        let of = found.entry(id(&row)?).or_default();
        (of.founding, of.founded, of.at_start) = (number(&row, 1)?, number(&row, 2)?, number(&row, 3)?);
    }
    let given = "undone AND NOT founding AND entered_at >= $2 AND left_at < $3";
    for (column, only) in [("entered_at", format!("AND NOT ({FOUNDED})")), ("left_at", String::new())] {
        let text = format!(
            "SELECT segment_id, {column} / {DAY}, COUNT(*) FROM segment_interval WHERE tenant = $1 AND {column} >= $2 \
             AND {column} < $3 {only} AND NOT ({given}) GROUP BY segment_id, {column} / {DAY}"
        );
        for row in rows(rx, &text, range.clone()).await? {
            let of = found.entry(id(&row)?).or_default();
            let days = if column == "left_at" { &mut of.exits } else { &mut of.entries };
            days.insert(number(&row, 1)?, number(&row, 2)?);
        }
    }
    taken(rx, range, &mut found).await?;
    Ok(found)
}

/// An interval that makes a founding member.
const FOUNDED: &str = "founding AND since = entered_at";

fn id(row: &sea_orm::QueryResult) -> Result<SegmentId, Fault> {
    row.try_get_by_index::<Uuid>(0).map(SegmentId::from_uuid).stored()
}

/// Takes back the exits and entries of intervals that were resumed: of each the one before, since the same instant, ended
/// with a merge and it began with the split.
async fn taken(rx: &Rx, range: [Value; 3], found: &mut BTreeMap<SegmentId, Figures>) -> Result<(), Fault> {
    let same = |other: &str| {
        format!(
            "{other}.tenant = r.tenant AND {other}.segment_id = r.segment_id AND {other}.customer_id = r.customer_id AND \
             {other}.since = r.since AND {other}.entered_at < r.entered_at"
        )
    };
    let text = format!(
        "SELECT r.segment_id, b.left_at / {DAY}, r.entered_at / {DAY}, COUNT(*) FROM segment_interval r \
         JOIN segment_interval b ON {} WHERE r.tenant = $1 AND r.since <> r.entered_at AND r.entered_at >= $2 AND \
         r.entered_at < $3 AND b.left_at >= $2 AND NOT b.undone AND NOT r.undone AND b.entered_at = \
         (SELECT MAX(e.entered_at) FROM segment_interval e WHERE {}) \
         GROUP BY r.segment_id, b.left_at / {DAY}, r.entered_at / {DAY}",
        same("b"),
        same("e")
    );
    for row in rows(rx, &text, range).await? {
        let (of, count) = (found.entry(id(&row)?).or_default(), number(&row, 3)?);
        *of.exits.entry(number(&row, 1)?).or_default() -= count;
        *of.entries.entry(number(&row, 2)?).or_default() -= count;
    }
    Ok(())
}

/// Deletes up to so many intervals of segments that are no more; answers how many there were.
pub async fn sweep(tx: &Tx, limit: u32) -> Result<u64, Fault> {
    let text = format!(
        "DELETE FROM segment_interval WHERE tenant = $1 AND (segment_id, customer_id, entered_at) IN \
         (SELECT i.segment_id, i.customer_id, i.entered_at FROM segment_interval i WHERE i.tenant = $1 AND NOT EXISTS \
         (SELECT 1 FROM segment s WHERE s.tenant = i.tenant AND s.segment_id = i.segment_id) LIMIT {limit})"
    );
    run(tx, &text, [tx.tenant().uuid().into()]).await
}

/// Deletes all intervals of customers; answers how many there were.
pub async fn delete(tx: &Tx, customers: &[CustomerId]) -> Result<u64, Fault> {
    delete_customers(tx, "segment_interval", customers).await
}
