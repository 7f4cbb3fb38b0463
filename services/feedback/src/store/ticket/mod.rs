//! Tickets: written whole and many at once, with what lists are made by in columns of their own.

pub mod due;
pub mod gone;
pub mod list;
pub mod message;

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{column, revision, time};
use crate::domain::ticket::issue::Link;
use crate::domain::ticket::{Field, Ticket, TicketId, TicketKey};

/// How many ids one statement names.
const CHUNK: usize = 500;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ticket_id: Uuid,
    pub key_id: Uuid,
    pub source: String,
    pub external_id: String,
    pub subject_id: Uuid,
    pub customer_id: Option<Uuid>,
    pub customer_revision: i64,
    pub issue_id: Uuid,
    pub opened_at: i64,
    pub until_at: Option<i64>,
    pub created_at: i64,
    pub changed_at: i64,
    pub status: String,
    pub kind: String,
    pub agent: String,
    pub team: String,
    pub topic: String,
    pub product: String,
    pub issue_said: String,
    pub follows: Option<Uuid>,
    pub breached: i16,
    pub due_at: Option<i64>,
    pub merged_into: Option<Uuid>,
    pub revision: i64,
    pub owner: Vec<u8>,
    pub told: Vec<u8>,
    pub derived: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A title is the customer's words: the row prints its id only.
        f.debug_struct("Ticket").field("ticket_id", &self.ticket_id).finish_non_exhaustive()
    }
}

const TICKETS: Bulk = Bulk {
    table: "ticket",
    columns: &[
        "tenant",
        "ticket_id",
        "key_id",
        "source",
        "external_id",
        "subject_id",
        "customer_id",
        "customer_revision",
        "issue_id",
        "opened_at",
        "until_at",
        "created_at",
        "changed_at",
        "status",
        "kind",
        "agent",
        "team",
        "topic",
        "product",
        "issue_said",
        "follows",
        "breached",
        "due_at",
        "merged_into",
        "revision",
        "owner",
        "told",
        "derived",
    ],
    suffix: "ON CONFLICT (tenant, ticket_id) DO UPDATE SET subject_id = excluded.subject_id, \
             customer_id = excluded.customer_id, customer_revision = excluded.customer_revision, \
             issue_id = excluded.issue_id, opened_at = excluded.opened_at, until_at = excluded.until_at, changed_at = excluded.changed_at, status = excluded.status, \
             kind = excluded.kind, agent = excluded.agent, team = excluded.team, topic = excluded.topic, \
             product = excluded.product, issue_said = excluded.issue_said, follows = excluded.follows, \
             breached = excluded.breached, due_at = excluded.due_at, merged_into = excluded.merged_into, \
             revision = excluded.revision, owner = excluded.owner, told = excluded.told, derived = excluded.derived",
};

/// Adds tickets, or replaces them by their new states.
pub async fn put(tx: &Tx, tickets: &[&Ticket]) -> Result<(), Fault> {
    let rows = tickets.len();
    let ids = |id: &dyn Fn(&Ticket) -> Uuid| Values::Ids(tickets.iter().map(|ticket| id(ticket)).collect());
    let maybe = |id: &dyn Fn(&Ticket) -> Option<Uuid>| Values::MaybeIds(tickets.iter().map(|one| id(one)).collect());
    let times =
        |at: &dyn Fn(&Ticket) -> Timestamp| Values::Numbers(tickets.iter().map(|ticket| at(ticket).micros()).collect());
    let perhaps = |at: &dyn Fn(&Ticket) -> Option<Timestamp>| {
        Values::MaybeNumbers(tickets.iter().map(|ticket| at(ticket).map(Timestamp::micros)).collect())
    };
    let texts =
        |text: &dyn Fn(&Ticket) -> &str| Values::Texts(tickets.iter().map(|ticket| text(ticket).to_owned()).collect());
    let links: Vec<Link> = tickets.iter().map(|ticket| ticket.link(tx.tenant())).collect();
    let held_as_of = tickets.iter().map(|ticket| column(ticket.owner.customer_revision)).collect::<Result<_, _>>()?;
    let revisions = tickets.iter().map(|ticket| column(ticket.revision)).collect::<Result<_, _>>()?;
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), rows),
        ids(&|ticket| ticket.id.uuid()),
        Values::Ids(links.iter().map(|link| link.key).collect()),
        texts(&|ticket| &ticket.key.source),
        texts(&|ticket| ticket.key.external_id.expose()),
        ids(&|ticket| ticket.owner.subject.uuid()),
        maybe(&|ticket| ticket.owner.customer.map(CustomerId::uuid)),
        Values::Numbers(held_as_of),
        ids(&|ticket| ticket.issue),
        times(&|ticket| ticket.derived.story.opened_at),
        perhaps(&|ticket| ticket.derived.story.until()),
        times(&|ticket| ticket.created_at),
        times(&|ticket| ticket.changed_at),
        texts(&|ticket| ticket.status().name()),
        texts(&|ticket| ticket.told.text(Field::Kind)),
        texts(&|ticket| ticket.derived.story.agent.expose()),
        texts(&|ticket| ticket.derived.story.team.expose()),
        texts(&|ticket| ticket.told.text(Field::Topic)),
        texts(&|ticket| ticket.told.text(Field::Product)),
        texts(&|ticket| ticket.told.text(Field::Issue)),
        Values::MaybeIds(links.iter().map(|link| link.follows).collect()),
        Values::Smalls(tickets.iter().map(|ticket| i16::from(ticket.derived.standing.is_breached())).collect()),
        perhaps(&|ticket| ticket.wakes()),
        maybe(&|ticket| ticket.merged_into.map(TicketId::uuid)),
        Values::Numbers(revisions),
        bytes(tickets, |ticket| &ticket.owner)?,
        bytes(tickets, |ticket| &ticket.told)?,
        bytes(tickets, |ticket| &ticket.derived)?,
    ];
    TICKETS.insert(tx.conn(), columns).await
}

fn bytes<T: Serialize>(tickets: &[&Ticket], part: impl Fn(&Ticket) -> &T) -> Result<Values, Fault> {
    let encoded = tickets.iter().map(|ticket| serde_json::to_vec(part(ticket)));
    let encoded = encoded.collect::<Result<_, _>>();
    encoded.map(Values::Bytes).map_err(|_| Fault::internal("a ticket could not be encoded"))
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    // What serde says of it may hold what was written.
    serde_json::from_slice(bytes).map_err(|_| Fault::internal("a ticket's row is not readable"))
}

fn ticket(row: Model) -> Result<Ticket, Fault> {
    let mut owner: crate::domain::ticket::Owner = decoded(&row.owner)?;
    owner.customer = row.customer_id.map(CustomerId::from_uuid);
    owner.customer_revision = revision(row.customer_revision)?;
    Ok(Ticket {
        id: TicketId::from_uuid(row.ticket_id),
        key: TicketKey { source: row.source, external_id: Private::new(row.external_id) },
        owner,
        told: decoded(&row.told)?,
        merged_into: row.merged_into.map(TicketId::from_uuid),
        issue: row.issue_id,
        revision: revision(row.revision)?,
        created_at: Timestamp::from_column(row.created_at),
        changed_at: Timestamp::from_column(row.changed_at),
        derived: decoded(&row.derived)?,
    })
}

fn of_tenant(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()))
}

async fn among(rx: &Rx, of: Column, ids: &[Uuid]) -> Result<Vec<Ticket>, Fault> {
    let mut found = Vec::new();
    for some in ids.chunks(CHUNK) {
        let rows = of_tenant(rx).filter(of.is_in(some.iter().copied())).all(rx.conn()).await.stored()?;
        found.extend(rows.into_iter().map(ticket).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// The tickets of hashes of their sources' names.
pub async fn of_keys(rx: &Rx, keys: &[Uuid]) -> Result<Vec<Ticket>, Fault> {
    among(rx, Column::KeyId, keys).await
}

/// Tickets by their ids.
pub async fn of_ids(rx: &Rx, ids: &[TicketId]) -> Result<Vec<Ticket>, Fault> {
    among(rx, Column::TicketId, &uuids(ids)).await
}

/// Whether a complaint or claim of subjects is open.
pub async fn has_open_complaint(rx: &Rx, subjects: &[SubjectId]) -> Result<bool, Fault> {
    for some in subjects.chunks(CHUNK) {
        let query = Entity::find()
            .select_only()
            .column(Column::TicketId)
            .filter(Column::Tenant.eq(rx.tenant().uuid()))
            .filter(Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid())))
            .filter(Column::Kind.is_in(["complaint", "claim"]))
            .filter(Column::Status.is_not_in(["solved", "closed"]))
            .filter(Column::MergedInto.is_null());
        if query.limit(1).into_tuple::<Uuid>().one(rx.conn()).await.stored()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tickets merged into some.
pub async fn merged_into(rx: &Rx, ids: &[TicketId]) -> Result<Vec<Ticket>, Fault> {
    among(rx, Column::MergedInto, &uuids(ids)).await
}

/// The tickets of subjects.
pub async fn of_subjects(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<Ticket>, Fault> {
    among(rx, Column::SubjectId, &subjects.iter().map(|subject| subject.uuid()).collect::<Vec<_>>()).await
}

/// What a unit must know to lock what it writes: the hash of each ticket's name, its customer, and the ticket that it
/// was merged into.
pub struct Handle {
    /// The ticket.
    pub id: TicketId,
    /// The hash of its source's name.
    pub key: Uuid,
    /// Its customer.
    pub customer: Option<CustomerId>,
    /// Where it went.
    pub merged_into: Option<TicketId>,
}

/// The handles of tickets by hashes and by ids.
pub async fn handles(rx: &Rx, keys: &[Uuid], ids: &[TicketId]) -> Result<Vec<Handle>, Fault> {
    let mut found = Vec::new();
    for (of, ids) in [(Column::KeyId, keys.to_vec()), (Column::TicketId, uuids(ids))] {
        for some in ids.chunks(CHUNK) {
            let columns = [Column::TicketId, Column::KeyId, Column::CustomerId, Column::MergedInto];
            let query = of_tenant(rx).select_only().columns(columns).filter(of.is_in(some.iter().copied()));
            let rows = query.into_tuple::<(Uuid, Uuid, Option<Uuid>, Option<Uuid>)>().all(rx.conn()).await.stored()?;
            found.extend(rows.into_iter().map(|(id, key, customer, merged_into)| Handle {
                id: TicketId::from_uuid(id),
                key,
                customer: customer.map(CustomerId::from_uuid),
                merged_into: merged_into.map(TicketId::from_uuid),
            }));
        }
    }
    Ok(found)
}

/// What links the tickets of customers, and the issue that each is held to be about.
pub async fn links(rx: &Rx, customers: &[CustomerId]) -> Result<BTreeMap<CustomerId, Vec<(Link, Uuid)>>, Fault> {
    type Columns = (Uuid, Uuid, Uuid, String, String, Option<Uuid>, String, String, i64, Option<i64>, Uuid);
    let mut found: BTreeMap<CustomerId, Vec<(Link, Uuid)>> = BTreeMap::new();
    for some in customers.chunks(CHUNK) {
        let columns = [
            Column::CustomerId,
            Column::TicketId,
            Column::KeyId,
            Column::Source,
            Column::IssueSaid,
            Column::Follows,
            Column::Topic,
            Column::Product,
            Column::OpenedAt,
            Column::UntilAt,
            Column::IssueId,
        ];
        let those = Column::CustomerId.is_in(some.iter().map(|customer| customer.uuid()));
        let query = of_tenant(rx).select_only().columns(columns).filter(those).filter(Column::MergedInto.is_null());
        for row in query.into_tuple::<Columns>().all(rx.conn()).await.stored()? {
            let (customer, id, key, source, issue, follows, topic, product, opened_at, until, held) = row;
            let (id, about, opened_at) = (TicketId::from_uuid(id), (topic, product), Timestamp::from_column(opened_at));
            let link = Link { id, key, source, issue, follows, about, opened_at, until: time(until) };
            found.entry(CustomerId::from_uuid(customer)).or_default().push((link, held));
        }
    }
    Ok(found)
}

/// Notes which customer holds subjects, as of a revision of it; what is known as of a later one stays.
pub async fn gather(tx: &Tx, subjects: &[SubjectId], customer: CustomerId, revision: u64) -> Result<(), Fault> {
    let (those, revision) = (Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())), column(revision)?);
    let update = Entity::update_many().col_expr(Column::CustomerId, Expr::value(customer.uuid()));
    let update = update.col_expr(Column::CustomerRevision, Expr::value(revision));
    let update = update.filter(Column::Tenant.eq(tx.tenant().uuid())).filter(those);
    let update = update.filter(Column::CustomerId.ne(customer.uuid())).filter(Column::CustomerRevision.lte(revision));
    update.exec(tx.conn()).await.stored().map(drop)
}

/// A ticket of a subject, and the customer that it is held to be of.
pub struct Stray {
    /// The ticket.
    pub id: TicketId,
    /// The subject.
    pub subject: SubjectId,
    /// The customer.
    pub customer: CustomerId,
    /// As of which revision of it.
    pub revision: u64,
}

/// The tickets of subjects that some customer is known to hold.
pub async fn held_of(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<Stray>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let columns = [Column::TicketId, Column::SubjectId, Column::CustomerId, Column::CustomerRevision];
        let those = Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid()));
        let query = of_tenant(rx).select_only().columns(columns).filter(those).filter(Column::CustomerId.is_not_null());
        for (id, subject, customer, as_of) in
            query.into_tuple::<(Uuid, Uuid, Uuid, i64)>().all(rx.conn()).await.stored()?
        {
            found.push(Stray {
                id: TicketId::from_uuid(id),
                subject: SubjectId::from_uuid(subject),
                customer: CustomerId::from_uuid(customer),
                revision: revision(as_of)?,
            });
        }
    }
    Ok(found)
}

/// Deletes tickets with their messages and what is due of them; answers how many rows that were.
pub async fn delete(tx: &Tx, ids: &[TicketId]) -> Result<u64, Fault> {
    let mut rows = 0;
    for some in ids.chunks(CHUNK) {
        for table in ["ticket_message", "ticket_due", "ticket"] {
            let marks: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 2)).collect();
            let text = format!("DELETE FROM {table} WHERE tenant = $1 AND ticket_id IN ({})", marks.join(", "));
            let values = some.iter().map(|id| id.uuid().into());
            let values = std::iter::once(tx.tenant().uuid().into()).chain(values);
            let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
            rows += tx.conn().execute_raw(statement).await.stored()?.rows_affected();
        }
    }
    Ok(rows)
}

/// Tickets after one, in the order of their ids.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Ticket>, Fault> {
    let query = of_tenant(rx).filter(Column::TicketId.gt(after)).order_by_asc(Column::TicketId).limit(limit);
    query.all(rx.conn()).await.stored()?.into_iter().map(ticket).collect()
}

fn uuids(ids: &[TicketId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
