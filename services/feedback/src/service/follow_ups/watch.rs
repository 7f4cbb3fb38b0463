//! WatchFollowUps: this service's own events of follow-ups, with the follow-up as it is when it is told.

use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{Fault, Private, Reason};
use rapport_platform::Call;
use tokio::time::Instant;

use super::FollowUps;
use crate::domain::follow_up::{FollowUp, FollowUpId};
use crate::events::loops as events;

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a watcher is told.
pub struct Told {
    /// Where to go on after it.
    pub places: Places,
    /// The change; none: only the place is newer.
    pub change: Option<Change>,
}

/// A change of a follow-up.
pub struct Change {
    /// The revision reached.
    pub revision: u64,
    /// As it is now.
    pub follow_up: FollowUp,
}

/// Whose changes are told; empty: all.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// Who has it.
    pub owner: Private<String>,
    /// Which team has it.
    pub team: String,
}

/// A watch under way.
pub struct Watch {
    follow_ups: FollowUps,
    call: Call,
    watching: Watching,
    tail: Tail,
    began: bool,
}

impl FollowUps {
    /// Watches follow-ups, after a place or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch(&self, call: Call, watching: Watching, from: Option<Places>) -> Result<Watch, Fault> {
        let tail = self.db.until(call.deadline).tail(call.tenant(), &[], from).await?;
        // A watch goes on for longer than any one read of it may take.
        let call = Call { deadline: None, ..call };
        Ok(Watch { follow_ups: self.clone(), call, watching, tail, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`FollowUps::watch`]; where the database fails. The watcher goes on with the last place it was told.
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
            if let Some((id, revision)) = events::follow_up_told(&tailed.event)
                && let Some(change) = self.change(id, revision).await?
            {
                return Ok(Told { places: tailed.places, change: Some(change) });
            }
            if left.is_zero() {
                return Ok(Told { places: tailed.places, change: None });
            }
        }
    }

    async fn change(&self, id: FollowUpId, revision: u64) -> Result<Option<Change>, Fault> {
        match self.follow_ups.get(&self.call, id).await {
            Ok(follow_up) => {
                let Watching { owner, team } = &self.watching;
                let owned = owner.expose().is_empty() || *owner == follow_up.owner;
                let told = owned && (team.is_empty() || *team == follow_up.team);
                Ok(told.then_some(Change { revision, follow_up }))
            }
            // Its customer was erased since.
            Err(fault) if fault.reason == Reason::ResourceNotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
