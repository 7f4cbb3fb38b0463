//! Reading tickets and their messages.

use rapport_data::{Rx, keyset};
use rapport_kernel::{Fault, Timestamp};
use rapport_platform::Call;

use super::Tickets;
use super::push::missing;
use crate::domain::Customer;
use crate::domain::ticket::filter::Filter;
use crate::domain::ticket::{Message, Ticket, TicketId, Which};
use crate::service::Page;
use crate::store::ticket::list::{self, Place, Sieve};
use crate::store::ticket::{self as store, message};

/// How many rows are read at a time.
const ROWS: u64 = 200;
/// How many rows one page looks at: a filter that lets little through answers what it found by then.
const LOOKS: usize = 20;

/// Which tickets to list.
#[derive(Clone)]
pub struct Listing {
    /// Only this customer's.
    pub customer: Option<Customer>,
    /// What columns tell.
    pub sieve: Sieve,
    /// Only those for which this holds.
    pub filter: Option<Filter>,
    /// All that a page's token is bound to.
    pub bound: String,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

async fn find(rx: &Rx, which: &Which) -> Result<Ticket, Fault> {
    match which {
        Which::Id(id) => {
            let found = store::of_ids(rx, &[*id]).await?.pop();
            found.ok_or_else(|| Fault::not_found("ticket", id.to_string()))
        }
        Which::Key(key) => {
            let found = store::of_keys(rx, &[key.hash(rx.tenant())]).await?.pop();
            found.ok_or_else(|| missing(key))
        }
    }
}

impl Tickets {
    /// One ticket.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, which: Which) -> Result<Ticket, Fault> {
        self.db.until(call.deadline).read(call.tenant(), move |rx: Rx| async move { find(&rx, &which).await }).await
    }

    /// A page of tickets; of one customer, those of all subjects that it is now.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, listing: Listing) -> Result<Page<Ticket>, Fault> {
        let Listing { customer, mut sieve, filter, bound, page_size, page_token } = listing;
        let after: Option<Place> = self.page_key.open(call.tenant(), &bound, &page_token)?;
        if let Some(customer) = &customer {
            sieve.subjects = Some(self.profiles.resolve(call, customer).await?.subjects);
        }
        let (order, now) = (sieve.order, call.now);
        let read = move |rx: Rx| async move { page(&rx, &sieve, filter.as_ref(), after, page_size, now).await };
        let (items, more) = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let place = more.map(|last| list::place(&last, order));
        let next = place.map(|place| self.page_key.seal(call.tenant(), &bound, &place));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }

    /// A page of a ticket's messages, and of those merged into it, oldest first.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT for a page token that is none.
    pub async fn messages(&self, call: &Call, which: Which, size: usize, token: &str) -> Result<Page<Message>, Fault> {
        let ticket = self.get(call, which).await?;
        let bound = format!("ListTicketMessages|{}", ticket.id);
        let after: Option<message::Place> = self.page_key.open(call.tenant(), &bound, token)?;
        let tickets: Vec<TicketId> = std::iter::once(ticket.id).chain(ticket.derived.merged).collect();
        let read = move |rx: Rx| async move { message::page(&rx, &tickets, after, size).await };
        let rows = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let weight = |message: &Message| {
            let attached = message.attachments.iter().map(|one| one.url.expose().len() + one.name.expose().len() + 100);
            message.text.expose().len() + attached.sum::<usize>() + 400
        };
        let place = |message: &Message| message::Place { said_at: message.said.at, id: message.id.uuid() };
        let page = keyset::page(rows, size, weight, place);
        let next = page.next.map(|place| self.page_key.seal(call.tenant(), &bound, &place));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }
}

/// Reads until the page is full, by count or by bytes, or enough rows were looked at. Answers the last ticket looked at
/// where there is more.
async fn page(
    rx: &Rx,
    sieve: &Sieve,
    filter: Option<&Filter>,
    mut after: Option<Place>,
    size: usize,
    now: Timestamp,
) -> Result<(Vec<Ticket>, Option<Ticket>), Fault> {
    let (mut items, mut bytes, mut last): (Vec<Ticket>, usize, Option<Ticket>) = (Vec::new(), 0, None);
    for _ in 0..LOOKS {
        let rows = list::page(rx, sieve, after, ROWS).await?;
        let ended = (rows.len() as u64) < ROWS;
        for row in rows {
            if items.len() == size || bytes >= keyset::MOST_BYTES {
                return Ok((items, last));
            }
            after = Some(list::place(&row, sieve.order));
            if filter.is_none_or(|filter| filter.admits(&row, now)) {
                bytes += row.weight();
                items.push(row.clone());
            }
            last = Some(row);
        }
        if ended {
            return Ok((items, None));
        }
    }
    Ok((items, last))
}
