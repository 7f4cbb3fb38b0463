//! CEL's own conformance cases. `golden/cel_spec.json` says where they come from and which were left out.
//!
//! A case marked `refused` uses what this language leaves out on purpose; it must not compile, and the mark says why.

use rapport_conditions::{Environment, Owned, Timestamp, Type};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::golden;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    expr: String,
    #[serde(default)]
    variables: Vec<(String, Json, Option<Json>)>,
    value: Option<Json>,
    #[serde(default)]
    error: bool,
    refused: Option<String>,
}

/// What this library makes of a case.
enum Answer {
    Value(Option<Owned>),
    Refused(String),
    Failed(String),
}

fn answer(case: &Case) -> Answer {
    let mut builder = Environment::builder();
    let mut inputs = Vec::new();
    for (name, kind, value) in &case.variables {
        builder = builder.variable(name, golden::kind(kind));
        inputs.push(value.as_ref().map(golden::value));
    }
    let program = match builder.build().compile(&case.expr, Type::Dyn) {
        Ok(program) => program,
        Err(errors) => return Answer::Refused(errors.to_string()),
    };
    let now = Timestamp::from_micros(0).expect("the epoch");
    match program.evaluate(&inputs, now) {
        Ok(outcome) => {
            assert_eq!(outcome.valid_until, Timestamp::MAX, "{}: no case names now", case.name);
            Answer::Value(outcome.value.to_owned())
        }
        Err(error) => Answer::Failed(error.to_string()),
    }
}

#[test]
fn cels_own_conformance_cases_hold() {
    let golden: Golden = serde_json::from_str(include_str!("golden/cel_spec.json")).expect("the golden file");
    let mut wrong = Vec::new();
    for case in &golden.cases {
        let complaint = match (answer(case), &case.refused) {
            (Answer::Refused(_), Some(_)) => continue,
            // What CEL finds wrong when it evaluates may be found when it is compiled.
            (Answer::Refused(_) | Answer::Failed(_), None) if case.error => continue,
            (Answer::Refused(why), None) => format!("refused: {why}"),
            (Answer::Failed(why), _) => format!("failed: {why}"),
            (Answer::Value(_), Some(why)) => format!("was to be refused: {why}"),
            (Answer::Value(Some(value)), None) => match &case.value {
                Some(expected) if golden::same(&value, &golden::value(expected)) => continue,
                Some(expected) => format!("{} instead of {expected}", golden::json(&value)),
                None => format!("{} instead of an error", golden::json(&value)),
            },
            (Answer::Value(None), None) => "a value that cannot be kept".to_owned(),
        };
        wrong.push(format!("{}: {} → {complaint}", case.name, case.expr));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), golden.cases.len(), wrong.join("\n"));
    assert!(golden.cases.iter().filter(|case| case.refused.is_none()).count() > 500, "the file is whole");
}
