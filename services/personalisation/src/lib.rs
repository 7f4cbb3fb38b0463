//! Personalisation: the right thing to do for a customer, at this place and time, and why.
//!
//! - A decision is a pure function of the policy's version, the profile's revision, the contact ledger's counts, the
//!   question and a seed. All of it is logged, so that every decision can be explained, and made again to the byte.
//! - It is committed with its ledger entries and its event before it is answered. Caps are strict: whoever decides
//!   commits only where nobody else decided about the same subjects since the ledger was read.
//! - Messages and surveys enter the same ledger, by a policy of restraint, and hold themselves and decisions apart alike.
//! - The ledger is counted over all subjects that are the customer now: a merge unites it, a split parts it again.
//! - Every change of an action makes a policy version; older revisions never change and are never deleted.
//! - What is known of a customer comes from the shared context, which is at most a second old.

pub mod convert;
pub mod domain;
pub mod events;
pub mod migrations;
pub mod peers;
pub mod rpc;
pub mod service;
pub mod store;

use std::sync::Arc;

use rapport_api::common::v1::erasure_service_server::ErasureServiceServer;
use rapport_api::personalisation::v1::action_service_server::ActionServiceServer;
use rapport_api::personalisation::v1::contact_policy_service_server::ContactPolicyServiceServer;
use rapport_api::personalisation::v1::decision_service_server::DecisionServiceServer;
use rapport_api::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rapport_bus::Bus;
use rapport_cache::{CacheConfig, ContextCache};
use rapport_data::{Database, DatabaseConfig};
use rapport_kernel::Fault;
use rapport_platform::config::{About, Describe, Period};
use rapport_platform::{Module, OnFailure, Platform, Readiness, Routes};
use serde::{Deserialize, Serialize};

use crate::convert::profile::Context;

/// What decisions are made from, decoded: opened with [`open_cache`], and shared with profiles, which writes it, where
/// both run in one process.
pub type Cache = ContextCache<Context>;

/// Personalisation's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Its database.
    pub database: DatabaseConfig,
    /// γ of the inverse-gap weighting: 0 draws evenly, the greater the greedier.
    pub exploration: f64,
    /// How many actions a tenant may have.
    pub max_actions: u64,
    /// How long decisions are kept, and what customers got; an entry that a cap may still count stays as long as it does.
    pub retention: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database: DatabaseConfig::default(),
            exploration: 100.0,
            max_actions: 1_000,
            retention: Period::secs(400 * 24 * 60 * 60),
        }
    }
}

impl Config {
    fn check(&self) -> Result<(), Fault> {
        if self.exploration.is_finite() && self.exploration >= 0.0 {
            return Ok(());
        }
        Err(Fault::invalid_field("personalisation.exploration", "double.gte", "must be a finite number, not negative"))
    }
}

impl Describe for Config {
    fn describe(about: &mut About) {
        about
            .section::<DatabaseConfig>("database")
            .key("exploration", "gamma of the inverse-gap weighting: 0 draws evenly, the greater the greedier")
            .key("max_actions", "how many actions a tenant may have")
            .key("retention", "how long decisions and the contact ledger are kept (what a cap may count stays longer)");
    }
}

/// Opens the cache of contexts, and keeps it fresh while the process runs.
///
/// # Errors
/// INVALID_ARGUMENT where the configuration cannot work.
pub fn open_cache(platform: &Platform, config: &CacheConfig) -> Result<Cache, Fault> {
    let cache = Cache::open(config, Arc::clone(&platform.clock), Context::decode)?;
    let fresh = cache.clone();
    platform.tasks.spawn("context-cache", OnFailure::Restart, move |stopping| {
        let fresh = fresh.clone();
        async move {
            fresh.keep_fresh(stopping).await;
            Ok(())
        }
    });
    Ok(cache)
}

/// Builds the service: opens its database and starts its relay.
///
/// # Errors
/// INVALID_ARGUMENT where the configuration cannot work; else where the database cannot be opened.
pub async fn build(platform: &Platform, bus: Arc<dyn Bus>, cache: Cache, config: Config) -> Result<Module, Fault> {
    config.check()?;
    let db = Database::open(&config.database, "personalisation", migrations::all(), platform).await?;
    let readiness = Readiness::new();
    db.watch(&readiness);
    // Nobody consumes decisions yet: they are settled when they are published.
    db.relay(platform, bus, Vec::new());
    service::retention::start(platform, &db, config.retention.get());
    let policies = service::Policies::new(db.clone());
    let contexts = peers::Contexts::new(cache, platform.peers.clone());
    let actions = service::Actions::new(db.clone(), policies.clone(), platform.page_key.clone(), config.max_actions);
    let contacts = service::Contacts::new(platform, db.clone(), contexts.clone());
    let decisions = service::Decisions::new(platform, db.clone(), policies, contexts, config.exploration);
    let erasures = service::Erasures::new(db.clone());
    let actions = ActionServiceServer::new(rpc::ActionRpc(actions))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let decisions = DecisionServiceServer::new(rpc::DecisionRpc(decisions))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let contacts = ContactPolicyServiceServer::new(rpc::ContactRpc(contacts))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let erasures = ErasureServiceServer::new(rpc::ErasureRpc(erasures))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let routes = Routes::new(actions).add_service(decisions).add_service(contacts).add_service(erasures);
    let routes = routes.add_service(rapport_operations::server("personalisation", db, platform));
    Ok(Module { name: "personalisation", routes, readiness })
}
