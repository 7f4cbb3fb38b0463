//! A response: what one subject answered to one survey, and its corrections. What the customer said is private.

use std::collections::BTreeMap;

use rapport_kernel::{Fault, Id, Private, SubjectId, Timestamp};

use super::customer::Customer;
use super::etag;
use super::survey::{SurveyId, SurveyKind};

/// A response's id.
pub type ResponseId = Id<Response>;

/// Where and about what a response was given. Empty where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// The channel.
    pub channel: String,
    /// The touchpoint.
    pub touchpoint: String,
    /// The journey stage.
    pub stage: String,
    /// The product.
    pub product: String,
}

/// What a party is to the company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    pub const fn anonymous(subject: SubjectId) -> Self {
        Self { subject, anonymous: true, dimensions: BTreeMap::new(), party: Party::Customer }
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct NewResponse {
    /// The survey.
    pub survey: SurveyId,
    /// The score.
    pub score: u8,
    /// What the customer said besides.
    pub comment: Private<String>,
    /// Where and about what.
    pub touch: Touch,
    /// When it was answered; `None`: when it is recorded.
    pub answered_at: Option<Timestamp>,
}

/// What is corrected; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Correction {
    /// The right score.
    pub score: Option<u8>,
    /// The right comment.
    pub comment: Option<Private<String>>,
}

/// Which responses to list.
#[derive(Clone, Debug)]
pub struct Which {
    /// The survey.
    pub survey: SurveyId,
    /// Only this customer's.
    pub customer: Option<Customer>,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

/// A response as it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its id.
    pub id: ResponseId,
    /// The survey.
    pub survey: SurveyId,
    /// The kind of the survey.
    pub kind: SurveyKind,
    /// Whose it is.
    pub respondent: Respondent,
    /// The score on the survey's scale.
    pub score: u8,
    /// What the customer said besides.
    pub comment: Private<String>,
    /// Where and about what.
    pub touch: Touch,
    /// When it was answered.
    pub answered_at: Timestamp,
    /// Grows with every correction.
    pub revision: u64,
    /// When it was first recorded.
    pub created_at: Timestamp,
    /// When it was last corrected.
    pub updated_at: Timestamp,
}

impl Response {
    /// Records what was answered.
    #[must_use]
    pub fn record(id: ResponseId, kind: SurveyKind, new: NewResponse, respondent: Respondent, now: Timestamp) -> Self {
        let NewResponse { survey, score, comment, touch, answered_at } = new;
        let answered_at = answered_at.unwrap_or(now);
        let (revision, created_at, updated_at) = (1, now, now);
        Self { id, survey, kind, respondent, score, comment, touch, answered_at, revision, created_at, updated_at }
    }

    /// Corrects it. A correction that changes nothing leaves it as it is, revision and all.
    ///
    /// # Errors
    /// ABORTED for a stale etag.
    pub fn correct(mut self, given: &str, correction: Correction, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        let score = correction.score.unwrap_or(self.score);
        let comment = correction.comment.unwrap_or_else(|| self.comment.clone());
        if score != self.score || comment != self.comment {
            (self.score, self.comment) = (score, comment);
            self.updated_at = now;
            self.revision += 1;
        }
        Ok(self)
    }

    /// About how many bytes it is on the wire: for pages that end before they grow too large.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Ids, times, numbers and what precedes each field.
        const FRAME: usize = 300;
        let touch = &self.touch;
        let texts = [&touch.channel, &touch.touchpoint, &touch.stage, &touch.product, self.comment.expose()];
        FRAME + texts.into_iter().map(String::len).sum::<usize>()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

    fn response() -> Response {
        let new = NewResponse {
            survey: SurveyId::new(),
            score: 3,
            comment: Private::new("The driver, Anna, was late".to_owned()),
            touch: Touch::default(),
            answered_at: None,
        };
        Response::record(ResponseId::new(), SurveyKind::Nps, new, Respondent::anonymous(SubjectId::new()), NOW)
    }

    #[test]
    fn a_correction_changes_what_it_names_and_counts_up() {
        let later = NOW.plus(Duration::from_secs(60));
        let right = Correction { score: Some(9), comment: None };
        let corrected = response().correct("", right.clone(), later).expect("no etag, no refusal");
        assert_eq!((corrected.score, corrected.revision, corrected.updated_at), (9, 2, later));
        assert_eq!(corrected.comment, response().comment);
        assert_eq!(corrected.answered_at, NOW, "when it was answered does not change");
        let again = corrected.clone().correct(&etag::of(2), right, later.plus(Duration::from_secs(1)));
        assert_eq!(again.expect("the newest"), corrected, "what is so already is no change");
    }

    #[test]
    fn a_deletion_outranks_every_correction() {
        let corrected = response().correct("", Correction { score: Some(0), comment: None }, NOW).expect("corrected");
        assert_eq!(corrected.delete("").expect("deleted"), 3);
        assert!(corrected.delete(&etag::of(1)).is_err());
    }

    #[test]
    fn what_the_customer_said_cannot_be_printed() {
        assert!(!format!("{:?}", response()).contains("Anna"));
    }
}
