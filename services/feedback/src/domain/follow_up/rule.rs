//! Rules that open follow-ups, and a tenant's rules as they were compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rapport_conditions::Program;
use rapport_kernel::{Id, Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::cause::{CauseType, Content, Told};
use super::facts::{Reading, compile, reads_customer};
use super::words::{Kind, Priority};
use crate::domain::facts::Known;
use crate::domain::sla::{Calendar, CalendarId, Hours};

/// A rule's id.
pub type RuleId = Id<Rule>;

/// A rule.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it opens.
    pub kind: Kind,
    /// What it looks at.
    pub causes: BTreeSet<CauseType>,
    /// For which.
    pub condition: String,
    /// How urgent what it opens is.
    pub priority: Priority,
    /// Who gets it.
    pub assignments: Vec<Assignment>,
    /// Within how many seconds it is to be resolved.
    pub due_in: u64,
    /// By whose hours; none: around the clock.
    pub calendar: Option<CalendarId>,
    /// The chain of escalation.
    pub steps: Vec<Step>,
    /// How many seconds old a cause may be.
    pub max_age: u64,
    /// Whether it rests.
    pub paused: bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A condition may name personal data, and an owner is a person.
        f.debug_struct("Rule").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Who gets a follow-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// For which causes; empty: for all.
    pub condition: String,
    /// Who, in turn.
    pub owners: Vec<Private<String>>,
    /// Which team.
    pub team: String,
}

/// A step of a chain of escalation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How many seconds after it was due.
    pub after: u64,
    /// Who gets it; empty: it stays.
    pub owner: Private<String>,
    /// Which team gets it; empty: it stays.
    pub team: String,
    /// What its priority becomes; none: it stays.
    pub priority: Option<Priority>,
}

/// A rule as it was compiled.
#[derive(Debug)]
pub struct Compiled {
    /// Which.
    pub id: RuleId,
    /// The rule.
    pub rule: Rule,
    /// Since when it is as it is.
    pub since: Timestamp,
    program: Program,
    assignments: Vec<Option<Program>>,
    /// By whose hours it counts.
    pub hours: Arc<Hours>,
}

/// A tenant's rules.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Compiled>,
    hours: BTreeMap<CalendarId, Arc<Hours>>,
}

impl Rules {
    /// Those of a tenant. One whose condition or calendar this instance cannot read (another version wrote it) is left
    /// out.
    #[must_use]
    pub fn new(rules: &[(RuleId, Timestamp, Rule)], calendars: &BTreeMap<CalendarId, Calendar>) -> Self {
        let hours: BTreeMap<CalendarId, Arc<Hours>> =
            calendars.iter().filter_map(|(id, calendar)| Some((*id, Arc::new(Hours::of(calendar)?)))).collect();
        let always = Arc::new(Hours::Always);
        let compiled = rules.iter().filter_map(|(id, since, rule)| {
            let program = compile(&rule.condition).ok()?;
            let assigned = |assignment: &Assignment| match assignment.condition.as_str() {
                "" => Some(None),
                condition => compile(condition).ok().map(Some),
            };
            let assignments = rule.assignments.iter().map(assigned).collect::<Option<Vec<_>>>()?;
            let hours = rule.calendar.map_or(Some(&always), |calendar| hours.get(&calendar))?;
            let (rule, hours) = (rule.clone(), Arc::clone(hours));
            Some(Compiled { id: *id, rule, since: *since, program, assignments, hours })
        });
        Self { rules: compiled.collect(), hours }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Compiled> {
        self.rules.iter()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: RuleId) -> Option<&Compiled> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The hours of a calendar; around the clock without one, and where it is gone.
    #[must_use]
    pub fn hours(&self, calendar: Option<CalendarId>) -> Arc<Hours> {
        let of = calendar.and_then(|calendar| self.hours.get(&calendar));
        of.map_or_else(|| Arc::new(Hours::Always), Arc::clone)
    }
}

impl Compiled {
    /// Whether it looks at causes of a kind.
    #[must_use]
    pub fn looks_at(&self, kind: CauseType) -> bool {
        !self.rule.paused && (self.rule.causes.is_empty() || self.rule.causes.contains(&kind))
    }

    /// Whether its condition, or whom it assigns, hangs on what only profiles knows.
    #[must_use]
    pub fn reads_customer(&self) -> bool {
        reads_customer(&self.program)
    }

    /// Whether its condition holds for a cause.
    #[must_use]
    pub fn holds(&self, content: &Content, known: Option<&Known>) -> bool {
        Reading::new(content, known).holds(&self.program)
    }

    /// Whether a cause is young enough to open something.
    #[must_use]
    pub fn is_fresh(&self, told: &Told, now: Timestamp) -> bool {
        now.since(told.occurred_at) <= Duration::from_secs(self.rule.max_age)
    }

    /// Who gets a follow-up of a cause, when so many were opened before it: the owner and the team; empty: nobody, none.
    #[must_use]
    pub fn assigned(&self, content: &Content, known: Option<&Known>, turn: u64) -> (Private<String>, String) {
        let reading = Reading::new(content, known);
        let holds = |program: &Option<Program>| program.as_ref().is_none_or(|program| reading.holds(program));
        let found = self.rule.assignments.iter().zip(&self.assignments).find(|(_, program)| holds(program));
        let Some((assignment, _)) = found else { return (Private::default(), String::new()) };
        let owners = &assignment.owners;
        let count = u64::try_from(owners.len()).unwrap_or(1).max(1);
        let owner = usize::try_from(turn % count).ok().and_then(|place| owners.get(place));
        (owner.cloned().unwrap_or_default(), assignment.team.clone())
    }
}
