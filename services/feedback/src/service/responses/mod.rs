//! Taking responses, correcting and withdrawing them. Each change leaves an event with the whole new state, so that
//! every figure made from it is corrected.

mod drop_off;
mod import;
mod list;
mod reread;
mod search;
pub(in crate::service) mod submit;
mod watch;

use std::collections::BTreeMap;

use rapport_data::{Answer, Database, NewEvent, Receipt, Rx, Tx};
use rapport_kernel::{Fault, PageKey, Timestamp};
use rapport_platform::Call;

pub use search::Hit;
pub use watch::{Told, Watch};

use search::Indexer;

use super::Forms;
use super::reading::{Reader, Readers};
use crate::domain::answer::Answers;
use crate::domain::facts::{Facts, Known};
use crate::domain::reading::Reading;
use crate::domain::response::kept;
use crate::domain::survey::Form;
use crate::domain::{Correction, Response, ResponseId, SurveyId, Tagging, Touch, Versioned};
use crate::peers::Profiles;
use crate::store::text_reading::{self, Entry, Source};
use crate::{events, store};

/// The responses of all tenants.
#[derive(Clone)]
pub struct Responses {
    db: Database,
    profiles: Profiles,
    forms: Forms,
    words: Words,
    page_key: PageKey,
}

/// What becomes of what was said in words: it is read, and noted where it is searched.
#[derive(Clone)]
struct Words {
    readers: Readers,
    indexer: Indexer,
}

impl Responses {
    /// In a database, of customers that profiles knows; `readers` is what their words are read by.
    #[must_use]
    pub fn new(db: Database, profiles: Profiles, page_key: PageKey, readers: Readers) -> Self {
        let words = Words { indexer: Indexer::new(readers.analyser()), readers };
        Self { db, profiles, forms: Forms::default(), words, page_key }
    }

    /// Corrects a response, also after its survey was closed.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; INVALID_ARGUMENT with every violation.
    pub async fn update(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        id: ResponseId,
        etag: String,
        correction: Correction,
    ) -> Result<Answer<Response>, Fault> {
        let right = move |held: Response, form: &Form, now| held.correct(form, &etag, correction.clone(), now);
        self.change(call, receipt, id, right).await
    }

    /// Adds tags to a response and takes tags from it.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; INVALID_ARGUMENT for too many.
    pub async fn tag(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        id: ResponseId,
        etag: String,
        tagging: Tagging,
    ) -> Result<Answer<Response>, Fault> {
        let tag = move |held: Response, form: &Form, now| held.tag(&etag, &tagging, form.definition().anonymous, now);
        self.change(call, receipt, id, tag).await
    }

    async fn change(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        id: ResponseId,
        change: impl Fn(Response, &Form, Timestamp) -> Result<Response, Fault> + Clone + Send + Sync + 'static,
    ) -> Result<Answer<Response>, Fault> {
        let (forms, words) = (self.forms.clone(), self.words.clone());
        let unit = move |tx: Tx| {
            let (forms, words, change) = (forms.clone(), words.clone(), change.clone());
            async move {
                // An erasure took the response before, or waits: no event of it follows its erasure.
                tx.hold_erasures().await?;
                let held = store::response::lock(tx.conn(), tx.tenant(), id).await?;
                tx.about(held.respondent.subject);
                let form = form_of(&tx, &forms, &held).await?;
                let changed = change(held.clone(), &form, tx.now())?;
                rewrite(&tx, &words, &held, changed).await
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
                held.delete(&etag)?;
                remove(&tx, &held).await
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

    /// What the respondent is to be asked: its version told in one language and in the order of the response, the questions
    /// that are shown, and those of them that are required and missing.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn questionnaire(
        &self,
        call: &Call,
        id: ResponseId,
        language: String,
    ) -> Result<(Versioned, Vec<String>, Vec<String>), Fault> {
        let forms = self.forms.clone();
        let read = move |rx: Rx| {
            let (forms, language) = (forms.clone(), language.clone());
            async move {
                let response = store::response::get(rx.conn(), rx.tenant(), id).await?;
                let survey = store::survey::get(rx.conn(), rx.tenant(), response.survey).await?;
                let (form, number) = forms.of(&rx, &survey, response.version).await?;
                let version = store::survey_version::get(rx.conn(), rx.tenant(), survey.id, number).await?;
                let language = if language.is_empty() { response.touch.language.clone() } else { language };
                let home = form.definition().language.clone();
                let language = if language.is_empty() { home } else { language };
                let mut told = Versioned::whole(survey, version).told(&language);
                told.version.definition = form.arranged(told.version.definition, id.uuid());
                let answers = &response.content.answers;
                let shown = form.shown(answers, &response.facts());
                let missing = form.missing(answers, &shown).cloned().collect();
                let order = form.order(id.uuid());
                let name = |place: usize| form.definition().questions[place].id.clone();
                let shown = order.into_iter().filter(|place| shown.contains(place)).map(name).collect();
                Ok((told, shown, missing))
            }
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// The same of a response that was not begun: what is shown of the newest version, in the order that a response of this id
    /// (none: any) sees.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn first_questionnaire(
        &self,
        call: &Call,
        survey: SurveyId,
        id: Option<ResponseId>,
        (known, touch): (Option<Known>, Touch),
        language: String,
    ) -> Result<(Versioned, Vec<String>, Vec<String>), Fault> {
        let forms = self.forms.clone();
        let read = move |rx: Rx| {
            let (forms, language, known, touch) = (forms.clone(), language.clone(), known.clone(), touch.clone());
            async move {
                let survey = store::survey::get(rx.conn(), rx.tenant(), survey).await?;
                survey.admit()?;
                let (form, number) = forms.of(&rx, &survey, 0).await?;
                let version = store::survey_version::get(rx.conn(), rx.tenant(), survey.id, number).await?;
                let home = form.definition().language.clone();
                let language = if language.is_empty() { home } else { language };
                let mut told = Versioned::whole(survey, version).told(&language);
                let mut order: Vec<usize> = (0..form.definition().questions.len()).collect();
                if let Some(id) = id {
                    told.version.definition = form.arranged(told.version.definition, id.uuid());
                    order = form.order(id.uuid());
                }
                let known = known.map(|known| form.reads().of(&known));
                let facts = Facts { hidden: BTreeMap::new(), known, touch };
                let answers = Answers::default();
                let shown = form.shown(&answers, &facts);
                let missing = form.missing(&answers, &shown).cloned().collect();
                let name = |place: usize| form.definition().questions[place].id.clone();
                let shown = order.into_iter().filter(|place| shown.contains(place)).map(name).collect();
                Ok((told, shown, missing))
            }
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }
}

/// Deletes a response that was locked, and tells of it.
pub(super) async fn remove(tx: &Tx, held: &Response) -> Result<(), Fault> {
    let id = held.id;
    store::response::delete(tx.conn(), tx.tenant(), &[id]).await?;
    store::response_tag::delete(tx.conn(), tx.tenant(), &[id]).await?;
    store::response_key::delete(tx.conn(), tx.tenant(), &[id]).await?;
    store::asking::code::delete(tx, &[id]).await?;
    text_reading::delete(tx, Source::Response, &[id.uuid()]).await?;
    if held.aside {
        return Ok(());
    }
    search::forget(tx, &[id.uuid()]).await?;
    publish(tx, held, events::deleted(held, held.revision + 1), kept(tx.now(), held.respondent.anonymous)).await
}

/// Tells of a response, as of an instant that is rounded where its survey is anonymous; of nobody's nothing more of the time.
async fn publish(tx: &Tx, response: &Response, event: NewEvent, at: Timestamp) -> Result<(), Fault> {
    if response.respondent.anonymous { tx.publish_timeless(event, at).await } else { tx.publish(event).await }
}

/// The form of the version that a response answers.
async fn form_of(rx: &Rx, forms: &Forms, response: &Response) -> Result<Form, Fault> {
    let survey = store::survey::get(rx.conn(), rx.tenant(), response.survey).await?;
    Ok(forms.of(rx, &survey, response.version).await?.0)
}

/// What is read in the words of a response.
fn read(reader: &Reader, response: &Response) -> Option<Reading> {
    let language = &response.touch.language;
    let read = |(question, text)| Some((question, reader.read(text, language, Source::Response)?));
    let parts: Vec<(&str, Reading)> = response.texts().filter_map(read).collect();
    Reading::of(parts.iter().map(|(question, reading)| (*question, reading)))
}

/// What figures of texts are made from.
fn entry(response: &Response) -> Entry<'_> {
    Entry {
        source: Source::Response,
        item: response.id.uuid(),
        subject: response.respondent.subject,
        said_at: response.answered_at,
        channel: &response.touch.channel,
        product: &response.touch.product,
        counts: !response.is_test,
        reading: response.content.reading.as_ref(),
    }
}

/// Reads a new response, writes it, and tells of it; of one that is kept aside nothing is told.
async fn write(tx: &Tx, words: &Words, mut response: Response) -> Result<Response, Fault> {
    let reader = words.readers.of(tx).await?;
    response.content.reading = read(&reader, &response);
    store::response::insert(tx.conn(), tx.tenant(), &response).await?;
    if !response.aside {
        enter(tx, words, &reader, &response).await?;
    }
    Ok(response)
}

/// Notes a response that was written wherever it is found, and tells of it.
async fn enter(tx: &Tx, words: &Words, reader: &Reader, response: &Response) -> Result<(), Fault> {
    store::response_tag::insert(tx.conn(), tx.tenant(), response).await?;
    store::response_key::put(tx.conn(), tx.tenant(), response).await?;
    if response.content.reading.is_some() {
        text_reading::put(tx, reader.version(), &[entry(response)], true).await?;
    }
    words.indexer.note(tx, response).await?;
    publish(tx, response, events::changed(response), response.updated_at).await
}

/// Reads a response anew, writes it over what it was, and tells of it; where nothing changed, nothing of that.
async fn rewrite(tx: &Tx, words: &Words, held: &Response, mut changed: Response) -> Result<Response, Fault> {
    if changed.revision == held.revision {
        return Ok(changed);
    }
    let reader = words.readers.of(tx).await?;
    changed.content.reading = read(&reader, &changed);
    store::response::update(tx.conn(), tx.tenant(), &changed).await?;
    if changed.aside {
        return Ok(changed);
    }
    if held.aside {
        enter(tx, words, &reader, &changed).await?;
        return Ok(changed);
    }
    if changed.tags != held.tags {
        store::response_tag::delete(tx.conn(), tx.tenant(), &[held.id]).await?;
        store::response_tag::insert(tx.conn(), tx.tenant(), &changed).await?;
    }
    if changed.origin != held.origin {
        store::response_key::put(tx.conn(), tx.tenant(), &changed).await?;
    }
    if held.content.reading.is_some() || changed.content.reading.is_some() {
        text_reading::put(tx, reader.version(), &[entry(&changed)], false).await?;
    }
    words.indexer.note_again(tx, held, &changed).await?;
    publish(tx, &changed, events::changed(&changed), changed.updated_at).await?;
    Ok(changed)
}
