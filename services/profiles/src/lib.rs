//! Profiles: one view of each customer.
//!
//! - The atom is the subject, one source record. It never changes hands: whatever is said of a customer hangs on a
//!   subject for ever. What subjects said (observations) is append-only.
//! - A customer is the set of subjects linked to it; its id is the id of its home subject, and resolves for ever to
//!   whichever customer holds that subject. Its profile is the fold of what its subjects said, one row, one key.
//! - Links are a pure function of what hangs together: identifiers, limits, declared merges and splits. A merge or a
//!   split writes the declaration, links and projections, and nothing else; so each can be undone exactly.
//! - Neither the order of arrival nor a repetition shows in a profile or in who is one customer.
//! - Every change of a profile or a link leaves, in the same transaction, an event with its whole new state.

pub mod convert;
pub mod domain;
pub mod events;
pub mod migrations;
pub mod rebuild;
pub mod rpc;
pub mod service;
pub mod store;

use std::sync::Arc;
use std::time::Duration;

use rapport_api::common::v1::erasure_service_server::ErasureServiceServer;
use rapport_api::profiles::v1::account_service_server::AccountServiceServer;
use rapport_api::profiles::v1::catalogue_service_server::CatalogueServiceServer;
use rapport_api::profiles::v1::context_service_server::ContextServiceServer;
use rapport_api::profiles::v1::identity_service_server::IdentityServiceServer;
use rapport_api::profiles::v1::interaction_service_server::InteractionServiceServer;
use rapport_api::profiles::v1::persona_service_server::PersonaServiceServer;
use rapport_api::profiles::v1::profile_service_server::ProfileServiceServer;
use rapport_api::profiles::v1::segment_service_server::SegmentServiceServer;
use rapport_api::profiles::v1::tenant_settings_service_server::TenantSettingsServiceServer;
use rapport_api::profiles::v1::trait_service_server::TraitServiceServer;
use rapport_api::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rapport_bus::Bus;
use rapport_cache::ContextCache;
use rapport_data::{Database, DatabaseConfig};
use rapport_kernel::Fault;
use rapport_platform::config::{About, Describe};
use rapport_platform::{Module, OnFailure, Platform, Readiness, Routes};
use serde::{Deserialize, Serialize};

use crate::convert::mask::ProfileFields;
use crate::domain::namespace::Namespaces;
use crate::service::Profiles;
use crate::service::rules::BuiltIn;

/// The configuration of profiles.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Its database.
    pub database: DatabaseConfig,
    /// The country (ISO 3166, as DE) in which telephone numbers without `+` are read; without it they are refused.
    pub phone_region: String,
}

impl Describe for Config {
    fn describe(about: &mut About) {
        about
            .section::<DatabaseConfig>("database")
            .key("phone_region", "the country (as DE) in which telephone numbers without + are read; empty: refused");
    }
}

impl Config {
    fn namespaces(&self) -> Result<Namespaces, Fault> {
        if self.phone_region.is_empty() {
            return Ok(Namespaces::default());
        }
        let region = self.phone_region.parse().map_err(|_| {
            Fault::invalid_field(
                "profiles.phone_region",
                "iso3166",
                "must be a country of two letters, as DE, or empty",
            )
        });
        Ok(Namespaces::new(Some(region?)))
    }
}

/// Builds the service: opens its database, starts its relay and the writing of the shared context to `cache`, which it
/// shares with personalisation where both run in one process.
///
/// # Errors
/// INVALID_ARGUMENT where the configuration cannot work; else where the database cannot be opened.
pub async fn build<T: Send + Sync + 'static>(
    platform: &Platform,
    bus: Arc<dyn Bus>,
    cache: ContextCache<T>,
    config: Config,
) -> Result<Module, Fault> {
    let namespaces = config.namespaces()?;
    let database = Database::open(&config.database, "profiles", migrations::all(), platform).await?;
    let groups =
        vec![events::CONTEXT_GROUP, events::CHANNELS_GROUP, events::DERIVE_GROUP, events::ASKING_GROUP, "metrics"];
    database.relay(platform, Arc::clone(&bus), groups);
    database.follow(platform, Arc::clone(&bus), events::CONTEXT_GROUP, &[events::TOPIC], events::write_context(cache));
    let readiness = Readiness::new();
    database.watch(&readiness);
    let profiles = Profiles::new(database.clone(), namespaces);
    let derive = Arc::new(events::Derive(profiles.clone()));
    let told = [events::TOPIC, events::FEEDBACK];
    database.follow(platform, Arc::clone(&bus), events::DERIVE_GROUP, &told, derive);
    profiles.keep_time(platform);
    let meeting = Arc::new(service::channels::Meeting(profiles.clone()));
    database.follow(platform, bus, events::CHANNELS_GROUP, &[events::TOPIC], meeting);
    make_room(platform, &profiles);
    write_quality(platform, &profiles);
    database.run_operations(platform, rpc::jobs::all(&profiles, &platform.clock));
    let operations = rapport_operations::server("profiles", database, platform);
    let routes = routes(&profiles, platform)?.add_service(operations);
    Ok(Module { name: "profiles", routes, readiness })
}

/// How far ahead the timeline has room, and how often that is looked after.
const AHEAD: Duration = Duration::from_secs(93 * 86_400);
const LOOK: Duration = Duration::from_secs(6 * 3_600);

/// Keeps room in the timeline for the months to come. Where this fails for long, the call that needs room makes it.
fn make_room(platform: &Platform, profiles: &Profiles) {
    let (profiles, clock) = (profiles.clone(), Arc::clone(&platform.clock));
    platform.tasks.spawn("profiles.timeline", OnFailure::Restart, move |stopping| {
        let (profiles, clock) = (profiles.clone(), Arc::clone(&clock));
        async move {
            loop {
                profiles.cover(Some(clock.now().plus(AHEAD))).await?;
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = stopping.cancelled() => return Ok(()),
                }
            }
        }
    });
}

/// How often it is written how well sources told.
const WRITE: Duration = Duration::from_secs(1);

/// Writes how well sources told, each second, and a last time at the end.
fn write_quality(platform: &Platform, profiles: &Profiles) {
    let profiles = profiles.clone();
    platform.tasks.spawn("profiles.quality", OnFailure::Restart, move |stopping| {
        let profiles = profiles.clone();
        async move {
            while !stopping.is_cancelled() {
                tokio::select! {
                    () = tokio::time::sleep(WRITE) => {}
                    () = stopping.cancelled() => {}
                }
                profiles.write_quality().await?;
            }
            Ok(())
        }
    });
}

fn routes(profiles: &Profiles, platform: &Platform) -> Result<Routes, Fault> {
    let profile = rpc::profile::ProfileRpc {
        profiles: profiles.clone(),
        page_key: platform.page_key.clone(),
        clock: Arc::clone(&platform.clock),
        fields: ProfileFields::of_contract()?,
    };
    let profile = ProfileServiceServer::new(profile)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let identity = IdentityServiceServer::new(rpc::identity::IdentityRpc(profiles.clone(), platform.page_key.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let traits = TraitServiceServer::new(rpc::traits::TraitRpc(profiles.clone(), platform.page_key.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let segments = rpc::segments::SegmentRpc { profiles: profiles.clone(), page_key: platform.page_key.clone() };
    let segments = SegmentServiceServer::new(segments)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let settings = TenantSettingsServiceServer::new(rpc::settings::SettingsRpc(profiles.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let personas = PersonaServiceServer::new(rpc::personas::PersonaRpc(profiles.clone(), platform.page_key.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let catalogue = rpc::catalogue::CatalogueRpc(profiles.clone(), platform.page_key.clone());
    let catalogue = CatalogueServiceServer::new(catalogue)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let context = ContextServiceServer::new(rpc::context::ContextRpc(profiles.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let erasure = ErasureServiceServer::new(rpc::erasure::ErasureRpc(profiles.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let interactions = rpc::interactions::InteractionRpc {
        profiles: profiles.clone(),
        page_key: platform.page_key.clone(),
        clock: Arc::clone(&platform.clock),
    };
    let interactions = InteractionServiceServer::new(interactions)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let accounts = rpc::accounts::AccountRpc { profiles: profiles.clone(), page_key: platform.page_key.clone() };
    let accounts = AccountServiceServer::new(accounts)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    Ok(Routes::new(profile)
        .add_service(accounts)
        .add_service(interactions)
        .add_service(identity)
        .add_service(traits)
        .add_service(segments)
        .add_service(settings)
        .add_service(personas)
        .add_service(catalogue)
        .add_service(context)
        .add_service(erasure))
}

/// Tells the current state of every profile and link again, so that consumers that lost theirs become whole. Answers
/// how many events that took.
///
/// # Errors
/// Where the database cannot be opened or read.
pub async fn replay(platform: &Platform, config: Config) -> Result<u64, Fault> {
    let database = Database::open(&config.database, "profiles", migrations::all(), platform).await?;
    database.replay(Arc::new(rebuild::State { built_in: BuiltIn::new(config.namespaces()?) })).await
}
