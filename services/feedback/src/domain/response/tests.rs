use rapport_kernel::Reason;

use super::*;
use crate::domain::survey::{Change, Form};

const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

fn form() -> Form {
    let change = Change { question: Some("How likely?".to_owned()), ..Change::default() };
    change.make(SurveyKind::Nps).expect("the usual one")
}

fn new(score: i32, partial: bool) -> NewResponse {
    let comment = Some(Private::new("The driver, Anna, was late".to_owned()));
    NewResponse {
        survey: SurveyId::from_uuid(Uuid::from_u128(1)),
        version: 0,
        response: None,
        partial,
        telling: Telling { score: Some(score), comment, ..Telling::default() },
        hidden: BTreeMap::new(),
        touch: Touch::default(),
        origin: None,
        weight: None,
        is_test: false,
        tags: BTreeSet::new(),
        times: BTreeMap::new(),
        started_at: None,
        answered_at: None,
        right: Right::Own,
    }
}

fn response() -> Response {
    let respondent = Respondent::anonymous(SubjectId::from_uuid(Uuid::from_u128(2)), Party::Customer);
    let id = ResponseId::from_uuid(Uuid::from_u128(3));
    Response::begin(id, (&form(), 1), new(3, false), respondent, None, NOW).expect("sound")
}

fn right(score: i32) -> Correction {
    Correction { telling: Telling { score: Some(score), ..Telling::default() }, ..Correction::default() }
}

#[test]
fn a_correction_changes_what_it_names_and_counts_up() {
    let later = NOW.plus(std::time::Duration::from_secs(60));
    let corrected = response().correct(&form(), "", right(9), later).expect("no etag, no refusal");
    assert_eq!((corrected.score(), corrected.revision, corrected.updated_at), (Some(9), 2, later));
    assert_eq!(corrected.comment(), response().comment());
    assert_eq!(corrected.answered_at, NOW, "when it was answered does not change");
    let again =
        corrected.clone().correct(&form(), &etag::of(2), right(9), later.plus(std::time::Duration::from_secs(1)));
    assert_eq!(again.expect("the newest"), corrected, "what is so already is no change");
}

#[test]
fn a_deletion_outranks_every_correction() {
    let corrected = response().correct(&form(), "", right(0), NOW).expect("corrected");
    assert_eq!(corrected.delete("").expect("deleted"), 3);
    assert!(corrected.delete(&etag::of(1)).is_err());
}

#[test]
fn what_is_complete_is_not_gone_on_with() {
    assert_eq!(response().go_on(&form(), new(1, true), NOW).expect_err("complete").reason, Reason::InvalidState);
}

#[test]
fn what_the_customer_said_cannot_be_printed() {
    assert!(!format!("{:?}", response()).contains("Anna"));
    assert!(!format!("{:?}", new(3, false)).contains("Anna"));
}
