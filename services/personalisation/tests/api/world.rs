//! What a test stands on: the service with its stack and a real database, and a source of customers.
//!
//! The customers come from a small gRPC server that plays profiles' `ContextService`. It is no mock of a call but a
//! peer like any other, by way of the same stack; the journeys put the real profiles in its place. Here it is what
//! lets a test say exactly which subjects a customer has at each moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rapport_api::common::v1::erasure_service_client::ErasureServiceClient;
use rapport_api::common::v1::{CustomerRef, Identifier, Value, customer_ref::Ref, value::Kind};
use rapport_api::events::v1::CustomerContext;
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::contact_policy_service_client::ContactPolicyServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, Cap, CreateActionRequest, DecideRequest};
use rapport_api::profiles::v1::context_service_server::{ContextService, ContextServiceServer};
use rapport_api::profiles::v1::{GetContextRequest, GetContextResponse};
use rapport_bus::{BusConfig, MemoryBus};
use rapport_cache::CacheConfig;
use rapport_kernel::{Fault, Reason, SubjectId, TenantId, Timestamp};
use rapport_personalisation::{Config, build, open_cache};
use rapport_platform::config::{Address, Period};
use rapport_platform::stack::stack;
use rapport_platform::{Call, PeerChannel, Platform, Routes};
use tempfile::TempDir;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// One running instance of the service.
pub struct World {
    pub platform: Platform,
    pub customers: Customers,
    pub tenant: TenantId,
    config: Config,
    /// Where SQLite's files lie.
    pub folder: Option<Arc<TempDir>>,
}

impl World {
    /// One on each engine.
    pub async fn both() -> Vec<Self> {
        vec![Self::on_sqlite().await, Self::on_postgres().await]
    }

    pub async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::default();
        config.database.folder = folder.path().to_owned();
        Self::start(config, Customers::default(), TenantId::new(), Some(Arc::new(folder))).await
    }

    /// One on each engine, that keeps what was decided for a second.
    pub async fn forgetful() -> Vec<Self> {
        let mut worlds = Vec::new();
        for world in Self::both().await {
            let Self { platform, customers, tenant, mut config, folder } = world;
            platform.stop(Duration::from_secs(10)).await;
            config.retention = Period::secs(1);
            worlds.push(Self::start(config, customers, tenant, folder).await);
        }
        worlds
    }

    pub async fn on_postgres() -> Self {
        let url = tokio::task::spawn_blocking(|| rapport_harness::shared_postgres().database("personalisation"));
        let mut config = Config::default();
        config.database.url = Some(Address::new(url.await.expect("a database")));
        Self::start(config, Customers::default(), TenantId::new(), None).await
    }

    /// Another instance on the same database, for the same tenant and customers.
    pub async fn beside(&self) -> Self {
        Self::start(self.config.clone(), self.customers.clone(), self.tenant, None).await
    }

    async fn start(config: Config, customers: Customers, tenant: TenantId, folder: Option<Arc<TempDir>>) -> Self {
        let platform = Platform::embedded().expect("a platform");
        let bus = Arc::new(MemoryBus::new(&BusConfig::default()));
        let cache = open_cache(&platform, &CacheConfig::default()).expect("a cache");
        let module = build(&platform, bus, cache, config.clone()).await.expect("the service starts");
        platform.peers.link("personalisation", stack(module.routes, &platform));
        let profiles = Routes::new(ContextServiceServer::new(customers.clone()));
        platform.peers.link("profiles", stack(profiles, &platform));
        Self { platform, customers, tenant, config, folder }
    }

    fn channel(&self) -> PeerChannel {
        self.platform.peers.channel("personalisation", &Call::internal(self.tenant, self.platform.clock.now()))
    }
    pub fn actions(&self) -> ActionServiceClient<PeerChannel> {
        ActionServiceClient::new(self.channel())
    }
    pub fn decisions(&self) -> DecisionServiceClient<PeerChannel> {
        DecisionServiceClient::new(self.channel())
    }
    pub fn contacts(&self) -> ContactPolicyServiceClient<PeerChannel> {
        ContactPolicyServiceClient::new(self.channel())
    }
    pub fn erasures(&self) -> ErasureServiceClient<PeerChannel> {
        ErasureServiceClient::new(self.channel())
    }

    /// Makes an action.
    pub async fn create(&self, action: Action) -> Action {
        let request = CreateActionRequest { action: Some(action), ..CreateActionRequest::default() };
        self.actions().create_action(request).await.expect("an action").into_inner()
    }

    pub async fn stop(self) {
        assert!(self.platform.stop(Duration::from_secs(10)).await, "the service stops");
    }
}

/// A plain action.
pub fn action(name: &str) -> Action {
    Action { name: name.to_owned(), kind: ActionKind::Offer.into(), value: 10.0, ..Action::default() }
}

/// An action that a customer may get so many times an hour.
pub fn capped(name: &str, times: i32) -> Action {
    let window = prost_types::Duration { seconds: 3_600, nanos: 0 };
    Action { cap: Some(Cap { times, window: Some(window) }), ..action(name) }
}

/// A question about a customer.
pub fn ask(customer: SubjectId) -> DecideRequest {
    let customer = CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) };
    DecideRequest { customer: Some(customer), channel: "web".to_owned(), ..DecideRequest::default() }
}

/// A question about whoever carries an e-mail address.
pub fn ask_by_email(email: &str) -> DecideRequest {
    let identifier = Identifier { namespace: "email".to_owned(), value: email.to_owned() };
    let customer = CustomerRef { r#ref: Some(Ref::Identifier(identifier)) };
    DecideRequest { customer: Some(customer), channel: "web".to_owned(), ..DecideRequest::default() }
}

pub fn text(text: &str) -> Value {
    Value { kind: Some(Kind::TextValue(text.to_owned())) }
}

/// A refusal: its code, and the reason and the fields that its details name.
pub fn refusal<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, String, Vec<(String, String)>) {
    let status = match answer {
        Ok(_) => panic!("it was not refused"),
        Err(status) => status,
    };
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let fields = details.bad_request().map(|request| &*request.field_violations).unwrap_or_default();
    let fields = fields.iter().map(|violation| (violation.field.clone(), violation.description.clone())).collect();
    (status.code(), reason, fields)
}

/// The customers that profiles knows.
#[derive(Clone, Default)]
pub struct Customers(Arc<Known>);

#[derive(Default)]
struct Known {
    contexts: Mutex<HashMap<SubjectId, CustomerContext>>,
    /// Which customer each subject belongs to.
    links: Mutex<HashMap<SubjectId, SubjectId>>,
    emails: Mutex<HashMap<String, SubjectId>>,
    asked: AtomicUsize,
}

impl Customers {
    /// A new customer of one subject.
    pub fn add(&self, traits: &[(&str, Value)]) -> SubjectId {
        let customer = SubjectId::new();
        let traits: BTreeMap<String, Value> =
            traits.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.put(customer, 1, &[customer], traits);
        customer
    }

    /// A customer as it now is.
    pub fn put(&self, customer: SubjectId, revision: u64, subjects: &[SubjectId], traits: BTreeMap<String, Value>) {
        let context = CustomerContext {
            customer_id: customer.to_string(),
            revision,
            traits,
            subject_ids: subjects.iter().map(ToString::to_string).collect(),
            ..CustomerContext::default()
        };
        self.0.contexts.lock().expect("whole").insert(customer, context);
        self.0.links.lock().expect("whole").extend(subjects.iter().map(|subject| (*subject, customer)));
    }

    pub fn carries(&self, email: &str, subject: SubjectId) {
        self.0.emails.lock().expect("whole").insert(email.to_owned(), subject);
    }

    /// How often profiles was asked.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn find(&self, request: &GetContextRequest) -> Result<GetContextResponse, Fault> {
        let unknown = || Fault::not_found("customer", "");
        let subject: SubjectId = match request.customer.clone().and_then(|customer| customer.r#ref) {
            Some(Ref::CustomerId(id)) => id.parse().map_err(Fault::internal)?,
            Some(Ref::Identifier(carried)) => {
                *self.0.emails.lock().expect("whole").get(&carried.value).ok_or_else(unknown)?
            }
            None => return Err(unknown()),
        };
        let customer = *self.0.links.lock().expect("whole").get(&subject).ok_or_else(unknown)?;
        let context = self.0.contexts.lock().expect("whole").get(&customer).cloned().ok_or_else(unknown)?;
        if context.revision < request.min_revision {
            return Err(Fault::new(Reason::RevisionNotReached, "the revision is not there yet: try again"));
        }
        Ok(GetContextResponse {
            context: Some(context),
            subject_id: subject.to_string(),
            ..GetContextResponse::default()
        })
    }
}

#[tonic::async_trait]
impl ContextService for Customers {
    async fn get_context(&self, request: Request<GetContextRequest>) -> Result<Response<GetContextResponse>, Status> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        self.find(request.get_ref()).map(Response::new).map_err(rapport_platform::status)
    }
}

pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

pub fn micros(at: Option<&prost_types::Timestamp>) -> i64 {
    rapport_api::convert::instant(at.expect("an instant")).map(Timestamp::micros).expect("in range")
}
