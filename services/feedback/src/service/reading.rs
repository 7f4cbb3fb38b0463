//! Reading texts by a tenant's taxonomy, within the unit that writes them: whoever writes after a change of the taxonomy
//! reads by it, on every instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rapport_data::Rx;
use rapport_kernel::{Fault, TenantId};
use rapport_text::Analyser;

use crate::domain::reading::Reading;
use crate::domain::topic::{Lexicon, Topic};
use crate::store::text_reading::Source;
use crate::store::topic;

/// How many tenants' taxonomies are kept compiled.
const MOST: usize = 1_000;

/// What reads texts, for all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    analyser: Analyser,
    known: Arc<Mutex<HashMap<TenantId, Arc<Lexicon>>>>,
}

/// What reads one tenant's texts.
#[derive(Clone)]
pub struct Reader {
    analyser: Analyser,
    lexicon: Arc<Lexicon>,
}

impl Readers {
    /// By an analyser.
    #[must_use]
    pub fn new(analyser: Analyser) -> Self {
        Self { analyser, known: Arc::default() }
    }

    /// The analyser: another model of sentiment stands in it.
    #[must_use]
    pub fn analyser(&self) -> Analyser {
        self.analyser.clone()
    }

    /// What reads a tenant's texts, as the read or unit sees its taxonomy.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of(&self, rx: &Rx) -> Result<Reader, Fault> {
        let version = topic::version(rx).await?;
        let analyser = self.analyser.clone();
        // Whole after every statement.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&rx.tenant()).cloned();
        if let Some(lexicon) = known.filter(|known| known.version == version) {
            return Ok(Reader { analyser, lexicon });
        }
        let topics: Vec<Topic> = if version == 0 {
            Topic::standard(rx.tenant()).into_iter().map(|(_, topic)| topic).collect()
        } else {
            topic::all(rx).await?.into_iter().map(|kept| kept.topic).collect()
        };
        let lexicon = Arc::new(Lexicon::new(version, &topics));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            // Which are in use is not known; those will be back at once.
            known.clear();
        }
        known.insert(rx.tenant(), Arc::clone(&lexicon));
        Ok(Reader { analyser, lexicon })
    }
}

impl Reader {
    /// The version of the taxonomy.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.lexicon.version
    }

    /// Reads a text of an item; nothing where it has no words.
    #[must_use]
    pub fn read(&self, text: &str, language: &str, source: Source) -> Option<Reading> {
        self.lexicon.read(&self.analyser, text, language, source.name())
    }

    /// Reads a text that is not stored.
    #[must_use]
    pub fn look_at(&self, text: &str, language: &str) -> Reading {
        let silent = || Reading { model: self.analyser.model_name().to_owned(), ..Reading::default() };
        self.lexicon.read(&self.analyser, text, language, "").unwrap_or_else(silent)
    }
}
