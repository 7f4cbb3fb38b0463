//! Feedback: what customers say. Surveys and the responses to them, tickets, mentions elsewhere, and what is read in their
//! words.
//!
//! - A response, ticket, mention, follow-up and promise hangs on a subject for ever. Merges and splits of customers change
//!   only what is derived of a customer: which tickets are about one issue, and which follow-ups are one. An anonymous
//!   response has a subject of its own, which nothing ties to a person.
//! - Whose a response is, profiles says, at the moment it is recorded; with it come the traits that are metric
//!   dimensions, which stay with the response.
//! - Every change of a response leaves, in the same transaction, an event with its whole new state. What the customer
//!   said besides never leaves this service but to whoever asks for the response.
//! - Words are masked before anything else looks at them, and read in the unit that writes them, by the tenant's taxonomy
//!   as that unit sees it; where the taxonomy changes, what is stored is read again.
//! - Only an open survey takes responses; corrections and deletions are taken for ever.
//! - A response belongs to the version of its survey that it answers. A version that was published never changes, and what
//!   it measures, those after it measure in the same way.

pub mod convert;
pub mod domain;
pub mod events;
pub mod migrations;
pub mod peers;
pub mod rebuild;
pub mod rpc;
pub mod service;
pub mod store;

use std::sync::Arc;

use rapport_api::common::v1::erasure_service_server::ErasureServiceServer;
use rapport_api::feedback::v1::expectation_service_server::ExpectationServiceServer;
use rapport_api::feedback::v1::follow_up_service_server::FollowUpServiceServer;
use rapport_api::feedback::v1::improvement_service_server::ImprovementServiceServer;
use rapport_api::feedback::v1::mention_service_server::MentionServiceServer;
use rapport_api::feedback::v1::respondent_service_server::RespondentServiceServer;
use rapport_api::feedback::v1::response_service_server::ResponseServiceServer;
use rapport_api::feedback::v1::sla_service_server::SlaServiceServer;
use rapport_api::feedback::v1::survey_service_server::SurveyServiceServer;
use rapport_api::feedback::v1::text_service_server::TextServiceServer;
use rapport_api::feedback::v1::ticket_service_server::TicketServiceServer;
use rapport_api::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rapport_bus::Bus;
use rapport_data::{Database, DatabaseConfig};
use rapport_kernel::Fault;
use rapport_platform::config::{About, Describe};
use rapport_platform::{Module, Platform, Readiness, Routes};
use rapport_text::Analyser;
use serde::{Deserialize, Serialize};

/// Feedback's configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Its database.
    pub database: DatabaseConfig,
}

impl Describe for Config {
    fn describe(about: &mut About) {
        about.section::<DatabaseConfig>("database");
    }
}

/// Builds the service: opens its database and starts its relay, its clocks and what it hears of others.
///
/// # Errors
/// Where the database cannot be opened.
pub async fn build(platform: &Platform, bus: Arc<dyn Bus>, config: Config) -> Result<Module, Fault> {
    let db = Database::open(&config.database, "feedback", migrations::all(), platform).await?;
    let readiness = Readiness::new();
    db.watch(&readiness);
    db.relay(platform, Arc::clone(&bus), vec!["derive", "metrics", events::loops::GROUP, events::heard::GROUP]);
    let (page_key, profiles) = (platform.page_key.clone(), peers::Profiles::new(platform.peers.clone()));
    let readers = service::Readers::new(Analyser::new());
    let compiled = service::sla::Compiled::default();
    let responses = service::Responses::new(db.clone(), profiles.clone(), page_key.clone(), readers.clone());
    let tickets = service::Tickets::new(db.clone(), profiles.clone(), platform, compiled.clone(), readers.clone());
    let mentions = service::Mentions::new(db.clone(), profiles.clone(), readers.clone(), page_key.clone());
    let promises = service::Promises::new(db.clone(), profiles.clone(), page_key.clone());
    let follow_ups = service::FollowUps::new(db.clone(), profiles.clone(), platform, promises.clone());
    let asking = service::Asking::new(platform, db.clone(), profiles, responses.clone());
    tickets.keep_time(platform);
    follow_ups.keep_time(platform);
    asking.keep_time(platform);
    let moves = service::Moves::new(db.clone(), tickets.clone(), follow_ups.clone(), platform);
    moves.keep_up(platform);
    let heard = Arc::new(events::heard::Heard { asking: asking.clone(), moves });
    db.consume(platform, Arc::clone(&bus), events::heard::GROUP, &events::heard::TOPICS, heard);
    db.follow(platform, bus, events::loops::GROUP, &[events::TOPIC], events::loops::follow(follow_ups.clone()));
    let rereading = service::Rereading::new(db.clone(), responses.clone(), tickets.clone(), mentions.clone());
    db.run_operations(platform, rpc::jobs::all(rereading, asking.clone()));
    let erasures = service::Erasures::new(db.clone(), tickets.clone(), mentions.clone(), follow_ups.clone());

    let clock = Arc::clone(&platform.clock);
    let surveys = service::Surveys::new(db.clone(), page_key.clone());
    let surveys = rpc::SurveyRpc { surveys, responses: responses.clone(), asking: asking.clone() };
    let respondents = rpc::RespondentRpc(asking.clone());
    let responses = rpc::ResponseRpc { responses, asking, page_key: page_key.clone(), clock: Arc::clone(&clock) };
    let mentions = rpc::MentionRpc { mentions, page_key: page_key.clone(), clock: Arc::clone(&clock) };
    let tickets = rpc::TicketRpc { tickets, page_key: page_key.clone(), clock };
    let follow_ups = rpc::FollowUpRpc { follow_ups, page_key: page_key.clone() };
    let levels = rpc::SlaRpc(service::ServiceLevels::new(db.clone(), page_key.clone(), compiled));
    let improvements = rpc::ImprovementRpc(service::Improvements::new(db.clone(), page_key.clone()));
    let texts = rpc::TextRpc(service::Topics::new(db.clone(), page_key, readers));
    let surveys = SurveyServiceServer::new(surveys)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let respondents = RespondentServiceServer::new(respondents)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let responses = ResponseServiceServer::new(responses)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let tickets = TicketServiceServer::new(tickets)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let levels = SlaServiceServer::new(levels)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let mentions = MentionServiceServer::new(mentions)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let texts = TextServiceServer::new(texts)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let follow_ups = FollowUpServiceServer::new(follow_ups)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let improvements = ImprovementServiceServer::new(improvements)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let expectations = ExpectationServiceServer::new(rpc::ExpectationRpc(promises))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let erasures = ErasureServiceServer::new(rpc::ErasureRpc(erasures))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let routes = Routes::new(surveys)
        .add_service(respondents)
        .add_service(responses)
        .add_service(tickets)
        .add_service(levels)
        .add_service(mentions)
        .add_service(texts)
        .add_service(follow_ups)
        .add_service(improvements)
        .add_service(expectations)
        .add_service(erasures)
        .add_service(rapport_operations::server("feedback", db, platform));
    Ok(Module { name: "feedback", routes, readiness })
}

/// Tells the current state of every response again, so that consumers that lost theirs become whole. Answers how many
/// events that took.
///
/// # Errors
/// Where the database cannot be opened or read.
pub async fn replay(platform: &Platform, config: Config) -> Result<u64, Fault> {
    let db = Database::open(&config.database, "feedback", migrations::all(), platform).await?;
    db.replay(Arc::new(rebuild::State)).await
}
