//! Whether a customer may be asked, by all that this service itself knows; the contact policy has its say after it.

use std::time::Duration;

use rapport_kernel::{CustomerId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{AskForm, Asking, Reason, Spot, Status};
use crate::domain::facts::Known;
use crate::domain::{Party, Survey, SurveyId, SurveyKind, SurveyState};

/// How long nobody is invited on a channel on which an invitation could not be delivered.
pub const CHANNEL_REST: Duration = Duration::from_secs(30 * 86_400);

/// What is known of a customer that may be asked.
#[derive(Clone, Debug)]
pub struct Customer {
    /// The customer: its place in every sample.
    pub id: CustomerId,
    /// What it is to the company.
    pub party: Party,
    /// What conditions may read.
    pub known: Known,
    /// The channels it wants to be met on, the dearest first, then those it was met on.
    pub preferred: Vec<String>,
    /// The namespaces of identifiers it has.
    pub namespaces: Vec<String>,
}

/// An invitation that a customer had.
#[derive(Clone, Debug)]
pub struct Past {
    /// To which survey.
    pub survey: SurveyId,
    /// Of which kind.
    pub kind: SurveyKind,
    /// By which channel.
    pub channel: String,
    /// About what.
    pub cause: String,
    /// When.
    pub at: Timestamp,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub status: Status,
}

/// Who may be asked, by which survey, about what.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The survey.
    pub survey: &'a Survey,
    /// Its conditions.
    pub form: &'a AskForm,
    /// The customer.
    pub customer: &'a Customer,
    /// What invitations it had.
    pub past: &'a [Past],
    /// By which channel; empty: by any of the survey's.
    pub channel: &'a str,
    /// About what.
    pub spot: &'a Spot,
    /// What tells one occasion to be asked from another.
    pub cause: &'a str,
}

/// That a customer is not invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// From when on it may be; `None`: nobody can tell.
    pub retry: Option<Timestamp>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, retry: None }
    }
}

/// The channels by which a customer may be asked, as far as this service knows, the dearest first.
///
/// # Errors
/// The first rule that forbids it.
pub fn judge(candidate: Candidate<'_>, at: Timestamp) -> Result<Vec<String>, Refusal> {
    let (survey, customer) = (candidate.survey, candidate.customer);
    let asking = &survey.asking;
    if survey.state != SurveyState::Open {
        return Err(Reason::SurveyNotOpen.into());
    }
    if survey.party != customer.party {
        return Err(Reason::OtherParty.into());
    }
    let reach = channels(asking, customer, candidate.channel);
    // Where the channel is open, the condition reads the one it would be.
    let first = reach.first().map_or(candidate.channel, |first| first);
    if !candidate.form.targets(&customer.known, first, candidate.spot) {
        return Err(Reason::NotTargeted.into());
    }
    if asking.sampling_rate.is_some_and(|rate| drawn(survey.id, customer.id) >= rate) {
        return Err(Reason::SampledOut.into());
    }
    let (open, resting): (Vec<_>, Vec<_>) =
        reach.into_iter().partition(|channel| rests(candidate, channel, at).is_none());
    if open.is_empty() {
        let retry = resting.iter().filter_map(|channel| rests(candidate, channel, at)).min();
        return Err(Refusal { reason: Reason::Unreachable, retry });
    }
    cool_down(candidate, at).map_or(Ok(open), Err)
}

/// Until when nobody is invited on a channel on which the last one could not be delivered.
fn rests(candidate: Candidate<'_>, channel: &str, at: Timestamp) -> Option<Timestamp> {
    let failed = candidate.past.iter().filter(|past| past.status == Status::Failed && past.channel == channel);
    failed.map(|past| past.at.plus(CHANNEL_REST)).filter(|until| *until > at).max()
}

/// Whether it was invited not long ago, or is invited still.
fn cool_down(candidate: Candidate<'_>, at: Timestamp) -> Option<Refusal> {
    let (survey, asking) = (candidate.survey, &candidate.survey.asking);
    let counted = || candidate.past.iter().filter(|past| past.status.counts());
    let still = counted().find(|past| {
        past.survey == survey.id && past.cause == candidate.cause && past.status.is_open() && past.expires_at > at
    });
    if let Some(still) = still {
        let cool_down = asking.cool_down.map_or(still.expires_at, |length| still.at.plus(length).max(still.expires_at));
        return Some(Refusal { reason: Reason::AlreadyInvited, retry: Some(cool_down) });
    }
    let until = |length: Option<Duration>, concerns: &dyn Fn(&Past) -> bool| {
        let length = length?;
        counted().filter(|past| concerns(past)).map(|past| past.at.plus(length)).filter(|until| *until > at).max()
    };
    let ends = [
        until(asking.cool_down, &|past| past.survey == survey.id),
        until(asking.kind_cool_down, &|past| past.kind == survey.kind),
        until(asking.overall_cool_down, &|_| true),
    ];
    let until = ends.into_iter().flatten().max()?;
    Some(Refusal { reason: Reason::CoolDown, retry: Some(until) })
}

/// The channels on which a customer has an address, those it prefers first.
#[must_use]
pub fn channels(asking: &Asking, customer: &Customer, named: &str) -> Vec<String> {
    let mut all: Vec<String> = if !named.is_empty() {
        vec![named.to_owned()]
    } else if asking.channels.is_empty() {
        // Nobody says: as the customer would have it, else the usual ways.
        customer.preferred.iter().cloned().chain(["email".to_owned(), "sms".to_owned()]).collect()
    } else {
        asking.channels.clone()
    };
    let rank = |channel: &String| customer.preferred.iter().position(|one| one == channel).unwrap_or(usize::MAX);
    all.sort_by_key(rank);
    let mut seen = std::collections::BTreeSet::new();
    // Nobody is met on a channel without a name.
    all.retain(|channel| !channel.is_empty() && reaches(channel, &customer.namespaces) && seen.insert(channel.clone()));
    all
}

/// Whether an address is needed on a channel, and there.
fn reaches(channel: &str, namespaces: &[String]) -> bool {
    let needed = match channel {
        "email" => "email",
        "sms" | "phone" | "whatsapp" | "viber" => "phone",
        // A page, an app, a till, a letter: whoever is met there is there.
        _ => return true,
    };
    namespaces.iter().any(|namespace| namespace == needed)
}

/// The place of a customer in a survey's sample, from 0 to below 1: the same at every time, even over customers, and
/// another for each survey.
#[must_use]
pub fn drawn(survey: SurveyId, customer: CustomerId) -> f64 {
    let hash = Sha256::new().chain_update(survey.uuid().as_bytes()).chain_update(customer.uuid().as_bytes()).finalize();
    let mut bits = [0; 8];
    bits.copy_from_slice(&hash[..8]);
    // As many bits as a double holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let place = (u64::from_be_bytes(bits) >> 11) as f64;
    place / 9_007_199_254_740_992.0
}
