//! Faults as statuses, and back.

use std::time::Duration;

use rapport_kernel::{Fault, Kind, Reason, Violations};
use rapport_platform::{fault, status};
use tonic_types::StatusExt as _;

#[test]
fn every_reason_survives_the_way_to_a_peer_and_back() {
    for reason in Reason::ALL {
        let sent = status(Fault::new(reason, "what is wrong").because("the cause"));
        let info = sent.get_details_error_info().expect("an ErrorInfo, always");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason.name(), "rapport"));
        assert!(!format!("{sent:?}").contains("the cause"), "{reason:?}");
        let back = fault(&sent);
        assert_eq!(back.reason, reason);
        assert_eq!(rapport_platform::status::code(reason.kind()), sent.code());
        if reason.kind() != Kind::Internal {
            assert_eq!(back.message, "what is wrong");
        }
    }
}

#[test]
fn the_details_of_many_long_violations_stay_within_what_stock_clients_take() {
    for (count, text) in [(100, "long "), (150, "ü"), (1, "𝄞"), (3, "short")] {
        let mut violations = Violations::new();
        for index in 0..count {
            let long = text.repeat(if text == "short" { 1 } else { 2_000 });
            violations.add(format!("traits[\"{index}{long}\"]"), "string.max_len", long);
        }
        let sent = status(Fault::invalid(violations));
        let trailers = sent.to_http_trailers();
        assert!(trailers < 8_000, "{trailers} bytes for {count} of {text}");
        let named = sent.get_details_bad_request().expect("a BadRequest").field_violations.len();
        assert!(named > 0);
        let info = sent.get_details_error_info().expect("an ErrorInfo");
        let left_out = info.metadata.get("left_out").map_or(0, |count| count.parse().expect("a number"));
        assert_eq!(named + left_out, count, "each is named or counted");
        assert_eq!(sent.message().contains("left out"), left_out > 0, "{}", sent.message());
    }
}

/// How many bytes a status takes on the wire, as HTTP/2 counts them.
trait OnTheWire {
    fn to_http_trailers(&self) -> usize;
}

impl OnTheWire for tonic::Status {
    fn to_http_trailers(&self) -> usize {
        let mut trailers = http::HeaderMap::new();
        self.add_header(&mut trailers).expect("it is a header");
        trailers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
    }
}

#[test]
fn the_details_survive_as_well() {
    let mut violations = Violations::new();
    violations.add("identifiers[0].value", "email", "must be an e-mail address");
    violations.add("external_id", "string.min_len", "must not be empty");
    let sent = status(Fault::invalid(violations));
    let request = sent.get_details_bad_request().expect("a BadRequest");
    assert_eq!(request.field_violations.len(), 2);
    assert_eq!(request.field_violations[0].field, "identifiers[0].value");
    let back = fault(&sent);
    assert_eq!(back.details.violations.as_slice()[1].description, "must not be empty");

    let sent = status(Fault::unavailable("the database", "refused").retry_after(Duration::from_secs(2)));
    assert_eq!(sent.get_details_retry_info().expect("a RetryInfo").retry_delay, Some(Duration::from_secs(2)));
    assert_eq!(fault(&sent).details.retry_after, Some(Duration::from_secs(2)));

    let sent = status(Fault::not_found("customer", "c-1"));
    let resource = sent.get_details_resource_info().expect("a ResourceInfo");
    assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("customer", "c-1"));
    assert_eq!(fault(&sent).details.resource, Some(("customer", "c-1".to_owned())));

    let sent = status(Fault::new(Reason::SurveyNotOpen, "closed").precondition("SURVEY_OPEN", "s-1"));
    let failure = sent.get_details_precondition_failure().expect("a PreconditionFailure");
    assert_eq!(failure.violations[0].subject, "s-1");
    assert_eq!(fault(&sent).details.precondition, Some(("SURVEY_OPEN", "s-1".to_owned())));

    let sent = status(Fault::new(Reason::QuotaExceeded, "too many calls"));
    assert!(sent.get_details_quota_failure().is_some());
}

#[test]
fn a_status_that_nobody_of_ours_made_is_understood_by_its_code() {
    for (status, kind) in [
        (tonic::Status::unavailable("tcp connect error"), Kind::Unavailable),
        (tonic::Status::cancelled("h2 reset"), Kind::Unavailable),
        (tonic::Status::deadline_exceeded(""), Kind::Deadline),
        (tonic::Status::unimplemented(""), Kind::Internal),
    ] {
        assert_eq!(fault(&status).kind(), kind, "{status:?}");
    }
}
