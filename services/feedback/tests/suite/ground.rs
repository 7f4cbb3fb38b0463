//! Feedback as it is served (in its stack, over a real bus, on either engine), beside a small profiles that knows the
//! customers a test tells it of.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::erasure_service_client::ErasureServiceClient;
use rapport_api::common::v1::{CustomerRef, Identifier, Party, Value, customer_ref::Ref, value::Kind};
use rapport_api::events::v1::{ContextConsent, CustomerContext, Event, ResponseChanged, event::Payload};
use rapport_api::feedback::v1::mention_service_client::MentionServiceClient;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::text_service_client::TextServiceClient;
use rapport_api::feedback::v1::{CreateSurveyRequest, PublishSurveyRequest, SubmitResponseRequest, Survey, SurveyKind};
use rapport_api::google::longrunning::operation::Result as Ended;
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{Operation, WaitOperationRequest};
use rapport_api::personalisation::v1::contact_policy_service_server::ContactPolicyServiceServer;
use rapport_api::profiles::v1::context_service_server::{ContextService, ContextServiceServer};
use rapport_api::profiles::v1::profile_service_server::ProfileServiceServer;
use rapport_api::profiles::v1::segment_service_server::SegmentServiceServer;
use rapport_api::profiles::v1::{GetContextRequest, GetContextResponse};
use rapport_bus::{Bus, BusConfig, MemoryBus, Subscription};
use rapport_data::{DatabaseConfig, Engine};
use rapport_feedback::Config;
use rapport_harness::shared_postgres;
use rapport_kernel::{Clock as _, Fault, ManualClock, SubjectId, TenantId, Timestamp};
use rapport_platform::config::{Address, Period, Secret};
use rapport_platform::rpc::unary;
use rapport_platform::stack::stack;
use rapport_platform::{Call, Contract, PeerChannel, Platform, PlatformConfig};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::ledger::Ledger;
use crate::population::Populations;

/// Several platforms trust each other by it.
fn config() -> PlatformConfig {
    let mut config = PlatformConfig::default();
    config.keys.signing = Some(Secret::new("c2lnbmluZy1zZWNyZXQtb2YtdGhlLXRlc3RzISEhISE="));
    config
}

/// Where a test stands.
pub struct Ground {
    pub clock: Arc<ManualClock>,
    pub platform: Platform,
    /// By which the tests call.
    door: Platform,
    pub profiles: Profiles,
    pub populations: Populations,
    pub bus: Arc<dyn Bus>,
    /// Of the Postgres database.
    pub url: String,
    /// Where SQLite's files lie.
    pub folder: Arc<tempfile::TempDir>,
    /// What is said of contacts.
    pub ledger: Ledger,
    database: DatabaseConfig,
}

impl Ground {
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = (engine == Engine::Postgres).then(|| shared_postgres().database("feedback"));
        let url = address.clone().map(Address::new);
        let acquire = Period::secs(5);
        let database = DatabaseConfig { url, folder: folder.path().to_owned(), acquire, ..DatabaseConfig::default() };
        let clock = Arc::new(ManualClock::new(Timestamp::from_column(1_750_000_000_000_000)));
        let contract = Contract::suite().expect("the suite's contract");
        let platform = Platform::new(&config(), Arc::clone(&clock) as Arc<_>, contract);
        let platform = platform.expect("a platform");
        let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new(&BusConfig::default()));
        let profiles = Profiles::default();
        let peers = (profiles, Populations::default(), Ledger::default());
        Self::built(platform, (clock, peers, bus), (address.unwrap_or_default(), Arc::new(folder)), database).await
    }

    /// Another instance on the same database, beside the same peers.
    pub async fn beside(&self) -> Self {
        let platform = Platform::new(&config(), Arc::clone(&self.clock) as Arc<_>, self.platform.contract.clone());
        let platform = platform.expect("a platform");
        let peers = (self.profiles.clone(), self.populations.clone(), self.ledger.clone());
        let around = (Arc::clone(&self.clock), peers, Arc::clone(&self.bus));
        let place = (self.url.clone(), Arc::clone(&self.folder));
        Self::built(platform, around, place, self.database.clone()).await
    }

    async fn built(
        platform: Platform,
        (clock, (profiles, populations, ledger), bus): (
            Arc<ManualClock>,
            (Profiles, Populations, Ledger),
            Arc<dyn Bus>,
        ),
        (url, folder): (String, Arc<tempfile::TempDir>),
        database: DatabaseConfig,
    ) -> Self {
        let routes = rapport_platform::Routes::new(ContextServiceServer::new(profiles.clone()))
            .add_service(SegmentServiceServer::new(populations.clone()))
            .add_service(ProfileServiceServer::new(populations.clone()));
        platform.peers.link("profiles", stack(routes, &platform));
        let contacts = rapport_platform::Routes::new(ContactPolicyServiceServer::new(ledger.clone()));
        platform.peers.link("personalisation", stack(contacts, &platform));
        let module = rapport_feedback::build(&platform, Arc::clone(&bus), Config { database: database.clone() }).await;
        // A door of its own: what the service holds would else hold the service, and its connections for ever.
        let door = Platform::new(&config(), Arc::clone(&clock) as Arc<_>, platform.contract.clone());
        let door = door.expect("a platform");
        door.peers.link("feedback", stack(module.expect("feedback builds").routes, &platform));
        Self { clock, platform, door, profiles, populations, ledger, bus, url, folder, database }
    }

    pub fn channel(&self, tenant: TenantId) -> PeerChannel {
        self.door.peers.channel("feedback", &Call::internal(tenant, self.clock.now()))
    }
    pub fn surveys(&self, tenant: TenantId) -> SurveyServiceClient<PeerChannel> {
        SurveyServiceClient::new(self.channel(tenant))
    }
    pub fn responses(&self, tenant: TenantId) -> ResponseServiceClient<PeerChannel> {
        ResponseServiceClient::new(self.channel(tenant)).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
    }
    pub fn texts(&self, tenant: TenantId) -> TextServiceClient<PeerChannel> {
        TextServiceClient::new(self.channel(tenant)).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
    }
    pub fn mentions(&self, tenant: TenantId) -> MentionServiceClient<PeerChannel> {
        MentionServiceClient::new(self.channel(tenant)).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
    }
    pub fn operations(&self, tenant: TenantId) -> OperationsClient<PeerChannel> {
        OperationsClient::new(self.channel(tenant))
    }
    /// Waits until an operation has ended.
    pub async fn ended(&self, tenant: TenantId, name: &str) -> Operation {
        let timeout = Some(prost_types::Duration { seconds: 120, nanos: 0 });
        let request = WaitOperationRequest { name: name.to_owned(), timeout };
        let ended = self.operations(tenant).wait_operation(request).await.expect("it is there").into_inner();
        assert!(ended.done, "{ended:?}");
        ended
    }
    /// Waits until an operation has ended well.
    pub async fn operation(&self, tenant: TenantId, name: &str) -> Operation {
        let ended = self.ended(tenant, name).await;
        assert!(!matches!(ended.result, Some(Ended::Error(_))), "{ended:?}");
        ended
    }
    /// How many rows the database has of what comes after FROM: for what no call tells of.
    pub async fn count(&self, what: &str) -> usize {
        let count = match self.database.url {
            None => rapport_harness::count(&self.folder.path().join("feedback.db"), what).await,
            Some(_) => {
                let text = format!("SELECT count(*) FROM {what}");
                shared_postgres().execute(&self.url, &text).parse().expect("a number")
            }
        };
        usize::try_from(count).expect("no fewer than none")
    }

    /// Stops this instance's tasks, as the end of its process does.
    pub async fn stop(&self) {
        assert!(self.platform.stop(Duration::from_secs(30)).await, "tasks end in time");
    }
    pub fn erasures(&self, tenant: TenantId) -> ErasureServiceClient<PeerChannel> {
        ErasureServiceClient::new(self.channel(tenant))
    }

    /// A draft.
    pub async fn draft(&self, tenant: TenantId) -> Survey {
        let survey = Survey {
            name: "Spring".to_owned(),
            kind: SurveyKind::Nps.into(),
            question: "How likely are you to recommend us?".to_owned(),
            ..Survey::default()
        };
        let request = CreateSurveyRequest { survey: Some(survey), ..CreateSurveyRequest::default() };
        self.surveys(tenant).create_survey(request).await.expect("a survey").into_inner()
    }

    /// A survey of these questions, open.
    pub async fn open_of(&self, tenant: TenantId, survey: Survey) -> Survey {
        let request = CreateSurveyRequest { survey: Some(survey), ..CreateSurveyRequest::default() };
        let survey_id = self.surveys(tenant).create_survey(request).await.expect("a draft").into_inner().survey_id;
        let request = PublishSurveyRequest { survey_id, ..PublishSurveyRequest::default() };
        self.surveys(tenant).publish_survey(request).await.expect("a draft opens").into_inner()
    }

    /// An open survey.
    pub async fn open(&self, tenant: TenantId) -> Survey {
        let survey_id = self.draft(tenant).await.survey_id;
        let request = PublishSurveyRequest { survey_id, ..PublishSurveyRequest::default() };
        self.surveys(tenant).publish_survey(request).await.expect("a draft opens").into_inner()
    }

    /// What feedback publishes, as one of the groups that must settle it reads it; what the other one gets is read on.
    pub fn reader(&self) -> Reader {
        let subscribe = |group: &'static str| {
            let lane = rapport_data::lane("feedback", group);
            (0..rapport_data::PARTITIONS).map(move |partition| self.bus.subscribe(&lane, partition, group)).collect()
        };
        Reader { subscriptions: subscribe("metrics"), others: subscribe("derive") }
    }
}

/// Reads the topic.
pub struct Reader {
    subscriptions: Vec<Box<dyn Subscription>>,
    others: Vec<Box<dyn Subscription>>,
}

impl Reader {
    /// The next `count` events, in order within each partition; without those that an erasure emptied.
    pub async fn next(&mut self, count: usize) -> Vec<(Event, ResponseChanged)> {
        let found = self.read(Some(count)).await;
        assert_eq!(found.len(), count, "events");
        found
    }

    /// All events, until none comes for a while.
    pub async fn all(&mut self) -> Vec<(Event, ResponseChanged)> {
        self.read(None).await
    }

    async fn read(&mut self, count: Option<usize>) -> Vec<(Event, ResponseChanged)> {
        let (mut found, mut quiet) = (Vec::new(), 0);
        for _ in 0..500 {
            let before = found.len();
            for subscription in &mut self.others {
                let deliveries = subscription.next(100, Duration::from_millis(1)).await.expect("the bus is up");
                if let Some(last) = deliveries.last() {
                    subscription.commit(last.id).await.expect("the bus is up");
                }
            }
            for subscription in &mut self.subscriptions {
                let deliveries = subscription.next(100, Duration::from_millis(2)).await.expect("the bus is up");
                if let Some(last) = deliveries.last() {
                    subscription.commit(last.id).await.expect("the bus is up");
                }
                for delivery in deliveries {
                    let mut event = Event::decode(delivery.body).expect("an event");
                    if let Some(Payload::ResponseChanged(changed)) = event.payload.take() {
                        found.push((event, changed));
                    }
                }
            }
            quiet = if found.len() == before { quiet + 1 } else { 0 };
            let enough = count.map_or(!found.is_empty() && quiet == 50, |count| found.len() >= count);
            if enough {
                break;
            }
        }
        found
    }
}

/// A customer that profiles knows.
#[derive(Clone, Default)]
pub struct Known {
    pub subject: SubjectId,
    pub subjects: Vec<SubjectId>,
    pub dimensions: BTreeMap<String, String>,
    pub traits: BTreeMap<String, Value>,
    /// By purpose, whether it is given.
    pub consents: BTreeMap<String, bool>,
}

/// A small profiles. Customers are looked up by tenant and reference.
#[derive(Clone, Default)]
pub struct Profiles(Arc<Mutex<HashMap<(TenantId, String), Known>>>);

impl Profiles {
    pub fn tell(&self, tenant: TenantId, reference: &CustomerRef, known: Known) {
        self.0.lock().expect("no panic").insert((tenant, name(reference)), known);
    }
    /// A customer of one subject.
    pub fn customer(&self, tenant: TenantId) -> (CustomerRef, SubjectId) {
        let subject = SubjectId::new();
        let dimensions = [("region".to_owned(), "north".to_owned())].into();
        let known = Known { subject, subjects: vec![subject], dimensions, ..Known::default() };
        self.tell(tenant, &by_id(subject), known);
        (by_id(subject), subject)
    }
    /// A customer of one subject, with a trait.
    pub fn customer_with(&self, tenant: TenantId, name: &str, text: &str) -> CustomerRef {
        let subject = SubjectId::new();
        let value = Value { kind: Some(Kind::TextValue(text.to_owned())) };
        let traits = [(name.to_owned(), value)].into();
        self.tell(tenant, &by_id(subject), Known { subject, subjects: vec![subject], traits, ..Known::default() });
        by_id(subject)
    }
}

fn name(reference: &CustomerRef) -> String {
    match reference.r#ref.as_ref().expect("a reference") {
        Ref::CustomerId(id) => id.clone(),
        Ref::Identifier(Identifier { namespace, value }) => format!("{namespace}:{value}"),
    }
}

pub fn by_id(customer: SubjectId) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) }
}

#[tonic::async_trait]
impl ContextService for Profiles {
    async fn get_context(&self, request: Request<GetContextRequest>) -> Result<Response<GetContextResponse>, Status> {
        unary(request, async |call, message| {
            let reference = message.customer.expect("the contract requires it");
            let known = self.0.lock().expect("no panic").get(&(call.tenant(), name(&reference))).cloned();
            let known = known.ok_or_else(|| Fault::not_found("customer", ""))?;
            let subject_ids = known.subjects.iter().map(SubjectId::to_string).collect::<Vec<_>>();
            let customer_id = subject_ids[0].clone();
            let party = Party::Partner.into();
            let traits = known.traits.clone();
            let consent = |(purpose, granted): (&String, &bool)| ContextConsent {
                purpose: purpose.clone(),
                channel: String::new(),
                granted: *granted,
            };
            let consents = known.consents.iter().map(consent).collect();
            let context = CustomerContext {
                customer_id,
                subject_ids,
                party,
                traits,
                consents,
                identifier_namespaces: vec!["email".to_owned()],
                ..CustomerContext::default()
            };
            let subject_id = known.subject.to_string();
            Ok(GetContextResponse { context: Some(context), subject_id, dimensions: known.dimensions })
        })
        .await
    }
}

/// A response to submit.
pub fn answer(survey: &Survey, score: i32) -> SubmitResponseRequest {
    SubmitResponseRequest {
        survey_id: survey.survey_id.clone(),
        score: Some(score),
        ..SubmitResponseRequest::default()
    }
}

/// Why a call was refused.
pub fn reason<T>(result: Result<T, Status>) -> String {
    let status = result.err().expect("the call is refused");
    let info = status.get_error_details().error_info().cloned();
    info.unwrap_or_else(|| panic!("no reason: {status:?}")).reason
}

/// Which fields a call was refused for.
pub fn fields<T>(result: Result<T, Status>) -> Vec<String> {
    let status = result.err().expect("the call is refused");
    let details = status.get_error_details();
    let violations = details.bad_request().map(|request| request.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}
