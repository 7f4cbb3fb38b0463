//! The forms of surveys: read and compiled once for each version, then kept. A version that was published never changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rapport_data::Rx;
use rapport_kernel::{Fault, TenantId, Timestamp, Violations};

use crate::domain::survey::Form;
use crate::domain::{Survey, SurveyId};
use crate::store;

/// How many are kept.
const MOST: usize = 2_000;

/// Of which survey and version. The instant of the survey's last change is among it: a change that was never committed
/// may have been read in a unit that was not either.
type Key = (TenantId, SurveyId, u32, Timestamp);

/// The forms that are kept.
#[derive(Clone, Default)]
pub struct Forms(Arc<Mutex<HashMap<Key, Form>>>);

impl Forms {
    /// The form of a version of a survey; 0: of the newest. Which version that is, is answered too.
    ///
    /// # Errors
    /// NOT_FOUND where there is no such version; else as the database's.
    pub async fn of(&self, rx: &Rx, survey: &Survey, version: u32) -> Result<(Form, u32), Fault> {
        let number = if version == 0 { survey.version } else { version };
        let key = (rx.tenant(), survey.id, number, survey.updated_at);
        if let Some(form) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok((form.clone(), number));
        }
        let version = store::survey_version::get(rx.conn(), rx.tenant(), survey.id, number).await?;
        let form = compile(version.definition)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            // Which are in use is not known; those will be back at once.
            kept.clear();
        }
        kept.insert(key, form.clone());
        Ok((form, number))
    }
}

/// Compiles what was compiled when it was saved.
fn compile(definition: crate::domain::survey::Definition) -> Result<Form, Fault> {
    let form = Form::compile(definition, &mut Violations::new());
    form.ok_or_else(|| Fault::internal("a survey that was saved does not compile any more"))
}
