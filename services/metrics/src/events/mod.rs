//! What metrics consumes: state events of interactions and of feedback, links, declarations and erasures. It publishes
//! nothing.
//!
//! A record is a pure function of its event: dimensions are those that the producer stamped, nobody is asked.

mod follow_up;
mod interaction;
mod invitation;
mod mention;
mod promise;
mod response;
mod ticket;
mod voice;

use rapport_api::common::v1::Party;
use rapport_api::convert::instant;
use rapport_api::events::v1::Event;
use rapport_api::events::v1::event::Payload;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use uuid::Uuid;

use crate::domain::dimensions::Dimensions;
use crate::domain::facts::Fact;
use crate::domain::records::{Arriving, Kind, Record, RecordKey};

/// The consumer group.
pub const GROUP: &str = "metrics";
/// The topics it reads.
pub const TOPICS: [&str; 2] = ["profiles", "feedback"];

/// What an event changes here.
pub enum Change {
    /// A record has a new state.
    Record(RecordKey, Box<Arriving>),
    /// A subject belongs to a customer as of a revision of its link.
    Link(SubjectId, CustomerId, i64),
    /// A subject was erased.
    Erasure(SubjectId),
    /// As of a revision of its declaration, figures can be grouped by a trait or not.
    Trait(String, i64, bool),
    /// As of a revision of the tenant's settings, figures that rest on fewer customers are withheld; 0: as configured.
    Threshold(i64, i64),
}

/// What a record has.
type Facts = Vec<Fact<Dimensions>>;

/// What an event changes; `None` where it is none of metrics' business.
///
/// # Errors
/// INVALID_ARGUMENT where the event breaks its contract: no retry will help.
pub fn read(event: Event) -> Result<Option<Change>, Fault> {
    let subject: SubjectId = event.subject_id.parse().map_err(|_| broken("subject_id"))?;
    let revision = i64::try_from(event.revision).map_err(|_| broken("revision"))?;
    let at = time(event.occurred_at.as_ref(), "occurred_at")?;
    let recorded_at = time(event.recorded_at.as_ref(), "recorded_at")?;
    // Of what is no record it may be a name.
    let id = event.aggregate_id.parse::<Uuid>();
    let id = || id.clone().map_err(|_| broken("aggregate_id"));
    let (kind, facts) = match event.payload {
        Some(Payload::InteractionChanged(changed)) => (Kind::Interaction, interaction::facts(at, changed)?),
        Some(Payload::ResponseChanged(changed)) => (Kind::Response, response::facts(at, changed)?),
        Some(Payload::TicketChanged(changed)) => (Kind::Ticket, ticket::facts(at, id()?, *changed)?),
        Some(Payload::MentionChanged(changed)) => (Kind::Mention, mention::facts(at, changed)?),
        Some(Payload::FollowUpChanged(changed)) => (Kind::FollowUp, follow_up::facts(changed)?),
        Some(Payload::InvitationChanged(changed)) => (Kind::Invitation, invitation::facts(at, changed)?),
        Some(Payload::PromiseChanged(changed)) => (Kind::Promise, promise::facts(at, changed)),
        Some(Payload::SubjectLinked(linked)) => {
            let customer = linked.to_customer_id.parse().map_err(|_| broken("to_customer_id"))?;
            return Ok(Some(Change::Link(subject, customer, revision)));
        }
        Some(Payload::SubjectErased(_)) => return Ok(Some(Change::Erasure(subject))),
        Some(Payload::TraitDefinitionChanged(changed)) => {
            return Ok(Some(Change::Trait(event.aggregate_id, revision, changed.metric_dimension)));
        }
        Some(Payload::TenantSettingsChanged(changed)) => {
            return Ok(Some(Change::Threshold(revision, changed.suppression_threshold.into())));
        }
        Some(
            Payload::ProfileChanged(_)
            | Payload::PersonaChanged(_)
            | Payload::DecisionMade(_)
            | Payload::AccountChanged(_)
            | Payload::CatalogueEntryChanged(_)
            | Payload::SegmentChanged(_)
            | Payload::ImprovementChanged(_)
            | Payload::Watermark(_),
        )
        | None => return Ok(None),
    };
    let record = Box::new(Record { revision, recorded_at, subject, facts });
    Ok(Some(Change::Record(RecordKey { kind, id: id()? }, record)))
}

/// The contract: a party that is not said is a customer.
const fn party(party: Party) -> &'static str {
    match party {
        Party::Unspecified | Party::Customer => "customer",
        Party::Lead => "lead",
        Party::Partner => "partner",
        Party::Employee => "employee",
    }
}

fn time(at: Option<&prost_types::Timestamp>, field: &'static str) -> Result<Timestamp, Fault> {
    at.and_then(|at| instant(at).ok()).ok_or_else(|| broken(field))
}

/// An instant that may be absent.
fn perhaps(at: Option<&prost_types::Timestamp>, field: &'static str) -> Result<Option<Timestamp>, Fault> {
    at.map(|at| time(Some(at), field)).transpose()
}

/// Instants, in order.
fn times(all: &[prost_types::Timestamp], field: &'static str) -> Result<Vec<Timestamp>, Fault> {
    let mut times = all.iter().map(|at| time(Some(at), field)).collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    Ok(times)
}

/// Whole seconds from one instant to another, never fewer than none.
fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.micros() - from.micros()).max(0) / 1_000_000
}

/// An event that breaks its contract. The value is not told: it may be personal.
fn broken(field: &'static str) -> Fault {
    Fault::invalid_field(field, "event", "an event must keep to its contract")
}
