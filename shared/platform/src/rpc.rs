//! The shape of every handler: take the call the stack proved, do the work, answer or fail.

use std::future::Future;

use rapport_kernel::{Fault, Reason};
use tonic::{Request, Response, Status};

use crate::call::Call;
use crate::status::status;

/// Runs a unary (or a response-streaming) handler: gives it the [`Call`] and the message, turns its fault into a
/// status with details.
///
/// # Errors
/// The handler's fault; UNAUTHENTICATED where the request did not pass the stack.
pub async fn unary<M, R, Fut>(request: Request<M>, f: impl FnOnce(Call, M) -> Fut) -> Result<Response<R>, Status>
where
    Fut: Future<Output = Result<R, Fault>> + Send,
{
    let (_, mut extensions, message) = request.into_parts();
    let call = extensions.remove::<Call>().ok_or_else(|| status(not_through_gateway()))?;
    f(call, message).await.map(Response::new).map_err(status)
}

/// The [`Call`] of a request whose message is a stream.
///
/// # Errors
/// UNAUTHENTICATED where the request did not pass the stack.
pub fn call_of<M>(request: &Request<M>) -> Result<Call, Fault> {
    request.extensions().get::<Call>().cloned().ok_or_else(not_through_gateway)
}

/// The one answer to whoever did not come through the gateway.
pub(crate) fn not_through_gateway() -> Fault {
    Fault::new(Reason::NotThroughGateway, "this service answers only calls that come through the gateway")
}
