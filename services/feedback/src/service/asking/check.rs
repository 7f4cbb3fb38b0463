//! Whether a customer may be asked: what this service knows, the quota, then the contact policy.

use std::collections::HashMap;

use rapport_data::Rx;
use rapport_kernel::{Fault, SubjectId, Timestamp};
use rapport_platform::Call;

use super::invite::is_there;
use super::{Asking, Checked};
use crate::convert::invitation::Check;
use crate::domain::asking::{CHANNEL_REST, Candidate, Past, Reason, Refusal, judge};
use crate::domain::survey::Which;
use crate::domain::{Survey, SurveyState};
use crate::peers::{Contact, Resolved, Wanted};
use crate::store;

/// How many surveys are looked at.
const MOST: u64 = 1_000;

/// What is held of a customer that may be asked.
pub(super) struct History {
    /// The invitations it had.
    pub past: Vec<Past>,
    /// Whether a complaint is open.
    pub open_complaint: bool,
}

impl History {
    /// Reads it.
    pub(super) async fn read(rx: &Rx, subjects: &[SubjectId], since: Timestamp) -> Result<Self, Fault> {
        let past = store::asking::invitation::past(rx, subjects, since).await?;
        let open_complaint = store::ticket::has_open_complaint(rx, subjects).await?;
        Ok(Self { past, open_complaint })
    }
}

/// How far back surveys look.
pub(super) fn since<'s>(surveys: impl Iterator<Item = &'s Survey>, at: Timestamp) -> Timestamp {
    let longest = surveys.map(|survey| survey.asking.longest_cool_down()).max().unwrap_or_default();
    at.minus(longest.max(CHANNEL_REST))
}

/// Whether a survey's quota is reached.
pub(super) async fn quota(rx: &Rx, survey: &Survey, at: Timestamp) -> Result<Option<Refusal>, Fault> {
    let asking = &survey.asking;
    if asking.quota == 0 {
        return Ok(None);
    }
    let since = asking.quota_window.map(|window| at.minus(window));
    let (count, first) = store::asking::invitation::counted(rx, survey.id, since, asking.quota).await?;
    if count < asking.quota {
        return Ok(None);
    }
    // The oldest of those that count makes room.
    let retry = asking.quota_window.and_then(|window| first.map(|first| first.plus(window)));
    Ok(Some(Refusal { reason: Reason::Quota, retry }))
}

/// What is asked about: the surveys, and of each whether its quota is reached.
type Asked = Vec<(Survey, Option<Refusal>)>;

impl Asking {
    /// Checks whether a customer may be asked: by one survey, or by all that are open.
    ///
    /// # Errors
    /// NOT_FOUND for the survey, the customer or the ticket that it is about; FAILED_PRECONDITION where the customer was erased.
    pub async fn check(&self, call: &Call, check: Check) -> Result<Vec<Checked>, Fault> {
        let at = check.at.unwrap_or(call.now);
        // What does not hang on the customer is read while profiles says who that is.
        let (asked, resolved) =
            tokio::join!(self.asked(call, &check, at), self.profiles.resolve(call, &check.customer));
        let (resolved, asked) = (resolved?, asked?);
        let history = self.history(call, &resolved, &asked, at).await?;
        let known = HashMap::new();
        let mut policy = Policy { asking: self, call, resolved: &resolved, history: &history, at: check.at, known };
        let mut checked = Vec::with_capacity(asked.len());
        for (survey, quota) in &asked {
            let form = self.forms.of(call.tenant(), survey)?;
            let candidate = Candidate {
                survey,
                form: &form,
                customer: &resolved.asked,
                past: &history.past,
                channel: &check.channel,
                spot: &check.spot,
                cause: &check.cause,
            };
            let outcome = match (judge(candidate, at), *quota) {
                (Err(refusal), _) | (Ok(_), Some(refusal)) => Err(refusal),
                (Ok(channels), None) => policy.channel(survey, channels).await?,
            };
            checked.push(Checked { survey: survey.id, outcome });
        }
        Ok(checked)
    }

    /// What is asked about, as it is held.
    async fn asked(&self, call: &Call, check: &Check, at: Timestamp) -> Result<Asked, Fault> {
        let (named, spot) = (check.survey, check.spot.clone());
        let read = move |rx: Rx| async move {
            let surveys = match named {
                Some(id) => vec![store::survey::get(rx.conn(), rx.tenant(), id).await?],
                None => {
                    let open = Which { state: Some(SurveyState::Open), ..Which::default() };
                    store::survey::list(rx.conn(), rx.tenant(), &open, None, MOST).await?
                }
            };
            is_there(&rx, &spot).await?;
            let mut asked = Vec::with_capacity(surveys.len());
            for survey in surveys {
                let quota = quota(&rx, &survey, at).await?;
                asked.push((survey, quota));
            }
            Ok(asked)
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// What a customer was asked before, as far back as surveys look.
    async fn history(&self, call: &Call, resolved: &Resolved, asked: &Asked, at: Timestamp) -> Result<History, Fault> {
        let (subjects, since) = (&resolved.subjects, since(asked.iter().map(|(survey, _)| survey), at));
        let read = |rx: Rx| async move { History::read(&rx, subjects, since).await };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }
}

/// The contact policy, as one check asks it: each contact once.
struct Policy<'a> {
    asking: &'a Asking,
    call: &'a Call,
    resolved: &'a Resolved,
    history: &'a History,
    at: Option<Timestamp>,
    /// What was answered, by channel, purpose and topic.
    known: HashMap<(String, String, String), Option<Refusal>>,
}

impl Policy<'_> {
    /// The first of the channels that it allows; else why not.
    async fn channel(&mut self, survey: &Survey, channels: Vec<String>) -> Result<Result<String, Refusal>, Fault> {
        let mut outcome = Err(Refusal::from(Reason::Unreachable));
        for (place, channel) in channels.into_iter().enumerate() {
            match self.refuses(survey, &channel).await? {
                None => return Ok(Ok(channel)),
                Some(refusal) => outcome = dearest(outcome, refusal, place),
            }
        }
        Ok(outcome)
    }

    async fn refuses(&mut self, survey: &Survey, channel: &str) -> Result<Option<Refusal>, Fault> {
        let key = (channel.to_owned(), survey.asking.purpose().to_owned(), survey.asking.topic.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let wanted = wanted(self.resolved, self.history, survey, channel);
        let refusal = match self.asking.contacts.check(self.call, &wanted, self.at).await? {
            Contact::Allowed(_) => None,
            Contact::Refused(refusal) => Some(refusal),
        };
        self.known.insert(key, refusal);
        Ok(refusal)
    }
}

/// A survey's contact, as the contact policy is asked for it.
pub(super) fn wanted<'a>(resolved: &Resolved, history: &History, survey: &'a Survey, channel: &'a str) -> Wanted<'a> {
    Wanted {
        subject: resolved.respondent.subject,
        channel,
        purpose: survey.asking.purpose(),
        topic: &survey.asking.topic,
        open_complaint: history.open_complaint,
    }
}

/// What is told where several channels were refused: why the dearest was, and when the first may be.
pub(super) fn dearest(held: Result<String, Refusal>, refusal: Refusal, place: usize) -> Result<String, Refusal> {
    match held {
        Err(first) if place > 0 => {
            let retry = [first.retry, refusal.retry].into_iter().flatten().min();
            Err(Refusal { retry, ..first })
        }
        _ => Err(refusal),
    }
}
