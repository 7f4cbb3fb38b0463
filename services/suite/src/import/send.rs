//! Sends items by the bulk calls, and says which were refused and why.

use std::error::Error as _;
use std::ops::Range;

use futures::stream::BoxStream;
use futures::{TryStreamExt as _, stream};
use rapport_api::common::v1::{BulkAck, BulkError};
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::ticket_service_client::TicketServiceClient;
use rapport_api::feedback::v1::{ImportResponsesRequest, PushTicketRequest, PushTicketsRequest, push_tickets_request};
use rapport_api::profiles::v1::account_service_client::AccountServiceClient;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{
    AddMemberRequest, IdentifyRequest, ImportProfilesRequest, Interaction, RecordInteractionsRequest,
    UpsertAccountRequest,
};
use rapport_kernel::{Fault, Reason};
use tonic::{Code, Status};

use super::Wrong;
use crate::client::Client;

/// Items of one call where an acknowledgement named fewer refusals than there were: it names a hundred.
const NAMED: usize = 100;

/// Where an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line's place among those that are sent together.
    pub at: usize,
    /// Of a line that is a batch of calls, the call's place in it.
    pub within: Option<usize>,
}

/// An item that was refused: the reason, and what is wrong with it.
pub type Refusal = (Place, String, Wrong);

/// Who is told, of each acknowledgement, which items it settles and which of them were refused.
pub type Heard<'a> = &'a mut dyn FnMut(&[Place], Vec<Refusal>) -> Result<(), Fault>;

/// What is sent.
pub enum Item {
    /// A statement of a source.
    Profile(IdentifyRequest),
    /// Something that happened.
    Interaction(Box<Interaction>),
    /// A past answer to a survey.
    Response(Box<ImportResponsesRequest>),
    /// A ticket.
    Ticket(Box<PushTicketRequest>),
    /// An account, and who belongs to it.
    Account(Box<UpsertAccountRequest>, Option<Box<AddMemberRequest>>),
}

/// Sends items.
pub struct Sender {
    client: Client,
}

impl Sender {
    /// Over a connection.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends items: statements, then accounts, then what happened, then what was said.
    ///
    /// # Errors
    /// Where the suite cannot be reached or refuses the whole, or what is heard cannot be noted. Sending again is harmless.
    pub async fn send(&mut self, items: Vec<(Place, Item)>, heard: Heard<'_>) -> Result<(), Fault> {
        let (mut profiles, mut accounts, mut interactions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut responses, mut tickets) = (Vec::new(), Vec::new());
        for (place, item) in items {
            match item {
                Item::Profile(profile) => profiles.push((place, profile)),
                Item::Account(account, member) => accounts.push((place, account, member)),
                Item::Interaction(interaction) => interactions.push((place, *interaction)),
                Item::Response(response) => responses.push((place, *response)),
                Item::Ticket(push) => tickets.push((place, *push)),
            }
        }
        told(&profiles, async |some: &[_]| self.import(some).await, heard).await?;
        for (place, account, member) in accounts {
            let refusal =
                self.account(*account, member).await.map_or_else(|status| refusal(place, &status), |()| Ok(None));
            heard(&[place], refusal?.into_iter().collect())?;
        }
        told(&interactions, async |some: &[_]| self.record(some).await, heard).await?;
        told(&responses, async |some: &[_]| self.answered(some).await, heard).await?;
        told(&tickets, async |some: &[_]| self.pushed(some).await, heard).await
    }

    async fn import(&self, items: &[(Place, IdentifyRequest)]) -> Result<Acks, Status> {
        let request = |item: &IdentifyRequest| ImportProfilesRequest { profile: Some(item.clone()) };
        let requests: Vec<_> = items.iter().map(|(_, item)| request(item)).collect();
        let mut client = ProfileServiceClient::new(self.client.clone());
        let answers = client.import_profiles(stream::iter(requests)).await?.into_inner();
        Ok(Box::pin(answers.try_filter_map(async |answer| Ok(answer.ack))))
    }

    async fn record(&self, items: &[(Place, Interaction)]) -> Result<Acks, Status> {
        let requests: Vec<_> = items.iter().map(|(_, item)| RecordInteractionsRequest::from(item.clone())).collect();
        let mut client = InteractionServiceClient::new(self.client.clone());
        let answers = client.record_interactions(stream::iter(requests)).await?.into_inner();
        Ok(Box::pin(answers.try_filter_map(async |answer| Ok(answer.ack))))
    }

    async fn answered(&self, items: &[(Place, ImportResponsesRequest)]) -> Result<Acks, Status> {
        let requests: Vec<_> = items.iter().map(|(_, item)| item.clone()).collect();
        let mut client = ResponseServiceClient::new(self.client.clone());
        let answers = client.import_responses(stream::iter(requests)).await?.into_inner();
        Ok(Box::pin(answers.try_filter_map(async |answer| Ok(answer.ack))))
    }

    async fn pushed(&self, items: &[(Place, PushTicketRequest)]) -> Result<Acks, Status> {
        let request = |push: &PushTicketRequest| PushTicketsRequest {
            item: Some(push_tickets_request::Item::Push(Box::new(push.clone()))),
        };
        let requests: Vec<_> = items.iter().map(|(_, item)| request(item)).collect();
        let mut client = TicketServiceClient::new(self.client.clone());
        let answers = client.push_tickets(stream::iter(requests)).await?.into_inner();
        Ok(Box::pin(answers.try_filter_map(async |answer| Ok(answer.ack))))
    }

    async fn account(
        &self,
        account: UpsertAccountRequest,
        member: Option<Box<AddMemberRequest>>,
    ) -> Result<(), Status> {
        let mut client = AccountServiceClient::new(self.client.clone());
        client.upsert_account(account).await?;
        if let Some(member) = member {
            client.add_member(*member).await?;
        }
        Ok(())
    }
}

/// The acknowledgements of one bulk call.
type Acks = BoxStream<'static, Result<BulkAck, Status>>;

/// Sends items, and those again in small parts of which more were refused than were named: telling again is harmless.
async fn told<T>(
    items: &[(Place, T)],
    send: impl AsyncFn(&[(Place, T)]) -> Result<Acks, Status>,
    heard: Heard<'_>,
) -> Result<(), Fault> {
    for unclear in acknowledged(items, &send, heard).await? {
        for few in items[unclear].chunks(NAMED) {
            acknowledged(few, &send, heard).await?;
        }
    }
    Ok(())
}

/// Sends items; answers those of acknowledgements that did not name all their refusals, which are not settled.
async fn acknowledged<T>(
    items: &[(Place, T)],
    send: &impl AsyncFn(&[(Place, T)]) -> Result<Acks, Status>,
    heard: Heard<'_>,
) -> Result<Vec<Range<usize>>, Fault> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let (mut unclear, mut settled) = (Vec::new(), 0);
    let mut acks = send(items).await.map_err(|status| fault(&status))?;
    while let Some(ack) = acks.try_next().await.map_err(|status| fault(&status))? {
        let through = usize::try_from(ack.through_index.saturating_add(1)).unwrap_or(0);
        let some = settled..through.clamp(settled, items.len());
        settled = some.end;
        if usize::try_from(ack.rejected).is_ok_and(|rejected| rejected == ack.errors.len()) {
            let places: Vec<Place> = items[some].iter().map(|(place, _)| *place).collect();
            let place = |error: &BulkError| items.get(usize::try_from(error.index).ok()?).map(|(place, _)| *place);
            let named = |error: &BulkError| place(error).map(|place| named(place, error));
            heard(&places, ack.errors.iter().filter_map(named).collect())?;
        } else {
            unclear.push(some);
        }
    }
    match settled == items.len() {
        true => Ok(unclear),
        false => Err(Fault::new(Reason::DependencyUnavailable, "the suite ended the call before it had taken all")),
    }
}

fn named(place: Place, error: &BulkError) -> Refusal {
    let fields = error.violations.iter().map(|it| (it.field.clone(), it.description.clone())).collect();
    let wrong = if error.violations.is_empty() { Wrong::one("line", error.message.clone()) } else { Wrong(fields) };
    (place, error.reason.clone(), wrong)
}

/// Why an account was refused, where the next one may be sound all the same.
fn refusal(place: Place, status: &Status) -> Result<Option<Refusal>, Fault> {
    let fault = fault(status);
    if !matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound) {
        return Err(fault);
    }
    let fields = fault.details.violations.as_slice().iter();
    let mut wrong = Wrong(fields.map(|it| (it.field.clone(), it.description.clone())).collect());
    if wrong.0.is_empty() {
        wrong = Wrong::one("account", fault.message.clone());
    }
    Ok(Some((place, fault.reason.name().to_owned(), wrong)))
}

/// Why a call failed. What the suite did not say, the connection did: it broke, and so with no word of what became of the rest.
fn fault(status: &Status) -> Fault {
    let text = match (status.source(), status.code()) {
        (Some(_), _) => "the connection to the suite was lost",
        (None, Code::Unavailable) => "the suite stopped, or a part of it cannot be reached",
        _ => return rapport_platform::fault(status),
    };
    Fault::new(Reason::DependencyUnavailable, text).because(status.message())
}
