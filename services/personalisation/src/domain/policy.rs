//! A policy version: the actions as they stood in it, compiled. Immutable, so any number of decisions share one.

use std::time::Duration;

use rapport_conditions::Program;

use super::action::{Action, ActionId, Cap};

/// The set of a tenant's actions as of one version.
#[derive(Debug)]
pub struct Policy {
    /// The version.
    pub version: i64,
    candidates: Vec<Candidate>,
    caps: Vec<(ActionId, Cap)>,
}

/// An action, ready to be looked at.
#[derive(Debug)]
pub struct Candidate {
    /// The action.
    pub action: Action,
    /// Who may get it.
    pub eligibility: Eligibility,
}

/// Who may get an action.
#[derive(Debug)]
pub enum Eligibility {
    /// Everybody.
    Everybody,
    /// Whoever this holds for.
    Condition(Program),
    /// Nobody: what was saved no longer compiles (the language became stricter since).
    Broken,
}

impl Policy {
    /// Compiles the actions of a version. The order they come in does not matter: they are kept by id, and
    /// everything that follows looks at them in that order.
    #[must_use]
    pub fn new(version: i64, actions: Vec<Action>) -> Self {
        let mut candidates: Vec<Candidate> = actions.into_iter().map(Candidate::new).collect();
        candidates.sort_unstable_by_key(|candidate| candidate.action.id);
        let caps = candidates.iter().filter_map(|of| Some((of.action.id, of.action.draft.cap?))).collect();
        Self { version, candidates, caps }
    }

    /// The caps of all actions.
    #[must_use]
    pub fn caps(&self) -> Vec<(ActionId, Cap)> {
        self.caps.clone()
    }

    /// How far back the caps look.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        self.caps.iter().map(|(_, cap)| cap.window).max().unwrap_or_default()
    }

    /// The candidates, by id.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}

impl Candidate {
    fn new(action: Action) -> Self {
        let eligibility = match action.draft.compile() {
            Ok(None) => Eligibility::Everybody,
            Ok(Some(program)) => Eligibility::Condition(program),
            Err(_) => Eligibility::Broken,
        };
        Self { action, eligibility }
    }
}
