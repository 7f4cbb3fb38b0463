//! Profiles as it is served: in its stack, over a real bus, on either engine, with the shared context beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use rapport_api::common::v1::erasure_service_client::ErasureServiceClient;
use rapport_api::common::v1::{CustomerRef, Identifier, Value, customer_ref::Ref, value::Kind};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::Event;
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{Operation, WaitOperationRequest};
use rapport_api::profiles::v1::account_service_client::AccountServiceClient;
use rapport_api::profiles::v1::catalogue_service_client::CatalogueServiceClient;
use rapport_api::profiles::v1::context_service_client::ContextServiceClient;
use rapport_api::profiles::v1::identity_service_client::IdentityServiceClient;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::persona_service_client::PersonaServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::tenant_settings_service_client::TenantSettingsServiceClient;
use rapport_api::profiles::v1::trait_service_client::TraitServiceClient;
use rapport_api::profiles::v1::{GetProfileRequest, IdentifyRequest, IdentifyResponse, Profile, SourceRecord};
use rapport_bus::{Bus, BusConfig, Subscription};
use rapport_cache::{CacheConfig, ContextCache};
use rapport_data::{DatabaseConfig, Engine};
use rapport_harness::{Wire, shared_postgres, shared_redis};
use rapport_kernel::{Clock as _, ManualClock, TenantId, Timestamp};
use rapport_platform::config::{Address, Period, Secret};
use rapport_platform::stack::stack;
use rapport_platform::{Call, Contract, PeerChannel, Platform, PlatformConfig};
use rapport_profiles::Config;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

/// Where a test stands.
pub struct Ground {
    pub clock: Arc<ManualClock>,
    pub platform: Platform,
    pub cache: ContextCache<Bytes>,
    bus: Arc<dyn Bus>,
    /// How many events other services told, on each lane and partition.
    told: Mutex<BTreeMap<(String, u16), u64>>,
    /// Of the Postgres database.
    pub url: String,
    /// Where SQLite's files lie.
    pub folder: tempfile::TempDir,
    pub config: Config,
}

/// What several instances of profiles share: a Postgres database, a Redis, a clock and keys.
#[derive(Clone)]
pub struct Shared {
    url: String,
    bus: BusConfig,
    clock: Arc<ManualClock>,
}

impl Shared {
    pub fn new() -> Self {
        let url = shared_postgres().database("profiles");
        // What a member that has gone silent held is another's soon.
        let redis = Some(Address::new(shared_redis().url()));
        let bus =
            BusConfig { redis, prefix: uuid::Uuid::new_v4().to_string(), lease_seconds: 2, ..BusConfig::default() };
        Self { url, bus, clock: Arc::new(ManualClock::new(Timestamp::from_column(1_750_000_000_000_000))) }
    }

    /// The same by lines that can be cut.
    pub fn by_wire(&self) -> (Self, [Wire; 2]) {
        let (postgres, redis) = (Wire::to(shared_postgres().port()), Wire::to(shared_redis().port()));
        let url = self.url.replace(&format!(":{}/", shared_postgres().port()), &format!(":{}/", postgres.port()));
        assert_ne!(url, self.url);
        let address = Some(Address::new(format!("redis://127.0.0.1:{}", redis.port())));
        let bus = BusConfig { redis: address, ..self.bus.clone() };
        (Self { url, bus, clock: Arc::clone(&self.clock) }, [postgres, redis])
    }
}

impl Ground {
    pub async fn new(engine: Engine) -> Self {
        let address = (engine == Engine::Postgres).then(|| shared_postgres().database("profiles"));
        let clock = Arc::new(ManualClock::new(Timestamp::from_column(1_750_000_000_000_000)));
        Self::begin(address, &BusConfig::default(), clock, &PlatformConfig::default()).await
    }

    /// One instance of several.
    pub async fn over(shared: &Shared) -> Self {
        // 32 bytes, known to everybody who reads this.
        let mut config = PlatformConfig::default();
        config.keys.page = Some(Secret::new("cGFnZS10b2tlbi1zZWNyZXQtb2YtdGhlLXRlc3RzISE="));
        Self::begin(Some(shared.url.clone()), &shared.bus, Arc::clone(&shared.clock), &config).await
    }

    async fn begin(address: Option<String>, bus: &BusConfig, clock: Arc<ManualClock>, config: &PlatformConfig) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = address.clone().map(Address::new);
        let acquire = Period::secs(10);
        let database = DatabaseConfig { url, folder: folder.path().to_owned(), acquire, ..DatabaseConfig::default() };
        let contract = Contract::suite().expect("the suite's contract");
        let platform = Platform::new(config, Arc::clone(&clock) as Arc<_>, contract).expect("a platform");
        let bus = rapport_bus::open(bus).expect("a bus");
        let cache = ContextCache::open(&CacheConfig::default(), Arc::clone(&clock) as Arc<_>, |body| Ok(body.clone()));
        let cache = cache.expect("a cache");
        let config = Config { database, phone_region: "DE".to_owned() };
        let module = rapport_profiles::build(&platform, Arc::clone(&bus), cache.clone(), config.clone()).await;
        platform.peers.link("profiles", stack(module.expect("profiles builds").routes, &platform));
        let told = Mutex::default();
        Self { clock, platform, cache, bus, told, url: address.unwrap_or_default(), folder, config }
    }

    pub fn channel(&self, tenant: TenantId) -> PeerChannel {
        self.platform.peers.channel("profiles", &Call::internal(tenant, self.clock.now()))
    }
    pub fn profiles(&self, tenant: TenantId) -> ProfileServiceClient<PeerChannel> {
        ProfileServiceClient::new(self.channel(tenant)).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
    }
    pub fn traits(&self, tenant: TenantId) -> TraitServiceClient<PeerChannel> {
        TraitServiceClient::new(self.channel(tenant))
    }
    pub fn settings(&self, tenant: TenantId) -> TenantSettingsServiceClient<PeerChannel> {
        TenantSettingsServiceClient::new(self.channel(tenant))
    }
    pub fn accounts(&self, tenant: TenantId) -> AccountServiceClient<PeerChannel> {
        AccountServiceClient::new(self.channel(tenant))
    }
    pub fn identity(&self, tenant: TenantId) -> IdentityServiceClient<PeerChannel> {
        IdentityServiceClient::new(self.channel(tenant))
    }
    pub fn catalogue(&self, tenant: TenantId) -> CatalogueServiceClient<PeerChannel> {
        CatalogueServiceClient::new(self.channel(tenant))
    }
    pub fn contexts(&self, tenant: TenantId) -> ContextServiceClient<PeerChannel> {
        ContextServiceClient::new(self.channel(tenant))
    }
    pub fn interactions(&self, tenant: TenantId) -> InteractionServiceClient<PeerChannel> {
        InteractionServiceClient::new(self.channel(tenant))
    }
    pub fn personas(&self, tenant: TenantId) -> PersonaServiceClient<PeerChannel> {
        PersonaServiceClient::new(self.channel(tenant))
    }
    pub fn operations(&self, tenant: TenantId) -> OperationsClient<PeerChannel> {
        OperationsClient::new(self.channel(tenant))
    }

    /// An operation when it has ended.
    pub async fn ended(&self, tenant: TenantId, begun: Operation) -> Operation {
        let timeout = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        let request = WaitOperationRequest { name: begun.name, timeout };
        let ended = self.operations(tenant).wait_operation(request).await.expect("it is there").into_inner();
        assert!(ended.done, "it takes too long: {:?}", ended.metadata);
        ended
    }

    pub fn erasures(&self, tenant: TenantId) -> ErasureServiceClient<PeerChannel> {
        ErasureServiceClient::new(self.channel(tenant))
    }

    /// Time goes by.
    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub async fn identify(&self, tenant: TenantId, request: IdentifyRequest) -> IdentifyResponse {
        self.profiles(tenant).identify(request).await.expect("it is heard").into_inner()
    }

    /// A record that carries identifiers, and the customer it makes or joins.
    pub async fn record(&self, tenant: TenantId, name: &str, identifiers: &[(&str, &str)]) -> IdentifyResponse {
        self.identify(tenant, says(name, identifiers)).await
    }

    pub async fn get(&self, tenant: TenantId, customer: CustomerRef) -> Result<Profile, Status> {
        let request = GetProfileRequest { customer: Some(customer), ..GetProfileRequest::default() };
        self.profiles(tenant).get_profile(request).await.map(Response::into_inner)
    }

    /// An event that another service publishes, on its way to a group.
    pub async fn tell(&self, service: &str, group: &str, event: Event) {
        let lane = rapport_data::lane(service, group);
        let subject: rapport_kernel::SubjectId = event.subject_id.parse().expect("a UUID");
        let partition = subject.partition(rapport_data::PARTITIONS);
        let epoch = self.bus.epoch(&lane, partition).await.expect("the bus is up");
        // Dense within each partition, as the bus asks for.
        let position = {
            let mut told = self.told.lock().expect("whole");
            let last = told.entry((lane.clone(), partition)).or_default();
            *last += 1;
            *last
        };
        let entry = rapport_bus::Entry { position, body: Bytes::from(event.encode_to_vec()) };
        self.bus.publish(&lane, partition, &epoch, vec![entry]).await.expect("the bus takes it");
    }

    /// The profile as it was known at an instant.
    pub async fn get_as_of(&self, tenant: TenantId, customer: CustomerRef, at: Timestamp) -> Profile {
        let request =
            GetProfileRequest { customer: Some(customer), as_of: Some(timestamp(at)), ..GetProfileRequest::default() };
        self.profiles(tenant).get_profile(request).await.expect("it was known").into_inner()
    }

    /// Tells all again, as a process of its own does.
    pub async fn replay(&self) -> u64 {
        let contract = Contract::suite().expect("the suite's contract");
        let platform = Platform::new(&PlatformConfig::default(), Arc::clone(&self.clock) as Arc<_>, contract);
        rapport_profiles::replay(&platform.expect("a platform"), self.config.clone()).await.expect("told again")
    }

    /// What profiles publishes, as the group "metrics" reads it; what other services' groups get is read on.
    pub fn reader(&self) -> Reader {
        let subscribe = |group: &'static str| {
            let lane = rapport_data::lane("profiles", group);
            (0..rapport_data::PARTITIONS).map(move |partition| self.bus.subscribe(&lane, partition, group)).collect()
        };
        Reader { subscriptions: subscribe("metrics"), others: subscribe("asking") }
    }
}

/// Reads the topic.
pub struct Reader {
    subscriptions: Vec<Box<dyn Subscription>>,
    others: Vec<Box<dyn Subscription>>,
}

impl Reader {
    /// The next `count` events, in order within each partition.
    pub async fn next(&mut self, count: usize) -> Vec<Event> {
        let mut found = Vec::new();
        for _ in 0..500 {
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
                let events = deliveries.iter().filter(|delivery| delivery.position > 0 && !delivery.body.is_empty());
                found.extend(events.map(|delivery| Event::decode(&*delivery.body).expect("an event")));
            }
            if found.len() >= count {
                return found;
            }
        }
        panic!("{} of {count} events came", found.len());
    }

    /// What comes until nothing came for a while.
    pub async fn within(&mut self, patience: Duration) -> Vec<Event> {
        let (mut found, mut last) = (Vec::new(), std::time::Instant::now());
        while last.elapsed() < patience {
            for subscription in &mut self.subscriptions {
                let deliveries = subscription.next(100, Duration::from_millis(2)).await.expect("the bus is up");
                let Some(newest) = deliveries.last() else { continue };
                subscription.commit(newest.id).await.expect("the bus is up");
                let events = deliveries.iter().filter(|delivery| delivery.position > 0 && !delivery.body.is_empty());
                let before = found.len();
                found.extend(events.map(|delivery| Event::decode(&*delivery.body).expect("an event")));
                if found.len() > before {
                    last = std::time::Instant::now();
                }
            }
        }
        found
    }
}

/// A record of the source "crm".
pub fn says(name: &str, identifiers: &[(&str, &str)]) -> IdentifyRequest {
    let identifier = |(namespace, value): &(&str, &str)| Identifier {
        namespace: (*namespace).to_owned(),
        value: (*value).to_owned(),
    };
    IdentifyRequest {
        source: "crm".to_owned(),
        external_id: name.to_owned(),
        identifiers: identifiers.iter().map(identifier).collect(),
        ..IdentifyRequest::default()
    }
}

/// A record that states texts as traits, as it knew them `seconds` after the epoch of the tests.
pub fn states(name: &str, traits: &[(&str, &str)], seconds: i64) -> IdentifyRequest {
    let set = |(trait_name, value): &(&str, &str)| ((*trait_name).to_owned(), text(value));
    let traits: BTreeMap<String, Value> = traits.iter().map(set).collect();
    IdentifyRequest { traits, observed_at: Some(at(seconds)), ..says(name, &[]) }
}

pub fn text(value: &str) -> Value {
    Value { kind: Some(Kind::TextValue(value.to_owned())) }
}

/// An instant before the tests' now.
pub fn at(seconds: i64) -> prost_types::Timestamp {
    timestamp(Timestamp::from_column(1_740_000_000_000_000 + seconds * 1_000_000))
}

pub fn by_id(id: &str) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::CustomerId(id.to_owned())) }
}
pub fn by_identifier(namespace: &str, value: &str) -> CustomerRef {
    let identifier = Identifier { namespace: namespace.to_owned(), value: value.to_owned() };
    CustomerRef { r#ref: Some(Ref::Identifier(identifier)) }
}
pub fn named(name: &str) -> SourceRecord {
    SourceRecord { source: "crm".to_owned(), external_id: name.to_owned() }
}

/// The customer of an answer.
pub fn customer(response: &IdentifyResponse) -> String {
    profile(response).customer_id.clone()
}
pub fn profile(response: &IdentifyResponse) -> &Profile {
    response.profile.as_ref().expect("an answer has a profile")
}
/// The names of a profile's records, in order.
pub fn names(profile: &Profile) -> Vec<String> {
    let name =
        |record: &rapport_api::profiles::v1::ProfileRecord| record.record.clone().unwrap_or_default().external_id;
    let mut names: Vec<String> = profile.records.iter().map(name).collect();
    names.sort();
    names
}
/// The text of a trait.
pub fn trait_text(profile: &Profile, name: &str) -> Option<String> {
    match profile.traits.get(name)?.value.as_ref()?.kind.as_ref()? {
        Kind::TextValue(text) => Some(text.clone()),
        _ => None,
    }
}

/// The reason of a refusal.
pub fn reason<T>(result: Result<T, Status>) -> String {
    let status = result.err().expect("it is refused");
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}
/// The fields that a refusal names, and what it says of them.
pub fn violations<T>(result: Result<T, Status>) -> Vec<(String, String)> {
    let status = result.err().expect("it is refused");
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
}
