//! A response: what one subject answered to one version of a survey, and what becomes of it. What it says is private.

mod change;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rapport_kernel::{CustomerId, Fault, Id, Private, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use change::{Correction, Tagging, Telling, kept};

use super::answer::{Answer, Answers, Given, Said};
use super::customer::Customer;
use super::etag;
use super::facts::{Facts, Known};
use super::measure::Measure;
use super::reading::{Reading, Tone};
use super::search::Passage;
use super::survey::{SurveyId, SurveyKind};

/// A response's id.
pub type ResponseId = Id<Response>;

/// How many tags a response may have.
pub const MOST_TAGS: usize = 50;

/// Where and about what a response was given. Empty where unknown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Touch {
    /// The channel.
    pub channel: String,
    /// The touchpoint.
    pub touchpoint: String,
    /// The journey stage.
    pub stage: String,
    /// The product.
    pub product: String,
    /// The campaign that brought it about.
    pub campaign: String,
    /// The agent it is about.
    pub agent: String,
    /// The team it is about.
    pub team: String,
    /// The ticket it is about.
    pub ticket: Option<Uuid>,
    /// The interaction it is about.
    pub interaction: Option<Uuid>,
    /// The invitation it was given by.
    pub invitation: Option<Uuid>,
    /// The language it was answered in.
    pub language: String,
}

impl fmt::Debug for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An agent is a person.
        f.debug_struct("Touch").field("channel", &self.channel).field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// What a party is to the company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Buys, or may buy, or has bought.
    #[default]
    Customer,
    /// Has shown interest, has not bought.
    Lead,
    /// Sells, delivers or serves together with the company.
    Partner,
    /// Works for the company.
    Employee,
}

impl Party {
    const ALL: [Self; 4] = [Self::Customer, Self::Lead, Self::Partner, Self::Employee];

    /// Its name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Lead => "lead",
            Self::Partner => "partner",
            Self::Employee => "employee",
        }
    }

    /// The party of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|party| party.name() == name)
    }
}

/// Whose a response is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respondent {
    /// The subject it hangs on for ever; for an anonymous response one of its own, which nothing ties to a person.
    pub subject: SubjectId,
    /// Whether nobody can be tied to it.
    pub anonymous: bool,
    /// The customer's traits that are declared as metric dimensions, as they were when it was recorded.
    pub dimensions: BTreeMap<String, String>,
    /// What the party was then.
    pub party: Party,
}

impl Respondent {
    /// Nobody who can be named: a subject of its own.
    #[must_use]
    pub const fn anonymous(subject: SubjectId, party: Party) -> Self {
        Self { subject, anonymous: true, dimensions: BTreeMap::new(), party }
    }
}

/// The record of another system that a response is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The source.
    pub source: String,
    /// Its id there.
    pub external_id: Private<String>,
    /// Its version there; 0: none is told.
    pub version: i64,
}

/// By what right an answer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Right {
    /// By its own: it is given by no token to an anonymous survey.
    #[default]
    Own,
    /// By none, or none yet: it is given by a token to an anonymous survey, and is kept aside.
    Aside,
    /// By a use of such a token, which was claimed for it.
    Claimed,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct NewResponse {
    /// The survey.
    pub survey: SurveyId,
    /// The version that was shown; 0: the newest, or that of the response gone on with.
    pub version: u32,
    /// The partial response that is gone on with.
    pub response: Option<ResponseId>,
    /// Whether more is to come.
    pub partial: bool,
    /// What is said.
    pub telling: Telling,
    /// The hidden fields.
    pub hidden: BTreeMap<String, Private<String>>,
    /// Where and about what.
    pub touch: Touch,
    /// The record that it is elsewhere.
    pub origin: Option<Origin>,
    /// Its weight.
    pub weight: Option<f64>,
    /// Whether it counts nowhere.
    pub is_test: bool,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// The time spent on each question, in milliseconds.
    pub times: BTreeMap<String, u64>,
    /// When it was begun.
    pub started_at: Option<Timestamp>,
    /// When it was answered; `None`: when it is recorded.
    pub answered_at: Option<Timestamp>,
    /// By what right it counts.
    pub right: Right,
}

/// Which responses to list.
#[derive(Clone, Debug)]
pub struct Which {
    /// Only this customer's.
    pub customer: Option<Customer>,
    /// What else they must be.
    pub filter: Filter,
    /// The oldest first.
    pub ascending: bool,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

/// What responses must be to be listed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// To this survey.
    pub survey: Option<SurveyId>,
    /// To surveys of this kind.
    pub kind: Option<SurveyKind>,
    /// To this version.
    pub version: Option<u32>,
    /// With all of these tags.
    pub tags: BTreeSet<String>,
    /// Complete, or partial.
    pub complete: Option<bool>,
    /// Answered at this instant or after it.
    pub from: Option<Timestamp>,
    /// Answered before this instant.
    pub until: Option<Timestamp>,
    /// Where and about what, as far as said.
    pub touch: TouchFilter,
    /// About this ticket.
    pub ticket: Option<Uuid>,
    /// About this interaction.
    pub interaction: Option<Uuid>,
    /// With at least this score.
    pub min_score: Option<i32>,
    /// With at most this score.
    pub max_score: Option<i32>,
    /// Tests as well.
    pub tests: bool,
    /// How its words were read.
    pub tone: Tone,
}

/// Where and about what responses must be; what is not said lets all through.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TouchFilter {
    /// By this channel.
    pub channel: Option<String>,
    /// Of this touchpoint.
    pub touchpoint: Option<String>,
    /// Of this stage.
    pub stage: Option<String>,
    /// About this product.
    pub product: Option<String>,
    /// Of this campaign.
    pub campaign: Option<String>,
    /// About this agent.
    pub agent: Option<Private<String>>,
    /// About this team.
    pub team: Option<String>,
    /// In this language.
    pub language: Option<String>,
}

/// What a response says, and what it was judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The answers.
    pub answers: Answers,
    /// What they measure.
    pub measures: Vec<Measure>,
    /// The principal question of its version.
    pub principal: Option<String>,
    /// The first text question of its version.
    pub comment: Option<String>,
    /// The hidden fields.
    pub hidden: BTreeMap<String, Private<String>>,
    /// What the survey's conditions read of the customer.
    pub known: Option<Known>,
    /// The time spent on each question, in milliseconds.
    pub times: BTreeMap<String, u64>,
    /// What was read in its words; none where it has none.
    #[serde(default)]
    pub reading: Option<Reading>,
    /// The customer that answered, as it was then; none where nobody can be tied to it.
    #[serde(default)]
    pub customer: Option<CustomerId>,
}

/// A change of a response, as whoever watches is told of it.
#[derive(Clone, Debug)]
pub struct Change {
    /// The response.
    pub id: ResponseId,
    /// The revision reached.
    pub revision: u64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// When.
    pub at: Timestamp,
    /// The response as it is now; none where it is gone.
    pub response: Option<Response>,
}

/// A response as it is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Its id.
    pub id: ResponseId,
    /// The survey.
    pub survey: SurveyId,
    /// The version that it answers.
    pub version: u32,
    /// The kind of the survey.
    pub kind: SurveyKind,
    /// Whose it is.
    pub respondent: Respondent,
    /// Whether it is complete.
    pub complete: bool,
    /// What it says.
    pub content: Content,
    /// Where and about what.
    pub touch: Touch,
    /// The record that it is elsewhere.
    pub origin: Option<Origin>,
    /// Its weight.
    pub weight: f64,
    /// Whether it counts nowhere.
    pub is_test: bool,
    /// Whether it is known by its id alone, for it was given by a token to an anonymous survey, and no use of the token was claimed
    /// for it: it is in no list and no figure, is not searched, and nothing is told of it.
    pub aside: bool,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// When it was begun.
    pub started_at: Option<Timestamp>,
    /// When it was answered.
    pub answered_at: Timestamp,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was first recorded.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

fn passages_of(answer: &Answer) -> impl Iterator<Item = Passage<'_>> {
    let words = match &answer.value {
        Given::Text(words) => Some(words),
        _ => None,
    };
    let texts = words.into_iter().chain([&answer.other]).map(|text| text.expose().as_str());
    texts.filter(|text| !text.is_empty()).map(|text| Passage { place: &answer.question, text })
}

impl Response {
    /// The figure of the principal question, on the survey's scale.
    #[must_use]
    pub fn score(&self) -> Option<i32> {
        self.content.answers.number(self.content.principal.as_ref()?)
    }

    /// What the customer said besides.
    #[must_use]
    pub fn comment(&self) -> &str {
        let words = self.content.comment.as_ref().and_then(|question| self.content.answers.words(question));
        words.map_or("", |words| words.expose())
    }

    /// Its words, by the questions that they answer.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.content.answers.iter().filter_map(|answer| {
            let words = match &answer.value {
                Given::Text(text) => text.expose(),
                _ => answer.other.expose(),
            };
            (!words.is_empty()).then_some((answer.question.as_str(), words.as_str()))
        })
    }

    /// All that the customer said in words of its own, in order of the questions.
    #[must_use]
    pub fn passages(&self) -> Vec<Passage<'_>> {
        self.content.answers.iter().flat_map(passages_of).collect()
    }

    /// What its conditions are judged by.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts { hidden: self.content.hidden.clone(), known: self.content.known.clone(), touch: self.touch.clone() }
    }

    /// About how many bytes it is on the wire: for pages that end before they grow too large.
    #[must_use]
    pub fn weigh(&self) -> usize {
        // Ids, times, numbers and what precedes each field.
        const FRAME: usize = 400;
        let touch = &self.touch;
        let texts = [&touch.channel, &touch.touchpoint, &touch.stage, &touch.product, &touch.campaign, &touch.agent];
        let hidden = self.content.hidden.iter().map(|(name, text)| name.len() + text.expose().len() + 6);
        FRAME
            + texts.into_iter().map(String::len).sum::<usize>()
            + self.comment().len()
            + self.content.answers.size()
            + self.content.measures.len() * 160
            + self.content.times.len() * 80
            + self.tags.len() * 66
            + hidden.sum::<usize>()
            + self.content.reading.as_ref().map_or(0, Reading::weight)
    }

    /// Lets it be deleted, and answers the revision of its tombstone.
    ///
    /// # Errors
    /// ABORTED for a stale etag.
    pub fn delete(&self, given: &str) -> Result<u64, Fault> {
        etag::check(self.revision, given)?;
        Ok(self.revision + 1)
    }
}
