//! WatchInvitations: this service's own events of invitations, with the invitation as it is when it is told.

use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;
use tokio::time::Instant;

use super::Asking;
use crate::domain::SurveyId;
use crate::domain::asking::{Invitation, InvitationId};
use crate::events::invitations as events;

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a watcher is told.
pub struct Told {
    /// Where to go on after it.
    pub places: Places,
    /// The change; none: only the place is newer.
    pub change: Option<Change>,
}

/// A change of an invitation.
pub struct Change {
    /// The invitation.
    pub id: InvitationId,
    /// The revision reached.
    pub revision: u64,
    /// Whether it is gone.
    pub deleted: bool,
    /// As it is now; none where it is gone.
    pub invitation: Option<Invitation>,
}

/// A watch under way.
pub struct Watch {
    asking: Asking,
    call: Call,
    survey: Option<SurveyId>,
    tail: Tail,
    began: bool,
}

impl Asking {
    /// Watches the invitations to a survey (none: to all), after a place or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch(&self, call: Call, survey: Option<SurveyId>, from: Option<Places>) -> Result<Watch, Fault> {
        let tail = self.db.until(call.deadline).tail(call.tenant(), &[], from).await?;
        // A watch goes on for longer than any one read of it may take.
        let call = Call { deadline: None, ..call };
        Ok(Watch { asking: self.clone(), call, survey, tail, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`Asking::watch`]; where the database fails. The watcher goes on with the last place it was told.
    pub async fn next(&mut self) -> Result<Told, Fault> {
        if !std::mem::replace(&mut self.began, true) {
            return Ok(Told { places: self.tail.places().clone(), change: None });
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
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
        let Some(events::Told { id, revision, deleted, survey }) = told else { return Ok(None) };
        if deleted {
            return Ok(Some(Change { id, revision, deleted, invitation: None }));
        }
        if self.survey.is_some_and(|asked| Some(asked) != survey) {
            return Ok(None);
        }
        let invitation = match self.asking.get(&self.call, id).await {
            Ok(invitation) => Some(invitation),
            Err(fault) if fault.reason == Reason::ResourceNotFound => None,
            Err(fault) => return Err(fault),
        };
        Ok(Some(Change { id, revision, deleted, invitation }))
    }
}
