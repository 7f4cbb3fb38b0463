//! A running metrics service: the real module behind the real stack, on a database of its own, fed by a real bus.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::erasure_service_client::ErasureServiceClient;
use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, TenantSettingsChanged, TraitDefinitionChanged, event::Payload};
use rapport_api::metrics::v1::metric_service_client::MetricServiceClient;
use rapport_api::metrics::v1::{QueryMetricRequest, QueryMetricResponse};
use rapport_bus::{Bus, BusConfig, Entry, MemoryBus};
use rapport_data::{DatabaseConfig, PARTITIONS};
use rapport_kernel::{SubjectId, TenantId, Timestamp};
use rapport_metrics::Config;
use rapport_platform::config::Address;
use rapport_platform::stack::stack;
use rapport_platform::{Call, Platform};
use tokio::sync::Mutex;
use tonic::Status;

/// Which database.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

pub const BOTH: [On; 2] = [On::Sqlite, On::Postgres];

pub struct House {
    platform: Platform,
    bus: Arc<MemoryBus>,
    positions: Mutex<BTreeMap<(&'static str, u16), u64>>,
    pub tenant: TenantId,
    /// Where SQLite's files lie.
    pub folder: tempfile::TempDir,
}

impl House {
    pub async fn new(on: On, threshold: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match on {
            On::Sqlite => None,
            On::Postgres => {
                let made = tokio::task::spawn_blocking(|| rapport_harness::shared_postgres().database("metrics"));
                Some(Address::new(made.await.expect("a database")))
            }
        };
        let database = DatabaseConfig { url, folder: folder.path().to_owned(), ..DatabaseConfig::default() };
        let config = Config { database, suppression_threshold: threshold };
        let platform = Platform::embedded().expect("a platform");
        let bus = Arc::new(MemoryBus::new(&BusConfig::default()));
        let module = rapport_metrics::build(&platform, bus.clone(), config).await.expect("metrics");
        platform.peers.link("metrics", stack(module.routes, &platform));
        let house = Self { platform, bus, positions: Mutex::default(), tenant: TenantId::new(), folder };
        house.declare(&["city"]).await;
        house
    }

    /// Publishes events of a topic and waits until metrics has applied them.
    pub async fn deliver(&self, topic: &'static str, events: &[Event]) {
        let mut by_partition: BTreeMap<u16, Vec<&Event>> = BTreeMap::new();
        for event in events {
            let subject: SubjectId = event.subject_id.parse().expect("a subject");
            by_partition.entry(subject.partition(PARTITIONS)).or_default().push(event);
        }
        let (mut last, lane) = (BTreeMap::new(), rapport_data::lane(topic, "metrics"));
        for (partition, events) in by_partition {
            let epoch = self.bus.epoch(&lane, partition).await.expect("an epoch");
            for some in events.chunks(500) {
                let mut positions = self.positions.lock().await;
                let position = positions.entry((topic, partition)).or_default();
                let entries = some.iter().map(|event| {
                    *position += 1;
                    Entry { position: *position, body: event.encode_to_vec().into() }
                });
                let entries: Vec<_> = entries.collect();
                while self.bus.publish(&lane, partition, &epoch, entries.clone()).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                last.insert(partition, (*position, epoch.clone()));
            }
        }
        for (partition, (position, epoch)) in last {
            let applied = async {
                while self.bus.settled(&lane, partition, &epoch, &["metrics"]).await.expect("the bus") < Some(position)
                {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(120), applied).await.expect("metrics applies what is published");
        }
    }

    /// Declares traits as dimensions.
    pub async fn declare(&self, names: &[&str]) {
        let event = |name: &&str| Event {
            event_id: uuid::Uuid::now_v7().to_string(),
            tenant: self.tenant.to_string(),
            subject_id: self.tenant.to_string(),
            aggregate_type: "trait_definition".to_owned(),
            aggregate_id: (*name).to_owned(),
            revision: 1,
            occurred_at: Some(timestamp(self.platform.clock.now())),
            recorded_at: Some(timestamp(self.platform.clock.now())),
            payload: Some(Payload::TraitDefinitionChanged(TraitDefinitionChanged {
                metric_dimension: true,
                deleted: false,
            })),
            ..Event::default()
        };
        self.deliver("profiles", &names.iter().map(event).collect::<Vec<_>>()).await;
    }

    /// The tenant's settings as of a revision.
    pub async fn set_threshold(&self, revision: u64, suppression_threshold: u32) {
        let event = Event {
            event_id: uuid::Uuid::now_v7().to_string(),
            tenant: self.tenant.to_string(),
            subject_id: self.tenant.to_string(),
            aggregate_type: "tenant_settings".to_owned(),
            aggregate_id: self.tenant.to_string(),
            revision,
            occurred_at: Some(timestamp(self.platform.clock.now())),
            recorded_at: Some(timestamp(self.platform.clock.now())),
            payload: Some(Payload::TenantSettingsChanged(TenantSettingsChanged {
                suppression_threshold,
                ..TenantSettingsChanged::default()
            })),
            ..Event::default()
        };
        self.deliver("profiles", &[event]).await;
    }

    pub async fn ask_as(&self, tenant: TenantId, query: QueryMetricRequest) -> Result<QueryMetricResponse, Status> {
        let call = Call::internal(tenant, self.platform.clock.now());
        let mut client = MetricServiceClient::new(self.platform.peers.channel("metrics", &call));
        Ok(client.query_metric(query).await?.into_inner())
    }

    pub async fn ask(&self, query: QueryMetricRequest) -> QueryMetricResponse {
        self.ask_as(self.tenant, query).await.expect("an answer")
    }

    pub async fn refusal(&self, query: QueryMetricRequest) -> Status {
        self.ask_as(self.tenant, query).await.expect_err("a refusal")
    }

    pub fn client(&self) -> MetricServiceClient<rapport_platform::PeerChannel> {
        let call = Call::internal(self.tenant, self.platform.clock.now());
        MetricServiceClient::new(self.platform.peers.channel("metrics", &call))
    }

    pub async fn erase(&self, subjects: &[SubjectId]) -> EraseSubjectsResponse {
        let call = Call::internal(self.tenant, self.platform.clock.now());
        let mut client = ErasureServiceClient::new(self.platform.peers.channel("metrics", &call));
        let request = EraseSubjectsRequest {
            erasure_id: TenantId::new().to_string(),
            subject_ids: subjects.iter().map(ToString::to_string).collect(),
            requested_at: Some(timestamp(self.platform.clock.now())),
        };
        client.erase_subjects(request).await.expect("an erasure").into_inner()
    }

    pub async fn close(self) {
        assert!(self.platform.stop(Duration::from_secs(20)).await, "tasks end in time");
    }
}

/// An instant from its text.
pub fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc().into()
}
