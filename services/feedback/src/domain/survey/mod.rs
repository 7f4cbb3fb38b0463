//! A survey: its life (draft, open, closed; never back) and its versions. What a version asks is [`definition`].

mod change;
mod check;
mod definition;
mod form;
mod language;
mod standard;
mod statements;
#[cfg(test)]
mod tests;

use rapport_kernel::{Fault, Id, Reason, Timestamp, Violations};
use serde::{Deserialize, Serialize};

pub use change::{Change, keeps};
pub use check::{LONGEST, wrong_scale};
pub use definition::{Bounds, Branch, Choice, Definition, HiddenField, Measures, Question, QuestionType, Scale, Text};
pub use form::{Form, OTHER};
pub use standard::top_box;
pub use statements::{LIBRARY, Statement};

use language::nearest;

use super::asking::Asking;
use super::{Party, etag};

/// A survey's id.
pub type SurveyId = Id<Survey>;

/// What a survey measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurveyKind {
    /// Relational net promoter score.
    Nps,
    /// Transactional net promoter score.
    Tnps,
    /// Satisfaction.
    Csat,
    /// Effort.
    Ces,
    /// The satisfaction index.
    Csi,
    /// Whatever its questions measure.
    Custom,
}

impl SurveyKind {
    const ALL: [Self; 6] = [Self::Nps, Self::Tnps, Self::Csat, Self::Ces, Self::Csi, Self::Custom];

    /// The name in columns and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nps => "nps",
            Self::Tnps => "tnps",
            Self::Csat => "csat",
            Self::Ces => "ces",
            Self::Csi => "csi",
            Self::Custom => "custom",
        }
    }
    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
    /// What its principal question measures.
    #[must_use]
    pub const fn measures(self) -> Option<Measures> {
        match self {
            Self::Nps => Some(Measures::Nps),
            Self::Tnps => Some(Measures::Tnps),
            Self::Csat => Some(Measures::Csat),
            Self::Ces => Some(Measures::Ces),
            Self::Csi => Some(Measures::Csi),
            Self::Custom => None,
        }
    }
}

/// Where a survey stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyState {
    /// Made, not open.
    Draft,
    /// Takes responses.
    Open,
    /// Takes no new responses; those held can still be corrected.
    Closed,
}

impl SurveyState {
    /// The name in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
    /// The state of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Draft, Self::Open, Self::Closed].into_iter().find(|state| state.name() == name)
    }
}

/// A survey, but for what it asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// Its id.
    pub id: SurveyId,
    /// Its name, for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it measures.
    pub kind: SurveyKind,
    /// Whom it asks.
    pub party: Party,
    /// Where it stands.
    pub state: SurveyState,
    /// Its newest version.
    pub version: u32,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was opened.
    pub published_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Whom it asks, how many of them and how often.
    pub asking: Asking,
}

/// A version of a survey.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Which, from 1.
    pub number: u32,
    /// What it asks.
    pub definition: Definition,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A survey and one of its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The survey.
    pub survey: Survey,
    /// The version.
    pub version: Version,
    /// The language it is told in; empty: all.
    pub language: String,
    /// Where it is told in one: all languages it is in.
    pub languages: Vec<String>,
}

/// Which surveys to list.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Of a kind.
    pub kind: Option<SurveyKind>,
    /// That stand so.
    pub state: Option<SurveyState>,
    /// That ask this party.
    pub party: Option<Party>,
}

impl Versioned {
    /// A survey and a version of it, in all languages.
    #[must_use]
    pub const fn whole(survey: Survey, version: Version) -> Self {
        Self { survey, version, language: String::new(), languages: Vec::new() }
    }

    /// Makes a draft.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every broken rule.
    pub fn draft(id: SurveyId, kind: SurveyKind, change: &Change, now: Timestamp) -> Result<Self, Fault> {
        let form = change.make(kind).map_err(Fault::invalid)?;
        let definition = form.definition().clone();
        let survey = Survey {
            id,
            name: change.name.clone().unwrap_or_default(),
            description: change.description.clone().unwrap_or_default(),
            kind,
            party: definition.party,
            state: SurveyState::Draft,
            version: 1,
            revision: 1,
            created_at: now,
            updated_at: now,
            published_at: None,
            closed_at: None,
            asking: change.asking.clone().unwrap_or_default(),
        };
        let version = Version { number: 1, definition, created_at: now };
        Ok(Self::whole(survey, version))
    }

    /// Changes it. Of an open survey what is asked becomes a new version, which must keep to what those before it
    /// (`before`) have published.
    ///
    /// # Errors
    /// ABORTED for a stale etag; INVALID_ARGUMENT with every broken rule; FAILED_PRECONDITION where its state forbids it.
    pub fn change(
        mut self,
        given: &str,
        change: &Change,
        before: &[Definition],
        now: Timestamp,
    ) -> Result<Self, Fault> {
        etag::check(self.survey.revision, given)?;
        if change.concerns_definition() {
            let wanted = change.definition(&self.version.definition, &mut Violations::new());
            if wanted != self.version.definition {
                // Whatever else is wrong with it: what is forbidden is not to be mended.
                self.survey.allow(&wanted, before)?;
            }
            let form = change.apply(&self.version.definition).map_err(Fault::invalid)?;
            if *form.definition() != self.version.definition {
                self.redefine(form.definition().clone(), now);
            }
        }
        let held = &mut self.survey;
        change.name.iter().for_each(|name| held.name.clone_from(name));
        change.description.iter().for_each(|text| held.description.clone_from(text));
        if let Some(asking) = change.asking.as_ref().filter(|asking| **asking != held.asking) {
            if held.state == SurveyState::Closed {
                held.require(SurveyState::Open, "of a closed survey only the name can be changed")?;
            }
            held.asking.clone_from(asking);
        }
        held.revision += 1;
        held.updated_at = now;
        Ok(self)
    }

    fn redefine(&mut self, definition: Definition, now: Timestamp) {
        let held = &mut self.survey;
        held.version += u32::from(held.state == SurveyState::Open);
        (held.kind, held.party) = (definition.kind, definition.party);
        self.version = Version { number: held.version, definition, created_at: now };
    }

    /// The same, told in a language, or in the next best one that all of it is there in; empty: in all.
    #[must_use]
    pub fn told(mut self, language: &str) -> Self {
        if !language.is_empty() {
            self.languages = self.version.definition.languages();
            let nearest = nearest(&self.languages, language).unwrap_or(&self.version.definition.language);
            nearest.clone_into(&mut self.language);
            self.version.definition = self.version.definition.told(language);
        }
        self
    }

    /// About how many bytes it is on the wire: for pages that end before they grow too large.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Ids, times and what precedes each field.
        const FRAME: usize = 250;
        FRAME + self.survey.name.len() + self.survey.description.len() + self.version.definition.size()
    }
}

impl Survey {
    /// Opens a draft for responses.
    ///
    /// # Errors
    /// ABORTED for a stale etag; FAILED_PRECONDITION where it is no draft.
    pub fn publish(mut self, given: &str, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        self.require(SurveyState::Draft, "only a draft can be published")?;
        self.state = SurveyState::Open;
        self.published_at = Some(now);
        self.touch(now);
        Ok(self)
    }

    /// Closes an open survey.
    ///
    /// # Errors
    /// ABORTED for a stale etag; FAILED_PRECONDITION where it is not open.
    pub fn close(mut self, given: &str, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        self.require(SurveyState::Open, "only an open survey can be closed")?;
        self.state = SurveyState::Closed;
        self.closed_at = Some(now);
        self.touch(now);
        Ok(self)
    }

    /// Lets it be deleted.
    ///
    /// # Errors
    /// ABORTED for a stale etag; FAILED_PRECONDITION where it is open.
    pub fn delete(&self, given: &str) -> Result<(), Fault> {
        etag::check(self.revision, given)?;
        match self.state {
            SurveyState::Draft | SurveyState::Closed => Ok(()),
            SurveyState::Open => self.require(SurveyState::Closed, "close the survey before it is deleted"),
        }
    }

    fn touch(&mut self, now: Timestamp) {
        self.updated_at = now;
        self.revision += 1;
    }

    /// Lets a new response in only while the survey is open.
    ///
    /// # Errors
    /// FAILED_PRECONDITION, reason SURVEY_NOT_OPEN.
    pub fn admit(&self) -> Result<(), Fault> {
        let text = match self.state {
            SurveyState::Open => return Ok(()),
            SurveyState::Draft => "the survey is a draft: publish it first",
            SurveyState::Closed => "the survey is closed: it takes no new responses",
        };
        Err(Fault::new(Reason::SurveyNotOpen, text).precondition("SURVEY_OPEN", self.id.to_string()))
    }

    /// Lets past responses in once the survey was published.
    ///
    /// # Errors
    /// FAILED_PRECONDITION, reason SURVEY_NOT_OPEN.
    pub fn admit_past(&self) -> Result<(), Fault> {
        if self.state == SurveyState::Closed { Ok(()) } else { self.admit() }
    }

    /// Lets it ask something else.
    fn allow(&self, wanted: &Definition, before: &[Definition]) -> Result<(), Fault> {
        match self.state {
            SurveyState::Draft => Ok(()),
            SurveyState::Open => {
                let mut out = Violations::new();
                // The newest first: what it says of a question is what those before it say.
                before.iter().rev().for_each(|old| keeps(old, wanted, &mut out));
                if out.is_empty() {
                    return Ok(());
                }
                let text =
                    "the survey was published: what it measures must stay what it was; the details name each field";
                let mut fault = Fault::new(Reason::InvalidState, text);
                fault.details.violations = out;
                Err(fault.precondition("SURVEY_STATE", self.id.to_string()))
            }
            SurveyState::Closed => self.require(SurveyState::Open, "of a closed survey only the name can be changed"),
        }
    }

    fn require(&self, state: SurveyState, text: &str) -> Result<(), Fault> {
        if self.state == state {
            return Ok(());
        }
        let text = format!("{text}; this one is {}", self.state.name());
        Err(Fault::new(Reason::InvalidState, text).precondition("SURVEY_STATE", self.id.to_string()))
    }
}
