//! The contract and the code generated from it agree with the kernel and with each other.

use std::collections::BTreeSet;

use rapport_api::common::v1::{CustomerRef, ErrorReason, Identifier, Value, customer_ref, value};
use rapport_api::feedback::v1::SubmitResponseRequest;
use rapport_api::metrics::v1::QueryMetricRequest;
use rapport_api::personalisation::v1::{Action, Cap, CreateActionRequest};
use rapport_api::profiles::v1::{Consent, IdentifyRequest};
use rapport_api::{DESCRIPTOR_SET, check};
use rapport_kernel::{Reason, Violations};

fn broken(violations: &Violations) -> Vec<(&str, &str)> {
    violations.as_slice().iter().map(|violation| (violation.field.as_str(), violation.rule)).collect()
}

fn sound() -> IdentifyRequest {
    IdentifyRequest { source: "crm".into(), external_id: "1".into(), ..IdentifyRequest::default() }
}

#[test]
fn every_reason_of_the_kernel_is_in_the_contract_and_the_other_way_round() {
    let ours: BTreeSet<_> = Reason::ALL.iter().map(|reason| format!("ERROR_REASON_{}", reason.name())).collect();
    let theirs: BTreeSet<_> = (1..=100)
        .filter_map(|number| ErrorReason::try_from(number).ok())
        .map(|reason| reason.as_str_name().to_owned())
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_sound_request_breaks_no_rule() {
    assert!(check(&sound()).is_empty());
}

#[test]
fn every_broken_rule_is_named_with_its_path() {
    let request = IdentifyRequest {
        request_id: "no".into(),
        source: "C R M".into(),
        external_id: String::new(),
        party: 99,
        identifiers: vec![Identifier { namespace: "E".into(), value: "a\0b".into() }],
        traits: [("age".to_owned(), Value { kind: Some(value::Kind::NumberValue(f64::NAN)) })].into(),
        unset_traits: vec!["Bad".into()],
        consents: vec![Consent { purpose: "marketing".into(), ..Consent::default() }],
        observed_at: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
    };
    let violations = check(&request);
    assert_eq!(
        broken(&violations),
        [
            ("request_id", "string.uuid"),
            ("source", "string.pattern"),
            ("external_id", "string.min_len"),
            ("party", "enum.defined_only"),
            ("identifiers[0].namespace", "string.pattern"),
            ("identifiers[0].value", "string.no_nul"),
            ("traits[\"age\"].number_value", "double.finite"),
            ("unset_traits[0]", "string.pattern"),
            ("consents[0].state", "enum.not_in"),
            ("observed_at", "timestamp.range"),
        ]
    );
}

#[test]
fn a_violation_never_quotes_what_was_sent() {
    let mut request = sound();
    request.traits = [("anna@example.com".to_owned(), Value { kind: None })].into();
    request.source = "Anna Example".into();
    let text = format!("{:?}", check(&request));
    assert!(!text.to_lowercase().contains("anna"), "{text}");
}

#[test]
fn no_message_prints_its_content() {
    let request = IdentifyRequest { external_id: "anna@example.com".into(), ..sound() };
    assert!(!format!("{request:?}").contains("anna"));
    let reference = customer_ref::Ref::Identifier(Identifier { namespace: "email".into(), value: "anna@b.c".into() });
    assert!(!format!("{reference:?}").contains("anna"));
}

#[test]
fn presence_bounds_and_oneofs_are_checked() {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    let response = SubmitResponseRequest {
        survey_id: id.clone(),
        customer: Some(CustomerRef { r#ref: None }),
        ..SubmitResponseRequest::default()
    };
    assert_eq!(broken(&check(&response)), [("customer.ref", "required")]);
    let response = SubmitResponseRequest { survey_id: id, score: Some(11), ..SubmitResponseRequest::default() };
    assert_eq!(broken(&check(&response)), [("score", "integer.range")]);

    let query = QueryMetricRequest {
        metric: "nps".into(),
        group_by: vec!["channel".into(), "channel".into()],
        level: 0.2,
        ..QueryMetricRequest::default()
    };
    assert_eq!(broken(&check(&query)), [("group_by", "repeated.unique"), ("level", "double.range")]);

    let window = Some(prost_types::Duration { seconds: 34_560_000, nanos: 1 });
    let action = Action { name: "a".into(), kind: 1, cap: Some(Cap { times: 1, window }), ..Action::default() };
    let request = CreateActionRequest { action: Some(action), ..CreateActionRequest::default() };
    assert_eq!(broken(&check(&request)), [("action.cap.window", "duration.range")]);

    let window = Some(prost_types::Duration { seconds: 1, nanos: i32::MIN });
    let action = Action { name: "a".into(), kind: 1, cap: Some(Cap { times: 1, window }), ..Action::default() };
    let request = CreateActionRequest { action: Some(action), ..CreateActionRequest::default() };
    assert_eq!(broken(&check(&request)), [("action.cap.window", "duration.range")]);
}

#[test]
fn beyond_its_bound_a_list_is_not_looked_at() {
    let mut request = sound();
    request.unset_traits = vec!["sound".into(); 100];
    request.unset_traits.extend(vec!["Bad".to_owned(); 1_000]);
    assert_eq!(broken(&check(&request)), [("unset_traits", "repeated.max_items")]);
}

#[test]
fn lengths_count_characters_not_bytes() {
    let mut request = sound();
    request.external_id = "ж".repeat(256);
    assert!(check(&request).is_empty());
    request.external_id.push('ж');
    assert_eq!(broken(&check(&request)), [("external_id", "string.max_len")]);
}

#[test]
fn one_is_said_as_one() {
    let said = |violations: &Violations| violations.as_slice().first().map(|one| one.description.clone());
    let token = rapport_api::feedback::v1::ReadTokenRequest::default();
    assert_eq!(said(&check(&token)), Some("must have at least 1 character".to_owned()));
    let token = rapport_api::feedback::v1::ReadTokenRequest { token: "x".repeat(129) };
    assert_eq!(said(&check(&token)), Some("must have at most 128 characters".to_owned()));
}

#[test]
fn every_element_of_the_contract_has_a_comment() {
    let pool = prost_reflect::DescriptorPool::decode(DESCRIPTOR_SET).expect("the descriptor set");
    let mut bare = Vec::new();
    for file in pool.files().filter(|file| file.package_name().starts_with("rapport.")) {
        let commented: BTreeSet<Vec<i32>> = file
            .file_descriptor_proto()
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| location.leading_comments.as_ref().is_some_and(|text| text.trim().len() > 3))
            .map(|location| location.path.clone())
            .collect();
        for message in file.messages() {
            let fields = message.fields().map(|field| (field.full_name().to_owned(), field.path().to_vec()));
            bare.extend(
                fields
                    .chain([(message.full_name().to_owned(), message.path().to_vec())])
                    .filter(|(_, path)| !commented.contains(path)),
            );
        }
        for of in file.enums() {
            let values = of.values().map(|value| (value.full_name().to_owned(), value.path().to_vec()));
            bare.extend(
                values
                    .chain([(of.full_name().to_owned(), of.path().to_vec())])
                    .filter(|(_, path)| !commented.contains(path)),
            );
        }
        for service in file.services() {
            let calls = service.methods().map(|call| (call.full_name().to_owned(), call.path().to_vec()));
            bare.extend(
                calls
                    .chain([(service.full_name().to_owned(), service.path().to_vec())])
                    .filter(|(_, path)| !commented.contains(path)),
            );
        }
    }
    let bare: Vec<_> = bare.into_iter().map(|(name, _)| name).collect();
    assert!(bare.is_empty(), "without a comment: {bare:?}");
}
