//! The names of long work, as far as the gateway reads them: which service is meant.

use prost::Message;
use rapport_api::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, WaitOperationRequest,
};
use rapport_kernel::{Fault, Reason};
use rapport_operations::Name;

/// The list alone names a parent.
const LIST: &str = "/google.longrunning.Operations/ListOperations";

/// The name in the request of a call of `google.longrunning.Operations`.
///
/// # Errors
/// INVALID_ARGUMENT where the bytes are no message of that call.
pub fn name(path: &str, message: &[u8]) -> Result<String, Fault> {
    let name = match path.rsplit('/').next().unwrap_or_default() {
        "ListOperations" => decoded::<ListOperationsRequest>(message)?.name,
        "GetOperation" => decoded::<GetOperationRequest>(message)?.name,
        "WaitOperation" => decoded::<WaitOperationRequest>(message)?.name,
        "CancelOperation" => decoded::<CancelOperationRequest>(message)?.name,
        "DeleteOperation" => decoded::<DeleteOperationRequest>(message)?.name,
        _ => return Err(Fault::internal("a call whose request has no name")),
    };
    // What is wrong with it, whoever it is for, is told here: nobody would be asked.
    if path == LIST {
        Name::parent(&name).map(drop)?
    } else {
        Name::parse(&name).map(drop)?
    }
    Ok(name)
}

/// The service that a name says.
///
/// # Errors
/// INVALID_ARGUMENT where it says none.
pub fn service(name: &str) -> Result<&str, Fault> {
    Name::parent(name.split('/').next().unwrap_or_default())
}

fn decoded<M: Message + Default>(message: &[u8]) -> Result<M, Fault> {
    // What exactly is wrong with the bytes is not told: prost's text can quote what it read.
    M::decode(message)
        .map_err(|_| Fault::new(Reason::MalformedMessage, "the bytes are not a message of this call's type"))
}
