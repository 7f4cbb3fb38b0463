//! A client that we did not write, in another language, which knows nothing but what reflection tells it.

use std::process::Command;

use rapport_tests::{Shape, Suite, python};

fn a_python_client_walks_through_the_suite_by_reflection_alone(shape: Shape) {
    let suite = Suite::start(shape);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/journeys/stranger.py");
    let interpreter = python(&["grpcio==1.76.0", "grpcio-reflection==1.76.0", "grpcio-status==1.76.0"]);
    let output = Command::new(interpreter).args([script, &suite.address, &suite.key]).output().expect("python starts");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim_end().ends_with("done"), "{out}\n{errors}\n{}", suite.logs());
}

#[test]
fn a_python_client_walks_through_the_suite_embedded() {
    a_python_client_walks_through_the_suite_by_reflection_alone(Shape::Embedded);
}

#[test]
fn a_python_client_walks_through_the_suite_in_production() {
    a_python_client_walks_through_the_suite_by_reflection_alone(Shape::Production);
}
