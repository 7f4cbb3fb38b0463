//! The classes of faults, and the machine-readable reasons; each reason has one class.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_distinct_names() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
