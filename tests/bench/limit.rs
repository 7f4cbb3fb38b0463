//! The limit: a unary call of nothing, answered with nothing, by tonic as it comes. No call of the suite can be faster.
//! Beside it a call that is answered with a profile like those of the bench, made beforehand: what tonic and prost take
//! to carry GetProfile's messages, on both sides, whoever serves them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use rapport_api::common::v1::customer_ref::Ref;
use rapport_api::profiles::v1::{GetProfileRequest, Profile};
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::load::{IN_FLIGHT, Measured, Until, drive};
use crate::{Outcome, people};

const SAME: &str = "/bench.Limit/Same";

#[derive(Clone)]
struct Empty;

impl UnaryService<()> for Empty {
    type Response = ();
    type Future = Ready<Result<Response<()>, Status>>;
    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

/// Answers the profile that it holds.
#[derive(Clone)]
struct Same;

impl UnaryService<GetProfileRequest> for Same {
    type Response = Profile;
    type Future = Ready<Result<Response<Profile>, Status>>;
    fn call(&mut self, request: Request<GetProfileRequest>) -> Self::Future {
        let asked = request.into_inner().customer.and_then(|customer| customer.r#ref);
        ready(match asked {
            Some(Ref::CustomerId(id)) => Ok(Response::new(people::likeness(id))),
            _ => Err(Status::invalid_argument("by its id")),
        })
    }
}

/// A service as generated code is one, written out because the contract has no empty call without our codec.
#[derive(Clone)]
struct Limit;

impl NamedService for Limit {
    const NAME: &'static str = "bench.Limit";
}

impl Service<http::Request<Body>> for Limit {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async {
            Ok(if request.uri().path() == SAME {
                tonic::server::Grpc::new(ProstCodec::<Profile, GetProfileRequest>::default()).unary(Same, request).await
            } else {
                tonic::server::Grpc::new(ProstCodec::<(), ()>::default()).unary(Empty, request).await
            })
        })
    }
}

/// Binds a port; answers its address, and what serves there.
pub fn serve() -> Outcome<(SocketAddr, impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static)> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    let address = incoming.local_addr()?;
    Ok((address, Server::builder().add_service(Limit).serve_with_incoming(incoming)))
}

/// Calls it.
pub async fn measure(channels: &[Channel], in_flight: usize, until: Until) -> Outcome<Measured> {
    drive(channels, in_flight, until, |channel, _| call(channel)).await
}

async fn call(channel: Channel) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|why| Status::unavailable(why.to_string()))?;
    let path = PathAndQuery::from_static("/bench.Limit/Empty");
    client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await.map(drop)
}

/// Asks it for a profile.
pub async fn measure_same(channels: &[Channel], customers: &Arc<Vec<String>>, until: Until) -> Outcome<Measured> {
    let customers = Arc::clone(customers);
    drive(channels, IN_FLIGHT, until, move |channel, number| {
        same(channel, customers[number as usize % customers.len()].clone())
    })
    .await
}

async fn same(channel: Channel, customer: String) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|why| Status::unavailable(why.to_string()))?;
    let request = GetProfileRequest { customer: Some(people::by_id(&customer)), ..GetProfileRequest::default() };
    let codec = ProstCodec::<GetProfileRequest, Profile>::default();
    client.unary(Request::new(request), PathAndQuery::from_static(SAME), codec).await.map(drop)
}
