//! What is promised for which tickets. What a policy's condition reads:
//!
//! | variable | type | what it is |
//! | --- | --- | --- |
//! | `kind`, `priority` | string | as in events: `"complaint"`, `"urgent"` |
//! | `channel`, `touchpoint`, `stage`, `product`, `topic`, `team`, `agent`, `language`, `source` | string | empty: unknown |
//! | `tags` | list of string | the contact centre's own words |
//! | `party` | string | `"customer"`, `"lead"`, `"partner"` or `"employee"` |
//! | `dimensions` | map of string | the customer's traits that are metric dimensions |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rapport_conditions::{Activation, CompileErrors, Environment, EnvironmentBuilder, Program, Timestamp, Type, Value};
use rapport_kernel::Id;
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, CalendarId};
use super::hours::Hours;
use crate::domain::ticket::Windows;

/// A policy's id.
pub type PolicyId = Id<Policy>;

/// What is promised for some tickets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its place: the lowest is tried first.
    pub position: i32,
    /// For which tickets; empty: for all.
    pub condition: String,
    /// By whose hours time is measured; `None`: around the clock.
    pub calendar: Option<CalendarId>,
    /// Within how many seconds a person first answers; `None`: nothing is promised.
    pub first_response: Option<u64>,
    /// Within how many seconds it is solved; `None`: nothing is promised.
    pub resolution: Option<u64>,
    /// Whether the time to the solution stands still also while it is on hold.
    pub pause_on_hold: bool,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A condition may name personal data.
        f.debug_struct("Policy").field("position", &self.position).finish_non_exhaustive()
    }
}

/// The texts, in the order in which they are declared.
const TEXTS: [&str; 11] =
    ["kind", "priority", "channel", "touchpoint", "stage", "product", "topic", "team", "agent", "language", "source"];

/// How many variables [`variables`] declares.
pub const VARIABLES: usize = TEXTS.len() + 3;

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| variables().without_now().build());

/// What conditions over tickets read.
pub fn variables() -> EnvironmentBuilder {
    let texts = TEXTS.iter().fold(Environment::builder(), |builder, name| builder.variable(name, Type::String));
    texts
        .variable("tags", Type::list(Type::String))
        .variable("party", Type::String)
        .variable("dimensions", Type::map(Type::String))
}

/// Checks a policy's condition and compiles it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    ENVIRONMENT.compile(source, Type::Bool)
}

/// What a condition reads of a ticket.
#[derive(Clone, Default)]
pub struct Subject<'a> {
    /// The texts, in the order in which they are declared.
    pub texts: [&'a str; TEXTS.len()],
    /// The contact centre's own words.
    pub tags: Vec<&'a str>,
    /// What the party is.
    pub party: &'a str,
    /// The customer's traits that are metric dimensions.
    pub dimensions: Option<&'a BTreeMap<String, String>>,
}

static NONE: BTreeMap<String, String> = BTreeMap::new();

impl Activation for Subject<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        match index.checked_sub(TEXTS.len()) {
            None => self.texts.get(index).map(|text| Value::String(text)),
            Some(0) => Some(Value::List(&self.tags)),
            Some(1) => Some(Value::String(self.party)),
            Some(2) => Some(Value::Map(self.dimensions.unwrap_or(&NONE))),
            Some(_) => None,
        }
    }
}

/// A tenant's policies, compiled, with the hours they are measured by.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    compiled: Vec<Compiled>,
    windows: Windows,
}

#[derive(Clone, Debug)]
struct Compiled {
    id: PolicyId,
    policy: Policy,
    /// `None`: for all.
    program: Option<Program>,
    hours: Arc<Hours>,
}

/// What is promised for one ticket.
#[derive(Clone, Debug)]
pub struct Promise {
    /// By which policy.
    pub policy: PolicyId,
    /// By whose hours.
    pub calendar: Option<CalendarId>,
    /// Those hours.
    pub hours: Arc<Hours>,
    /// Within how much time a person first answers.
    pub first_response: Option<Duration>,
    /// Within how much time it is solved.
    pub resolution: Option<Duration>,
    /// Whether time stands still also while it is on hold.
    pub pause_on_hold: bool,
}

impl Policies {
    /// Those of a tenant. One whose condition or calendar this instance cannot read (another version wrote it) applies
    /// to nothing.
    #[must_use]
    pub fn new(policies: &[(PolicyId, Policy)], calendars: &BTreeMap<CalendarId, Calendar>) -> Self {
        let hours: BTreeMap<CalendarId, Arc<Hours>> =
            calendars.iter().filter_map(|(id, calendar)| Some((*id, Arc::new(Hours::of(calendar)?)))).collect();
        let always = Arc::new(Hours::Always);
        let compiled = policies.iter().filter_map(|(id, policy)| {
            let program = match policy.condition.trim() {
                "" => None,
                condition => Some(compile(condition).ok()?),
            };
            let hours = match policy.calendar {
                Some(calendar) => hours.get(&calendar)?,
                None => &always,
            };
            Some(Compiled { id: *id, policy: policy.clone(), program, hours: Arc::clone(hours) })
        });
        let mut compiled: Vec<Compiled> = compiled.collect();
        compiled.sort_by_key(|one| (one.policy.position, one.id));
        Self { compiled, windows: Windows::default() }
    }

    /// The same, where tickets are judged by a tenant's own lengths.
    #[must_use]
    pub fn judging(self, windows: Windows) -> Self {
        Self { windows, ..self }
    }

    /// By which lengths tickets are judged.
    #[must_use]
    pub const fn windows(&self) -> Windows {
        self.windows
    }

    /// What is promised for a ticket: by the first policy whose condition holds.
    #[must_use]
    pub fn promise(&self, subject: &Subject<'_>) -> Option<Promise> {
        // There is no now in these conditions: any instant will do.
        let holds =
            |one: &&Compiled| one.program.as_ref().is_none_or(|program| program.matches(subject, Timestamp::MAX).value);
        self.compiled.iter().find(holds).map(|one| Promise {
            policy: one.id,
            calendar: one.policy.calendar,
            hours: Arc::clone(&one.hours),
            first_response: one.policy.first_response.map(Duration::from_secs),
            resolution: one.policy.resolution.map(Duration::from_secs),
            pause_on_hold: one.policy.pause_on_hold,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(position: i32, condition: &str, seconds: u64) -> Policy {
        let (name, condition) = (String::new(), condition.to_owned());
        let (first_response, resolution) = (Some(seconds), None);
        Policy { name, position, condition, calendar: None, first_response, resolution, pause_on_hold: false }
    }

    #[test]
    fn the_first_policy_by_position_that_holds_is_the_ticket_s() {
        let (general, urgent, vip) = (PolicyId::new(), PolicyId::new(), PolicyId::new());
        let policies = [
            (general, policy(9, "", 3)),
            (urgent, policy(2, "priority == 'urgent' && kind != 'question'", 1)),
            (vip, policy(1, "dimensions.tier == 'gold' || 'vip' in tags", 2)),
        ];
        let policies = Policies::new(&policies, &BTreeMap::new());
        let of = |subject: &Subject<'_>| policies.promise(subject).map(|promise| promise.policy);
        let mut subject = Subject::default();
        assert_eq!(of(&subject), Some(general), "a map without the key is no match");
        subject.texts[..2].copy_from_slice(&["claim", "urgent"]);
        assert_eq!(of(&subject), Some(urgent));
        subject.tags = vec!["vip"];
        assert_eq!(of(&subject), Some(vip));
        let gold: BTreeMap<String, String> = [("tier".to_owned(), "gold".to_owned())].into();
        let subject = Subject { dimensions: Some(&gold), ..Subject::default() };
        assert_eq!(of(&subject), Some(vip));
    }

    #[test]
    fn a_policy_whose_calendar_is_not_there_applies_to_nothing() {
        let lost = Policy { calendar: Some(CalendarId::new()), ..policy(0, "", 1) };
        let policies = Policies::new(&[(PolicyId::new(), lost)], &BTreeMap::new());
        assert!(policies.promise(&Subject::default()).is_none());
    }
}
