//! Calls whose request says by a name which service is meant: those that follow long work. Their body is taken in, looked
//! at, and handed on as it came.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Full};
use rapport_kernel::Fault;
use tonic::body::Body;

use super::{Refused, route};
use crate::convert;

/// What stands before a message: a flag and its length. The platform's stack has looked at both.
const PREFIX: usize = 5;

/// The role whose service the request means, and the request, whole again.
///
/// # Errors
/// INVALID_ARGUMENT where the body is no message of the call, or its name is none; NOT_FOUND where there is no such
/// service; the body's own failure.
pub(super) async fn role(request: Request<Body>) -> Result<(&'static str, Request<Body>), Refused> {
    let (head, body) = request.into_parts();
    let (bytes, trailers) = taken_in(body).await?;
    let message = bytes.get(PREFIX..).unwrap_or_default();
    let name = convert::operation::name(head.uri.path(), message)?;
    let service = convert::operation::service(&name)?;
    let role = route::role(service).ok_or_else(|| Fault::not_found("operation", name.clone()))?;
    let body = Full::new(bytes).with_trailers(std::future::ready(trailers.map(Ok)));
    Ok((role, Request::from_parts(head, Body::new(body))))
}

/// The bytes of a body: at most one message's, by the platform's stack.
async fn taken_in(mut body: Body) -> Result<(Bytes, Option<HeaderMap>), Refused> {
    let (mut bytes, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match frame.map_err(Refused::Broken)?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((bytes.freeze(), trailers))
}
