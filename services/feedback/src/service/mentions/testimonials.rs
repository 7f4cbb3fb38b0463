//! Praise that may be shown: found by what was read in it, shown where its author agreed. Whether they still do, profiles
//! says, each time anew.

use std::collections::HashMap;

use futures::StreamExt as _;
use rapport_data::{Rx, keyset};
use rapport_kernel::{CustomerId, Fault};
use rapport_platform::Call;
use uuid::Uuid;

use super::{Mention, Mentions};
use crate::domain::{Customer, Party, Response};
use crate::service::Page;
use crate::store;
use crate::store::text_reading::{self, Place, Praise, Source};

/// The purpose that consent is given for.
const PURPOSE: &str = "publication";
/// How many rows are looked at at a time.
const ROWS: u32 = 100;
/// How often, for one page.
const LOOKS: usize = 10;
/// How many customers are asked for at once.
const ASKED: usize = 16;

/// Which praise to list.
#[derive(Clone)]
pub struct Which {
    /// What it must be.
    pub praise: Praise,
    /// All that a page's token is bound to.
    pub bound: String,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

/// What praises.
#[derive(Clone, Debug)]
pub enum What {
    /// A mention.
    Mention(Box<Mention>),
    /// A response.
    Response(Box<Response>),
}

/// Praise that may be shown.
#[derive(Clone, Debug)]
pub struct Testimonial {
    /// What it is.
    pub what: What,
    /// Whether consent was given with it.
    pub with_it: bool,
}

impl What {
    fn customer(&self) -> Option<CustomerId> {
        match self {
            Self::Mention(mention) => mention.customer,
            Self::Response(response) => response.content.customer,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Mention(mention) => mention.weight(),
            Self::Response(response) => response.weigh(),
        }
    }
}

impl Mentions {
    /// A page of praise that may be shown, newest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none; UNAVAILABLE where profiles cannot be reached.
    pub async fn testimonials(&self, call: &Call, which: Which) -> Result<Page<Testimonial>, Fault> {
        let Which { praise, bound, page_size, page_token } = which;
        let mut after: Option<Place> = self.page_key.open(call.tenant(), &bound, &page_token)?;
        let mut agreed: HashMap<CustomerId, Option<bool>> = HashMap::new();
        let (mut items, mut bytes, mut ended) = (Vec::new(), 0, false);
        'page: for _ in 0..LOOKS {
            let rows = self.praise(call, &praise, after).await?;
            ended = rows.len() < ROWS as usize;
            self.agreed(call, &rows, &mut agreed).await?;
            for (place, what) in rows {
                if items.len() == page_size || bytes >= keyset::MOST_BYTES {
                    ended = false;
                    break 'page;
                }
                after = Some(place);
                let Some(what) = what else { continue };
                let with_it = matches!(&what, What::Mention(mention) if mention.told.consent);
                // What was said last holds: one who refuses is not shown, whatever was agreed with the words.
                let said = what.customer().and_then(|customer| agreed.get(&customer).copied().flatten());
                if said.unwrap_or(with_it) {
                    bytes += what.weight();
                    items.push(Testimonial { what, with_it });
                }
            }
            if ended {
                break;
            }
        }
        let next = after.filter(|_| !ended).map(|place| self.page_key.seal(call.tenant(), &bound, &place));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }

    /// The next praise, with what it is; none where it is nobody's to show.
    async fn praise(
        &self,
        call: &Call,
        praise: &Praise,
        after: Option<Place>,
    ) -> Result<Vec<(Place, Option<What>)>, Fault> {
        let praise = praise.clone();
        let read = move |rx: Rx| {
            let praise = praise.clone();
            async move {
                let rows = text_reading::praise(&rx, &praise, after, ROWS).await?;
                let of = |wanted: Source| -> Vec<Uuid> {
                    rows.iter().filter(|(source, _)| *source == wanted).map(|(_, place)| place.item).collect()
                };
                let mentions = store::mention::of_ids(&rx, &of(Source::Mention)).await?;
                let responses = store::response::of_ids(rx.conn(), rx.tenant(), &of(Source::Response)).await?;
                let mut found: HashMap<Uuid, What> =
                    mentions.into_iter().map(|one| (one.id.uuid(), What::Mention(Box::new(one)))).collect();
                // What employees say of their work is no testimonial.
                let shown = responses.into_iter().filter(|one| one.complete && one.respondent.party != Party::Employee);
                found.extend(shown.map(|one| (one.id.uuid(), What::Response(Box::new(one)))));
                Ok(rows.into_iter().map(|(_, place)| (place, found.remove(&place.item))).collect())
            }
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// Asks whether the authors of what is praised agree, each once.
    async fn agreed(
        &self,
        call: &Call,
        rows: &[(Place, Option<What>)],
        agreed: &mut HashMap<CustomerId, Option<bool>>,
    ) -> Result<(), Fault> {
        let mut unknown: Vec<CustomerId> = rows.iter().filter_map(|(_, what)| what.as_ref()?.customer()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|customer| !agreed.contains_key(customer));
        let ask = |customer: CustomerId| async move {
            let said = self.profiles.consents(call, &Customer::Id(customer), PURPOSE).await;
            said.map(|said| (customer, said))
        };
        let mut asked = futures::stream::iter(unknown).map(ask).buffer_unordered(ASKED);
        while let Some(answer) = asked.next().await {
            let (customer, said) = answer?;
            agreed.insert(customer, said);
        }
        Ok(())
    }
}
