//! WatchResponses: this service's own events of responses, with the response as it is when it is told.

use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::Responses;
use crate::domain::SurveyId;
use crate::domain::response::Change;
use crate::events;

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a watcher is told.
pub struct Told {
    /// Where to go on after it.
    pub places: Places,
    /// The change; none: only the place is newer.
    pub change: Option<Change>,
}

/// A watch under way.
pub struct Watch {
    responses: Responses,
    call: Call,
    survey: Option<SurveyId>,
    tests: bool,
    tail: Tail,
    began: bool,
}

impl Responses {
    /// Watches the responses to a survey (none: to all), after a place or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch(
        &self,
        call: Call,
        survey: Option<SurveyId>,
        tests: bool,
        from: Option<Places>,
    ) -> Result<Watch, Fault> {
        let tail = self.db.until(call.deadline).tail(call.tenant(), &[], from).await?;
        // A watch goes on for longer than any one read of it may take.
        let call = Call { deadline: None, ..call };
        Ok(Watch { responses: self.clone(), call, survey, tests, tail, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`Responses::watch`]; where the database fails. The watcher goes on with the last place it was told.
    pub async fn next(&mut self) -> Result<Told, Fault> {
        if !std::mem::replace(&mut self.began, true) {
            return Ok(Told { places: self.tail.places().clone(), change: None });
        }
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let Some(tailed) = self.tail.next(left).await? else {
                return Ok(Told { places: self.tail.places().clone(), change: None });
            };
            if let Some(change) = self.change(events::told(&tailed.event)).await? {
                return Ok(Told { places: tailed.places, change: Some(change) });
            }
            if left.is_zero() {
                return Ok(Told { places: tailed.places, change: None });
            }
        }
    }

    async fn change(&self, told: Option<events::Told>) -> Result<Option<Change>, Fault> {
        let Some(told) = told else { return Ok(None) };
        let (id, revision, deleted, at) = (told.id, told.revision, told.deleted, told.at);
        let mut change = Change { id, revision, deleted, at, response: None };
        if deleted {
            return Ok(Some(change));
        }
        if self.survey.is_some_and(|survey| Some(survey) != told.survey) || (told.is_test && !self.tests) {
            return Ok(None);
        }
        change.response = match self.responses.get(&self.call, id).await {
            Ok(response) => Some(response),
            Err(fault) if fault.reason == Reason::ResourceNotFound => None,
            Err(fault) => return Err(fault),
        };
        Ok(Some(change))
    }
}
