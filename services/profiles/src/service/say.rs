//! What is said of a customer by a call of its own: consents, objections, preferences, flags. It is heard like any
//! statement, of the subject that the call names, so that a split gives it back.

use std::sync::Arc;

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, Timestamp};
use rapport_platform::Call;

use super::hear::hear;
use super::{Outcome, Profiles, Written, attach};
use crate::domain::claims::Statement;
use crate::domain::value::Named;

/// What is said.
#[derive(Clone, Debug)]
pub struct Saying {
    /// Of whom.
    pub customer: Named,
    /// What.
    pub statement: Statement,
    /// When that was known.
    pub observed_at: Timestamp,
}

/// The outcome.
pub struct Said {
    /// The profile after it.
    pub profile: Arc<crate::domain::profile::Profile>,
    written: Written,
}

impl Said {
    pub(super) const fn new(profile: Arc<crate::domain::profile::Profile>, written: Written) -> Self {
        Self { profile, written }
    }
}

impl Outcome for Said {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// Records what is said.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION (INVALID_STATE, IDENTITY_CONFLICT) where too much would be held.
    pub async fn say(&self, call: &Call, receipt: Receipt<Said>, input: Saying) -> Result<Answer<Said>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx: Tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move {
                let subject = attach::resolve(&tx, &input.customer).await?.0;
                let heard = hear(&tx, &rules, subject, &input.statement, input.observed_at).await?;
                Ok(Said::new(heard.profile, heard.written))
            }
        };
        self.change(call, receipt, unit).await
    }
}
