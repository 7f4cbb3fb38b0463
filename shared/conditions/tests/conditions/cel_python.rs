//! An independent implementation: what PyPI's cel-python says of generated expressions.
//!
//! The golden file was made by hand: `cargo test -p rapport-conditions -- --ignored` writes the cases,
//! `golden/cel_python.py` has cel-python answer them. Where it answers otherwise than CEL's specification, the case
//! carries why; there the plain reference alone is the judge.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rapport_conditions::{Owned, Timestamp, Type};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::expression::{self, World};
use crate::generate;
use crate::golden;
use crate::worlds;

#[derive(Deserialize)]
struct Golden {
    worlds: Vec<Json>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    expr: String,
    world: usize,
    /// What cel-python gives; nothing where it fails.
    value: Option<Json>,
    /// Why cel-python is not followed.
    differs: Option<String>,
}

#[test]
fn cel_python_gives_the_same_values() {
    let golden: Golden = serde_json::from_str(include_str!("golden/cel_python.json")).expect("the golden file");
    let environment = worlds::environment();
    let mut wrong = Vec::new();
    for case in golden.cases.iter().filter(|case| case.differs.is_none()) {
        let world = &golden.worlds[case.world];
        // Events are no part of CEL: in these worlds nothing happened.
        let given = |name: &str| world.get(name).map_or_else(|| Owned::Map(BTreeMap::new()), input);
        let inputs: Vec<Owned> = environment.variables().map(|(name, _)| given(name)).collect();
        let now = Timestamp::from_micros(world["now"].as_i64().expect("micros")).expect("in range");
        let program = environment.compile(&case.expr, Type::Dyn).expect(&case.expr);
        let value = program.evaluate(&inputs, now).ok().and_then(|outcome| outcome.value.to_owned());
        let same = match (&value, &case.value) {
            (Some(value), Some(expected)) => golden::same(value, &golden::value(expected)),
            (value, expected) => value.is_none() && expected.is_none(),
        };
        if !same {
            let value = value.as_ref().map(golden::json);
            wrong.push(format!("{} in world {}: {value:?} instead of {:?}", case.expr, case.world, case.value));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), golden.cases.len(), wrong.join("\n"));
    assert!(golden.cases.iter().filter(|case| case.differs.is_none()).count() > 1_000, "the file is whole");
}

/// An input in its golden form; an object's fields as `[name, value]`, null where not set.
fn input(json: &Json) -> Owned {
    match json.get("object").and_then(Json::as_array) {
        Some(fields) => Owned::Object(
            fields.iter().map(|field| field.get(1).filter(|value| !value.is_null()).map(golden::value)).collect(),
        ),
        None => golden::value(json),
    }
}

fn world_json(world: &World) -> Json {
    let mut json = json!({ "now": world.now.micros() });
    for (name, value) in &world.variables {
        json[name] = golden::json(value);
    }
    let fields: Vec<_> =
        world.customer.iter().map(|(name, value)| json!([name, value.as_ref().map(golden::json)])).collect();
    json["customer"] = json!({ "object": fields });
    let traits = world.traits.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    json["traits"] = golden::json(&Owned::Map(traits));
    json
}

#[test]
#[ignore = "writes the cases that cel-python is then asked by hand"]
fn cases_for_cel_python_are_written() {
    let mut runner = TestRunner::deterministic();
    let worlds: Vec<_> = (0..40).map(|_| worlds::world().new_tree(&mut runner).expect("a world").current()).collect();
    let expressions = generate::any_expression(2);
    let mut cases = Vec::new();
    while cases.len() < 2_000 {
        let expr = expression::source(&expressions.new_tree(&mut runner).expect("an expression").current());
        let world = cases.len() % worlds.len();
        if (20..200).contains(&expr.len()) {
            cases.push(json!({ "expr": expr, "world": world }));
        }
    }
    let file = json!({ "worlds": worlds.iter().map(world_json).collect::<Vec<_>>(), "cases": cases });
    let path = std::env::temp_dir().join("cel_python_cases.json");
    std::fs::write(&path, file.to_string()).expect("the cases are written");
    println!("{}", path.display());
}
