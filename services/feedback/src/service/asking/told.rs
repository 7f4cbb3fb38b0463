//! What asks customers: tickets that are solved, interactions that are recorded. Each that a survey asks after becomes a task, once for
//! each occasion, however often it is told.

use std::time::Duration;

use futures::future::BoxFuture;
use rapport_api::convert::instant;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, InteractionChanged, TicketChanged};
use rapport_data::{Consumer, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};

use super::Asking;
use crate::domain::asking::{AskEvent, Happened, Spot};
use crate::domain::survey::Which;
use crate::domain::{Survey, SurveyState};
use crate::store;
use crate::store::asking::task::{About, Task};

/// The consumer group.
pub const GROUP: &str = "asking";
/// What it reads.
pub const TOPICS: [&str; 2] = ["feedback", "profiles"];

/// How late it may be told of what happened: nobody is asked about what is long past, as when history is imported.
const LATE: Duration = Duration::from_secs(86_400);
/// How many surveys are looked at.
const MOST: u64 = 1_000;

/// Something that happened.
struct Occasion {
    event: AskEvent,
    subject: SubjectId,
    cause: String,
    at: Timestamp,
    happened: Happened,
    about: About,
}

impl Consumer for Asking {
    fn apply(&self, tx: Tx, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let occasions: Vec<Occasion> = events.into_iter().filter_map(occasion).collect();
            let recent = |one: &&Occasion| one.at > tx.now().minus(LATE);
            if !occasions.iter().any(|one| recent(&one)) {
                return Ok(());
            }
            let open = Which { state: Some(SurveyState::Open), ..Which::default() };
            let mut surveys = store::survey::list(tx.conn(), tx.tenant(), &open, None, MOST).await?;
            surveys.retain(|survey| !survey.asking.ask_after.is_empty());
            for occasion in occasions.iter().filter(recent) {
                for survey in &surveys {
                    self.task(&tx, survey, occasion).await?;
                }
            }
            self.wake.notify_one();
            Ok(())
        })
    }
}

impl Asking {
    async fn task(&self, tx: &Tx, survey: &Survey, occasion: &Occasion) -> Result<(), Fault> {
        // What happened before the survey was there asks nobody.
        if survey.published_at.is_none_or(|published| occasion.at < published) {
            return Ok(());
        }
        let form = self.forms.of(tx.tenant(), survey)?;
        let Some(delay) = form.asks(&survey.asking, occasion.event, &occasion.happened) else { return Ok(()) };
        let task = Task {
            survey: survey.id,
            subject: occasion.subject,
            cause: occasion.cause.clone(),
            due_at: occasion.at.plus(delay),
            about: occasion.about.clone(),
        };
        store::asking::task::add(tx, &task).await
    }
}

fn occasion(event: Event) -> Option<Occasion> {
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
        touchpoint: interaction.touchpoint.clone(),
        stage: interaction.stage.clone(),
        product: interaction.product.clone(),
        campaign: interaction.campaign.clone(),
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
