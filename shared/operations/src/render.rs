//! An operation as the contract has it.

use prost::{Message as _, Name as _};
use prost_types::Any;
use rapport_api::common::v1::{OperationProgress, OperationState};
use rapport_api::convert::timestamp;
use rapport_api::google::longrunning::Operation as Rendered;
use rapport_api::google::longrunning::operation::Result as End;
use rapport_api::google::rpc::Status;
use rapport_data::{Operation, Outcome, State};
use rapport_kernel::Fault;
use rapport_platform::status;

use crate::Name;

/// The operation of a service: what a call answers that begins one, and what tells of it later.
#[must_use]
pub fn render(service: &str, operation: &Operation) -> Rendered {
    let end = operation.outcome.as_ref().map(|outcome| match outcome {
        Outcome::Response(response) => End::Response(response.clone()),
        Outcome::Error(kept) => End::Error(error(kept)),
    });
    let metadata = Any { type_url: OperationProgress::type_url(), value: progress(operation).encode_to_vec() };
    Rendered {
        name: Name { service, id: operation.id }.to_string(),
        metadata: Some(metadata),
        done: end.is_some(),
        result: end,
    }
}

/// The status that was kept of a fault. One that cannot be read is our mistake, and told as such.
fn error(kept: &[u8]) -> Status {
    Status::decode(kept).unwrap_or_else(|why| {
        let status = status(Fault::internal(why));
        Status { code: status.code().into(), message: status.message().to_owned(), details: Vec::new() }
    })
}

fn progress(operation: &Operation) -> OperationProgress {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    OperationProgress {
        kind: operation.kind.clone(),
        state: state(operation.state).into(),
        done: count(operation.done),
        total: count(operation.total),
        unit: operation.unit.clone(),
        created_at: Some(timestamp(operation.created_at)),
        started_at: operation.started_at.map(timestamp),
        updated_at: Some(timestamp(operation.updated_at)),
        finished_at: operation.finished_at.map(timestamp),
        cancel_requested: operation.cancel_requested,
        failed_tries: i32::try_from(operation.failed_tries).unwrap_or(i32::MAX),
    }
}

const fn state(state: State) -> OperationState {
    match state {
        State::Pending => OperationState::Pending,
        State::Running => OperationState::Running,
        State::Done => OperationState::Done,
        State::Failed => OperationState::Failed,
        State::Cancelled => OperationState::Cancelled,
    }
}
