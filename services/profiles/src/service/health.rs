//! How well a tenant's identity resolution does: what links records, what came apart, what waits for somebody.

use std::time::Duration;

use rapport_kernel::{CustomerId, Fault, Timestamp};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::candidate::CandidateReason;
use crate::domain::identity::IdentitySettings;
use crate::store::health::{self, Made};
use crate::store::quarantine::{self, Quarantined};
use crate::store::{candidate, identity_settings};

/// How many customers and values are named.
const NAMED: u64 = 20;

/// A tenant's identity resolution over some days until now.
pub struct Health {
    /// From when on is counted.
    pub since: Timestamp,
    /// Links by day and cause.
    pub made: Vec<Made>,
    /// Records that were first linked, and how many of them belong now to a customer that another began.
    pub records: (u64, u64),
    /// Customer ids that lead elsewhere since then.
    pub merged_away: u64,
    /// Values that link nobody now, by namespace.
    pub quarantined: Vec<(String, u64)>,
    /// The newest of them.
    pub newest: Vec<Quarantined>,
    /// The customers with the most records.
    pub largest: Vec<(CustomerId, u64)>,
    /// Open candidates by reason.
    pub candidates: Vec<(CandidateReason, u64)>,
    /// The settings.
    pub settings: IdentitySettings,
}

impl Profiles {
    /// The health of the tenant's identity resolution over the last days, today's among them.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn health(&self, call: &Call, days: u32) -> Result<Health, Fault> {
        const DAY: i64 = 86_400_000_000;
        let today = call.now.micros().div_euclid(DAY) * DAY;
        let before = Duration::from_secs(86_400) * days.saturating_sub(1);
        let since = Timestamp::from_column(today - i64::try_from(before.as_micros()).unwrap_or(0));
        let read = self.read(call, |rx| async move {
            Ok(Health {
                since,
                made: health::made(&rx, since).await?,
                records: health::joined(&rx, since).await?,
                merged_away: health::merged_away(&rx, since).await?,
                quarantined: quarantine::counts(&rx).await?,
                newest: quarantine::newest(&rx, NAMED).await?,
                largest: health::largest(&rx, NAMED).await?,
                candidates: candidate::open_counts(&rx).await?,
                settings: identity_settings::get(&rx).await?,
            })
        });
        read.await
    }
}
