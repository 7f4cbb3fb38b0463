//! WatchSegment: who enters and leaves a segment, as the profiles' own events tell of it.

use std::collections::VecDeque;
use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{CustomerId, EventId, Fault};
use rapport_platform::Call;
use serde::{Deserialize, Serialize};

use super::Profiles;
use super::segments::missing;
use crate::domain::derived::Flip;
use crate::domain::segment::SegmentId;
use crate::events;
use crate::store::segment;

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far a watcher was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Far {
    /// Up to here everything.
    places: Places,
    /// Of one event after it, so many changes: it told of several.
    part: Option<(EventId, usize)>,
}

/// What a watcher is told.
pub struct Told {
    /// How far that is.
    pub far: Far,
    /// Who entered or left; none: only how far it was looked.
    pub change: Option<(CustomerId, Flip)>,
}

/// A watch under way.
pub struct Watch {
    segment: SegmentId,
    tail: Tail,
    waiting: VecDeque<Told>,
    part: Option<(EventId, usize)>,
    began: bool,
}

impl Profiles {
    /// Watches a segment, after a place or from now on.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch_segment(&self, call: &Call, id: SegmentId, from: Option<Far>) -> Result<Watch, Fault> {
        self.read(call, |rx| async move { segment::find(&rx, id).await?.ok_or_else(|| missing(id)) }).await?;
        let (places, part) = from.map_or((None, None), |far| (Some(far.places), far.part));
        let tail = self.database(call).tail(call.tenant(), &[], places).await?;
        Ok(Watch { segment: id, tail, waiting: VecDeque::new(), part, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`Profiles::watch_segment`].
    pub async fn next(&mut self) -> Result<Told, Fault> {
        if !std::mem::replace(&mut self.began, true) {
            return Ok(self.nothing());
        }
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(told) = self.waiting.pop_front() {
                return Ok(told);
            }
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let before = self.tail.places().clone();
            let Some(tailed) = self.tail.next(left).await? else { return Ok(self.nothing()) };
            let Some((event, customer, flips)) = events::flips(&tailed.event) else { continue };
            let mine: Vec<Flip> = flips.into_iter().filter(|flip| flip.segment == self.segment).collect();
            // Of an event that was told in part, the rest: whatever else was told meanwhile.
            let told = self.part.filter(|(of, _)| *of == event).map_or(0, |(_, told)| told);
            if told > 0 {
                self.part = None;
            }
            let count = mine.len();
            for (at, flip) in mine.into_iter().enumerate().skip(told) {
                let last = at + 1 == count;
                let far = if last {
                    Far { places: tailed.places.clone(), part: self.part }
                } else {
                    Far { places: before.clone(), part: Some((event, at + 1)) }
                };
                self.waiting.push_back(Told { far, change: Some((customer, flip)) });
            }
            if left.is_zero() && self.waiting.is_empty() {
                return Ok(self.nothing());
            }
        }
    }

    fn nothing(&self) -> Told {
        Told { far: Far { places: self.tail.places().clone(), part: self.part }, change: None }
    }
}
