//! A small real service to put the platform around: gRPC's own health service under another name, whose answers do
//! what the request's text says.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use rapport_kernel::{Caller, Fault, Reason, SystemClock, TenantId, Verb};
use rapport_platform::stack::{Stacked, stack};
use rapport_platform::telemetry::traceparent;
use rapport_platform::{Access, Call, Contract, Platform, PlatformConfig, Routes, rpc};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Status, codegen::Service};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

pub const CHECK: &str = "/test.v1.Probe/Check";
pub const WATCH: &str = "/test.v1.Probe/Watch";
pub const SECRET: &str = "anna@example.com";

/// The contract of the probe: health's, renamed. Reading it needs `profiles:read`.
pub fn contract() -> Contract {
    contract_with(Verb::Read)
}

pub fn contract_with(verb: Verb) -> Contract {
    let mut set = FileDescriptorSet::decode(tonic_health::pb::FILE_DESCRIPTOR_SET).expect("health's descriptors");
    let rename = |name: &mut Option<String>| {
        *name = name.take().map(|name| name.replace("grpc.health.v1", "test.v1"));
    };
    for file in &mut set.file {
        file.package = Some("test.v1".to_owned());
        file.name = Some("test/v1/probe.proto".to_owned());
        for message in &mut file.message_type {
            message.field.iter_mut().for_each(|field| rename(&mut field.type_name));
        }
        for service in &mut file.service {
            service.name = Some("Probe".to_owned());
            for method in &mut service.method {
                rename(&mut method.input_type);
                rename(&mut method.output_type);
            }
        }
    }
    let bytes: &'static [u8] = set.encode_to_vec().leak();
    let access = move |path: &str| [CHECK, WATCH].contains(&path).then_some(Access { service: "profiles", verb });
    Contract::new(bytes, access).expect("a contract")
}

pub fn platform() -> Platform {
    platform_with(&PlatformConfig::default())
}

pub fn platform_with(config: &PlatformConfig) -> Platform {
    Platform::new(config, Arc::new(SystemClock), contract()).expect("a platform")
}

/// Does what the request's `service` says.
#[derive(Clone)]
pub struct Probe(pub Platform);

impl Probe {
    pub fn stacked(platform: &Platform) -> Stacked {
        stack(Self::routes(platform), platform)
    }

    pub fn routes(platform: &Platform) -> Routes {
        Routes::new(Renamed(HealthServer::new(Self(platform.clone()))))
    }

    async fn answer(&self, call: Call, text: &str) -> Result<i32, Fault> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "panic" => panic!("about {}", std::hint::black_box(SECRET)),
            "fault" => Err(Fault::internal(rest)),
            "sleep" => {
                tokio::time::sleep(Duration::from_millis(rest.parse().expect("milliseconds"))).await;
                Ok(1)
            }
            // Answers what is left of the deadline, in milliseconds.
            "remaining" => {
                Ok(call.remaining().map_or(-1, |left| i32::try_from(left.as_millis()).expect("a short time")))
            }
            // Fails, and says who calls: the fault's text is what the caller sees.
            "who" => Err(Fault::new(Reason::InvalidState, format!("{} {}", call.tenant(), call.request_id))),
            "trace" => Err(Fault::new(Reason::InvalidState, traceparent().unwrap_or_default())),
            // Asks a peer, in the name of this call.
            "peer" => {
                let mut client = client(self.0.peers.channel("peer", &call));
                let answer = client.check(ask(rest)).await.map_err(|status| rapport_platform::fault(&status))?;
                Ok(answer.into_inner().status)
            }
            _ => Ok(1),
        }
    }
}

#[tonic::async_trait]
impl Health for Probe {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        rpc::unary(request, async |call, message| {
            let status = self.answer(call, &message.service).await?;
            Ok(HealthCheckResponse { status })
        })
        .await
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        rpc::call_of(&request).map_err(rapport_platform::status)?;
        let text = request.into_inner().service;
        let first = futures::stream::once(async { Ok(HealthCheckResponse { status: 1 }) });
        let rest = futures::stream::once(async move {
            // The first message leaves before the second is asked for.
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(text != "panic", "about {SECRET}");
            std::future::pending::<()>().await;
            Ok(HealthCheckResponse { status: 2 })
        });
        Ok(tonic::Response::new(Box::pin(first.chain(rest))))
    }
}

/// Serves another service under the probe's name.
#[derive(Clone)]
pub struct Renamed<S>(pub S);

impl<S> NamedService for Renamed<S> {
    const NAME: &'static str = "test.v1.Probe";
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Renamed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }
    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(rename(request, "test.v1.Probe", "grpc.health.v1.Health"))
    }
}

fn rename(mut request: Request<Body>, from: &str, to: &str) -> Request<Body> {
    *request.uri_mut() = request.uri().to_string().replace(from, to).parse::<Uri>().expect("a URI");
    request
}

/// A client's side of a service: calls the probe by its name, with headers of the test's choosing.
#[derive(Clone)]
pub struct Client<S> {
    service: S,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl<S, E> Service<Request<Body>> for Client<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E>,
{
    type Response = Response<Body>;
    type Error = E;
    type Future = S::Future;
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.service.poll_ready(context)
    }
    fn call(&mut self, request: Request<Body>) -> S::Future {
        let mut request = rename(request, "grpc.health.v1.Health", "test.v1.Probe");
        request.headers_mut().extend(self.headers.iter().cloned());
        self.service.call(request)
    }
}

/// A client of the probe without credentials.
pub fn client<S>(service: S) -> HealthClient<Client<S>>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    client_with(service, &[])
}

/// A client of the probe that adds headers.
pub fn client_with<S>(service: S, headers: &[(&'static str, &str)]) -> HealthClient<Client<S>>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let header = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"))
    };
    HealthClient::new(Client { service, headers: headers.iter().map(header).collect() })
}

/// A request of the probe.
pub fn ask(text: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: text.to_owned() }
}

/// A token with all scopes of a tenant's key.
pub fn token(platform: &Platform) -> String {
    token_with(platform, &["*:admin"])
}

pub fn token_with(platform: &Platform, scopes: &[&str]) -> String {
    let scopes = scopes.iter().map(|scope| scope.parse().expect("a scope")).collect();
    let caller = Caller { tenant: TenantId::new(), key: uuid::Uuid::now_v7(), scopes };
    platform.issuer.issue(&caller, platform.clock.now()).expect("a token").to_string()
}

/// The reason in a status' ErrorInfo.
pub fn reason(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_error_info().expect("an ErrorInfo").reason
}

/// How often a call ended with a code, by the metrics.
pub fn counted(platform: &Platform, method: &str, code: &str) -> u64 {
    let families = platform.metrics.gather();
    let family = families.iter().find(|family| family.name() == "rpc_server_call_duration_seconds");
    let metrics = family.into_iter().flat_map(|family| family.get_metric());
    let fits = |metric: &&prometheus::proto::Metric| {
        let labels: Vec<_> = metric.get_label().iter().map(|label| label.value()).collect();
        labels == [method, code]
    };
    metrics.filter(fits).map(|metric| metric.get_histogram().get_sample_count()).sum()
}
