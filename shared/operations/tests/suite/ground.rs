//! A service of the tests' own that does nothing but long work, as it is served: in its stack, on either engine.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::common::v1::{BulkAck, OperationProgress};
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{GetOperationRequest, Operation};
use rapport_data::{Database, DatabaseConfig, Engine, Job, Jobs, NewOperation, Step, Tx, Work};
use rapport_harness::shared_postgres;
use rapport_kernel::{Caller, Fault, ManualClock, Reason, TenantId, Timestamp};
use rapport_platform::config::{Address, Period};
use rapport_platform::stack::{Stacked, stack};
use rapport_platform::{Contract, Platform, PlatformConfig, Routes, token};
use tokio::sync::Semaphore;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// The service's name.
pub const SERVICE: &str = "profiles";

/// Where a test stands.
pub struct Ground {
    pub database: Database,
    /// A step needs one of these.
    pub steps: Arc<Semaphore>,
    pub service: Stacked,
    platform: Platform,
    _folder: tempfile::TempDir,
}

/// A client, with what shows who calls.
pub type Client = OperationsClient<InterceptedService<Stacked, ShowToken>>;

/// Shows a token of the gateway's.
#[derive(Clone)]
pub struct ShowToken(String);

impl tonic::service::Interceptor for ShowToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = MetadataValue::try_from(&self.0).expect("a token is ASCII");
        request.metadata_mut().insert(token::HEADER, value);
        Ok(request)
    }
}

impl Ground {
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = (engine == Engine::Postgres).then(|| Address::new(shared_postgres().database("operations")));
        let acquire = Period::secs(5);
        let config = DatabaseConfig { url, folder: folder.path().to_owned(), acquire, ..DatabaseConfig::default() };
        let clock = Arc::new(ManualClock::new(Timestamp::from_column(1_750_000_000_000_000)));
        let contract = Contract::suite().expect("the suite's contract");
        let platform = Platform::new(&PlatformConfig::default(), clock, contract).expect("a platform");
        let database = Database::open(&config, SERVICE, Vec::new(), &platform).await.expect("the database opens");
        let steps = Arc::new(Semaphore::new(0));
        let jobs = Jobs::new().with("Count", Counting(Arc::clone(&steps))).with("Fail", Failing);
        database.run_operations(&platform, jobs);
        let routes = Routes::new(rapport_operations::server(SERVICE, database.clone(), &platform));
        let service = stack(routes, &platform);
        Self { database, steps, service, platform, _folder: folder }
    }

    /// A client of a tenant's, who may do so much.
    pub fn client(&self, tenant: TenantId, scopes: &[&str]) -> Client {
        let scopes = scopes.iter().map(|scope| scope.parse().expect("a scope")).collect();
        let caller = Caller { tenant, key: TenantId::new().uuid(), scopes };
        let token = self.platform.issuer.issue(&caller, self.platform.clock.now()).expect("a token").to_string();
        OperationsClient::with_interceptor(self.service.clone(), ShowToken(token))
    }

    /// Begins an operation and answers its name.
    pub async fn begin(&self, tenant: TenantId, kind: &'static str, request: u8) -> String {
        let unit = move |tx: Tx| async move {
            tx.begin_operation(NewOperation { kind, unit: "notes", request: vec![request] }).await
        };
        let begun = self.database.write(tenant, unit).await.expect("up");
        rapport_operations::render(SERVICE, &begun).name
    }
}

/// Counts to what it is asked.
struct Counting(Arc<Semaphore>);

impl Job for Counting {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            self.0.acquire().await.expect("it is never closed").forget();
            let (next, most) = (work.done + 1, u64::from(work.request[0]));
            if next == most {
                return Step::done(&BulkAck { accepted: next.cast_signed(), ..BulkAck::default() }, next);
            }
            Ok(Step::more([1], next, most))
        })
    }
}

struct Failing;

impl Job for Failing {
    fn step(&self, _: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        let fault = Fault::new(Reason::InvalidState, "there is nothing to count").because("what only the log may know");
        Box::pin(std::future::ready(Err(fault)))
    }
}

pub async fn get(client: &mut Client, name: &str) -> Result<Operation, Status> {
    client.get_operation(GetOperationRequest { name: name.to_owned() }).await.map(tonic::Response::into_inner)
}

pub fn progress(operation: &Operation) -> OperationProgress {
    let metadata = operation.metadata.as_ref().expect("it has metadata");
    assert_eq!(metadata.type_url, "type.googleapis.com/rapport.common.v1.OperationProgress");
    OperationProgress::decode(metadata.value.as_slice()).expect("its own bytes")
}

/// The reason of a refusal.
pub fn reason<T>(result: Result<T, Status>) -> String {
    let status = result.err().expect("it is refused");
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// Waits for something that is to come true soon.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came true that {what}");
}
