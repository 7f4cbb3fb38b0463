//! Importing past responses, many in one commit.

use futures::{StreamExt as _, stream};
use rapport_data::Tx;
use rapport_kernel::{Fault, Reason, SubjectId};
use rapport_platform::Call;

use super::submit::{Ids, key};
use super::{Responses, Words, rewrite, write};
use crate::domain::response::NewResponse;
use crate::domain::{Customer, Respondent, Response};
use crate::peers::Resolved;
use crate::service::Forms;
use crate::store;

/// How many customers are asked for at once.
const ASKED: usize = 16;

/// A past response, and whose it is.
#[derive(Clone)]
struct Imported {
    ids: Ids,
    resolved: Option<Resolved>,
    new: NewResponse,
}

impl Responses {
    /// Imports past responses in one commit: why each was refused that was, in order.
    ///
    /// # Errors
    /// Where profiles cannot be reached, or the commit fails: then nothing was imported.
    pub async fn import(
        &self,
        call: &Call,
        items: Vec<(Option<Customer>, NewResponse)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        let resolve = |(customer, new): (Option<Customer>, NewResponse)| async move {
            let resolved = match &customer {
                Some(customer) => self.profiles.resolve(call, customer).await.map(Some),
                None => Ok(None),
            };
            resolved.map(|resolved| Imported { ids: Ids::new(), resolved, new })
        };
        let found: Vec<Result<Imported, Fault>> = stream::iter(items).map(resolve).buffered(ASKED).collect().await;
        let (mut results, mut sound) = (Vec::new(), Vec::new());
        for (index, one) in found.into_iter().enumerate() {
            match one {
                Ok(one) => {
                    results.push(Ok(()));
                    sound.push((index, one));
                }
                // Nobody is refused because somebody cannot be asked for now.
                Err(fault) if fault.is_transient() => return Err(fault),
                Err(fault) => results.push(Err(fault)),
            }
        }
        let (forms, words) = (self.forms.clone(), self.words.clone());
        let unit = move |tx: Tx| {
            let (forms, words, sound) = (forms.clone(), words.clone(), sound.clone());
            async move { take_all(&tx, (&forms, &words), sound).await }
        };
        for (index, result) in self.db.until(call.deadline).write(call.tenant(), unit).await? {
            results[index] = result;
        }
        Ok(results)
    }
}

async fn take_all(
    tx: &Tx,
    with: (&Forms, &Words),
    items: Vec<(usize, Imported)>,
) -> Result<Vec<(usize, Result<(), Fault>)>, Fault> {
    let subjects: Vec<SubjectId> =
        items.iter().filter_map(|(_, one)| Some(one.resolved.as_ref()?.respondent.subject)).collect();
    let erased = tx.is_entombed(&subjects).await?;
    let keys: Vec<String> = items.iter().filter_map(|(_, one)| one.new.origin.as_ref().map(key)).collect();
    tx.lock(&keys).await?;
    let mut results = Vec::new();
    for (index, one) in items {
        let is_erased = one.resolved.as_ref().is_some_and(|resolved| erased.contains(&resolved.respondent.subject));
        let result = if is_erased {
            Err(Fault::new(Reason::Erased, "the customer was erased"))
        } else {
            tx.attempt(take(tx, with, one)).await?
        };
        results.push((index, result));
    }
    Ok(results)
}

async fn take(tx: &Tx, (forms, words): (&Forms, &Words), one: Imported) -> Result<(), Fault> {
    let Imported { ids, resolved, new } = one;
    let survey = store::survey::hold(tx.conn(), tx.tenant(), new.survey).await?;
    survey.admit_past()?;
    let (form, version) = forms.of(tx, &survey, new.version).await?;
    let origin = new.origin.clone().ok_or_else(|| Fault::internal("the record of a past response was not checked"))?;
    let known = store::response_key::find(tx.conn(), tx.tenant(), &origin).await?;
    let (id, subject) = ids.of(form.definition().anonymous);
    let held = match known {
        Some(known) if known.deleted || origin.version <= known.version => return Ok(()),
        Some(known) => Some(store::response::lock(tx.conn(), tx.tenant(), known.response).await?),
        None => None,
    };
    let nobody = || Respondent::anonymous(subject, form.definition().party);
    let respondent = match &held {
        // What it hangs on never changes.
        Some(held) => held.respondent.clone(),
        None => resolved.as_ref().map_or_else(nobody, |resolved| resolved.respondent.clone()),
    };
    let facts = resolved.as_ref().map(|resolved| &resolved.known);
    let mut made = Response::begin(id, (&form, version), new, respondent, facts, tx.now())?;
    made.content.customer = resolved.as_ref().map(|resolved| resolved.customer);
    match held {
        None => write(tx, words, made).await.map(drop),
        Some(held) => {
            let (id, revision, created_at) = (held.id, held.revision + 1, held.created_at);
            rewrite(tx, words, &held, Response { id, revision, created_at, ..made }).await.map(drop)
        }
    }
}
