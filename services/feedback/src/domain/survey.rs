//! A survey's life: draft, open, closed; never back.

use rapport_kernel::{Fault, Id, Reason, Timestamp};

use super::etag;

/// A survey's id.
pub type SurveyId = Id<Survey>;

/// What a survey measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyKind {
    /// Relational net promoter score: 0 to 10.
    Nps,
}

impl SurveyKind {
    /// The name in columns and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nps => "nps",
        }
    }
    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        (name == "nps").then_some(Self::Nps)
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

/// What a survey is made from.
#[derive(Clone, Debug)]
pub struct NewSurvey {
    /// Its name, for people.
    pub name: String,
    /// What it measures.
    pub kind: SurveyKind,
    /// The question.
    pub question: String,
}

/// A survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Its id.
    pub id: SurveyId,
    /// Its name, for people.
    pub name: String,
    /// What it measures.
    pub kind: SurveyKind,
    /// The question.
    pub question: String,
    /// Where it stands.
    pub state: SurveyState,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was opened.
    pub published_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

impl Survey {
    /// Makes a draft.
    #[must_use]
    pub fn draft(id: SurveyId, new: NewSurvey, now: Timestamp) -> Self {
        let NewSurvey { name, kind, question } = new;
        let (state, revision) = (SurveyState::Draft, 1);
        Self { id, name, kind, question, state, revision, created_at: now, published_at: None, closed_at: None }
    }

    /// Opens a draft for responses.
    ///
    /// # Errors
    /// ABORTED for a stale etag; FAILED_PRECONDITION where it is no draft.
    pub fn publish(mut self, given: &str, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        self.require(SurveyState::Draft, "only a draft can be published")?;
        self.state = SurveyState::Open;
        self.published_at = Some(now);
        self.revision += 1;
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
        self.revision += 1;
        Ok(self)
    }

    /// About how many bytes it is on the wire: for pages that end before they grow too large.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Ids, times and what precedes each field.
        const FRAME: usize = 150;
        FRAME + self.name.len() + self.question.len()
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

    fn require(&self, state: SurveyState, text: &str) -> Result<(), Fault> {
        if self.state == state {
            return Ok(());
        }
        let text = format!("{text}; this one is {}", self.state.name());
        Err(Fault::new(Reason::InvalidState, text).precondition("SURVEY_STATE", self.id.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

    fn draft() -> Survey {
        let new = NewSurvey { name: "Spring".to_owned(), kind: SurveyKind::Nps, question: "Would you?".to_owned() };
        Survey::draft(SurveyId::new(), new, NOW)
    }

    #[test]
    fn a_survey_goes_from_draft_to_open_to_closed_and_never_back() {
        let draft = draft();
        assert_eq!(draft.admit().expect_err("a draft").reason, Reason::SurveyNotOpen);
        assert_eq!(draft.clone().close("", NOW).expect_err("a draft").reason, Reason::InvalidState);
        let open = draft.publish("", NOW).expect("a draft can be published");
        assert!(open.admit().is_ok());
        assert_eq!(open.clone().publish("", NOW).expect_err("open").reason, Reason::InvalidState);
        let closed = open.close("", NOW).expect("an open one can be closed");
        assert_eq!(closed.admit().expect_err("closed").reason, Reason::SurveyNotOpen);
        assert!(closed.clone().publish("", NOW).is_err() && closed.close("", NOW).is_err());
    }

    #[test]
    fn a_stale_etag_is_told_before_the_state() {
        let open = draft().publish(&etag::of(1), NOW).expect("the newest");
        assert_eq!(open.publish(&etag::of(1), NOW).expect_err("stale").reason, Reason::StaleEtag);
    }

    #[test]
    fn names_are_read_back() {
        for state in [SurveyState::Draft, SurveyState::Open, SurveyState::Closed] {
            assert_eq!(SurveyState::of(state.name()), Some(state));
        }
        assert_eq!(SurveyKind::of(SurveyKind::Nps.name()), Some(SurveyKind::Nps));
    }
}
