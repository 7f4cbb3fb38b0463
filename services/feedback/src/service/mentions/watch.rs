//! WatchMentions: this service's own events of mentions, with the mention as it is when it is told.

use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;
use tokio::time::Instant;

use super::{Mentions, events};
use crate::domain::mention::{Kind, Mention, MentionId};
use crate::domain::reading::Polarity;

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is watched.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Only these kinds; empty: all.
    pub kinds: Vec<Kind>,
    /// Only those that lean so.
    pub polarity: Option<Polarity>,
}

impl Watched {
    fn admits(&self, mention: &Mention) -> bool {
        let leans = |polarity| mention.reading.as_ref().is_some_and(|reading| reading.polarity == polarity);
        (self.kinds.is_empty() || self.kinds.contains(&mention.told.kind)) && self.polarity.is_none_or(leans)
    }
}

/// What a watcher is told.
pub struct Told {
    /// Where to go on after it.
    pub places: Places,
    /// The change; none: only the place is newer.
    pub change: Option<Change>,
}

/// A change of a mention.
pub struct Change {
    /// The mention.
    pub id: MentionId,
    /// The revision reached.
    pub revision: u64,
    /// Whether it is gone.
    pub deleted: bool,
    /// As it is now.
    pub mention: Option<Mention>,
}

/// A watch under way.
pub struct Watch {
    mentions: Mentions,
    call: Call,
    watched: Watched,
    tail: Tail,
    began: bool,
}

impl Mentions {
    /// Watches mentions, after a place or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch(&self, call: Call, watched: Watched, from: Option<Places>) -> Result<Watch, Fault> {
        let tail = self.db.until(call.deadline).tail(call.tenant(), &[], from).await?;
        // A watch goes on for longer than any one read of it may take.
        let call = Call { deadline: None, ..call };
        Ok(Watch { mentions: self.clone(), call, watched, tail, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`Mentions::watch`]; where the database fails. The watcher goes on with the last place it was told.
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
            if let Some((id, revision, deleted)) = events::told(&tailed.event)
                && let Some(change) = self.change(id, revision, deleted).await?
            {
                return Ok(Told { places: tailed.places, change: Some(change) });
            }
            if left.is_zero() {
                return Ok(Told { places: tailed.places, change: None });
            }
        }
    }

    async fn change(&self, id: MentionId, revision: u64, deleted: bool) -> Result<Option<Change>, Fault> {
        if deleted {
            return Ok(Some(Change { id, revision, deleted, mention: None }));
        }
        match self.mentions.get(&self.call, id).await {
            Ok(mention) => {
                let told = self.watched.admits(&mention);
                Ok(told.then_some(Change { id, revision, deleted, mention: Some(mention) }))
            }
            // It is told of next that it is gone.
            Err(fault) if fault.reason == Reason::ResourceNotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
