//! Making surveys, opening and closing them.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Timestamp};
use rapport_platform::Call;

use super::Page;
use crate::domain::{NewSurvey, Survey, SurveyId};
use crate::store;

/// What the token of a page of surveys is bound to.
const LIST: &str = "ListSurveys";

/// The surveys of all tenants.
#[derive(Clone)]
pub struct Surveys {
    db: Database,
    page_key: PageKey,
}

impl Surveys {
    /// In a database.
    #[must_use]
    pub const fn new(db: Database, page_key: PageKey) -> Self {
        Self { db, page_key }
    }

    /// Makes a survey, as a draft.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a request id used with another body; else as the database's.
    pub async fn create(&self, call: &Call, receipt: Receipt<Survey>, new: NewSurvey) -> Result<Answer<Survey>, Fault> {
        let id = SurveyId::new();
        let unit = move |tx: Tx| {
            let new = new.clone();
            async move {
                let survey = Survey::draft(id, new, tx.now());
                store::survey::insert(tx.conn(), tx.tenant(), &survey).await?;
                Ok(survey)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Returns a survey.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn get(&self, call: &Call, id: SurveyId) -> Result<Survey, Fault> {
        self.db
            .until(call.deadline)
            .read(call.tenant(), move |rx| async move { store::survey::get(rx.conn(), rx.tenant(), id).await })
            .await
    }

    /// Lists the surveys, newest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none; else as the database's.
    pub async fn list(&self, call: &Call, size: usize, token: &str) -> Result<Page<Survey>, Fault> {
        let before: Option<SurveyId> = self.page_key.open(call.tenant(), LIST, token)?;
        let query =
            move |rx: Rx| async move { store::survey::list(rx.conn(), rx.tenant(), before, keyset::limit(size)).await };
        let rows = self.db.until(call.deadline).read(call.tenant(), query).await?;
        let page = keyset::page(rows, size, Survey::weight, |survey| survey.id);
        let next = page.next.map(|id| self.page_key.seal(call.tenant(), LIST, &id));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// Opens a draft for responses.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is no draft.
    pub async fn publish(
        &self,
        call: &Call,
        receipt: Receipt<Survey>,
        id: SurveyId,
        etag: String,
    ) -> Result<Answer<Survey>, Fault> {
        self.change(call, receipt, id, move |survey, now| survey.publish(&etag, now)).await
    }

    /// Closes an open survey.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is not open.
    pub async fn close(
        &self,
        call: &Call,
        receipt: Receipt<Survey>,
        id: SurveyId,
        etag: String,
    ) -> Result<Answer<Survey>, Fault> {
        self.change(call, receipt, id, move |survey, now| survey.close(&etag, now)).await
    }

    async fn change(
        &self,
        call: &Call,
        receipt: Receipt<Survey>,
        id: SurveyId,
        change: impl Fn(Survey, Timestamp) -> Result<Survey, Fault> + Clone + Send + Sync + 'static,
    ) -> Result<Answer<Survey>, Fault> {
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move {
                let survey = store::survey::lock(tx.conn(), tx.tenant(), id).await?;
                let survey = change(survey, tx.now())?;
                store::survey::update(tx.conn(), tx.tenant(), &survey).await?;
                Ok(survey)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }
}
