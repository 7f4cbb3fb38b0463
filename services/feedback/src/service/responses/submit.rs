//! Taking a response to an open survey: a new one, or a partial one that is gone on with.

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, Reason, SubjectId};
use rapport_platform::Call;
use uuid::Uuid;

use super::{Responses, Words, form_of, rewrite, write};
use crate::domain::response::{NewResponse, Origin};
use crate::domain::{Customer, Respondent, Response, ResponseId};
use crate::peers::Resolved;
use crate::service::Forms;
use crate::store;

impl Responses {
    /// Takes a response to an open survey. An anonymous one gets a subject of its own, which nothing ties to a person.
    ///
    /// # Errors
    /// NOT_FOUND for the survey, the version, the customer or the response gone on with; FAILED_PRECONDITION where the
    /// survey is not open, the customer was erased, or the response is complete; ALREADY_EXISTS where the record was
    /// taken and deleted; INVALID_ARGUMENT with every violation.
    pub async fn submit(
        &self,
        call: &Call,
        receipt: Receipt<Response>,
        customer: Option<Customer>,
        new: NewResponse,
    ) -> Result<Answer<Response>, Fault> {
        let resolved = match &customer {
            Some(customer) => Some(self.profiles.resolve(call, customer).await?),
            None => None,
        };
        let (ids, forms, words) = (Ids::new(), self.forms.clone(), self.words.clone());
        let unit = move |tx: Tx| {
            let (new, resolved, forms, words) = (new.clone(), resolved.clone(), forms.clone(), words.clone());
            async move { take(&tx, (&forms, &words), ids, resolved.as_ref(), new).await }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Takes a response within a unit: a new one, or one that is gone on with.
    ///
    /// # Errors
    /// As [`Responses::submit`].
    pub(in crate::service) async fn take(
        &self,
        tx: &Tx,
        ids: Ids,
        resolved: Option<&Resolved>,
        new: NewResponse,
    ) -> Result<Response, Fault> {
        take(tx, (&self.forms, &self.words), ids, resolved, new).await
    }
}

/// The ids of a response that is new: those of one that may be known to have been given when, and those of one to an
/// anonymous survey, which hold no time.
#[derive(Clone, Copy, Debug)]
pub(in crate::service) struct Ids {
    known: (ResponseId, SubjectId),
    timeless: (ResponseId, SubjectId),
}

impl Ids {
    pub(in crate::service) fn new() -> Self {
        let (response, subject) = (ResponseId::from_uuid(Uuid::new_v4()), SubjectId::from_uuid(Uuid::new_v4()));
        Self { known: (ResponseId::new(), SubjectId::new()), timeless: (response, subject) }
    }
    /// The same, but that a response that may be known to be somebody's has this id.
    pub(in crate::service) const fn with(self, id: ResponseId) -> Self {
        Self { known: (id, self.known.1), ..self }
    }
    pub(super) const fn of(self, anonymous: bool) -> (ResponseId, SubjectId) {
        if anonymous { self.timeless } else { self.known }
    }
}

async fn take(
    tx: &Tx,
    (forms, words): (&Forms, &Words),
    ids: Ids,
    resolved: Option<&Resolved>,
    new: NewResponse,
) -> Result<Response, Fault> {
    tx.hold_erasures().await?;
    if let Some(resolved) = resolved
        && !tx.is_entombed(&[resolved.respondent.subject]).await?.is_empty()
    {
        return Err(Fault::new(Reason::Erased, "the customer was erased"));
    }
    if let Some(held) = held(tx, &new).await? {
        tx.about(held.respondent.subject);
        if held.complete && new.response.is_none() {
            return Ok(held);
        }
        let theirs = |resolved: &Resolved| resolved.subjects.contains(&held.respondent.subject);
        if resolved.is_some_and(|resolved| held.respondent.anonymous || !theirs(resolved)) {
            let text = "must be the customer of the response that is gone on with, or absent";
            return Err(Fault::invalid_field("customer", "response.customer", text));
        }
        store::survey::get(tx.conn(), tx.tenant(), held.survey).await?.admit()?;
        let form = form_of(tx, forms, &held).await?;
        let changed = held.clone().go_on(&form, new, tx.now())?;
        return rewrite(tx, words, &held, changed).await;
    }
    // Not locked: a response that meets the closing of its survey came before it.
    let survey = store::survey::get(tx.conn(), tx.tenant(), new.survey).await?;
    survey.admit()?;
    let (form, version) = forms.of(tx, &survey, new.version).await?;
    let definition = form.definition();
    let (id, subject) = ids.of(definition.anonymous);
    let respondent = resolved
        .map_or_else(|| Respondent::anonymous(subject, definition.party), |resolved| resolved.respondent.clone());
    let known = resolved.map(|resolved| &resolved.known);
    let mut response = Response::begin(id, (&form, version), new, respondent, known, tx.now())?;
    response.content.customer = resolved.map(|resolved| resolved.customer);
    write(tx, words, response).await
}

/// The response that is gone on with, or that was taken from the same record.
async fn held(tx: &Tx, new: &NewResponse) -> Result<Option<Response>, Fault> {
    if let Some(id) = new.response {
        return store::response::lock(tx.conn(), tx.tenant(), id).await.map(Some);
    }
    let Some(origin) = &new.origin else { return Ok(None) };
    tx.lock(&[key(origin)]).await?;
    match store::response_key::find(tx.conn(), tx.tenant(), origin).await? {
        None => Ok(None),
        Some(held) if held.deleted => {
            let text = "the response of this source and external id was deleted: it is not taken again";
            Err(Fault::new(Reason::ResourceExists, text).resource("response", held.response.to_string()))
        }
        Some(held) => store::response::lock(tx.conn(), tx.tenant(), held.response).await.map(Some),
    }
}

/// What two units that take the same record exclude each other by.
pub(super) fn key(origin: &Origin) -> String {
    format!("response {}\n{}", origin.source, origin.external_id.expose())
}
