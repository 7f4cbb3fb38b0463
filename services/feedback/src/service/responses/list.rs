//! Lists of responses: by filter and order, page by page.

use rapport_data::{Rx, keyset};
use rapport_kernel::{Fault, SubjectId};
use rapport_platform::Call;

use super::Responses;
use crate::domain::response::{Filter, Which};
use crate::domain::{Customer, Response};
use crate::service::Page;
use crate::store;
use crate::store::response::Place;

/// How many rows are read at a time: with the longest comments, a few megabytes.
const ROWS: u64 = 200;

impl Responses {
    /// Lists responses; of one customer, those of all subjects that it is now.
    ///
    /// # Errors
    /// NOT_FOUND for the survey or the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, which: Which) -> Result<Page<Response>, Fault> {
        let tenant = call.tenant();
        let key = which.customer.as_ref().map(Customer::key).unwrap_or_default();
        let filter = serde_json::to_string(&which.filter).map_err(Fault::internal)?;
        let bound = format!("ListResponses|{filter}|{}|{}", which.ascending, key.expose());
        let beyond: Option<Place> = self.page_key.open(tenant, &bound, &which.page_token)?;
        let subjects = match &which.customer {
            Some(customer) => Some(self.profiles.resolve(call, customer).await?.subjects),
            None => None,
        };
        let (filter, ascending, size) = (which.filter, which.ascending, which.page_size);
        let query = move |rx: Rx| {
            let (filter, subjects) = (filter.clone(), subjects.clone());
            async move { page(&rx, (&filter, ascending), subjects.as_deref(), beyond, size).await }
        };
        let (items, more) = self.db.until(call.deadline).read(tenant, query).await?;
        let next = items.last().filter(|_| more).map(|last| self.page_key.seal(tenant, &bound, &place(last)));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }
}

/// Where a response stands in a list.
pub(super) const fn place(response: &Response) -> Place {
    Place { answered_at: response.answered_at, id: response.id }
}

/// Reads until the page is full, by count or by bytes. Answers whether there is more.
async fn page(
    rx: &Rx,
    which: (&Filter, bool),
    subjects: Option<&[SubjectId]>,
    mut beyond: Option<Place>,
    size: usize,
) -> Result<(Vec<Response>, bool), Fault> {
    if let Some(survey) = which.0.survey {
        store::survey::get(rx.conn(), rx.tenant(), survey).await?;
    }
    let (mut items, mut bytes): (Vec<Response>, usize) = (Vec::new(), 0);
    loop {
        let wanted = keyset::limit(size - items.len()).min(ROWS);
        let rows = store::response::list(rx.conn(), rx.tenant(), which, subjects, beyond, wanted).await?;
        let last_rows = (rows.len() as u64) < wanted;
        for row in rows {
            if items.len() == size || bytes >= keyset::MOST_BYTES {
                return Ok((items, true));
            }
            bytes += row.weigh();
            beyond = Some(place(&row));
            items.push(row);
        }
        if last_rows {
            return Ok((items, false));
        }
    }
}
