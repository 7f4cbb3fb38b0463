//! The gateway: the front door. Whoever calls from outside comes through here, and nothing else is believed inside.
//!
//! - It knows the tenants and their API keys, and proves to the services who calls by a signed token; a key's secret is
//!   stored nowhere, and a key that is revoked ends within 5 s on every instance.
//! - What a key may do is laid down in the contract beside each call (`rapport_api::policy`), and checked before a call
//!   is handed on. Calls among the suite's own services are never handed on.
//! - Bodies are handed on undecoded, unary and streaming, with what remains of the deadline, under the caller's trace;
//!   metadata by a list of what is allowed.
//! - Health and reflection are answered before the door, without a key: the contract is public, and whoever balances
//!   load has no key.
//! - Beside the calls it serves the respondents' page ([`page`]): a survey answered in a browser, by its invitation's link.
//! - It drives the erasure of customers through all services until each has forgotten them.

mod admin;
mod config;
pub mod convert;
pub mod domain;
pub mod door;
mod entrance;
pub mod migrations;
pub mod page;
pub mod peers;
pub mod rpc;
pub mod service;
pub mod store;

use std::sync::Arc;

use rapport_api::admin::v1::api_key_service_server::ApiKeyServiceServer;
use rapport_api::admin::v1::privacy_service_server::PrivacyServiceServer;
use rapport_api::admin::v1::tenant_service_server::TenantServiceServer;
use rapport_api::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rapport_data::Database;
use rapport_kernel::Fault;
use rapport_platform::stack::{Stacked, outer};
use rapport_platform::{Platform, Readiness, Routes};

pub use admin::Admin;
pub use config::Config;
pub use domain::Tenant;
pub use service::Made;

use door::{Door, Keys, Parts, Quota};
use entrance::Entrance;
use page::Page;

/// A built gateway.
pub struct Gateway {
    /// The role's name.
    pub name: &'static str,
    /// The door within the platform's stack: what is served.
    pub service: Stacked,
    /// Whether it can answer.
    pub readiness: Readiness,
    /// Whether browsers come here: then HTTP/1.1 is to be taken besides HTTP/2.
    pub browsers: bool,
    /// What the operator does without the network.
    pub admin: Admin,
}

/// Builds the gateway: opens its database, starts what keeps its keys fresh and what drives its erasures.
///
/// # Errors
/// INVALID_ARGUMENT where the configuration is wrong; else where the database cannot be opened.
pub async fn build(platform: &Platform, config: Config) -> Result<Gateway, Fault> {
    let operator = config.operator()?;
    let db = Database::open(&config.database, "gateway", migrations::all(), platform).await?;
    let readiness = Readiness::new();
    db.watch(&readiness);
    let keys = Keys::new(db.clone(), config.keys);
    keys.start(platform);
    let tenants = service::Tenants::new(db.clone(), platform.page_key.clone());
    let api_keys = service::ApiKeys::new(db.clone(), platform.page_key.clone(), keys.clone());
    let admin = Admin::new(tenants.clone(), api_keys.clone(), Arc::clone(&platform.clock));
    let services = peers::Services::new(platform.peers.clone());
    let erasures = service::Erasures::new(db, services, Arc::clone(&platform.clock));
    erasures.start(platform);
    let door = Door::new(Parts {
        own: own(tenants, api_keys, erasures),
        keys,
        operator,
        quota: Quota::new(&config.quota),
        metadata_bytes: config.metadata_bytes,
        peers: platform.peers.clone(),
        issuer: platform.issuer.clone(),
        tasks: platform.tasks.clone(),
        clock: Arc::clone(&platform.clock),
    });
    let page =
        || Page::new(&config.page, platform.peers.clone(), Arc::clone(&platform.clock), platform.page_key.clone());
    let page = config.page.enabled.then(page).map(|page| Stacked::new(outer(page, platform)));
    let service = Stacked::new(Entrance::new(outer(door, platform), page));
    Ok(Gateway { name: "gateway", service, readiness, browsers: config.page.enabled, admin })
}

/// The gateway's own services.
fn own(tenants: service::Tenants, keys: service::ApiKeys, erasures: service::Erasures) -> Routes {
    let tenants = TenantServiceServer::new(rpc::TenantRpc(tenants))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let keys = ApiKeyServiceServer::new(rpc::ApiKeyRpc(keys))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let erasures = PrivacyServiceServer::new(rpc::PrivacyRpc(erasures))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    Routes::new(tenants).add_service(keys).add_service(erasures)
}
