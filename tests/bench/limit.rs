//! The limit: a unary call of nothing, answered with nothing, by tonic as it comes. No call of the suite can be faster.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;

use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::Outcome;
use crate::load::{Measured, Until, drive};

#[derive(Clone)]
struct Empty;

impl UnaryService<()> for Empty {
    type Response = ();
    type Future = Ready<Result<Response<()>, Status>>;
    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
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
        Box::pin(async { Ok(tonic::server::Grpc::new(ProstCodec::<(), ()>::default()).unary(Empty, request).await) })
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
