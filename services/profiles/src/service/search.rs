//! SearchProfiles: the database narrows, the profile decides. Candidates are read some at a time, in the order of the
//! search, until the page is full, there are no more, or the call has looked for long enough.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_conditions::Sieve;
use rapport_data::{Rx, keyset};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::bounds;
use crate::domain::profile::{Profile, fold};
use crate::domain::relink::Held;
use crate::domain::search::{Order, Query, Search};
use crate::store::profile::{Candidates, Word};
use crate::store::{identifier, link, profile, trait_value};

/// How long one call looks.
const BUDGET: Duration = Duration::from_millis(250);
/// Candidates that are read at once: first few, for most pages are found at once, then more.
const FIRST: u64 = 64;
const MOST: u64 = 512;
/// Carriers of an identifier that a text may be.
const CARRIERS: usize = 100;

/// Where a search goes on: after this place in its order.
pub type Cursor = (Timestamp, CustomerId);

/// What is sought, and how much of it.
pub struct Searching {
    /// What.
    pub search: Search,
    /// In which order.
    pub order: Order,
    /// How many at most.
    pub size: usize,
}

/// A page of what was found.
pub struct Found {
    /// The profiles, in order.
    pub profiles: Vec<Arc<Profile>>,
    /// Where the next page starts.
    pub next: Option<Cursor>,
}

impl Profiles {
    /// A page of the profiles that a search finds.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn search(&self, call: &Call, asked: &Searching, mut after: Option<Cursor>) -> Result<Found, Fault> {
        let (rules, began) = (self.rules(call).await?, Instant::now());
        let named = match &asked.search.query {
            Some(query) => self.read(call, |rx| async move { named(&rx, query).await }).await?,
            None => Vec::new(),
        };
        let filter = asked.search.filter.as_ref();
        let sieve = filter.map_or(Sieve::True, |filter| filter.sieve(&trait_value::schema(), Some(call.now)));
        let (mut profiles, mut bytes, mut limit) = (Vec::new(), 0, FIRST);
        loop {
            let word = asked.search.query.as_ref().map(|query| Word {
                prefix: query.word(),
                named: &named,
                unchanged_since: rules.declared.last_searchable(),
            });
            let candidates = Candidates { order: asked.order, after, sieve: &sieve, word, limit };
            let rows = self.read(call, |rx| async move { profile::candidates(&rx, &candidates).await }).await?;
            let is_last = (rows.len() as u64) < limit;
            for (id, row) in rows {
                if profiles.len() == asked.size || bytes >= keyset::MOST_BYTES {
                    return Ok(Found { profiles, next: after });
                }
                let Held::Live { revision, records } = row.held else { continue };
                let profile = fold(id, revision, row.updated_at, &records, &rules);
                after = Some(asked.order.place(&profile));
                if asked.search.finds(&profile, &rules, call.now) {
                    bytes += records.iter().map(|record| bounds::weight(&record.claims) + 256).sum::<usize>();
                    profiles.push(Arc::new(profile));
                }
            }
            if is_last {
                return Ok(Found { profiles, next: None });
            }
            if began.elapsed() >= BUDGET {
                return Ok(Found { profiles, next: after });
            }
            limit = (limit * 2).min(MOST);
        }
    }
}

/// The customers that carry an identifier which the whole text may be.
async fn named(rx: &Rx, query: &Query) -> Result<Vec<CustomerId>, Fault> {
    let carriers = identifier::carriers_of(rx, query.identifiers().iter(), CARRIERS).await?;
    let subjects: BTreeSet<SubjectId> = carriers.values().flatten().map(|carrier| carrier.subject).collect();
    let links = link::current_of(rx, &subjects.into_iter().collect::<Vec<_>>()).await?;
    let customers: BTreeSet<CustomerId> = links.values().map(|link| link.customer).collect();
    Ok(customers.into_iter().collect())
}
