//! Taking responses, correcting and withdrawing them. Each change leaves an event with the whole new state, so that
//! every figure made from it is corrected.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Reason, SubjectId};
use rapport_platform::Call;

use super::Page;
use crate::domain::{Correction, Customer, NewResponse, Respondent, Response, ResponseId, SurveyId, Which};
use crate::peers::Profiles;
use crate::store::response::Place;
use crate::{events, store};

/// How many rows are read at a time: with the longest comments, a few megabytes.
const ROWS: u64 = 200;

/// The responses of all tenants.
#[derive(Clone)]
pub struct Responses {
    db: Database,
    profiles: Profiles,
    page_key: PageKey,
}

impl Responses {
    /// In a database, of customers that profiles knows.
    #[must_use]
    pub const fn new(db: Database, profiles: Profiles, page_key: PageKey) -> Self {
        Self { db, profiles, page_key }
    }

    /// Takes a response to an open survey. An anonymous one gets a subject of its own, which nothing ties to a person.
    ///
    /// # Errors
    /// NOT_FOUND for the survey or the customer; FAILED_PRECONDITION where the survey is not open or the customer was
    /// erased.
    pub async fn submit(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        customer: Option<Customer>,
        new: NewResponse,
    ) -> Result<Answer<Response>, Fault> {
        let respondent = match customer {
            Some(customer) => self.profiles.resolve(call, &customer).await?.respondent,
            None => Respondent::anonymous(SubjectId::new()),
        };
        let id = ResponseId::new();
        let unit = move |tx: Tx| {
            let (new, respondent) = (new.clone(), respondent.clone());
            async move {
                // Not locked: a response that meets the closing of its survey came before it.
                let survey = store::survey::get(tx.conn(), tx.tenant(), new.survey).await?;
                survey.admit()?;
                if !tx.is_entombed(&[respondent.subject]).await?.is_empty() {
                    return Err(Fault::new(Reason::Erased, "the customer was erased"));
                }
                let response = Response::record(id, survey.kind, new, respondent, tx.now());
                store::response::insert(tx.conn(), tx.tenant(), &response).await?;
                tx.publish(events::changed(&response)).await?;
                Ok(response)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Corrects a response, also after its survey was closed.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn update(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        id: ResponseId,
        etag: String,
        correction: Correction,
    ) -> Result<Answer<Response>, Fault> {
        let unit = move |tx: Tx| {
            let (etag, correction) = (etag.clone(), correction.clone());
            async move {
                // An erasure took the response before, or waits: no event of it follows its erasure.
                tx.hold_erasures().await?;
                let held = store::response::lock(tx.conn(), tx.tenant(), id).await?;
                let revision = held.revision;
                let response = held.correct(&etag, correction, tx.now())?;
                tx.about(response.respondent.subject);
                if response.revision > revision {
                    store::response::update(tx.conn(), tx.tenant(), &response).await?;
                    tx.publish(events::changed(&response)).await?;
                }
                Ok(response)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Deletes a response: it no longer counts anywhere.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: ResponseId,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                // An erasure took the response before, or waits: no event of it follows its erasure.
                tx.hold_erasures().await?;
                let held = store::response::lock(tx.conn(), tx.tenant(), id).await?;
                let revision = held.delete(&etag)?;
                store::response::delete(tx.conn(), tx.tenant(), id).await?;
                tx.publish(events::deleted(&held, revision)).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Returns a response.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: ResponseId) -> Result<Response, Fault> {
        self.db
            .until(call.deadline)
            .read(call.tenant(), move |rx| async move { store::response::get(rx.conn(), rx.tenant(), id).await })
            .await
    }

    /// Lists the responses to a survey, newest first; of one customer, those of all subjects that it is now.
    ///
    /// # Errors
    /// NOT_FOUND for the survey or the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, which: Which) -> Result<Page<Response>, Fault> {
        let tenant = call.tenant();
        let key = which.customer.as_ref().map(Customer::key).unwrap_or_default();
        let bound = format!("ListResponses|{}|{}", which.survey, key.expose());
        let below: Option<Place> = self.page_key.open(tenant, &bound, &which.page_token)?;
        let subjects = match &which.customer {
            Some(customer) => Some(self.profiles.resolve(call, customer).await?.subjects),
            None => None,
        };
        let (survey, size) = (which.survey, which.page_size);
        let query = move |rx| async move { page(&rx, survey, subjects.as_deref(), below, size).await };
        let (items, more) = self.db.until(call.deadline).read(call.tenant(), query).await?;
        let place = |last: &Response| Place { answered_at: last.answered_at, id: last.id };
        let next = items.last().filter(|_| more).map(|last| self.page_key.seal(tenant, &bound, &place(last)));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }
}

/// Reads until the page is full, by count or by bytes. Answers whether there is more.
async fn page(
    rx: &Rx,
    survey: SurveyId,
    subjects: Option<&[SubjectId]>,
    mut below: Option<Place>,
    size: usize,
) -> Result<(Vec<Response>, bool), Fault> {
    store::survey::get(rx.conn(), rx.tenant(), survey).await?;
    let (mut items, mut bytes): (Vec<Response>, usize) = (Vec::new(), 0);
    loop {
        let wanted = keyset::limit(size - items.len()).min(ROWS);
        let rows = store::response::list(rx.conn(), rx.tenant(), survey, subjects, below, wanted).await?;
        let last_rows = (rows.len() as u64) < wanted;
        for row in rows {
            if items.len() == size || bytes >= keyset::MOST_BYTES {
                return Ok((items, true));
            }
            bytes += row.weight();
            below = Some(Place { answered_at: row.answered_at, id: row.id });
            items.push(row);
        }
        if last_rows {
            return Ok((items, false));
        }
    }
}
