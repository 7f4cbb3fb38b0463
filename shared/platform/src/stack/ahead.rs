//! Ahead: a streamed answer is worked out by a task of its own, a little ahead of its reader.
//!
//! A body is polled only when its reader has room for more. Whoever stops reading would leave the work in the middle of
//! whatever it does, with all that it holds: two watchers that read nothing would keep both connections that SQLite's
//! readers share. So the work goes on until it has something to say, and waits with that, holding nothing.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use rapport_kernel::{Fault, Reason};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;

use super::Inner;
use super::body::trailers;
use super::passage::method_of;
use crate::platform::Platform;
use crate::tasks::Tasks;

/// Frames that wait for the reader, besides the one that waits to be put there.
const AHEAD: usize = 1;

/// The layer.
pub struct WorkAhead<S> {
    inner: S,
    tasks: Tasks,
}

impl<S> WorkAhead<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        Self { inner, tasks: platform.tasks.clone() }
    }
}

impl<S: Inner> Inner for WorkAhead<S> {
    type End = S::End;

    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send {
        let streams = method_of(&request).is_some_and(|method| method.server_streams);
        let answer = self.inner.answer(request);
        async move {
            let (answer, end) = answer.await;
            if !streams || answer.body().is_end_stream() {
                return (answer, end);
            }
            (answer.map(|body| Worked::out(body, &self.tasks)), end)
        }
    }
}

type Framed = Result<Frame<Bytes>, Status>;

/// What was worked out. Dropped, it ends the work.
struct Worked {
    frames: mpsc::Receiver<Framed>,
    work: Option<AbortOnDropHandle<()>>,
}

impl Worked {
    fn out(mut body: Body, tasks: &Tasks) -> Body {
        let (sender, frames) = mpsc::channel(AHEAD);
        let work = async move {
            while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                if sender.send(frame).await.is_err() {
                    return;
                }
            }
        };
        Body::new(Self { frames, work: Some(tasks.beside(work)) })
    }
}

impl HttpBody for Worked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Framed>> {
        if let Some(frame) = ready!(self.frames.poll_recv(context)) {
            return Poll::Ready(Some(frame));
        }
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(work).poll(context));
        self.work = None;
        match ended {
            Ok(()) => Poll::Ready(None),
            // As if it had been polled here: the outermost layer turns it into an answer.
            Err(why) if why.is_panic() => resume_unwind(why.into_panic()),
            Err(_) => {
                let fault = Fault::new(Reason::ShuttingDown, "this instance is stopping; call again");
                Poll::Ready(Some(Ok(trailers(fault))))
            }
        }
    }
}
