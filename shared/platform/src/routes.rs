//! Routes: gRPC services by their names.
//!
//! Not tonic's router: that is a web framework's (axum), which puts a call, its body and its answer's body into boxes of
//! its own on the way in and out. A service's path is `/package.Service/Method`: nothing else has to be matched.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use crate::stack::{Answer, Inner};
use crate::status::unknown_call;

/// Some gRPC services. Cheap to clone.
#[derive(Clone, Default)]
pub struct Routes(Vec<Route>);

#[derive(Clone)]
struct Route {
    name: &'static str,
    call: Arc<dyn Fn(Request<Body>) -> Answer + Send + Sync>,
}

impl Routes {
    /// One service, as tonic generates it.
    #[must_use]
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self::default().add_service(service)
    }

    /// And another one.
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        // A clone of a generated service is one of its Arc.
        let call = Arc::new(move |request| service.clone().call(request));
        self.0.push(Route { name: S::NAME, call });
        self
    }

    fn find(&self, path: &str) -> Option<&Route> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        // A role has a handful of services: fewer than hashing the name would cost.
        self.0.iter().find(|route| route.name == service)
    }
}

impl Inner for Routes {
    type End = ();

    async fn answer(&self, request: Request<Body>) -> (Response<Body>, ()) {
        let Some(route) = self.find(request.uri().path()) else {
            return (unknown_call().into_http(), ());
        };
        let Ok(answer) = (route.call)(request).await;
        (answer, ())
    }
}

#[cfg(test)]
mod tests {
    use tonic_health::pb::health_server::HealthServer;
    use tonic_health::server::HealthService;

    use super::*;

    fn routes() -> Routes {
        let reporter = tonic_health::server::HealthReporter::new();
        Routes::new(HealthServer::new(HealthService::from_health_reporter(reporter)))
    }

    #[test]
    fn a_service_is_found_by_its_whole_name() {
        let routes = routes();
        assert!(routes.find("/grpc.health.v1.Health/Check").is_some());
        for other in ["", "/", "/grpc.health.v1.Health", "grpc.health.v1.Health/Check", "/grpc.health.v1.Healthy/Check"]
        {
            assert!(routes.find(other).is_none(), "{other}");
        }
    }

    #[tokio::test]
    async fn what_no_service_answers_is_unimplemented() {
        let request = Request::post("/grpc.health.v1.Other/Check").body(Body::empty()).expect("a request");
        let (answer, ()) = routes().answer(request).await;
        assert_eq!(answer.headers()["grpc-status"], "12");
    }
}
