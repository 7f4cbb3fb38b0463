//! Faults: why a call did not do what it was asked. What the caller sees and what the log says are different fields.

mod reason;
mod violation;

use std::fmt;
use std::time::Duration;

pub use reason::{Kind, Reason};
pub use violation::{Violation, Violations};

/// What a fault is about, for the details that fit its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// For INVALID_ARGUMENT.
    pub violations: Violations,
    /// For NOT_FOUND and ALREADY_EXISTS: the resource's type (as `survey`) and the name the caller used for it.
    pub resource: Option<(&'static str, String)>,
    /// For UNAVAILABLE and RESOURCE_EXHAUSTED: when to try again.
    pub retry_after: Option<Duration>,
    /// For FAILED_PRECONDITION: what must hold, as (type, subject).
    pub precondition: Option<(&'static str, String)>,
    /// Anything else a program may want, as a limit's value. Never personal data.
    pub metadata: Vec<(&'static str, String)>,
}

/// Why a call failed.
pub struct Fault {
    /// The reason, and by it the kind.
    pub reason: Reason,
    /// What the caller is told: what is wrong and what to do. Never personal data, never our insides.
    pub message: String,
    /// What the log says besides: the cause. Never personal data.
    pub cause: Option<String>,
    /// What the details say. Boxed: a `Result` that carries a fault stays small.
    pub details: Box<Details>,
}

impl Fault {
    /// A fault of a reason, with the text for the caller.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), cause: None, details: Box::default() }
    }
    /// Some fields break rules.
    #[must_use]
    pub fn invalid(violations: Violations) -> Self {
        let message = match violations.as_slice() {
            [only] => format!("{}: {}", only.field, only.description),
            _ => format!("{} fields are not valid; the details name them", violations.count()),
        };
        let mut fault = Self::new(Reason::InvalidField, message);
        fault.details.violations = violations;
        fault
    }
    /// One field breaks a rule.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, rule: &'static str, description: impl Into<String>) -> Self {
        let mut violations = Violations::new();
        violations.add(field, rule, description);
        Self::invalid(violations)
    }
    /// Not there, or not of this tenant: one answer for both.
    #[must_use]
    pub fn not_found(resource: &'static str, name: impl Into<String>) -> Self {
        let mut fault = Self::new(Reason::ResourceNotFound, format!("no such {resource}"));
        fault.details.resource = Some((resource, name.into()));
        fault
    }
    /// Our mistake: the caller learns nothing but that; the log has the cause.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Reason::Internal, "an internal error; quote the request id to the operator").because(cause)
    }
    /// Something needed cannot be reached: try again soon.
    #[must_use]
    pub fn unavailable(what: &'static str, cause: impl fmt::Display) -> Self {
        Self::new(Reason::DependencyUnavailable, format!("{what} cannot be reached for now; try again"))
            .because(cause)
            .retry_after(Duration::from_secs(1))
    }
    /// The caller's time ran out.
    #[must_use]
    pub fn deadline() -> Self {
        Self::new(Reason::DeadlineExceeded, "the deadline of the call passed before it was done")
    }
    /// Adds what only the log may say.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.details.retry_after = Some(after);
        self
    }
    /// Says which condition must hold first: its type (as `SURVEY_OPEN`) and its subject.
    #[must_use]
    pub fn precondition(mut self, kind: &'static str, subject: impl Into<String>) -> Self {
        self.details.precondition = Some((kind, subject.into()));
        self
    }
    /// Names the resource meant.
    #[must_use]
    pub fn resource(mut self, kind: &'static str, name: impl Into<String>) -> Self {
        self.details.resource = Some((kind, name.into()));
        self
    }
    /// Adds a value for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.details.metadata.push((key, value.to_string()));
        self
    }
    /// The kind of its reason.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.reason.kind()
    }
    /// Whether the same call may succeed if it is made again as it is.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self.kind(), Kind::Unavailable | Kind::Deadline | Kind::Aborted)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.message)
    }
}
impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_for_the_log_only() {
        let fault = Fault::internal("connection to 10.0.0.7 refused");
        assert!(!fault.to_string().contains("10.0.0.7"));
        assert!(format!("{fault:?}").contains("10.0.0.7"));
    }
}
