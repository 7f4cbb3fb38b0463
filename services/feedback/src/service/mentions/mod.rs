//! Mentions: taken as sources tell of them, read, answered, and shown where their authors agreed.

mod record;
mod reply;
mod testimonials;
mod watch;

use rapport_data::{Database, Rx, Tx};
use rapport_kernel::{Fault, PageKey};
use rapport_platform::Call;

pub use record::{Outcome, Recorded, Recording};
pub use testimonials::{Testimonial, What, Which};
pub use watch::{Change, Told, Watch, Watched};

use super::Page;
use super::reading::{Reader, Readers};
use crate::domain::Customer;
use crate::domain::mention::{Mention, MentionId};
use crate::domain::reading::Reading;
use crate::events::mentions as events;
use crate::peers::Profiles;
use crate::store::mention::{self as store, Place, Sieve};
use crate::store::text_reading::{self, Entry, Source};

/// How many rows are read at a time: with the longest texts, a few megabytes.
const ROWS: u64 = 200;

/// The mentions of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Mentions {
    db: Database,
    profiles: Profiles,
    readers: Readers,
    page_key: PageKey,
}

/// Which mentions to list.
#[derive(Clone)]
pub struct Listing {
    /// Only this customer's.
    pub customer: Option<Customer>,
    /// What columns tell.
    pub sieve: Sieve,
    /// All that a page's token is bound to.
    pub bound: String,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

fn missing(id: MentionId) -> Fault {
    Fault::not_found("mention", id.to_string())
}

impl Mentions {
    /// In a database, of customers that profiles knows; `readers` is what their words are read by.
    #[must_use]
    pub const fn new(db: Database, profiles: Profiles, readers: Readers, page_key: PageKey) -> Self {
        Self { db, profiles, readers, page_key }
    }

    /// One mention.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: MentionId) -> Result<Mention, Fault> {
        let read = move |rx: Rx| async move { store::find(&rx, id).await?.ok_or_else(|| missing(id)) };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of mentions; of one customer, those of all subjects that it is now.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, listing: Listing) -> Result<Page<Mention>, Fault> {
        let Listing { customer, mut sieve, bound, page_size, page_token } = listing;
        let after: Option<Place> = self.page_key.open(call.tenant(), &bound, &page_token)?;
        if let Some(customer) = &customer {
            sieve.subjects = Some(self.profiles.resolve(call, customer).await?.subjects);
        }
        let read = move |rx: Rx| {
            let sieve = sieve.clone();
            async move { page(&rx, &sieve, after, page_size).await }
        };
        let (items, more) = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let next = items.last().filter(|_| more).map(|last| self.page_key.seal(call.tenant(), &bound, &place(last)));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }
}

/// Where a mention stands in a list.
fn place(mention: &Mention) -> Place {
    Place { said_at: mention.told.said_at.micros(), id: mention.id.uuid() }
}

/// Reads until the page is full, by count or by bytes. Answers whether there is more.
async fn page(rx: &Rx, sieve: &Sieve, mut after: Option<Place>, size: usize) -> Result<(Vec<Mention>, bool), Fault> {
    let (mut items, mut bytes): (Vec<Mention>, usize) = (Vec::new(), 0);
    loop {
        let wanted = rapport_data::keyset::limit(size - items.len()).min(ROWS);
        let rows = store::page(rx, sieve, after, wanted).await?;
        let ended = (rows.len() as u64) < wanted;
        for row in rows {
            if items.len() == size || bytes >= rapport_data::keyset::MOST_BYTES {
                return Ok((items, true));
            }
            bytes += row.weight();
            after = Some(place(&row));
            items.push(row);
        }
        if ended {
            return Ok((items, false));
        }
    }
}

/// What is read in a mention's words.
fn read(reader: &Reader, mention: &Mention) -> Option<Reading> {
    let language = &mention.told.language;
    let read = |(part, text)| Some((part, reader.read(text, language, Source::Mention)?));
    let parts: Vec<(&str, Reading)> = mention.told.texts().filter_map(read).collect();
    Reading::of(parts.iter().map(|(part, reading)| (*part, reading)))
}

/// Writes a mention's new state with what was read in it, and tells of it.
async fn write(tx: &Tx, reader: &Reader, mention: &Mention, had_words: bool) -> Result<(), Fault> {
    store::put(tx, mention).await?;
    if had_words || mention.reading.is_some() {
        let counted = mention.counted();
        let entry = Entry {
            source: Source::Mention,
            item: mention.id.uuid(),
            subject: mention.respondent.subject,
            said_at: mention.told.said_at,
            channel: &mention.told.channel,
            product: &mention.told.product,
            counts: true,
            reading: counted.as_ref(),
        };
        text_reading::put(tx, reader.version(), &[entry], !had_words).await?;
    }
    tx.publish(events::changed(mention)).await
}
