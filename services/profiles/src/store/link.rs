//! Links: which customer a subject belongs to, from when until when, and why. The current one has no end.

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use super::{CHUNK, delete_subjects, uuids};
use crate::domain::linking::Cause;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "link")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub customer_id: Uuid,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub cause: i16,
    pub namespace: String,
    pub profile_revision: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The subject.
    pub subject: SubjectId,
    /// The link's revision: counts the subject's links from 1.
    pub revision: u64,
    /// The customer.
    pub customer: CustomerId,
    /// From when.
    pub started_at: Timestamp,
    /// Until when.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
    /// The customer's revision by which it began.
    pub profile_revision: u64,
}

impl From<Model> for Link {
    fn from(row: Model) -> Self {
        let cause = match row.cause {
            2 => Cause::Identifier(row.namespace),
            3 => Cause::Merge,
            4 => Cause::Split,
            5 => Cause::Match,
            _ => Cause::Origin,
        };
        Self {
            subject: SubjectId::from_uuid(row.subject_id),
            revision: row.revision.cast_unsigned(),
            customer: CustomerId::from_uuid(row.customer_id),
            started_at: Timestamp::from_column(row.started_at),
            ended_at: row.ended_at.map(Timestamp::from_column),
            cause,
            profile_revision: row.profile_revision.cast_unsigned(),
        }
    }
}

fn of_tenant(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()))
}

/// The subject's current link.
pub async fn current(rx: &Rx, subject: SubjectId) -> Result<Option<Link>, Fault> {
    let query = of_tenant(rx).filter(Column::SubjectId.eq(subject.uuid())).filter(Column::EndedAt.is_null());
    Ok(query.one(rx.conn()).await.stored()?.map(Link::from))
}

/// The subjects' current links.
pub async fn current_of(rx: &Rx, subjects: &[SubjectId]) -> Result<BTreeMap<SubjectId, Link>, Fault> {
    let mut found = BTreeMap::new();
    for some in subjects.chunks(CHUNK) {
        let query = of_tenant(rx).filter(Column::SubjectId.is_in(uuids(some))).filter(Column::EndedAt.is_null());
        let links = query.all(rx.conn()).await.stored()?.into_iter().map(Link::from);
        found.extend(links.map(|link| (link.subject, link)));
    }
    Ok(found)
}

/// The current links to customers.
pub async fn members(rx: &Rx, customers: &[CustomerId]) -> Result<Vec<Link>, Fault> {
    let mut found = Vec::new();
    for some in customers.chunks(CHUNK) {
        let query = of_tenant(rx).filter(Column::CustomerId.is_in(uuids(some))).filter(Column::EndedAt.is_null());
        found.extend(query.all(rx.conn()).await.stored()?.into_iter().map(Link::from));
    }
    Ok(found)
}

/// The subject's link as it was at an instant.
pub async fn at(rx: &Rx, subject: SubjectId, at: Timestamp) -> Result<Option<Link>, Fault> {
    let query = of_tenant(rx).filter(Column::SubjectId.eq(subject.uuid())).filter(covers(at));
    Ok(query.order_by_desc(Column::Revision).one(rx.conn()).await.stored()?.map(Link::from))
}

/// The customer's members as they were at an instant, and its links that had ended by then.
pub async fn until(rx: &Rx, customer: CustomerId, at: Timestamp) -> Result<Vec<Link>, Fault> {
    let query = of_tenant(rx).filter(Column::CustomerId.eq(customer.uuid()));
    let query = query.filter(Column::StartedAt.lte(at.micros()));
    Ok(query.all(rx.conn()).await.stored()?.into_iter().map(Link::from).collect())
}

fn covers(at: Timestamp) -> Condition {
    let ended = Condition::any().add(Column::EndedAt.is_null()).add(Column::EndedAt.gt(at.micros()));
    Condition::all().add(Column::StartedAt.lte(at.micros())).add(ended)
}

/// Every link of subjects, and every link to a customer, oldest first.
pub async fn history(rx: &Rx, customer: CustomerId, subjects: &[SubjectId]) -> Result<Vec<Link>, Fault> {
    let of = Condition::any().add(Column::CustomerId.eq(customer.uuid())).add(Column::SubjectId.is_in(uuids(subjects)));
    let query = of_tenant(rx).filter(of).order_by_asc(Column::StartedAt).order_by_asc(Column::SubjectId);
    let query = query.order_by_asc(Column::Revision);
    Ok(query.all(rx.conn()).await.stored()?.into_iter().map(Link::from).collect())
}

/// Current links of subjects after one, in the order of their ids.
pub async fn after(rx: &Rx, subject: Uuid, limit: u64) -> Result<Vec<Link>, Fault> {
    let query = of_tenant(rx).filter(Column::SubjectId.gt(subject)).filter(Column::EndedAt.is_null());
    let rows = query.order_by_asc(Column::SubjectId).limit(limit).all(rx.conn()).await.stored()?;
    Ok(rows.into_iter().map(Link::from).collect())
}

/// Ends current links.
pub async fn end(tx: &Tx, subjects: &[SubjectId], at: Timestamp) -> Result<(), Fault> {
    for some in subjects.chunks(CHUNK) {
        let update = Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(at.micros()))
            .filter(Column::Tenant.eq(tx.tenant().uuid()))
            .filter(Column::SubjectId.is_in(uuids(some)))
            .filter(Column::EndedAt.is_null());
        update.exec(tx.conn()).await.stored()?;
    }
    Ok(())
}

const INSERT: Bulk = Bulk {
    table: "link",
    columns: &[
        "tenant",
        "subject_id",
        "revision",
        "customer_id",
        "started_at",
        "ended_at",
        "cause",
        "namespace",
        "profile_revision",
    ],
    suffix: "",
};

/// Begins links.
pub async fn begin(tx: &Tx, links: &[Link]) -> Result<(), Fault> {
    let cause = |link: &Link| match &link.cause {
        Cause::Origin => (1, String::new()),
        Cause::Identifier(namespace) => (2, namespace.clone()),
        Cause::Merge => (3, String::new()),
        Cause::Split => (4, String::new()),
        Cause::Match => (5, String::new()),
    };
    let (causes, namespaces) = links.iter().map(cause).unzip();
    let number = |of: fn(&Link) -> i64| Values::Numbers(links.iter().map(of).collect());
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), links.len()),
        Values::Ids(links.iter().map(|link| link.subject.uuid()).collect()),
        number(|link| link.revision.cast_signed()),
        Values::Ids(links.iter().map(|link| link.customer.uuid()).collect()),
        number(|link| link.started_at.micros()),
        Values::MaybeNumbers(links.iter().map(|link| link.ended_at.map(Timestamp::micros)).collect()),
        Values::Smalls(causes),
        Values::Texts(namespaces),
        number(|link| link.profile_revision.cast_signed()),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// Deletes all links of subjects; answers how many there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "link", subjects).await
}
