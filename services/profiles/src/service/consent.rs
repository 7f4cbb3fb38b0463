//! SetConsent: a consent is heard like any statement, of the subject that the call names.

use std::sync::Arc;

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::Fault;
use rapport_platform::Call;

use super::identify::hear;
use super::{Outcome, Profiles, Written, attach};
use crate::domain::claims::{Consent, Statement};
use crate::domain::value::Named;

/// A consent or refusal to record.
#[derive(Clone, Debug)]
pub struct Consenting {
    /// Whose.
    pub customer: Named,
    /// The consent.
    pub consent: Consent,
}

/// The outcome.
pub struct Consented {
    /// The profile after it.
    pub profile: Arc<crate::domain::profile::Profile>,
    written: Written,
}

impl Outcome for Consented {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// Records a consent or a refusal.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn consent(
        &self,
        call: &Call,
        receipt: Receipt<Consented>,
        input: Consenting,
    ) -> Result<Answer<Consented>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx: Tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move {
                let subject = attach::resolve(&tx, &input.customer).await?.0;
                let statement = Statement { consents: [input.consent.clone()].into(), ..Statement::default() };
                let heard = hear(&tx, &rules, subject, &statement, input.consent.observed_at).await?;
                Ok(Consented { profile: heard.profile, written: heard.written })
            }
        };
        self.change(call, receipt, unit).await
    }
}
