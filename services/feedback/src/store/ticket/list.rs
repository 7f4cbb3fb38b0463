//! Lists of tickets: a sieve in columns; what it lets through is judged again by whoever asked.

use rapport_data::{Rx, Stored as _};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::{Column, of_tenant, ticket};
use crate::domain::reading::Tone;
use crate::domain::ticket::{Kind, Order, Status, Ticket};
use crate::store::text_reading::{self, Source};

/// Which tickets.
#[derive(Clone)]
pub struct Sieve {
    /// Only those of these subjects.
    pub subjects: Option<Vec<SubjectId>>,
    /// Only those that stand so; empty: all.
    pub statuses: Vec<Status>,
    /// Only those that are so; empty: all.
    pub kinds: Vec<Kind>,
    /// Only this agent's; empty: all.
    pub agent: String,
    /// Only this team's; empty: all.
    pub team: String,
    /// Only those that missed a target, or none.
    pub breached: Option<bool>,
    /// Only those about this issue.
    pub issue: Option<Uuid>,
    /// Only those opened from then on.
    pub start: Option<Timestamp>,
    /// Only those opened before then.
    pub end: Option<Timestamp>,
    /// Only those whose words were read so.
    pub tone: Tone,
    /// Whether those merged into others are among them.
    pub show_merged: bool,
    /// In which order.
    pub order: Order,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// By what it is ordered.
    pub at: i64,
    /// Which of those alike in that.
    pub id: Uuid,
}

/// The place of a ticket.
#[must_use]
pub fn place(ticket: &Ticket, order: Order) -> Place {
    let at = match order {
        Order::NewestFirst | Order::OldestFirst => ticket.derived.story.opened_at,
        Order::LastChangedFirst | Order::FirstChangedFirst => ticket.changed_at,
        Order::DueFirst => ticket.wakes().unwrap_or(Timestamp::MAX),
    };
    Place { at: at.micros(), id: ticket.id.uuid() }
}

/// The next tickets after a place.
pub async fn page(rx: &Rx, sieve: &Sieve, after: Option<Place>, limit: u64) -> Result<Vec<Ticket>, Fault> {
    let read_so = text_reading::read_so(rx.tenant(), Source::Ticket, ("ticket", "ticket_id"), &sieve.tone);
    let mut query = of_tenant(rx).filter(read_so);
    if let Some(subjects) = &sieve.subjects {
        query = query.filter(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    }
    if !sieve.statuses.is_empty() {
        query = query.filter(Column::Status.is_in(sieve.statuses.iter().map(|status| status.name())));
    }
    if !sieve.kinds.is_empty() {
        query = query.filter(Column::Kind.is_in(sieve.kinds.iter().map(|kind| kind.name())));
    }
    for (column, value) in [(Column::Agent, &sieve.agent), (Column::Team, &sieve.team)] {
        if !value.is_empty() {
            query = query.filter(column.eq(value.as_str()));
        }
    }
    if let Some(breached) = sieve.breached {
        query = query.filter(Column::Breached.eq(i16::from(breached)));
    }
    if let Some(issue) = sieve.issue {
        query = query.filter(Column::IssueId.eq(issue));
    }
    if let Some(start) = sieve.start {
        query = query.filter(Column::OpenedAt.gte(start.micros()));
    }
    if let Some(end) = sieve.end {
        query = query.filter(Column::OpenedAt.lt(end.micros()));
    }
    if !sieve.show_merged {
        query = query.filter(Column::MergedInto.is_null());
    }
    let (by, falling) = match sieve.order {
        Order::NewestFirst => (Column::OpenedAt, true),
        Order::OldestFirst => (Column::OpenedAt, false),
        Order::LastChangedFirst => (Column::ChangedAt, true),
        Order::FirstChangedFirst => (Column::ChangedAt, false),
        Order::DueFirst => (Column::DueAt, false),
    };
    if sieve.order == Order::DueFirst {
        query = query.filter(Column::DueAt.is_not_null());
    }
    if let Some(Place { at, id }) = after {
        let (beyond, further) = if falling {
            (by.lte(at), Condition::any().add(by.lt(at)).add(Column::TicketId.lt(id)))
        } else {
            (by.gte(at), Condition::any().add(by.gt(at)).add(Column::TicketId.gt(id)))
        };
        query = query.filter(beyond).filter(further);
    }
    let query = match falling {
        true => query.order_by_desc(by).order_by_desc(Column::TicketId),
        false => query.order_by_asc(by).order_by_asc(Column::TicketId),
    };
    query.limit(limit).all(rx.conn()).await.stored()?.into_iter().map(ticket).collect()
}
