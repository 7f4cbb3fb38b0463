//! Asking with restraint: whom a survey asks, how many of them and how often; what an invitation is and becomes.

mod form;
mod invitation;
mod judge;
mod size;
#[cfg(test)]
mod tests;
pub mod token;
mod wave;

use std::time::Duration;

use rapport_kernel::{SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use form::{AskForm, Happened};
pub use invitation::{Answered, Invitation, InvitationId, Spot, Status, remind_at};
pub use judge::{CHANNEL_REST, Candidate, Customer, Past, Refusal, channels, drawn, judge};
pub use size::{Difference, Wish, answers_needed};
pub use wave::{Fate, Population, Stage, Tally, Wave, place};

use super::SurveyId;

/// What asking is for, where a survey does not say otherwise: the purpose of its consents and contacts.
pub const PURPOSE: &str = "surveys";
/// How long an invitation can be answered, where a survey does not say otherwise.
pub const USUAL_LIFE: Duration = Duration::from_secs(14 * 86_400);

/// Whom a survey asks. Kept as JSON: what is new has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asking {
    /// Who is asked; empty: everybody.
    pub targeting: String,
    /// The share that is asked; `None`: all.
    pub sampling_rate: Option<f64>,
    /// At most so many invitations; 0: any number.
    pub quota: u64,
    /// Within what the quota counts; `None`: for ever.
    pub quota_window: Option<Duration>,
    /// How long after an invitation to it nobody is invited to it again.
    pub cool_down: Option<Duration>,
    /// How long after one to a survey of its kind.
    pub kind_cool_down: Option<Duration>,
    /// How long after one to any survey.
    pub overall_cool_down: Option<Duration>,
    /// The channels, the dearest first.
    pub channels: Vec<String>,
    /// The purpose; empty: the usual one.
    pub purpose: String,
    /// The topic; empty: none.
    pub topic: String,
    /// How long an invitation can be answered.
    pub expire_after: Option<Duration>,
    /// How many times; 0: once.
    pub max_uses: u32,
    /// How long after an invitation each reminder is due.
    pub reminders: Vec<Duration>,
    /// After what customers are asked.
    pub ask_after: Vec<AskAfter>,
}

/// Something after which customers are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskAfter {
    /// What happened.
    pub event: AskEvent,
    /// Which of them; empty: all.
    pub condition: String,
    /// How long after it.
    pub delay: Duration,
}

/// What customers can be asked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskEvent {
    /// A ticket was solved.
    TicketSolved,
    /// An interaction was recorded.
    Interaction,
}

impl Asking {
    /// What consents and the contact policy call its purpose.
    #[must_use]
    pub fn purpose(&self) -> &str {
        if self.purpose.is_empty() { PURPOSE } else { &self.purpose }
    }

    /// How long an invitation can be answered.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.expire_after.unwrap_or(USUAL_LIFE)
    }

    /// The longest of its cool-downs: so far back it matters who was invited.
    #[must_use]
    pub fn longest_cool_down(&self) -> Duration {
        let all = [self.cool_down, self.kind_cool_down, self.overall_cool_down];
        all.into_iter().flatten().max().unwrap_or_default()
    }
}

/// Why a customer is not invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The survey is not open.
    SurveyNotOpen,
    /// There is no such customer.
    UnknownCustomer,
    /// It was erased.
    Erased,
    /// The survey asks another party.
    OtherParty,
    /// The targeting condition does not hold.
    NotTargeted,
    /// It is not in the sample.
    SampledOut,
    /// It has no address that works.
    Unreachable,
    /// Consent is missing.
    NoConsent,
    /// It objected.
    Restricted,
    /// An invitation for the same reason is open.
    AlreadyInvited,
    /// It was invited not long ago.
    CoolDown,
    /// A cap of the contact policy is reached.
    Cap,
    /// It is left alone at this hour.
    QuietHours,
    /// A complaint is open.
    OpenComplaint,
    /// Its last score was low.
    LowScore,
    /// It is flagged.
    Flag,
    /// The survey's quota is reached.
    Quota,
    /// What it should have been asked after no longer holds.
    CauseWithdrawn,
    /// It was named before in the same batch.
    Duplicate,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::SurveyNotOpen,
        Self::UnknownCustomer,
        Self::Erased,
        Self::OtherParty,
        Self::NotTargeted,
        Self::SampledOut,
        Self::Unreachable,
        Self::NoConsent,
        Self::Restricted,
        Self::AlreadyInvited,
        Self::CoolDown,
        Self::Cap,
        Self::QuietHours,
        Self::OpenComplaint,
        Self::LowScore,
        Self::Flag,
        Self::Quota,
        Self::CauseWithdrawn,
        Self::Duplicate,
    ];

    /// The name in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SurveyNotOpen => "survey_not_open",
            Self::UnknownCustomer => "unknown_customer",
            Self::Erased => "erased",
            Self::OtherParty => "other_party",
            Self::NotTargeted => "not_targeted",
            Self::SampledOut => "sampled_out",
            Self::Unreachable => "unreachable",
            Self::NoConsent => "no_consent",
            Self::Restricted => "restricted",
            Self::AlreadyInvited => "already_invited",
            Self::CoolDown => "cool_down",
            Self::Cap => "cap",
            Self::QuietHours => "quiet_hours",
            Self::OpenComplaint => "open_complaint",
            Self::LowScore => "low_score",
            Self::Flag => "flag",
            Self::Quota => "quota",
            Self::CauseWithdrawn => "cause_withdrawn",
            Self::Duplicate => "duplicate",
        }
    }

    /// The reason of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// That a customer was not invited.
#[derive(Clone, Debug)]
pub struct NotInvited {
    /// Its id, which sorts by time.
    pub id: Uuid,
    /// The survey.
    pub survey: SurveyId,
    /// Whose subject.
    pub subject: SubjectId,
    /// Why.
    pub refusal: Refusal,
    /// When.
    pub at: Timestamp,
    /// By which channel it should have been; empty: by any.
    pub channel: String,
    /// About what.
    pub spot: Spot,
}
