//! Requests that can be sent twice: small unary ones, read whole before they are sent.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::{Request, Version, request};
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use tonic::Status;
use tonic::body::Body;

/// What is kept for a second try at most. A larger request is sent once.
const MOST: usize = 64 * 1024;

/// A request's body, and whether it can be sent again.
pub(super) enum Payload {
    /// All of it.
    Whole(Bytes),
    /// It flows through, once.
    Flowing(Option<Body>),
}

impl Payload {
    /// Reads a small body whole; lets a larger one flow.
    pub(super) async fn gather(mut body: Body) -> Result<Self, Status> {
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if read.len() + data.len() > MOST {
                let begun = [read.freeze(), data].map(|data| Ok(Frame::data(data)));
                let rest = futures::stream::iter(begun).chain(BodyStream::new(body));
                return Ok(Self::Flowing(Some(Body::new(StreamBody::new(rest)))));
            }
            read.extend_from_slice(&data);
        }
        Ok(Self::Whole(read.freeze()))
    }

    /// The request to send; `None` where it was sent and cannot be again.
    pub(super) fn request(&mut self, parts: &request::Parts) -> Option<Request<Body>> {
        let body = match self {
            Self::Whole(bytes) => Body::new(Full::new(bytes.clone())),
            Self::Flowing(body) => body.take()?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        *request.version_mut() = Version::HTTP_2;
        Some(request)
    }

    /// Whether it can be sent again.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> request::Parts {
        Request::new(()).into_parts().0
    }

    #[tokio::test]
    async fn a_small_body_can_be_sent_twice_and_a_large_one_flows_unchanged() {
        let mut small = Payload::gather(Body::new(Full::new(Bytes::from_static(b"abc")))).await.expect("a body");
        for _ in 0..2 {
            let request = small.request(&parts()).expect("it can be sent again");
            assert_eq!(request.into_body().collect().await.expect("a body").to_bytes(), "abc");
        }
        let frames = (0..20_u8).map(|n| Ok::<_, Status>(Frame::data(Bytes::from(vec![n; 10_000]))));
        let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
        let mut large = Payload::gather(body).await.expect("a body");
        let sent = large.request(&parts()).expect("once").into_body().collect().await.expect("a body").to_bytes();
        let expected: Vec<u8> = (0..20_u8).flat_map(|n| vec![n; 10_000]).collect();
        assert_eq!(sent, expected);
        assert!(large.request(&parts()).is_none());
    }
}
