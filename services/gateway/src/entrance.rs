//! The entrance: what is asked for decides whether the door answers, or the respondents' page. Both stand on one port:
//! whoever balances load and ends TLS has one thing to route to. The page has the stack around it as the door has; only what a layer
//! refuses is told to a browser as a page.

use http::{Request, Response, header};
use rapport_platform::stack::{Inner, Stacked};
use tonic::body::Body;

use crate::page;

/// The entrance.
pub(crate) struct Entrance<D> {
    door: D,
    page: Option<Stacked>,
}

impl<D> Entrance<D> {
    /// Before a door, and the page, where it is served.
    pub(crate) const fn new(door: D, page: Option<Stacked>) -> Self {
        Self { door, page }
    }
}

impl<D: Inner<End = ()>> Inner for Entrance<D> {
    type End = ();

    async fn answer(&self, request: Request<Body>) -> (Response<Body>, ()) {
        match &self.page {
            Some(page) if page::has(request.uri().path()) => {
                let accepted = request.headers().get(header::ACCEPT_LANGUAGE).cloned();
                let accepted = accepted.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
                let Ok(answer) = page.answer(request).await;
                (page::for_browser(answer, accepted), ())
            }
            _ => self.door.answer(request).await,
        }
    }
}
