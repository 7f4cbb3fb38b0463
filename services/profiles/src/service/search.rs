//! SearchProfiles: the database narrows, the profile decides. Candidates are read some at a time, in the order of the
//! search, until the page is full, there are no more, or the call has looked for long enough.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_conditions::Sieve;
use rapport_data::{OperationFilter, Rx, keyset};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::{Profiles, renormalise};
use crate::domain::bounds;
use crate::domain::profile::{Profile, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::search::{Order, Query, Search};
use crate::domain::value::Named;
use crate::store::candidates::{self, Candidates, Word};
use crate::store::{identifier, link, profile, trait_value};

/// How long one call looks.
const BUDGET: Duration = Duration::from_millis(250);
/// Candidates that are read at once: first what fills a page and one more, and a few at least, for most pages are found at
/// once; then more.
const FIRST: u64 = 16;
const MOST: u64 = 512;
/// How many rows of a value are gone through for them: first so many a candidate, and while that does not fill the page, so
/// many times as many, up to some thousand. So a frequent pair of values costs little, and a rare one few statements.
const ROWS: u64 = 8;
const FURTHER: u64 = 4;
const FURTHEST: u64 = 4_096;
/// Customers whose time has come that are looked at by themselves.
const DUE: u64 = 200;
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
        let query = asked.search.query.as_ref();
        let by = &*rules;
        let (named, behind) = self.read(call, |rx| async move { prepare(&rx, query, by).await }).await?;
        let filter = asked.search.filter.as_ref().filter(|_| !behind.values);
        let sieve = filter.map_or(Sieve::True, |filter| filter.sieve(&trait_value::schema(), Some(call.now)));
        let (mut profiles, mut bytes) = (Vec::new(), 0);
        let mut limit = (asked.size as u64).saturating_add(1).clamp(FIRST, MOST);
        let mut reach = limit * ROWS;
        loop {
            let word = query.filter(|_| !behind.words).map(|query| Word { prefix: query.word(), named: &named });
            let (behind, due) = (behind.version, &*behind.due);
            let candidates = Candidates { order: asked.order, after, sieve: &sieve, word, behind, due, limit, reach };
            let read = self.read(call, |rx| async move { candidates::find(&rx, &candidates).await });
            let (rows, until) = read.await?;
            let is_all = (rows.len() as u64) < limit;
            for (id, row) in rows {
                if profiles.len() == asked.size || bytes >= keyset::MOST_BYTES {
                    return Ok(Found { profiles, next: after });
                }
                let Held::Live { revision, records } = row.held else { continue };
                let profile = fold(id, revision, row.updated_at, &records, &rules).at(call.now);
                let mut profile = Arc::new(profile.with(row.derived, &rules));
                let place = asked.order.place(&profile);
                if profile.valid_until().is_some_and(|until| until <= call.now) {
                    // What holds no longer is derived again, as by any read; who is gone by now is not found.
                    match self.get(call, &Named::Id(id), 0).await {
                        Ok(derived) if derived.customer == id => profile = derived,
                        Ok(_) => continue,
                        Err(fault) if fault.reason == Reason::ResourceNotFound => continue,
                        Err(fault) => return Err(fault),
                    }
                }
                after = Some(place);
                if asked.search.finds(&profile, &rules, call.now) {
                    bytes += records.iter().map(|record| bounds::weight(&record.claims) + 256).sum::<usize>();
                    profiles.push(profile);
                }
            }
            if is_all {
                // Of the window in which they were sought, or of all.
                let Some(until) = until else { return Ok(Found { profiles, next: None }) };
                after = Some(until);
            }
            if began.elapsed() >= BUDGET {
                return Ok(Found { profiles, next: after });
            }
            (limit, reach) = ((limit * 2).min(MOST), (reach * FURTHER).min(FURTHEST));
        }
    }
}

/// What the tables that narrow a search do not tell yet, because rules changed or the time came, and customers are still
/// being written anew: by that they narrow nothing.
struct Behind {
    /// The values of traits.
    values: bool,
    /// The words.
    words: bool,
    /// What is derived of customers by a version before this one.
    version: Option<u64>,
    /// What is derived of these.
    due: Vec<CustomerId>,
}

/// The customers that carry an identifier which the text may be, and what is behind.
async fn prepare(rx: &Rx, query: Option<&Query>, rules: &Rules) -> Result<(Vec<CustomerId>, Behind), Fault> {
    let version = rules.definitions.version;
    let is_behind = profile::is_any_behind(rx, version).await?;
    let due = rx.due(DUE + 1).await?;
    let values = due.len() as u64 > DUE;
    let mut behind = Behind { values, words: values, version: is_behind.then_some(version), due };
    let Some(query) = query else { return Ok((Vec::new(), behind)) };
    let renormalising = OperationFilter { kind: Some(renormalise::KIND.to_owned()), ended: Some(false) };
    behind.words |= !rx.operations(&renormalising, None, 1).await?.items.is_empty();
    Ok((named(rx, query).await?, behind))
}

/// The customers that carry an identifier which the whole text may be.
async fn named(rx: &Rx, query: &Query) -> Result<Vec<CustomerId>, Fault> {
    let carriers = identifier::carriers_of(rx, query.identifiers().iter(), CARRIERS).await?;
    let subjects: BTreeSet<SubjectId> = carriers.values().flatten().map(|carrier| carrier.subject).collect();
    let links = link::current_of(rx, &subjects.into_iter().collect::<Vec<_>>()).await?;
    let customers: BTreeSet<CustomerId> = links.values().map(|link| link.customer).collect();
    Ok(customers.into_iter().collect())
}
