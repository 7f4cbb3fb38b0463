//! The drop-off of a survey: all of its responses are read, page by page, and counted.

use rapport_data::Rx;
use rapport_kernel::Fault;
use rapport_platform::Call;

use super::Responses;
use super::list::place;
use crate::domain::drop_off::{Asked, DropOff};
use crate::domain::response::Filter;
use crate::domain::survey::Form;
use crate::store;

/// How many rows are read at a time.
const ROWS: u64 = 500;

impl Responses {
    /// How far respondents came, and the newest form, whose order is told.
    ///
    /// # Errors
    /// NOT_FOUND; DEADLINE_EXCEEDED where the responses are too many for the time given.
    pub async fn drop_off(&self, call: &Call, of: Asked) -> Result<(DropOff, Form), Fault> {
        let forms = self.forms.clone();
        let filter = Filter {
            survey: Some(of.survey),
            version: of.version,
            from: of.from,
            until: of.until,
            ..Filter::default()
        };
        let count = move |rx: Rx| {
            let (forms, filter) = (forms.clone(), filter.clone());
            async move {
                let survey = store::survey::get(rx.conn(), rx.tenant(), of.survey).await?;
                let (newest, _) = forms.of(&rx, &survey, of.version.unwrap_or_default()).await?;
                let (mut counted, mut beyond) = (DropOff::default(), None);
                loop {
                    let which = (&filter, true);
                    let rows = store::response::list(rx.conn(), rx.tenant(), which, None, beyond, ROWS).await?;
                    for response in &rows {
                        let (form, _) = forms.of(&rx, &survey, response.version).await?;
                        counted.count(&form, response);
                    }
                    match rows.last() {
                        Some(last) if rows.len() as u64 == ROWS => beyond = Some(place(last)),
                        _ => return Ok((counted, newest)),
                    }
                }
            }
        };
        self.db.until(call.deadline).read(call.tenant(), count).await
    }
}
