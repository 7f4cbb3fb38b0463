//! The environment: which variables a condition may name, of which types, and how large and dear it may be.

use std::sync::Arc;

use crate::check;
use crate::error::CompileErrors;
use crate::parse;
use crate::program::Program;
use crate::types::Type;

/// Declared variables and limits. Cheap to clone; compiles any number of conditions.
#[derive(Clone, Debug)]
pub struct Environment(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    variables: Vec<(String, Type)>,
    now: bool,
    limits: Limits,
}

/// How large and how dear a condition may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of source.
    pub length: usize,
    /// How deeply expressions may nest.
    pub depth: usize,
    /// Operators, names, literals and calls.
    pub nodes: usize,
    /// The estimated cost at which a condition is refused.
    pub cost: u64,
    /// How long a list or map of unknown length is taken to be for the estimate.
    pub assumed_length: u64,
    /// How long a list of events is taken to be for the estimate: the most that whoever lends them lends.
    pub events: u64,
    /// What one evaluation may spend: an operation, a list element or 16 bytes of text cost one.
    pub fuel: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            length: 4_096,
            depth: 48,
            nodes: 1_000,
            cost: 200_000,
            assumed_length: 100,
            events: 1_000,
            fuel: 200_000,
        }
    }
}

/// Declares an [`Environment`].
#[derive(Debug)]
pub struct EnvironmentBuilder(Inner);

impl Environment {
    /// An environment with no variables but `now`.
    #[must_use]
    pub fn builder() -> EnvironmentBuilder {
        EnvironmentBuilder(Inner { variables: Vec::new(), now: true, limits: Limits::default() })
    }

    /// Checks a condition and compiles it.
    ///
    /// # Errors
    /// What is wrong with it, each with its place and reason.
    pub fn compile(&self, source: &str, expected: Type) -> Result<Program, CompileErrors> {
        let expression = parse::parse(source, &self.0.limits)?;
        check::compile(self, source, &expression, &expected)
    }

    /// The variables, in order of their index.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.0.variables.iter().map(|(name, kind)| (name.as_str(), kind))
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn variable(&self, name: &str) -> Option<(usize, &Type)> {
        let index = self.0.variables.iter().position(|(variable, _)| variable == name)?;
        Some((index, &self.0.variables[index].1))
    }

    pub(crate) fn has_now(&self) -> bool {
        self.0.now
    }
}

impl EnvironmentBuilder {
    /// Declares the next variable; its index is the number of those before it.
    ///
    /// # Panics
    /// Where the name is taken, is no CEL identifier, or is `now`: environments are written in code.
    #[must_use]
    pub fn variable(mut self, name: &str, kind: Type) -> Self {
        assert!(crate::lex::is_identifier(name) && name != "now", "{name} cannot name a variable");
        assert!(self.0.variables.iter().all(|(other, _)| other != name), "{name} is declared twice");
        self.0.variables.push((name.to_owned(), kind));
        self
    }

    /// Leaves `now` out: conditions whose answer must not depend on when they are asked.
    #[must_use]
    pub fn without_now(mut self) -> Self {
        self.0.now = false;
        self
    }

    /// Sets limits other than the usual ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// The environment.
    #[must_use]
    pub fn build(self) -> Environment {
        Environment(Arc::new(self.0))
    }
}
