//! UpdateNamespace: a tenant changes how identifiers of a kind are read and how far they link, or adds a kind of its own.
//! What is said from then on counts by the new rules at once; what was said before is gone through in the background.

use std::sync::Arc;

use rapport_data::{Answer, Operation, Receipt, Tx};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::Profiles;
use super::renormalise;
use super::rules::{BuiltIn, read};
use crate::domain::namespace::Namespace;
use crate::store::namespace;

/// How many namespaces a tenant may have.
const MOST: usize = 50;

/// A namespace as it shall be.
#[derive(Clone, Debug)]
pub struct Update {
    /// As it shall be; its revision is counted here.
    pub namespace: Namespace,
    /// Its revision as last read.
    pub expected: Option<u64>,
}

/// The outcome of a change.
#[derive(Clone)]
pub struct Updated {
    /// As it is now.
    pub namespace: Namespace,
    /// The operation that goes through what was said before; none where nothing of it counts otherwise now.
    pub operation: Option<Operation>,
}

impl Profiles {
    /// Changes a namespace, or adds one.
    ///
    /// # Errors
    /// ABORTED (STALE_ETAG); FAILED_PRECONDITION (INVALID_STATE) where the tenant has as many as it may.
    pub async fn update_namespace(
        &self,
        call: &Call,
        receipt: Receipt<Updated>,
        update: Update,
    ) -> Result<Answer<Updated>, Fault> {
        let (this, update) = (self.clone(), Arc::new(update));
        let unit = move |tx: Tx| {
            let (this, update) = (this.clone(), Arc::clone(&update));
            async move { change(&tx, &this.0.built_in, &update).await }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.rules_changed(call.tenant());
        Ok(answer)
    }
}

async fn change(tx: &Tx, built_in: &BuiltIn, update: &Update) -> Result<Updated, Fault> {
    let mut wanted = update.namespace.clone();
    tx.lock(&["namespaces".to_owned()]).await?;
    let namespaces = read(tx, built_in, None).await?.namespaces;
    let held = namespaces.find(&wanted.name);
    let revision = held.map_or(0, |held| held.revision);
    if update.expected.is_some_and(|expected| expected != revision) {
        let text = "the etag is not the newest: list the namespaces again, look whether the change still fits, retry";
        return Err(Fault::new(Reason::StaleEtag, text).resource("namespace", wanted.name));
    }
    if held.is_none() && namespaces.all().len() >= MOST {
        let fault =
            Fault::new(Reason::InvalidState, format!("there are {MOST} namespaces already, the most there may be"));
        return Err(fault.precondition("NAMESPACE_COUNT", MOST.to_string()));
    }
    wanted.renormalises = held.is_some_and(|held| held.renormalises || held.normaliser != wanted.normaliser);
    wanted.revision = revision;
    if held == Some(&wanted) {
        return Ok(Updated { namespace: wanted, operation: None });
    }
    let counts_otherwise = held.is_some_and(|held| {
        let rest = |it: &Namespace| Namespace { unique: false, revision: 0, ..it.clone() };
        rest(held) != rest(&wanted)
    });
    wanted.revision += 1;
    namespace::put(tx, &wanted).await?;
    let operation = match counts_otherwise {
        true => Some(renormalise::begin(tx, &wanted.name).await?),
        false => None,
    };
    Ok(Updated { namespace: wanted, operation })
}
