//! What a filter over tickets reads: what an SLA policy's condition reads ([`crate::domain::sla::policy`]), and
//!
//! | variable | type | what it is |
//! | --- | --- | --- |
//! | `status` | string | where it stands, as `"on_hold"` |
//! | `breached` | bool | whether it missed a target |
//! | `reopens`, `transfers`, `contacts` | int | how often |
//! | `create_time` | timestamp | when it was opened |
//! | `now` | timestamp | the instant of the call |

use std::sync::LazyLock;

use rapport_conditions::{Activation, CompileErrors, Environment, Program, Type, Value};
use rapport_kernel::Timestamp;

use super::held::Ticket;
use crate::domain::sla::policy::{self, Subject};

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    policy::variables()
        .variable("status", Type::String)
        .variable("breached", Type::Bool)
        .variable("reopens", Type::Int)
        .variable("transfers", Type::Int)
        .variable("contacts", Type::Int)
        .variable("create_time", Type::Timestamp)
        .build()
});

/// A compiled filter over tickets.
#[derive(Clone, Debug)]
pub struct Filter(Program);

impl Filter {
    /// Checks a filter and compiles it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(source: &str) -> Result<Self, CompileErrors> {
        ENVIRONMENT.compile(source, Type::Bool).map(Self)
    }

    /// Whether it holds for a ticket.
    #[must_use]
    pub fn admits(&self, ticket: &Ticket, now: Timestamp) -> bool {
        self.0.matches(&Reading { ticket, subject: ticket.subject() }, now).value
    }
}

struct Reading<'a> {
    ticket: &'a Ticket,
    subject: Subject<'a>,
}

impl Activation for Reading<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        let story = &self.ticket.derived.story;
        let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        Some(match index.checked_sub(policy::VARIABLES) {
            None => return self.subject.variable(index),
            Some(0) => Value::String(self.ticket.status().name()),
            Some(1) => Value::Bool(self.ticket.derived.standing.is_breached()),
            Some(2) => count(story.reopen_times.len()),
            Some(3) => Value::Int(story.transfers.into()),
            Some(4) => count(story.contact_times.len()),
            Some(5) => Value::Timestamp(story.opened_at),
            Some(_) => return None,
        })
    }
}
