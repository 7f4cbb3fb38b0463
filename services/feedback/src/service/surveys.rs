//! Making surveys, changing, opening, closing and deleting them.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Timestamp};
use rapport_platform::Call;

use super::Page;
use crate::convert::survey::Update;
use crate::domain::survey::{Change, Which};
use crate::domain::{Survey, SurveyId, SurveyKind, SurveyState, Versioned};
use crate::{events, store};

/// How many responses one unit deletes: others write between two.
const RESPONSES: u64 = 200;

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
    /// INVALID_ARGUMENT with every broken rule; ALREADY_EXISTS for a request id used with another body; else as the
    /// database's.
    pub async fn create(
        &self,
        call: &Call,
        receipt: Receipt<Versioned>,
        kind: SurveyKind,
        change: Change,
    ) -> Result<Answer<Versioned>, Fault> {
        let id = SurveyId::new();
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move {
                let made = Versioned::draft(id, kind, &change, tx.now())?;
                store::survey::insert(tx.conn(), tx.tenant(), &made.survey).await?;
                store::survey_version::put(tx.conn(), tx.tenant(), id, &made.version).await?;
                Ok(made)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Returns a survey and one of its versions; 0: the newest.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn get(&self, call: &Call, id: SurveyId, version: u32) -> Result<Versioned, Fault> {
        let read = move |rx: Rx| async move {
            let survey = store::survey::get(rx.conn(), rx.tenant(), id).await?;
            versioned(&rx, survey, version).await
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// Lists the surveys, newest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none; else as the database's.
    pub async fn list(&self, call: &Call, which: Which, size: usize, token: &str) -> Result<Page<Versioned>, Fault> {
        let names =
            (which.kind.map(SurveyKind::name), which.state.map(SurveyState::name), which.party.map(|p| p.name()));
        let bound = format!("ListSurveys|{names:?}");
        let before: Option<SurveyId> = self.page_key.open(call.tenant(), &bound, token)?;
        let query = move |rx: Rx| {
            let which = which.clone();
            async move {
                let rows = store::survey::list(rx.conn(), rx.tenant(), &which, before, keyset::limit(size)).await?;
                let (mut items, mut bytes) = (Vec::new(), 0);
                let total = rows.len();
                for survey in rows {
                    if items.len() == size || bytes >= keyset::MOST_BYTES {
                        break;
                    }
                    let item = versioned(&rx, survey, 0).await?;
                    bytes += item.weight();
                    items.push(item);
                }
                let more = items.len() < total;
                Ok((items, more))
            }
        };
        let (items, more) = self.db.until(call.deadline).read(call.tenant(), query).await?;
        let last = items.last().filter(|_| more).map(|last: &Versioned| last.survey.id);
        let next = last.map(|id| self.page_key.seal(call.tenant(), &bound, &id));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }

    /// Changes a survey; what an open one asks becomes a new version.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; INVALID_ARGUMENT with every broken rule; FAILED_PRECONDITION where its state
    /// forbids it.
    pub async fn update(
        &self,
        call: &Call,
        receipt: Receipt<Versioned>,
        id: SurveyId,
        etag: String,
        change: Change,
    ) -> Result<Answer<Versioned>, Fault> {
        let unit = move |tx: Tx| {
            let (etag, change) = (etag.clone(), change.clone());
            async move {
                let survey = store::survey::lock(tx.conn(), tx.tenant(), id).await?;
                let before = store::survey_version::all(tx.conn(), tx.tenant(), id).await?;
                let number = survey.version;
                let newest = before.iter().find(|version| version.number == number).cloned();
                let newest = newest.ok_or_else(|| Fault::internal("a survey lacks its newest version"))?;
                let was = newest.clone();
                let before: Vec<_> = before.into_iter().map(|version| version.definition).collect();
                let changed = Versioned::whole(survey, newest).change(&etag, &change, &before, tx.now())?;
                store::survey::update(tx.conn(), tx.tenant(), &changed.survey).await?;
                if changed.version != was {
                    store::survey_version::put(tx.conn(), tx.tenant(), id, &changed.version).await?;
                }
                Ok(changed)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Why a change is refused that is broken by itself: with all that is wrong with it for the survey it is of. Where there is
    /// none, or it cannot be read, only what is known without it.
    pub async fn refusal(&self, call: &Call, update: Update) -> Fault {
        let mut broken = update.broken;
        if let Ok(held) = self.get(call, update.survey, 0).await
            && let Err(found) = update.change.apply(&held.version.definition)
        {
            update.unsure.merge(&mut broken, &found);
        }
        Fault::invalid(broken)
    }

    /// Opens a draft for responses.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is no draft.
    pub async fn publish(
        &self,
        call: &Call,
        receipt: Receipt<Versioned>,
        id: SurveyId,
        etag: String,
    ) -> Result<Answer<Versioned>, Fault> {
        self.turn(call, receipt, id, move |survey, now| survey.publish(&etag, now)).await
    }

    /// Closes an open survey.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is not open.
    pub async fn close(
        &self,
        call: &Call,
        receipt: Receipt<Versioned>,
        id: SurveyId,
        etag: String,
    ) -> Result<Answer<Versioned>, Fault> {
        self.turn(call, receipt, id, move |survey, now| survey.close(&etag, now)).await
    }

    async fn turn(
        &self,
        call: &Call,
        receipt: Receipt<Versioned>,
        id: SurveyId,
        turn: impl Fn(Survey, Timestamp) -> Result<Survey, Fault> + Clone + Send + Sync + 'static,
    ) -> Result<Answer<Versioned>, Fault> {
        let unit = move |tx: Tx| {
            let turn = turn.clone();
            async move {
                let survey = store::survey::lock(tx.conn(), tx.tenant(), id).await?;
                let survey = turn(survey, tx.now())?;
                store::survey::update(tx.conn(), tx.tenant(), &survey).await?;
                versioned(&tx, survey, 0).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Deletes a survey with its versions and responses, some in each unit; answers how many responses went.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where it is open.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<u64>,
        id: SurveyId,
        etag: String,
    ) -> Result<Answer<u64>, Fault> {
        let mut before = 0;
        loop {
            let etag = etag.clone();
            let some = move |tx: Tx| {
                let etag = etag.clone();
                async move { delete_some(&tx, id, &etag).await }
            };
            // The last unit is the one with the receipt: a retry of a call that was done finds no survey here.
            let some = match self.db.until(call.deadline).write(call.tenant(), some).await {
                Err(fault) if fault.reason == rapport_kernel::Reason::ResourceNotFound => 0,
                other => other?,
            };
            before += some;
            if some == 0 {
                break;
            }
        }
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                let mut deleted = before;
                loop {
                    // What came meanwhile: none comes any more once the survey is locked.
                    let some = delete_some(&tx, id, &etag).await?;
                    deleted += some;
                    if some == 0 {
                        break;
                    }
                }
                delete_asking(&tx, id).await?;
                store::survey_version::delete(tx.conn(), tx.tenant(), id).await?;
                store::survey::delete(tx.conn(), tx.tenant(), id).await?;
                Ok(deleted)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }
}

/// Deletes some responses to a survey that may be deleted; answers how many.
async fn delete_some(tx: &Tx, id: SurveyId, etag: &str) -> Result<u64, Fault> {
    // An erasure took them before, or waits: no event of them follows their erasure.
    tx.hold_erasures().await?;
    store::survey::lock(tx.conn(), tx.tenant(), id).await?.delete(etag)?;
    let doomed = store::response::some_of_survey(tx.conn(), tx.tenant(), id, RESPONSES).await?;
    let ids: Vec<_> = doomed.iter().map(|response| response.id).collect();
    store::response::delete(tx.conn(), tx.tenant(), &ids).await?;
    store::response_tag::delete(tx.conn(), tx.tenant(), &ids).await?;
    let items: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    store::search::delete(tx, store::search::Kind::Response, &items).await?;
    store::response_key::delete(tx.conn(), tx.tenant(), &ids).await?;
    store::asking::code::delete(tx, &ids).await?;
    for response in &doomed {
        tx.publish(events::deleted(response, response.revision + 1)).await?;
    }
    u64::try_from(doomed.len()).map_err(Fault::internal)
}

/// Deletes the invitations to a survey that is deleted, and what else is held of its asking.
async fn delete_asking(tx: &Tx, id: SurveyId) -> Result<(), Fault> {
    let which = store::asking::invitation::Which { survey: Some(id), ..Default::default() };
    loop {
        let doomed = store::asking::invitation::page(tx, &which, None, RESPONSES).await?;
        if doomed.is_empty() {
            return store::asking::code::delete_survey(tx, id).await;
        }
        store::asking::invitation::delete(tx, &doomed.iter().map(|it| it.id).collect::<Vec<_>>()).await?;
        for invitation in &doomed {
            tx.publish(events::invitations::deleted(invitation)).await?;
        }
    }
}

/// A survey and one of its versions; 0: the newest.
async fn versioned(rx: &Rx, survey: Survey, version: u32) -> Result<Versioned, Fault> {
    let number = if version == 0 { survey.version } else { version };
    let version = store::survey_version::get(rx.conn(), rx.tenant(), survey.id, number).await?;
    Ok(Versioned::whole(survey, version))
}
