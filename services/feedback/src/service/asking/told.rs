//! What asks customers: tickets that are solved, interactions that are recorded. Each that a survey asks after becomes a task, once for
//! each occasion, however often it is told.

use std::time::Duration;

use rapport_data::Tx;
use rapport_kernel::{Fault, SubjectId, Timestamp};

use super::Asking;
use crate::domain::asking::{AskEvent, Happened};
use crate::domain::survey::Which;
use crate::domain::{Survey, SurveyState};
use crate::store;
use crate::store::asking::task::{About, Task};

/// How late it may be told of what happened: nobody is asked about what is long past, as when history is imported.
const LATE: Duration = Duration::from_secs(86_400);
/// How many surveys are looked at.
const MOST: u64 = 1_000;

/// Something that happened.
pub struct Occasion {
    /// What.
    pub event: AskEvent,
    /// To whom.
    pub subject: SubjectId,
    /// What tells it from others.
    pub cause: String,
    /// When.
    pub at: Timestamp,
    /// What conditions read of it.
    pub happened: Happened,
    /// What the invitation is about.
    pub about: About,
}

impl Asking {
    /// Notes whom surveys ask after what happened.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn heed(&self, tx: Tx, occasions: Vec<Occasion>) -> Result<(), Fault> {
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
    }

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
