//! WatchProfiles: this service's own events of profiles, with the profile as it is when it is told.

use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{Clock, CustomerId, Fault, Reason, Timestamp};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::profile::Profile;
use crate::domain::search::Search;
use crate::domain::value::Named;
use crate::events::{self, Happened};

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a watcher is told.
pub struct Told {
    /// Where to go on after it.
    pub places: Places,
    /// The change; none: only the place is newer.
    pub change: Option<Change>,
}

/// A change of a profile.
pub struct Change {
    /// The customer.
    pub customer: CustomerId,
    /// The revision reached.
    pub revision: u64,
    /// What happened.
    pub happened: Happened,
    /// When.
    pub at: Timestamp,
    /// The profile as it is now.
    pub profile: Option<Arc<Profile>>,
}

/// A watch under way.
pub struct Watch {
    profiles: Profiles,
    call: Call,
    search: Search,
    clock: Arc<dyn Clock>,
    tail: Tail,
    began: bool,
}

impl Profiles {
    /// Watches the profiles that a search finds, after a place or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch(
        &self,
        call: Call,
        clock: Arc<dyn Clock>,
        search: Search,
        from: Option<Places>,
    ) -> Result<Watch, Fault> {
        let tail = self.database(&call).tail(call.tenant(), &[], from).await?;
        // A watch goes on for longer than any one read of it may take.
        let call = Call { deadline: None, ..call };
        Ok(Watch { profiles: self.clone(), call, search, clock, tail, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`Profiles::watch`]; where the database fails. The watcher goes on with the last place it was told.
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
            if let Some(change) = self.change(events::of_profile_change(&tailed.event)).await? {
                return Ok(Told { places: tailed.places, change: Some(change) });
            }
            if left.is_zero() {
                return Ok(Told { places: tailed.places, change: None });
            }
        }
    }

    async fn change(&self, told: Option<events::ProfileChange>) -> Result<Option<Change>, Fault> {
        let Some((customer, revision, happened, at)) = told else { return Ok(None) };
        let mut change = Change { customer, revision, happened, at, profile: None };
        if change.happened != Happened::Changed {
            return Ok(Some(change));
        }
        // Another instance may have written it: what this one keeps is asked for the revision that was told.
        let found = self.profiles.get(&self.call, &Named::Id(customer), revision).await;
        change.profile = match found {
            Ok(profile) => Some(profile).filter(|profile| profile.customer == customer),
            Err(fault) if matches!(fault.reason, Reason::ResourceNotFound | Reason::RevisionNotReached) => None,
            Err(fault) => return Err(fault),
        };
        let rules = self.profiles.rules(&self.call).await?;
        let now = self.clock.now();
        let told = change.profile.as_ref().is_none_or(|profile| self.search.finds(profile, &rules, now));
        Ok(told.then_some(change))
    }
}
