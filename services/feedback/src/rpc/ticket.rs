//! `rapport.feedback.v1.TicketService`; its bulk call is [`super::bulk`].

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::ticket_service_server::TicketService;
use rapport_data::Receipt;
use rapport_kernel::{Clock, Fault, PageKey, Timestamp};
use rapport_platform::bulk::{Acks, Import, Intake};
use rapport_platform::rpc::{call_of, unary};
use rapport_platform::{Call, status};
use tonic::{Request, Response, Status, Streaming};

use crate::convert::ticket::{self as convert, render};
use crate::domain::ticket::Ticket;
use crate::service::Tickets;
use crate::service::tickets::{Outcome, Pushed, Telling};

/// The service.
pub struct TicketRpc {
    /// What it works on.
    pub tickets: Tickets,
    /// Seals the tokens of watches.
    pub page_key: PageKey,
    /// A stream goes on for longer than an instant: each of its items is judged by the time it came.
    pub clock: Arc<dyn Clock>,
}

/// PushTickets.
impl Intake for Tickets {
    type Item = proto::PushTicketsRequest;
    type Sound = Telling;
    type Rules = ();

    const ITEMS: usize = 1_000;

    fn read(&self, _: &Call, (): &(), item: Self::Item, now: Timestamp) -> Result<Telling, Fault> {
        convert::item(item, now)
    }

    async fn rules(&self, _: &Call) -> Result<(), Fault> {
        Ok(())
    }

    async fn commit(&self, call: &Call, items: Vec<Telling>) -> Result<Vec<Result<(), Fault>>, Fault> {
        let outcomes = self.tell_many(call, items).await?;
        Ok(outcomes.into_iter().map(|outcome| outcome.map(|_: Outcome| ())).collect())
    }
}

/// What is rendered as of a ticket's last change: the answer of a call that changed it.
fn merged(ticket: &Ticket) -> proto::Ticket {
    render::ticket(ticket, ticket.changed_at)
}

#[tonic::async_trait]
impl TicketService for TicketRpc {
    async fn push_ticket(
        &self,
        request: Request<proto::PushTicketRequest>,
    ) -> Result<Response<proto::PushTicketResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request, telling) = convert::push(message, call.now)?;
            let encode = |pushed: &Pushed| render::pushed(pushed).encode_to_vec();
            let receipt = Receipt::new("PushTicket", request, &bytes, encode);
            self.tickets.tell(&call, receipt, telling).await?.message(render::pushed)
        })
        .await
    }

    type PushTicketsStream = Acks<proto::PushTicketsResponse>;

    async fn push_tickets(
        &self,
        request: Request<Streaming<proto::PushTicketsRequest>>,
    ) -> Result<Response<Self::PushTicketsStream>, Status> {
        let call = call_of(&request).map_err(status)?;
        let import = Import::new(request.into_inner(), self.tickets.clone(), Arc::clone(&self.clock), call);
        Ok(Response::new(import.acks(|ack| proto::PushTicketsResponse { ack: Some(ack) })))
    }

    async fn add_ticket_message(
        &self,
        request: Request<proto::AddTicketMessageRequest>,
    ) -> Result<Response<proto::AddTicketMessageResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request, telling) = convert::add_message(message, call.now)?;
            let encode = |pushed: &Pushed| render::said(pushed).encode_to_vec();
            let receipt = Receipt::new("AddTicketMessage", request, &bytes, encode);
            self.tickets.tell(&call, receipt, telling).await?.message(render::said)
        })
        .await
    }

    async fn get_ticket(&self, request: Request<proto::GetTicketRequest>) -> Result<Response<proto::Ticket>, Status> {
        unary(request, async |call, message| {
            Ok(render::ticket(&self.tickets.get(&call, convert::get(message)?).await?, call.now))
        })
        .await
    }

    async fn list_tickets(
        &self,
        request: Request<proto::ListTicketsRequest>,
    ) -> Result<Response<proto::ListTicketsResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.tickets.list(&call, convert::list(message)?).await?;
            let tickets = page.items.iter().map(|ticket| render::ticket(ticket, call.now)).collect();
            Ok(proto::ListTicketsResponse { tickets, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn list_ticket_messages(
        &self,
        request: Request<proto::ListTicketMessagesRequest>,
    ) -> Result<Response<proto::ListTicketMessagesResponse>, Status> {
        unary(request, async |call, message| {
            let (which, size, token) = convert::messages(message)?;
            let page = self.tickets.messages(&call, which, size, &token).await?;
            let messages = page.items.iter().map(render::message).collect();
            Ok(proto::ListTicketMessagesResponse { messages, next_page_token: page.next_page_token })
        })
        .await
    }

    type WatchTicketsStream = Pin<Box<dyn Stream<Item = Result<proto::WatchTicketsResponse, Status>> + Send>>;

    async fn watch_tickets(
        &self,
        request: Request<proto::WatchTicketsRequest>,
    ) -> Result<Response<Self::WatchTicketsStream>, Status> {
        unary(request, async |call, message: proto::WatchTicketsRequest| {
            let filter = convert::watch(&message)?;
            let (tenant, page_key, clock) = (call.tenant(), self.page_key.clone(), Arc::clone(&self.clock));
            let from = page_key.open(tenant, convert::WATCH, &message.resume_token).map_err(convert::token)?;
            let watch = self.tickets.watch(call, Arc::clone(&clock), filter, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let (page_key, clock) = (page_key.clone(), Arc::clone(&clock));
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, convert::WATCH, &told.places);
                    let change = told.change.map(|change| render::change(&change, clock.now()));
                    Ok(Some((proto::WatchTicketsResponse { resume_token, change }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchTicketsStream)
        })
        .await
    }

    async fn merge_tickets(
        &self,
        request: Request<proto::MergeTicketsRequest>,
    ) -> Result<Response<proto::Ticket>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request, merge) = convert::merge(message)?;
            let encode = |ticket: &Ticket| merged(ticket).encode_to_vec();
            let receipt = Receipt::new("MergeTickets", request, &bytes, encode);
            self.tickets.merge(&call, receipt, merge).await?.message(merged)
        })
        .await
    }

    async fn delete_ticket(
        &self,
        request: Request<proto::DeleteTicketRequest>,
    ) -> Result<Response<proto::DeleteTicketResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request, telling) = convert::delete(message)?;
            let encode = |_: &Pushed| Vec::new();
            let receipt = Receipt::new("DeleteTicket", request, &bytes, encode);
            self.tickets.tell(&call, receipt, telling).await?.message(|_: &Pushed| proto::DeleteTicketResponse {})
        })
        .await
    }
}
