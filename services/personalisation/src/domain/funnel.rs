//! The funnel: which candidates may be chosen, and for each of the others the first rule that left it out.
//!
//! Validity → channel and placement → eligibility → cap. The tiers run in this order, each over what the one before
//! let through, so the dear ones see few. The caps need the contact ledger, which is not here: [`Funnel::open`] runs
//! the tiers before it, [`Funnel::capped`] says what the ledger must be asked, [`Funnel::close`] runs the last.

use std::fmt;

use rapport_conditions::EvalErrorKind;
use rapport_kernel::Timestamp;

use super::action::{Action, ActionId, Cap};
use super::decision::Ask;
use super::eligibility::Facts;
use super::policy::{Candidate, Eligibility, Policy};
use super::profile::Profile;

/// Where in the funnel a candidate was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Not valid at that time.
    Validity,
    /// Not for that channel or placement.
    Placement,
    /// The customer is not eligible.
    Eligibility,
    /// The customer had it as often as it may.
    Cap,
    /// Others were drawn.
    Arbitration,
}

/// How often the customer had each action within its cap's window; those it did not have are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(ActionId, u32)>);

impl Counts {
    /// From counts in any order.
    #[must_use]
    pub fn new(mut counts: Vec<(ActionId, u32)>) -> Self {
        counts.retain(|(_, count)| *count > 0);
        counts.sort_unstable();
        Self(counts)
    }

    /// Counts ledger entries, of any actions and times, for the actions that have caps, as of `at`: of each action
    /// those later than `at` less its window. An entry exactly one window old no longer counts.
    ///
    /// What lies after `at` counts as well (another machine's clock may be ahead), so that no window is overfull
    /// whichever clock is asked.
    #[must_use]
    pub fn tally(caps: &[(ActionId, Cap)], entries: &[(ActionId, Timestamp)], at: Timestamp) -> Self {
        let count = |(id, cap): &(ActionId, Cap)| {
            let since = at.minus(cap.window);
            let within = entries.iter().filter(|(action, entered)| action == id && *entered > since).count();
            (*id, u32::try_from(within).unwrap_or(u32::MAX))
        };
        Self::new(caps.iter().map(count).collect())
    }

    /// How often the customer had an action.
    #[must_use]
    pub fn of(&self, action: ActionId) -> u32 {
        self.0.binary_search_by_key(&action, |(id, _)| *id).map_or(0, |at| self.0[at].1)
    }

    /// The counts, by id.
    #[must_use]
    pub fn as_slice(&self) -> &[(ActionId, u32)] {
        &self.0
    }
}

/// Candidates on their way to a choice.
pub struct Funnel<'a> {
    pub(super) policy: &'a Policy,
    /// Of each candidate the rule that left it out.
    out: Vec<Option<Rule>>,
}

impl<'a> Funnel<'a> {
    /// Runs the tiers that need no ledger.
    #[must_use]
    pub fn open(policy: &'a Policy, profile: &Profile, ask: &Ask, at: Timestamp) -> Self {
        let facts = Facts { profile, context: &ask.context, channel: &ask.channel, placement: &ask.placement };
        let out = policy.candidates().iter().map(|candidate| first_rule(candidate, ask, &facts, at)).collect();
        Self { policy, out }
    }

    /// The actions still in that have a cap: what the ledger must be asked.
    #[must_use]
    pub fn capped(&self) -> Vec<(ActionId, Cap)> {
        let standing = self.policy.candidates().iter().zip(&self.out).filter(|(_, out)| out.is_none());
        standing.filter_map(|(candidate, _)| Some((candidate.action.id, candidate.action.draft.cap?))).collect()
    }

    /// Runs the last tier. Answers the places of those still in, and of each of the others the rule.
    pub(super) fn close(mut self, counts: &Counts) -> (Vec<usize>, Vec<Option<Rule>>) {
        let mut standing = Vec::with_capacity(self.out.len());
        for (at, (candidate, out)) in self.policy.candidates().iter().zip(&mut self.out).enumerate() {
            if out.is_some() {
                continue;
            }
            let action = &candidate.action;
            match action.draft.cap.map(|cap| (cap, counts.of(action.id))) {
                Some((cap, had)) if had >= cap.times => *out = Some(Rule::Capped { had }),
                _ => standing.push(at),
            }
        }
        (standing, self.out)
    }
}

/// The first of the rules without ledger that leaves a candidate out.
fn first_rule(candidate: &Candidate, ask: &Ask, facts: &Facts<'_>, at: Timestamp) -> Option<Rule> {
    let action = &candidate.action;
    if at < action.start() {
        return Some(Rule::TooEarly);
    }
    if action.draft.end.is_some_and(|end| at >= end) {
        return Some(Rule::TooLate);
    }
    let fits = |all: &[String], asked: &str| all.is_empty() || all.iter().any(|one| one == asked);
    if !fits(&action.draft.channels, &ask.channel) {
        return Some(Rule::Channel);
    }
    if !ask.placement.is_empty() && !fits(&action.draft.placements, &ask.placement) {
        return Some(Rule::Placement);
    }
    match &candidate.eligibility {
        Eligibility::Everybody => None,
        Eligibility::Broken => Some(Rule::Broken),
        Eligibility::Condition(program) => match program.evaluate(facts, at) {
            Ok(outcome) if matches!(outcome.value, rapport_conditions::Value::Bool(true)) => None,
            Ok(_) => Some(Rule::NotEligible),
            Err(error) => Some(Rule::Undecided { kind: error.kind, offset: error.offset }),
        },
    }
}

/// The rule that left a candidate out. It holds no value of the customer's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    TooEarly,
    TooLate,
    Channel,
    Placement,
    NotEligible,
    Undecided { kind: EvalErrorKind, offset: usize },
    Broken,
    Capped { had: u32 },
}

impl Rule {
    pub(super) const fn tier(self) -> Tier {
        match self {
            Self::TooEarly | Self::TooLate => Tier::Validity,
            Self::Channel | Self::Placement => Tier::Placement,
            Self::NotEligible | Self::Undecided { .. } | Self::Broken => Tier::Eligibility,
            Self::Capped { .. } => Tier::Cap,
        }
    }

    /// The rule in plain words.
    pub(super) fn words(self, action: &Action, ask: &Ask) -> String {
        let draft = &action.draft;
        match self {
            Self::TooEarly => format!("may be chosen from {} on", action.start()),
            Self::TooLate => format!("could be chosen until {}", draft.end.unwrap_or(Timestamp::MAX)),
            Self::Channel => format!("is for {}, not for {}", draft.channels.join(", "), ask.channel),
            Self::Placement => format!("is for {}, not for {}", draft.placements.join(", "), ask.placement),
            Self::NotEligible => "the condition on who may get it does not hold".to_owned(),
            Self::Undecided { kind, offset } => {
                format!("the condition on who may get it has no answer: {} (after {offset} bytes of it)", why(kind))
            }
            Self::Broken => "the condition on who may get it no longer compiles: save the action again".to_owned(),
            Self::Capped { had } => {
                let cap = draft.cap.map(Words).map_or_else(String::new, |cap| cap.to_string());
                format!("the customer had it {had} times, and may get it {cap}")
            }
        }
    }
}

const fn why(kind: EvalErrorKind) -> &'static str {
    match kind {
        EvalErrorKind::Absent | EvalErrorKind::NoSuchKey => {
            "something it reads is not known of this customer or contact"
        }
        EvalErrorKind::NoSuchIndex => "a list it reads is too short",
        EvalErrorKind::WrongType => "something it reads is of another type than it takes",
        EvalErrorKind::Overflow => "a number or instant grew out of range",
        EvalErrorKind::DivisionByZero => "it divides by zero",
        EvalErrorKind::Conversion => "a text cannot be converted as it asks",
        EvalErrorKind::DuplicateKey => "it makes a map with a key twice",
        EvalErrorKind::TooDeep => "values are nested too deeply to be compared",
        EvalErrorKind::TooDear => "it used up what one evaluation may cost",
    }
}

/// A cap in words: "at most 3 times in any 7 days".
pub(super) struct Words(pub(super) Cap);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cap { times, window } = self.0;
        let seconds = window.as_secs();
        let whole = |unit: u64| window.subsec_nanos() == 0 && seconds.is_multiple_of(unit);
        write!(f, "at most {times} times in any ")?;
        if whole(86_400) {
            write!(f, "{} days", seconds / 86_400)
        } else if whole(3_600) {
            write!(f, "{} hours", seconds / 3_600)
        } else if whole(60) {
            write!(f, "{} minutes", seconds / 60)
        } else {
            write!(f, "{} seconds", window.as_secs_f64())
        }
    }
}
