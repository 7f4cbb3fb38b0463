//! A contact centre at work on the ground: its tickets, service levels, and what is told of both.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::BulkAck;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, TicketChanged, event::Payload};
use rapport_api::feedback::v1::push_tickets_request::Item;
use rapport_api::feedback::v1::sla_service_client::SlaServiceClient;
use rapport_api::feedback::v1::ticket_ref::Ref;
use rapport_api::feedback::v1::ticket_service_client::TicketServiceClient;
use rapport_api::feedback::v1::{
    AddTicketMessageRequest, GetTicketRequest, PushTicketRequest, PushTicketsRequest, Ticket, TicketAuthor, TicketKey,
    TicketMessage, TicketRef, TicketStatus,
};
use rapport_bus::Subscription;
use rapport_kernel::{Clock as _, TenantId, Timestamp};
use rapport_platform::PeerChannel;

use crate::ground::Ground;

pub fn tickets(ground: &Ground, tenant: TenantId) -> TicketServiceClient<PeerChannel> {
    TicketServiceClient::new(ground.channel(tenant)).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
}

pub fn levels(ground: &Ground, tenant: TenantId) -> SlaServiceClient<PeerChannel> {
    SlaServiceClient::new(ground.channel(tenant))
}

pub fn key(external_id: &str) -> TicketRef {
    let key = TicketKey { source: "desk".to_owned(), external_id: external_id.to_owned() };
    TicketRef { r#ref: Some(Ref::Key(key)) }
}

pub fn by_id(ticket: &Ticket) -> TicketRef {
    TicketRef { r#ref: Some(Ref::TicketId(ticket.ticket_id.clone())) }
}

/// A ticket of the desk, at a version of so many minutes after the ground's beginning.
pub fn ticket(ground: &Ground, external_id: &str, version: i64, minute: i64, status: TicketStatus) -> Ticket {
    Ticket {
        source: "desk".to_owned(),
        external_id: external_id.to_owned(),
        version,
        status: status.into(),
        update_time: Some(minutes(ground, minute)),
        ..Ticket::default()
    }
}

/// When the ground began: its clock only goes on.
pub const BEGINNING: Timestamp = Timestamp::from_column(1_750_000_000_000_000);

/// So many minutes after the beginning.
pub fn minutes(_: &Ground, minute: i64) -> prost_types::Timestamp {
    timestamp(Timestamp::from_column(BEGINNING.micros() + minute * 60_000_000))
}

pub fn push(ticket: Ticket) -> PushTicketRequest {
    PushTicketRequest { ticket: Some(ticket), ..PushTicketRequest::default() }
}

/// Pushes a ticket, and answers it as it is held.
pub async fn pushed(ground: &Ground, tenant: TenantId, ticket: Ticket) -> Ticket {
    let answer = tickets(ground, tenant).push_ticket(push(ticket)).await.expect("taken").into_inner();
    answer.ticket.expect("it is held")
}

pub async fn get(ground: &Ground, tenant: TenantId, external_id: &str) -> Ticket {
    let request = GetTicketRequest { ticket: Some(key(external_id)) };
    tickets(ground, tenant).get_ticket(request).await.expect("it is there").into_inner()
}

pub fn message(ground: &Ground, external_id: &str, minute: i64, author: TicketAuthor) -> TicketMessage {
    TicketMessage {
        external_id: external_id.to_owned(),
        time: Some(minutes(ground, minute)),
        author: author.into(),
        text: format!("words of {external_id}"),
        ..TicketMessage::default()
    }
}

pub fn say(ticket: TicketRef, message: TicketMessage) -> AddTicketMessageRequest {
    AddTicketMessageRequest { ticket: Some(ticket), message: Some(message), ..AddTicketMessageRequest::default() }
}

pub fn item(item: Item) -> PushTicketsRequest {
    PushTicketsRequest { item: Some(item) }
}

/// Sends items in bulk, and answers all acknowledgements.
pub async fn bulk(ground: &Ground, tenant: TenantId, items: Vec<PushTicketsRequest>) -> Vec<BulkAck> {
    let stream = futures::stream::iter(items);
    let mut answers = tickets(ground, tenant).push_tickets(stream).await.expect("a stream").into_inner();
    let mut acks = Vec::new();
    while let Some(answer) = answers.message().await.expect("the stream goes on") {
        acks.push(answer.ack.expect("an acknowledgement"));
    }
    acks
}

/// What is published of tickets, as the groups that must settle it read it.
pub struct Told {
    subscriptions: Vec<(bool, Box<dyn Subscription>)>,
    /// The newest state of each ticket, by its id.
    pub states: BTreeMap<String, (Event, TicketChanged)>,
    /// All that was told, in order for each ticket.
    pub all: Vec<(Event, TicketChanged)>,
}

impl Told {
    pub fn of(ground: &Ground) -> Self {
        let mut subscriptions = Vec::new();
        for group in ["metrics", "derive"] {
            let lane = rapport_data::lane("feedback", group);
            for partition in 0..rapport_data::PARTITIONS {
                subscriptions.push((group == "metrics", ground.bus.subscribe(&lane, partition, group)));
            }
        }
        Self { subscriptions, states: BTreeMap::new(), all: Vec::new() }
    }

    /// Reads on until something holds of what was told; fails where it does not within some seconds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(tokio::time::Instant::now() < end, "it was not told: {what}");
            self.read().await;
        }
    }

    async fn read(&mut self) {
        for (counts, subscription) in &mut self.subscriptions {
            let deliveries = subscription.next(100, Duration::from_millis(2)).await.expect("the bus is up");
            if let Some(last) = deliveries.last() {
                subscription.commit(last.id).await.expect("the bus is up");
            }
            for delivery in deliveries.into_iter().filter(|_| *counts) {
                let mut event = Event::decode(delivery.body).expect("an event");
                if let Some(Payload::TicketChanged(state)) = event.payload.take() {
                    let held = self.states.get(&event.aggregate_id).map_or(0, |(held, _)| held.revision);
                    if event.revision > held {
                        self.states.insert(event.aggregate_id.clone(), (event.clone(), TicketChanged::clone(&state)));
                    }
                    self.all.push((event, *state));
                }
            }
        }
    }

    pub fn state(&self, ticket: &Ticket) -> Option<&TicketChanged> {
        self.states.get(&ticket.ticket_id).map(|(_, state)| state)
    }
}

/// Sets the ground's clock so many minutes after the beginning.
pub fn go_to(ground: &Ground, minute: i64) {
    let to = Timestamp::from_column(BEGINNING.micros() + minute * 60_000_000);
    assert!(to >= ground.clock.now(), "clocks go on");
    ground.clock.set(to);
}
