//! What asks customers, as others tell it: a ticket that is solved, an interaction that is recorded.

use rapport_api::convert::instant;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, InteractionChanged, TicketChanged};
use rapport_kernel::{SubjectId, Timestamp};

use crate::convert::mask;
use crate::domain::asking::{AskEvent, Happened, Spot};
use crate::service::asking::Occasion;
use crate::store::asking::task::About;

pub(super) fn occasion(event: Event) -> Option<Occasion> {
    let (subject, id) = (event.subject_id.parse().ok()?, event.aggregate_id);
    match event.payload? {
        Payload::TicketChanged(ticket) if !ticket.deleted => solved(subject, &id, *ticket),
        // A correction of what was recorded is no new occasion.
        Payload::InteractionChanged(interaction) if !interaction.deleted && event.revision == 1 => {
            let at = event.occurred_at.as_ref().and_then(|at| instant(at).ok())?;
            Some(recorded(subject, &id, at, interaction))
        }
        _ => None,
    }
}

fn solved(subject: SubjectId, id: &str, ticket: TicketChanged) -> Option<Occasion> {
    let at = instant(ticket.solve_times.last()?).ok()?;
    if !matches!(ticket.status.as_str(), "solved" | "closed") {
        return None;
    }
    let spot = Spot {
        touchpoint: ticket.touchpoint.clone(),
        stage: ticket.stage.clone(),
        product: ticket.product.clone(),
        agent: ticket.agent,
        team: ticket.team,
        ticket: Some(id.parse().ok()?),
        ..Spot::default()
    };
    let happened = Happened {
        kind: ticket.kind,
        topic: ticket.topic,
        priority: ticket.priority,
        reopens: i64::try_from(ticket.reopen_times.len()).unwrap_or(i64::MAX),
        channel: ticket.channel.clone(),
        touchpoint: ticket.touchpoint,
        stage: ticket.stage,
        product: ticket.product,
        language: ticket.language.clone(),
        ..Happened::default()
    };
    let about = About { channel: ticket.channel, spot, language: ticket.language, solved_at: Some(at) };
    let cause = format!("ticket/{id}/{}", at.micros());
    Some(Occasion { event: AskEvent::TicketSolved, subject, cause, at, happened, about })
}

fn recorded(subject: SubjectId, id: &str, at: Timestamp, interaction: InteractionChanged) -> Occasion {
    let spot = Spot {
        touchpoint: mask::name(interaction.touchpoint.clone()),
        stage: mask::name(interaction.stage.clone()),
        product: mask::name(interaction.product.clone()),
        campaign: mask::name(interaction.campaign.clone()),
        interaction: id.parse().ok(),
        ..Spot::default()
    };
    let happened = Happened {
        kind_of_interaction: interaction.r#type,
        channel: interaction.channel.clone(),
        touchpoint: interaction.touchpoint,
        stage: interaction.stage,
        product: interaction.product,
        campaign: interaction.campaign,
        ..Happened::default()
    };
    let about = About { channel: interaction.channel, spot, ..About::default() };
    let cause = format!("interaction/{id}");
    Occasion { event: AskEvent::Interaction, subject, cause, at, happened, about }
}
