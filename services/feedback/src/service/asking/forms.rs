//! The conditions of asking: compiled once for each state of a survey, then kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rapport_kernel::{Fault, TenantId, Timestamp, Violations};

use crate::domain::asking::AskForm;
use crate::domain::{Survey, SurveyId};

/// How many are kept.
const MOST: usize = 5_000;

/// Of which survey, as it was changed last.
type Key = (TenantId, SurveyId, Timestamp, u64);

/// The conditions that are kept.
#[derive(Clone, Default)]
pub struct AskForms(Arc<Mutex<HashMap<Key, Arc<AskForm>>>>);

impl AskForms {
    /// The conditions of a survey.
    ///
    /// # Errors
    /// INTERNAL where what was compiled when it was saved does not compile any more.
    pub fn of(&self, tenant: TenantId, survey: &Survey) -> Result<Arc<AskForm>, Fault> {
        let key = (tenant, survey.id, survey.updated_at, survey.revision);
        if let Some(form) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(form));
        }
        let form = AskForm::compile(&survey.asking, &mut Violations::new());
        let form = Arc::new(form.ok_or_else(|| Fault::internal("a survey's asking does not compile any more"))?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            // Which are in use is not known; those will be back at once.
            kept.clear();
        }
        kept.insert(key, Arc::clone(&form));
        Ok(form)
    }
}
