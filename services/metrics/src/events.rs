//! What metrics consumes: state events of interactions, responses and links, and erasures. It publishes nothing.
//!
//! A fact is a pure function of its event: dimensions are those that the producer stamped, nobody is asked.

use rapport_api::common::v1::Party;
use rapport_api::convert::{amount, instant};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, InteractionChanged, ResponseChanged};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Arriving, Content, Fact, FactKey, Family, Slot, State};

/// The consumer group.
pub const GROUP: &str = "metrics";
/// The topics it reads.
pub const TOPICS: [&str; 2] = ["profiles", "feedback"];

/// The type of interaction that is a purchase.
const PURCHASE: &str = "purchase";
/// The kind of survey whose answers are relational Net Promoter Scores.
const NPS: &str = "nps";

/// What an event changes here.
pub enum Change {
    /// A fact has a new state.
    Fact(FactKey, Box<Arriving>),
    /// A subject belongs to a customer as of a revision of its link.
    Link(SubjectId, CustomerId, i64),
    /// A subject was erased.
    Erasure(SubjectId),
    /// As of a revision of its declaration, figures can be grouped by a trait or not.
    Trait(String, i64, bool),
    /// As of a revision of the tenant's settings, figures that rest on fewer customers are withheld; 0: as configured.
    Threshold(i64, i64),
}

/// What an event changes; `None` where it is none of metrics' business.
///
/// # Errors
/// INVALID_ARGUMENT where the event breaks its contract: no retry will help.
pub fn read(event: Event) -> Result<Option<Change>, Fault> {
    let subject: SubjectId = event.subject_id.parse().map_err(|_| broken("subject_id"))?;
    let revision = i64::try_from(event.revision).map_err(|_| broken("revision"))?;
    let occurred_at = time(event.occurred_at.as_ref(), "occurred_at")?;
    let recorded_at = time(event.recorded_at.as_ref(), "recorded_at")?;
    let (family, content) = match event.payload {
        Some(Payload::InteractionChanged(changed)) => {
            (Family::Interactions, (!changed.deleted).then(|| interaction(subject, occurred_at, changed)).transpose()?)
        }
        Some(Payload::ResponseChanged(changed)) if changed.deleted => (Family::Nps, None),
        Some(Payload::ResponseChanged(changed)) if changed.kind == NPS => {
            let content = counts(&changed).then(|| response(subject, occurred_at, changed)).transpose()?;
            (Family::Nps, content)
        }
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
            Payload::ResponseChanged(_)
            | Payload::ProfileChanged(_)
            | Payload::PersonaChanged(_)
            | Payload::DecisionMade(_)
            | Payload::AccountChanged(_)
            | Payload::CatalogueEntryChanged(_)
            | Payload::SegmentChanged(_)
            | Payload::TicketChanged(_)
            | Payload::MentionChanged(_)
            | Payload::FollowUpChanged(_)
            | Payload::InvitationChanged(_)
            | Payload::PromiseChanged(_)
            | Payload::ImprovementChanged(_)
            | Payload::Watermark(_),
        )
        | None => return Ok(None),
    };
    let id = event.aggregate_id.parse().map_err(|_| broken("aggregate_id"))?;
    let state = content.map_or(State::Deleted(subject), State::Live);
    let fact = Box::new(Fact { revision, recorded_at, state });
    Ok(Some(Change::Fact(FactKey { family, id }, fact)))
}

/// Whether a response counts: it is complete, no test, and has a score on the scale of its kind. One that does not, or no
/// longer, is as good as deleted.
const fn counts(changed: &ResponseChanged) -> bool {
    changed.complete && !changed.is_test && changed.score.is_some()
}

fn interaction(
    subject: SubjectId,
    occurred_at: Timestamp,
    changed: InteractionChanged,
) -> Result<Content<Dimensions>, Fault> {
    let value = changed.value.as_ref().map(amount).transpose().map_err(|_| broken("value"))?;
    let purchase = changed.r#type == PURCHASE;
    let party = party(changed.party());
    let dimensions = Dimensions::default()
        .with(Dimension::Type, changed.r#type)
        .with(Dimension::Channel, changed.channel)
        .with(Dimension::Touchpoint, changed.touchpoint)
        .with(Dimension::Stage, changed.stage)
        .with(Dimension::Product, changed.product)
        .with(Dimension::Party, party)
        .with_traits(changed.dimensions);
    let slot = value.map_or(Slot::Plain, |value| Slot::Money(value.currency));
    Ok(Content { subject, occurred_at, dimensions, slot, micros: value.map_or(0, |value| value.micros), purchase })
}

fn response(
    subject: SubjectId,
    occurred_at: Timestamp,
    changed: ResponseChanged,
) -> Result<Content<Dimensions>, Fault> {
    let score = changed
        .score
        .and_then(|score| u8::try_from(score).ok())
        .filter(|score| *score <= 10)
        .ok_or_else(|| broken("score"))?;
    let party = party(changed.party());
    let dimensions = Dimensions::default()
        .with(Dimension::Party, party)
        .with(Dimension::Survey, changed.survey_id)
        .with(Dimension::Channel, changed.channel)
        .with(Dimension::Touchpoint, changed.touchpoint)
        .with(Dimension::Stage, changed.stage)
        .with(Dimension::Product, changed.product)
        .with_traits(changed.dimensions);
    Ok(Content { subject, occurred_at, dimensions, slot: Slot::Score(score), micros: 0, purchase: false })
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

/// An event that breaks its contract. The value is not told: it may be personal.
fn broken(field: &'static str) -> Fault {
    Fault::invalid_field(field, "event", "an event must keep to its contract")
}
