//! Faults: why a call did not do what it was asked. What the caller sees and what the log says are different fields.

use std::fmt;
use std::time::Duration;

/// The class of a fault. Each maps to exactly one gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong whatever the state: INVALID_ARGUMENT.
    Invalid,
    /// No or bad credentials: UNAUTHENTICATED.
    Unauthenticated,
    /// Known caller, not allowed: PERMISSION_DENIED.
    Forbidden,
    /// Not there, or not of this tenant: NOT_FOUND.
    NotFound,
    /// There already, with other content: ALREADY_EXISTS.
    Exists,
    /// The state forbids it; retrying alone does not help: FAILED_PRECONDITION.
    Precondition,
    /// Lost a race; read again and retry: ABORTED.
    Aborted,
    /// A limit or quota: RESOURCE_EXHAUSTED.
    Exhausted,
    /// Something needed is down for now; retry: UNAVAILABLE.
    Unavailable,
    /// The time the caller gave ran out: DEADLINE_EXCEEDED.
    Deadline,
    /// The path names no call: UNIMPLEMENTED.
    NoCall,
    /// Somebody took the request back: CANCELLED.
    Cancelled,
    /// Our mistake: INTERNAL.
    Internal,
}

/// The machine-readable reason: the contract's `rapport.common.v1.ErrorReason` without its prefix (a test in `api`
/// holds the two together). Each has one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Bytes that are no message of the call's type.
    MalformedMessage,
    /// One or more fields break a rule; the BadRequest names each.
    InvalidField,
    /// A page token that is damaged, or made for another call, filter or tenant.
    InvalidPageToken,
    /// A condition that does not compile; position and reason are in the BadRequest.
    InvalidCondition,
    /// A metric, group, filter or comparison that the catalogue does not have.
    UnsupportedQuery,
    /// No API key, or one that is not known.
    InvalidCredentials,
    /// The key was revoked.
    KeyRevoked,
    /// The call did not come through the gateway.
    NotThroughGateway,
    /// The key lacks the call's scope.
    MissingScope,
    /// Not there, or another tenant's.
    ResourceNotFound,
    /// A resource of that name or source record is there already.
    ResourceExists,
    /// The request_id was used with another body.
    IdempotencyMismatch,
    /// The etag or version is not the newest.
    StaleEtag,
    /// Concurrent changes kept winning; retry.
    Contention,
    /// The survey is not open.
    SurveyNotOpen,
    /// The resource's state does not allow the change.
    InvalidState,
    /// The merge or split would break a rule (limits, component size, unknown records).
    IdentityConflict,
    /// The subject was erased.
    Erased,
    /// The caller asked for a revision that is not there yet.
    RevisionNotReached,
    /// What followed a token of a watch is no longer held.
    TokenExpired,
    /// More calls than the quota.
    QuotaExceeded,
    /// The message is larger than the limit.
    MessageTooLarge,
    /// The service sheds load.
    Overloaded,
    /// A database, bus or peer cannot be reached for now.
    DependencyUnavailable,
    /// The service is stopping; another instance will answer.
    ShuttingDown,
    /// The caller's deadline passed.
    DeadlineExceeded,
    /// A mistake of ours; the log has more under the request id.
    Internal,
    /// The path names no call of the contract.
    UnknownCall,
    /// The operation was cancelled before it was done.
    Cancelled,
}

impl Reason {
    /// All reasons, for tests and documents.
    pub const ALL: [Self; 29] = [
        Self::MalformedMessage,
        Self::InvalidField,
        Self::InvalidPageToken,
        Self::InvalidCondition,
        Self::UnsupportedQuery,
        Self::InvalidCredentials,
        Self::KeyRevoked,
        Self::NotThroughGateway,
        Self::MissingScope,
        Self::ResourceNotFound,
        Self::ResourceExists,
        Self::IdempotencyMismatch,
        Self::StaleEtag,
        Self::Contention,
        Self::SurveyNotOpen,
        Self::InvalidState,
        Self::IdentityConflict,
        Self::Erased,
        Self::RevisionNotReached,
        Self::TokenExpired,
        Self::QuotaExceeded,
        Self::MessageTooLarge,
        Self::Overloaded,
        Self::DependencyUnavailable,
        Self::ShuttingDown,
        Self::DeadlineExceeded,
        Self::Internal,
        Self::UnknownCall,
        Self::Cancelled,
    ];

    /// The one kind of this reason.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::MalformedMessage
            | Self::InvalidField
            | Self::InvalidPageToken
            | Self::InvalidCondition
            | Self::UnsupportedQuery => Kind::Invalid,
            Self::InvalidCredentials | Self::KeyRevoked | Self::NotThroughGateway => Kind::Unauthenticated,
            Self::MissingScope => Kind::Forbidden,
            Self::ResourceNotFound => Kind::NotFound,
            Self::ResourceExists | Self::IdempotencyMismatch => Kind::Exists,
            Self::StaleEtag | Self::Contention => Kind::Aborted,
            Self::SurveyNotOpen
            | Self::InvalidState
            | Self::IdentityConflict
            | Self::Erased
            | Self::RevisionNotReached
            | Self::TokenExpired => Kind::Precondition,
            Self::QuotaExceeded | Self::MessageTooLarge | Self::Overloaded => Kind::Exhausted,
            Self::DependencyUnavailable | Self::ShuttingDown => Kind::Unavailable,
            Self::DeadlineExceeded => Kind::Deadline,
            Self::Internal => Kind::Internal,
            Self::UnknownCall => Kind::NoCall,
            Self::Cancelled => Kind::Cancelled,
        }
    }

    /// The name in the contract's enum, without its prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedMessage => "MALFORMED_MESSAGE",
            Self::InvalidField => "INVALID_FIELD",
            Self::InvalidPageToken => "INVALID_PAGE_TOKEN",
            Self::InvalidCondition => "INVALID_CONDITION",
            Self::UnsupportedQuery => "UNSUPPORTED_QUERY",
            Self::InvalidCredentials => "INVALID_CREDENTIALS",
            Self::KeyRevoked => "KEY_REVOKED",
            Self::NotThroughGateway => "NOT_THROUGH_GATEWAY",
            Self::MissingScope => "MISSING_SCOPE",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::ResourceExists => "RESOURCE_EXISTS",
            Self::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
            Self::StaleEtag => "STALE_ETAG",
            Self::Contention => "CONTENTION",
            Self::SurveyNotOpen => "SURVEY_NOT_OPEN",
            Self::InvalidState => "INVALID_STATE",
            Self::IdentityConflict => "IDENTITY_CONFLICT",
            Self::Erased => "ERASED",
            Self::RevisionNotReached => "REVISION_NOT_REACHED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::Overloaded => "OVERLOADED",
            Self::DependencyUnavailable => "DEPENDENCY_UNAVAILABLE",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Internal => "INTERNAL",
            Self::UnknownCall => "UNKNOWN_CALL",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// One broken rule: which field, which rule, and what would be right. Never the value: it may be personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field in the request, as `traits["age"].number_value`.
    pub field: String,
    /// The rule's stable name, as `string.min_len`.
    pub rule: &'static str,
    /// What the field must be.
    pub description: String,
}

/// Gathers every violation of a request, so that one answer names them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    noted: Vec<Violation>,
    unnoted: usize,
}

impl Violations {
    /// How many one answer names; a hostile request cannot make the answer grow without bound.
    pub const MOST: usize = 100;

    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { noted: Vec::new(), unnoted: 0 }
    }
    /// Notes one; beyond [`Violations::MOST`] it is only counted.
    pub fn add(&mut self, field: impl Into<String>, rule: &'static str, description: impl Into<String>) {
        if self.noted.len() < Self::MOST {
            self.noted.push(Violation { field: field.into(), rule, description: description.into() });
        } else {
            self.unnoted += 1;
        }
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }
    /// Those noted.
    #[must_use]
    pub fn as_slice(&self) -> &[Violation] {
        &self.noted
    }
    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.noted.len() + self.unnoted
    }
    /// Takes a parsed value where there is one, else notes why there is none.
    pub fn take<T, E: fmt::Display>(
        &mut self,
        field: impl Into<String>,
        rule: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                self.add(field, rule, why.to_string());
                None
            }
        }
    }
    /// Fails with all of them, or goes on where there are none.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every violation noted.
    pub fn check(self) -> Result<(), Fault> {
        if self.is_empty() { Ok(()) } else { Err(Fault::invalid(self)) }
    }
}

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
    fn every_violation_is_kept_up_to_the_bound() {
        let mut violations = Violations::new();
        for n in 0..150 {
            violations.add(format!("f{n}"), "rule", "must be so");
        }
        let fault = violations.check().expect_err("there are violations");
        assert_eq!(fault.kind(), Kind::Invalid);
        assert_eq!(fault.details.violations.as_slice().len(), Violations::MOST);
        assert!(fault.message.starts_with("150 fields"), "{}", fault.message);
    }

    #[test]
    fn a_cause_is_for_the_log_only() {
        let fault = Fault::internal("connection to 10.0.0.7 refused");
        assert!(!fault.to_string().contains("10.0.0.7"));
        assert!(format!("{fault:?}").contains("10.0.0.7"));
    }

    #[test]
    fn reasons_have_distinct_names() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
