//! Metrics: how it is going.
//!
//! It reads the state events of profiles and feedback, keeps of each interaction, response, ticket, mention, follow-up,
//! invitation and promise the facts that it contributes, and answers questions about them. It calls nobody and publishes
//! nothing.
//!
//! Invariants:
//! - an aggregate's facts are a pure function of its newest event; newer revisions replace, older ones change nothing;
//! - cells are what the facts that stand add up to, changed in the same transaction: every figure equals a recomputation;
//! - merges and splits change rows of `subject_link` and nothing else; customers are counted through it when asked;
//! - of an erased subject nothing is left but its tombstone, and in one number how many records were erased.

pub mod domain;

mod convert;
mod events;
mod migrations;
mod rpc;
mod service;
mod store;

use std::sync::Arc;

use futures::future::BoxFuture;
use rapport_api::common::v1::erasure_service_server::ErasureServiceServer;
use rapport_api::events::v1::Event;
use rapport_api::metrics::v1::metric_service_server::MetricServiceServer;
use rapport_api::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rapport_bus::Bus;
use rapport_data::{Consumer, Database, DatabaseConfig, Tx};
use rapport_kernel::Fault;
use rapport_platform::config::{About, Describe};
use rapport_platform::{Module, Platform, Readiness, Routes};
use serde::{Deserialize, Serialize};

/// The role's name.
pub const NAME: &str = "metrics";

/// How metrics is configured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where facts and cells are kept.
    pub database: DatabaseConfig,
    /// Points that rest on fewer customers are withheld, of tenants that set no threshold of their own.
    pub suppression_threshold: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { database: DatabaseConfig::default(), suppression_threshold: 5 }
    }
}

impl Describe for Config {
    fn describe(about: &mut About) {
        about.section::<DatabaseConfig>("database").key(
            "suppression_threshold",
            "points that rest on fewer customers are withheld, and those that would give such a one away; a tenant may set \
             another",
        );
    }
}

/// Builds the service: opens its database, begins to consume, answers calls.
///
/// # Errors
/// As [`Database::open`].
pub async fn build(platform: &Platform, bus: Arc<dyn Bus>, config: Config) -> Result<Module, Fault> {
    let database = Database::open(&config.database, NAME, migrations::all(), platform).await?;
    let readiness = Readiness::new();
    database.watch(&readiness);
    database.consume(platform, bus, events::GROUP, &events::TOPICS, Arc::new(Applying));
    let metrics = rpc::Metrics {
        database: database.clone(),
        threshold: i64::from(config.suppression_threshold),
        page_key: platform.page_key.clone(),
    };
    let metrics = MetricServiceServer::new(metrics)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let erasure = ErasureServiceServer::new(rpc::Erasure { database: database.clone() })
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let routes = Routes::new(metrics).add_service(erasure);
    let routes = routes.add_service(rapport_operations::server(NAME, database, platform));
    Ok(Module { name: NAME, routes, readiness })
}

/// Applies what others published.
struct Applying;

impl Consumer for Applying {
    fn apply(&self, tx: Tx, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let changes = events.into_iter().map(events::read).filter_map(Result::transpose);
            service::apply::apply(&tx, changes.collect::<Result<_, _>>()?).await
        })
    }
}
