use proptest::prelude::*;
use rapport_kernel::Private;
use uuid::Uuid;

use super::*;
use crate::domain::answer::{Answers, Given, Said};
use crate::domain::facts::Facts;

const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

fn named(question: &str) -> Change {
    let (name, question) = (Some("Spring".to_owned()), Some(question.to_owned()));
    Change { name, question, ..Change::default() }
}

fn draft() -> Survey {
    Versioned::draft(SurveyId::new(), SurveyKind::Nps, &named("Would you?"), NOW).expect("sound").survey
}

#[test]
fn a_survey_goes_from_draft_to_open_to_closed_and_never_back() {
    let draft = draft();
    assert_eq!(draft.admit().expect_err("a draft").reason, Reason::SurveyNotOpen);
    assert_eq!(draft.clone().close("", NOW).expect_err("a draft").reason, Reason::InvalidState);
    let open = draft.publish("", NOW).expect("a draft can be published");
    assert!(open.admit().is_ok());
    assert_eq!(open.delete("").expect_err("open").reason, Reason::InvalidState);
    assert_eq!(open.clone().publish("", NOW).expect_err("open").reason, Reason::InvalidState);
    let closed = open.close("", NOW).expect("an open one can be closed");
    assert_eq!(closed.admit().expect_err("closed").reason, Reason::SurveyNotOpen);
    assert!(closed.admit_past().is_ok() && closed.delete("").is_ok());
    assert!(closed.clone().publish("", NOW).is_err() && closed.close("", NOW).is_err());
}

#[test]
fn a_stale_etag_is_told_before_the_state() {
    let open = draft().publish(&etag::of(1), NOW).expect("the newest");
    assert_eq!(open.publish(&etag::of(1), NOW).expect_err("stale").reason, Reason::StaleEtag);
}

#[test]
fn names_are_read_back() {
    for state in [SurveyState::Draft, SurveyState::Open, SurveyState::Closed] {
        assert_eq!(SurveyState::of(state.name()), Some(state));
    }
    for kind in SurveyKind::ALL {
        assert_eq!(SurveyKind::of(kind.name()), Some(kind));
    }
}

#[test]
fn what_was_made_and_stored_is_the_same_when_it_is_completed_again() {
    for kind in SurveyKind::ALL.into_iter().filter(|kind| *kind != SurveyKind::Custom) {
        for language in ["en", "ru", "fa", "ro", "de"] {
            let change = Change { language: Some(language.to_owned()), ..named("?") };
            let made = change.make(kind).expect("the usual one is sound").definition().clone();
            let again = Change::default().apply(&made).expect("it stays so").definition().clone();
            assert_eq!(made, again);
            let stored = serde_json::to_string(&made).expect("it is stored");
            assert_eq!(serde_json::from_str::<Definition>(&stored).expect("it is read"), made);
        }
    }
}

/// What a question of a random survey is shown by, and where it goes on; figures are 0 to 3.
#[derive(Clone, Debug)]
struct Asked {
    required: bool,
    /// The question before it that it reads, and what it must be; none: that it has no answer.
    show_if: Option<(usize, Option<i32>)>,
    /// At which figure of its own it jumps, and to which question.
    jump: Option<(i32, usize)>,
}

fn surveys() -> impl Strategy<Value = Vec<Asked>> {
    let asked = (
        any::<bool>(),
        proptest::option::of((0..8_usize, proptest::option::of(0..4))),
        proptest::option::of((0..4, 0..8_usize)),
    );
    let asked = asked.prop_map(|(required, show_if, jump)| Asked { required, show_if, jump });
    proptest::collection::vec(asked, 1..8)
}

fn form(asked: &[Asked]) -> Form {
    let question = |(place, one): (usize, &Asked)| {
        let mut question = Question::new(&format!("q{place}"), QuestionType::Scale, "?".into());
        question.scale = Some(Scale::new(0, 3));
        question.required = one.required;
        if let Some((of, figure)) = one.show_if.filter(|(of, _)| *of < place) {
            question.show_if = match figure {
                Some(figure) => format!("answers.q{of} == {figure}"),
                None => format!("!has(answers.q{of})"),
            };
        }
        if let Some((figure, to)) = one.jump {
            let go_to = if to > place && to < asked.len() { format!("q{to}") } else { String::new() };
            question.branches = vec![Branch { condition: format!("answers.q{place} == {figure}"), go_to }];
        }
        question
    };
    let questions = asked.iter().enumerate().map(question).collect();
    let change = Change { questions: Some(questions), ..Change::default() };
    change.make(SurveyKind::Custom).expect("a sound survey")
}

/// The same without the language of conditions: which places are shown.
fn shown(asked: &[Asked], answers: &[Option<i32>]) -> Vec<usize> {
    let (mut shown, mut place) = (Vec::new(), 0);
    while place < asked.len() {
        let seen = |of: usize| if shown.contains(&of) { answers[of] } else { None };
        let is_shown = match asked[place].show_if.filter(|(of, _)| *of < place) {
            None => true,
            Some((of, figure)) => seen(of) == figure,
        };
        let jump = asked[place].jump.filter(|(figure, _)| answers[place] == Some(*figure));
        if !is_shown {
            place += 1;
            continue;
        }
        shown.push(place);
        place = match jump {
            Some((_, to)) if to > place && to < asked.len() => to,
            Some(_) => asked.len(),
            None => place + 1,
        };
    }
    shown
}

fn said(answers: &[Option<i32>]) -> Vec<Said> {
    let given = answers.iter().enumerate().filter_map(|(place, figure)| Some((place, (*figure)?)));
    let one = |(place, figure): (usize, i32)| Said {
        field: format!("answers[{place}]"),
        question: Some(format!("q{place}")),
        value: Some(Given::Number(figure)),
        other: Private::default(),
        scale: None,
    };
    given.map(one).collect()
}

proptest! {
    #[test]
    fn what_is_shown_is_what_the_branching_says_and_nothing_else_is_required_or_taken(
        asked in surveys(),
        figures in proptest::collection::vec(proptest::option::of(0..4), 8),
    ) {
        let form = form(&asked);
        let figures = &figures[..asked.len()];
        let shown = shown(&asked, figures);
        let outside: Vec<String> = (0..asked.len())
            .filter(|place| figures[*place].is_some() && !shown.contains(place))
            .map(|place| format!("answers[{place}]"))
            .collect();
        let partial = form.settle(Answers::default(), &said(figures), &Facts::default(), false);
        match partial {
            Ok(settled) => {
                prop_assert!(outside.is_empty());
                prop_assert_eq!(&settled.shown, &shown);
            }
            Err(found) => {
                let named: Vec<_> = found.as_slice().iter().map(|one| one.field.clone()).collect();
                prop_assert_eq!(named, outside);
            }
        }
        // Only what is shown: it is taken, and when it is completed what is required and shown alone is missed.
        let within: Vec<_> = (0..asked.len()).map(|place| figures[place].filter(|_| shown.contains(&place))).collect();
        let missing: Vec<String> = shown.iter()
            .filter(|place| asked[**place].required && within[**place].is_none())
            .map(|place| format!("answers[\"q{place}\"]"))
            .collect();
        match form.settle(Answers::default(), &said(&within), &Facts::default(), true) {
            Ok(settled) => {
                prop_assert!(missing.is_empty());
                prop_assert_eq!(settled.shown, shown);
            }
            Err(found) => {
                let named: Vec<_> = found.as_slice().iter().map(|one| one.field.clone()).collect();
                prop_assert_eq!(named, missing);
            }
        }
    }

    #[test]
    fn an_order_is_a_permutation_that_keeps_fixed_choices_and_is_the_same_for_a_response(
        fixed in proptest::collection::vec(any::<bool>(), 2..12),
        response in any::<u128>(),
    ) {
        let mut question = Question::new("q", QuestionType::Single, "?".into());
        question.randomised = true;
        let choice = |(place, fixed): (usize, &bool)| Choice {
            id: format!("c{place}"),
            text: "?".into(),
            value: None,
            fixed: *fixed,
            exclusive: false,
        };
        question.choices = fixed.iter().enumerate().map(choice).collect();
        let response = Uuid::from_u128(response);
        let order = Form::choices(&question, response);
        prop_assert_eq!(&order, &Form::choices(&question, response));
        for (place, choice) in question.choices.iter().enumerate().filter(|(_, choice)| choice.fixed) {
            prop_assert_eq!(&order[place], choice);
        }
        let sorted = |list: &[Choice]| {
            let mut names: Vec<_> = list.iter().map(|choice| choice.id.clone()).collect();
            names.sort_unstable();
            names
        };
        prop_assert_eq!(sorted(&order), sorted(&question.choices));
    }

    #[test]
    fn answers_to_an_old_version_are_judged_by_it_whatever_became_of_the_survey(
        asked in surveys(),
        later in proptest::collection::vec(surveys(), 1..4),
        figures in proptest::collection::vec(proptest::option::of(0..4), 8),
    ) {
        let survey = SurveyId::new();
        let first = form(&asked);
        let change = |form: &Form| Change { questions: Some(form.definition().questions.clone()), ..named("?") };
        let mut held = Versioned::draft(survey, SurveyKind::Custom, &change(&first), NOW).expect("sound");
        held.survey = held.survey.publish("", NOW).expect("a draft");
        let mut versions = vec![held.version.clone()];
        for next in &later {
            let before: Vec<_> = versions.iter().map(|version| version.definition.clone()).collect();
            held = held.change("", &change(&form(next)), &before, NOW).expect("the questions stay what they were");
            if held.version.number as usize > versions.len() {
                versions.push(held.version.clone());
            }
        }
        let figures = &figures[..asked.len()];
        // The old version, as it is stored and read, says of the answers what it said on the day.
        let stored = serde_json::to_string(&versions[0].definition).expect("stored");
        let read = Form::compile(serde_json::from_str(&stored).expect("read"), &mut Violations::new()).expect("compiles");
        let then = first.settle(Answers::default(), &said(figures), &Facts::default(), true);
        prop_assert_eq!(read.settle(Answers::default(), &said(figures), &Facts::default(), true), then);
    }
}
