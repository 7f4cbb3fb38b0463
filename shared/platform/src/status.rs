//! Faults as gRPC statuses with google.rpc details, and back.
//!
//! The one place where a cause is logged and cut off: what leaves here holds nothing the caller may not see.

use std::time::Duration;

use rapport_kernel::fault::Details;
use rapport_kernel::{Fault, Kind, Reason, Violations};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, QuotaViolation, StatusExt as _};

/// How many bytes the violations of one answer may have together, and a text within the details. Details travel in
/// trailers, base64-encoded and beside the message; stock clients refuse those of more than 8 KiB.
const VIOLATIONS_BYTES: usize = 2_400;
const TEXT_BYTES: usize = 300;
/// How long the message may be: each of its bytes may become three, and some details repeat it.
const MESSAGE_BYTES: usize = 600;

/// `ErrorInfo.domain` of every error of the suite.
pub const DOMAIN: &str = "rapport";

/// The answer for a fault. Logs the cause, which the caller does not see.
#[must_use]
pub fn status(mut fault: Fault) -> Status {
    log(&fault);
    fault.message = clipped(&fault.message, MESSAGE_BYTES);
    let violations = violations(&fault.details.violations);
    let left_out = fault.details.violations.count() - violations.len();
    if left_out > 0 {
        fault = fault.with("left_out", left_out);
        fault.message.push_str(&format!("; {left_out} of them are left out"));
    }
    let details = details(&fault, violations);
    Status::with_error_details(code(fault.kind()), fault.message, details)
}

/// As many violations as one answer may name.
fn violations(all: &Violations) -> Vec<FieldViolation> {
    let mut bytes = 0;
    let named = all.as_slice().iter().map(|violation| {
        let text = |text: &str| clipped(text, TEXT_BYTES);
        let mut field = FieldViolation::new(text(&violation.field), text(&violation.description));
        violation.rule.clone_into(&mut field.reason);
        field
    });
    let fits = |field: &FieldViolation| {
        bytes += field.field.len() + field.description.len() + field.reason.len() + 8;
        bytes <= VIOLATIONS_BYTES
    };
    named.take_while(fits).collect()
}

/// A text, or its beginning.
fn clipped(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mark = "…";
    format!("{}{mark}", &text[..text.floor_char_boundary(bytes - mark.len())])
}

/// The fault in a peer's answer. Words that only name a thing (a resource's type, a key of the metadata) come back
/// when the suite uses them, else they are dropped: a fault's words are the suite's own.
#[must_use]
pub fn fault(status: &Status) -> Fault {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN);
    let reason = info.and_then(|info| Reason::ALL.into_iter().find(|reason| reason.name() == info.reason));
    let Some(reason) = reason else { return foreign(status) };
    if reason == Reason::Internal {
        return Fault::internal("a peer failed; its log has the cause under the same request id");
    }
    let mut fault = Fault::new(reason, status.message());
    let mut violations = Violations::new();
    for violation in details.bad_request().into_iter().flat_map(|request| &request.field_violations) {
        violations.add(&violation.field, "peer", &violation.description);
    }
    let Details { violations: found, resource, retry_after, precondition, metadata } = &mut *fault.details;
    *found = violations;
    *retry_after = details.retry_info().and_then(|retry| retry.retry_delay);
    *resource = details.resource_info().and_then(|info| Some((word(&info.resource_type)?, info.resource_name.clone())));
    *precondition = details
        .precondition_failure()
        .and_then(|failure| failure.violations.first())
        .and_then(|violation| Some((word(&violation.r#type)?, violation.subject.clone())));
    for (key, value) in info.into_iter().flat_map(|info| &info.metadata) {
        if let Some(key) = word(key) {
            metadata.push((key, value.clone()));
        }
    }
    fault
}

/// The gRPC code of a kind.
#[must_use]
pub const fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Exists => Code::AlreadyExists,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Aborted => Code::Aborted,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Deadline => Code::DeadlineExceeded,
        Kind::NoCall => Code::Unimplemented,
        Kind::Cancelled => Code::Cancelled,
        Kind::Internal => Code::Internal,
    }
}

/// The answer for a path that names no call.
#[must_use]
pub fn unknown_call() -> Status {
    status(Fault::new(Reason::UnknownCall, "there is no such call"))
}

/// What a fault's words may be on the way back from a peer: types of resources and preconditions, keys of metadata.
const WORDS: &[&str] = &[
    "customer",
    "subject",
    "interaction",
    "survey",
    "response",
    "invitation",
    "action",
    "decision",
    "metric",
    "tenant",
    "api_key",
    "erasure",
    "request_id",
    "scope",
    "limit",
    "left_out",
    "revision",
    "request",
    "operation",
    "algorithm",
    "CUSTOMER_NOT_ERASED",
    "INVITATION_EXPIRED",
    "INVITATION_USED",
    "INVITATION_CANCELLED",
    "SURVEY_OPEN",
    "SURVEY_STATE",
    "ACTION_COUNT",
    "REVISION",
];

fn word(text: &str) -> Option<&'static str> {
    WORDS.iter().copied().find(|word| *word == text)
}

fn log(fault: &Fault) {
    let (reason, cause) = (fault.reason.name(), fault.cause.as_deref().unwrap_or("not stated"));
    match fault.kind() {
        Kind::Internal => tracing::error!(reason, cause, "a call failed by a mistake of ours"),
        Kind::Unavailable => tracing::warn!(reason, cause, "a call failed because something needed is down"),
        _ => tracing::debug!(reason, cause, "a call was refused"),
    }
}

fn details(fault: &Fault, violations: Vec<FieldViolation>) -> ErrorDetails {
    let mut details = ErrorDetails::new();
    let of = &fault.details;
    let metadata = of.metadata.iter().map(|(key, value)| ((*key).to_owned(), clipped(value, TEXT_BYTES)));
    details.set_error_info(fault.reason.name(), DOMAIN, metadata.collect::<std::collections::HashMap<_, _>>());
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    if let Some((kind, name)) = &of.resource {
        details.set_resource_info(*kind, clipped(name, TEXT_BYTES), "", &fault.message);
    }
    if let Some((kind, subject)) = &of.precondition {
        details.set_precondition_failure(vec![PreconditionViolation::new(
            *kind,
            clipped(subject, TEXT_BYTES),
            &fault.message,
        )]);
    }
    if fault.reason == Reason::QuotaExceeded {
        details.set_quota_failure(vec![QuotaViolation::new("tenant", &fault.message)]);
    }
    if let Some(after) = of.retry_after {
        details.set_retry_info(Some(after));
    }
    details
}

/// A status that no part of the suite made: the transport's, or tonic's.
fn foreign(status: &Status) -> Fault {
    let cause = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::DeadlineExceeded => Fault::deadline().because(cause),
        Code::ResourceExhausted => Fault::new(Reason::Overloaded, "a service is overloaded; try again later")
            .retry_after(Duration::from_secs(1))
            .because(cause),
        Code::Unavailable | Code::Cancelled => Fault::unavailable("a service", cause),
        _ => Fault::internal(cause),
    }
}
