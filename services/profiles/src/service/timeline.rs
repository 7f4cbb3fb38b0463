//! Reading a customer's timeline, newest first, over all its records.

use rapport_data::{Rx, keyset};
use rapport_kernel::{Fault, PageKey, SubjectId, Timestamp};
use rapport_platform::Call;

use super::Profiles;
use super::attach::resolve;
use super::interactions::{Shown, shown};
use crate::domain::interaction::Interaction;
use crate::domain::timeline_filter::TimelineFilter;
use crate::domain::value::Named;
use crate::store::{interaction, link};

/// Rows of the timeline that are read at once, so that heavy ones are not all held before the page is cut; and at once
/// where a condition may leave most of them out.
const ROWS: usize = 50;
const SIEVED: usize = 250;
/// Rows that one page looks at: where a condition admits few of them, the page ends early.
const MOST_ROWS: usize = 5_000;

/// Which interactions to list.
pub struct Listing {
    /// Whose.
    pub named: Named,
    /// Only these kinds; none: all.
    pub kinds: Vec<String>,
    /// Only by these channels; none: all.
    pub channels: Vec<String>,
    /// Only at these touchpoints; none: all.
    pub touchpoints: Vec<String>,
    /// Only at these stages; none: all.
    pub stages: Vec<String>,
    /// Only where this condition holds; and its text, which page tokens are bound to.
    pub filter: Option<(TimelineFilter, String)>,
    /// At or after.
    pub start: Option<Timestamp>,
    /// Before.
    pub end: Option<Timestamp>,
    /// How many at most.
    pub size: usize,
    /// Where to go on.
    pub token: String,
}

/// A page of a customer's timeline.
pub struct Timeline {
    /// Newest first.
    pub items: Vec<Shown>,
    /// Where the next page starts.
    pub next: Option<String>,
}

impl Profiles {
    /// A page of a customer's timeline.
    ///
    /// # Errors
    /// NOT_FOUND where the customer is not known; INVALID_PAGE_TOKEN.
    pub async fn timeline(&self, call: &Call, listing: Listing, page_key: &PageKey) -> Result<Timeline, Fault> {
        let (tenant, query) = (call.tenant(), listing.query());
        let after = page_key.open::<interaction::Cursor>(tenant, &query, &listing.token)?;
        let read = |rx: Rx| async move {
            let (_, customer) = resolve(&rx, &listing.named).await?;
            let members = link::members(&rx, &[customer]).await?;
            let subjects: Vec<SubjectId> = members.into_iter().map(|link| link.subject).collect();
            let (items, next) = listing.page(&rx, &subjects, after).await?;
            let customers = subjects.into_iter().map(|subject| (subject, customer)).collect();
            Ok((shown(&rx, items, customers).await?, next))
        };
        let (items, next) = self.database(call).read(tenant, read).await?;
        Ok(Timeline { items, next: next.map(|cursor| page_key.seal(tenant, &query, &cursor)) })
    }
}

impl Listing {
    /// What a page token is bound to.
    fn query(&self) -> String {
        let customer = match &self.named {
            Named::Id(id) => id.to_string(),
            Named::Identifier(identifier) => format!("{}:{}", identifier.namespace, identifier.value.expose()),
        };
        let among = [&self.kinds, &self.channels, &self.touchpoints, &self.stages];
        let filter = self.filter.as_ref().map_or("", |(_, text)| text);
        format!("ListInteractions|{customer}|{among:?}|{filter}|{:?}|{:?}", self.start, self.end)
    }

    /// The items of a page, and where the next one starts.
    async fn page(
        &self,
        rx: &Rx,
        subjects: &[SubjectId],
        mut after: Option<interaction::Cursor>,
    ) -> Result<(Vec<Interaction>, Option<interaction::Cursor>), Fault> {
        let (mut items, mut bytes, mut seen) = (Vec::new(), 0_usize, 0_usize);
        loop {
            // One more than the page holds tells whether more follow.
            let wanted = if self.filter.is_some() { SIEVED } else { ROWS.min(self.size + 1 - items.len()) };
            let (kinds, channels, touchpoints) = (&self.kinds, &self.channels, &self.touchpoints);
            let (stages, start, end) = (&self.stages, self.start, self.end);
            let filter = interaction::Filter { subjects, kinds, channels, touchpoints, stages, start, end, after };
            let rows = interaction::page(rx, filter, u64::try_from(wanted).unwrap_or(u64::MAX)).await?;
            let ended = rows.len() < wanted;
            seen += rows.len();
            for row in rows {
                let place = cursor(&row);
                if self.filter.as_ref().is_none_or(|(filter, _)| filter.admits(&row, rx.now())) {
                    if items.len() == self.size || bytes >= keyset::MOST_BYTES {
                        return Ok((items, after));
                    }
                    bytes += weight(&row);
                    items.push(row);
                }
                after = Some(place);
            }
            if ended {
                return Ok((items, None));
            }
            if seen >= MOST_ROWS && self.filter.is_some() {
                return Ok((items, after));
            }
        }
    }
}

fn cursor(row: &Interaction) -> interaction::Cursor {
    (row.content.occurred_at.micros(), row.id.uuid())
}

/// About how many bytes an interaction takes in an answer.
fn weight(interaction: &Interaction) -> usize {
    let (content, details) = (&interaction.content, &interaction.content.details);
    let attributes: usize = content.attributes.iter().map(|(name, value)| name.len() + value.weight()).sum();
    let emotions: usize = details.emotions.keys().map(|name| name.len() + 16).sum();
    let texts = [&content.product, &details.device, &details.place, &details.campaign, &details.url];
    let texts: usize = texts.into_iter().map(String::len).sum();
    500 + interaction.key.external_id.expose().len() + attributes + emotions + texts
}
