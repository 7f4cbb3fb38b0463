//! Searching what customers said: what is noted of a response for it, and finding it again.

use std::collections::HashMap;

use rapport_data::{Rx, Tx, keyset};
use rapport_kernel::{Fault, SubjectId};
use rapport_platform::Call;
use rapport_text::{Analyser, Language};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Responses;
use super::list::place;
use crate::domain::response::Which;
use crate::domain::search::{Document, Query, Snippet, snippets};
use crate::domain::{Customer, Response};
use crate::service::Page;
use crate::store;
use crate::store::search::{Hunt, Kind};

/// How many rows are read at a time.
const ROWS: u64 = 200;

/// A response that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// It.
    pub response: Response,
    /// Where what was looked for stands in it.
    pub snippets: Vec<Snippet>,
}

/// Notes what responses say where it is searched.
#[derive(Clone)]
pub(super) struct Indexer(Analyser);

impl Indexer {
    pub(super) const fn new(analyser: Analyser) -> Self {
        Self(analyser)
    }

    /// Notes a new response.
    pub(super) async fn note(&self, tx: &Tx, response: &Response) -> Result<(), Fault> {
        let passages = response.passages();
        if passages.is_empty() {
            return Ok(());
        }
        let document = Document::of(&passages, language(response), &self.0);
        let whose = (response.respondent.subject, response.answered_at);
        store::search::insert(tx, (Kind::Response, response.id.uuid()), whose, &document).await
    }

    /// Notes a response that was noted as it was before.
    pub(super) async fn note_again(&self, tx: &Tx, held: &Response, changed: &Response) -> Result<(), Fault> {
        let said = |response: &Response| {
            let passages = response.passages().into_iter().map(|it| (it.place.to_owned(), it.text.to_owned()));
            (passages.collect::<Vec<_>>(), language(response), response.answered_at)
        };
        if said(held) == said(changed) {
            return Ok(());
        }
        forget(tx, &[held.id.uuid()]).await?;
        self.note(tx, changed).await
    }

    fn document(&self, response: &Response) -> Document {
        Document::of(&response.passages(), language(response), &self.0)
    }

    fn hit(&self, query: &Query, response: Response) -> Hit {
        let snippets = snippets(query, &response.passages(), language(&response), &self.0);
        Hit { response, snippets }
    }
}

/// Forgets what responses said.
pub(super) async fn forget(tx: &Tx, responses: &[Uuid]) -> Result<(), Fault> {
    store::search::delete(tx, Kind::Response, responses).await
}

fn language(response: &Response) -> Option<Language> {
    Language::from_code(&response.touch.language)
}

/// Where a page ended: among all that was said, or among what one customer said.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Beyond {
    All(store::search::Place),
    Theirs(store::response::Place),
}

impl Responses {
    /// Searches responses, and says where in each what was looked for stands.
    ///
    /// # Errors
    /// NOT_FOUND for the survey or the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn search(&self, call: &Call, typed: &str, query: Query, which: Which) -> Result<Page<Hit>, Fault> {
        let tenant = call.tenant();
        let key = which.customer.as_ref().map(Customer::key).unwrap_or_default();
        let filter = serde_json::to_string(&which.filter).map_err(Fault::internal)?;
        let bound = format!("SearchResponses|{filter}|{}|{}|{typed}", which.ascending, key.expose());
        let beyond: Option<Beyond> = self.page_key.open(tenant, &bound, &which.page_token)?;
        let subjects = match &which.customer {
            Some(customer) => Some(self.profiles.resolve(call, customer).await?.subjects),
            None => None,
        };
        let (indexer, size) = (self.words.indexer.clone(), which.page_size);
        let read = move |rx: Rx| {
            let (indexer, query, which, subjects) = (indexer.clone(), query.clone(), which.clone(), subjects.clone());
            async move {
                if let Some(survey) = which.filter.survey {
                    store::survey::get(rx.conn(), rx.tenant(), survey).await?;
                }
                let search = Search { rx: &rx, indexer: &indexer, query: &query, which: &which };
                match subjects {
                    Some(subjects) => search.theirs(&subjects, beyond, size).await,
                    None => search.all(beyond, size).await,
                }
            }
        };
        let (items, next) = self.db.until(call.deadline).read(tenant, read).await?;
        let next = next.map(|next| self.page_key.seal(tenant, &bound, &next));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }
}

/// A search under way.
struct Search<'s> {
    rx: &'s Rx,
    indexer: &'s Indexer,
    query: &'s Query,
    which: &'s Which,
}

impl Search<'_> {
    /// Finds by the index, until the page is full by count or by bytes.
    async fn all(&self, beyond: Option<Beyond>, size: usize) -> Result<(Vec<Hit>, Option<Beyond>), Fault> {
        let rx = self.rx;
        let narrow = store::response::narrowing(rx.tenant(), &self.which.filter);
        let hunt = Hunt {
            kind: Kind::Response,
            query: self.query.clone(),
            from: self.which.filter.from,
            until: self.which.filter.until,
            ascending: self.which.ascending,
        };
        let mut last = match beyond {
            Some(Beyond::All(place)) => Some(place),
            _ => None,
        };
        let few = store::search::few(rx, store::response::candidates(rx.tenant(), &self.which.filter)).await?;
        let mut page = Filling::new(size);
        loop {
            let wanted = keyset::limit(size - page.hits.len()).min(ROWS);
            let places = store::search::find(rx, &hunt, (&narrow, few.as_deref()), last, wanted).await?;
            let ids = places.iter().map(|place| crate::domain::ResponseId::from_uuid(place.item));
            let rows = store::response::some(rx.conn(), rx.tenant(), ids).await?;
            let mut rows: HashMap<Uuid, Response> = rows.into_iter().map(|row| (row.id.uuid(), row)).collect();
            for &place in &places {
                let Some(response) = rows.remove(&place.item) else { continue };
                if page.is_full() {
                    return Ok((page.hits, last.map(Beyond::All)));
                }
                page.take(self.indexer.hit(self.query, response));
                last = Some(place);
            }
            if (places.len() as u64) < wanted {
                return Ok((page.hits, None));
            }
        }
    }

    /// Reads all that one customer said: it is little beside what all said.
    async fn theirs(
        &self,
        subjects: &[SubjectId],
        beyond: Option<Beyond>,
        size: usize,
    ) -> Result<(Vec<Hit>, Option<Beyond>), Fault> {
        let (rx, which) = (self.rx, (&self.which.filter, self.which.ascending));
        let (mut read, mut last) = match beyond {
            Some(Beyond::Theirs(place)) => (Some(place), Some(place)),
            _ => (None, None),
        };
        let mut page = Filling::new(size);
        loop {
            let rows = store::response::list(rx.conn(), rx.tenant(), which, Some(subjects), read, ROWS).await?;
            let is_end = (rows.len() as u64) < ROWS;
            for response in rows {
                let at = place(&response);
                read = Some(at);
                if !response.passages().is_empty() && self.query.finds(&self.indexer.document(&response)) {
                    if page.is_full() {
                        return Ok((page.hits, last.map(Beyond::Theirs)));
                    }
                    page.take(self.indexer.hit(self.query, response));
                    last = Some(at);
                }
            }
            if is_end {
                return Ok((page.hits, None));
            }
        }
    }
}

/// A page that is being filled.
struct Filling {
    hits: Vec<Hit>,
    size: usize,
    bytes: usize,
}

impl Filling {
    const fn new(size: usize) -> Self {
        Self { hits: Vec::new(), size, bytes: 0 }
    }

    const fn is_full(&self) -> bool {
        self.hits.len() == self.size || self.bytes >= keyset::MOST_BYTES
    }

    fn take(&mut self, hit: Hit) {
        let snippets = hit.snippets.iter().map(|it| it.text.expose().len() + it.spans.len() * 12 + 80);
        self.bytes += hit.response.weigh() + snippets.sum::<usize>();
        self.hits.push(hit);
    }
}
