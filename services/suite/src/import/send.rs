//! Sends items by the bulk calls, and says which were refused and why.

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
use rapport_kernel::Fault;
use tonic::{Code, Status};

use super::Wrong;
use super::report::Refused;
use crate::client::Client;

/// Items of one call where an acknowledgement named fewer refusals than there were: it names a hundred.
const NAMED: usize = 100;

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

    /// Sends items, each with its line: statements, then accounts, then what happened, then what was said. Answers those that were refused.
    ///
    /// # Errors
    /// Where the suite cannot be reached or refuses the whole: sending all of it again is harmless.
    pub async fn send(&mut self, items: Vec<(u64, Item)>) -> Result<Vec<Refused>, Fault> {
        let (mut profiles, mut accounts, mut interactions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut responses, mut tickets) = (Vec::new(), Vec::new());
        for (line, item) in items {
            match item {
                Item::Profile(profile) => profiles.push((line, profile)),
                Item::Account(account, member) => accounts.push((line, account, member)),
                Item::Interaction(interaction) => interactions.push((line, *interaction)),
                Item::Response(response) => responses.push((line, *response)),
                Item::Ticket(push) => tickets.push((line, *push)),
            }
        }
        let mut refused = told(&profiles, async |some: &[_]| self.import(some).await).await?;
        for (line, account, member) in accounts {
            if let Err(status) = self.account(*account, member).await {
                let kept = matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound);
                let fault = rapport_platform::fault(&status);
                if !kept {
                    return Err(fault);
                }
                let fields = fault.details.violations.as_slice().iter();
                let mut wrong = Wrong(fields.map(|it| (it.field.clone(), it.description.clone())).collect());
                if wrong.0.is_empty() {
                    wrong = Wrong::one("account", fault.message.clone());
                }
                refused.push((line, fault.reason.name().to_owned(), wrong));
            }
        }
        refused.extend(told(&interactions, async |some: &[_]| self.record(some).await).await?);
        refused.extend(told(&responses, async |some: &[_]| self.answered(some).await).await?);
        refused.extend(told(&tickets, async |some: &[_]| self.pushed(some).await).await?);
        Ok(refused)
    }

    async fn import(&self, items: &[(u64, IdentifyRequest)]) -> Result<Vec<BulkAck>, Status> {
        let request = |item: &IdentifyRequest| ImportProfilesRequest { profile: Some(item.clone()) };
        let requests: Vec<_> = items.iter().map(|(_, item)| request(item)).collect();
        let mut client = ProfileServiceClient::new(self.client.clone());
        let answers = client.import_profiles(stream::iter(requests)).await?.into_inner();
        answers.try_filter_map(async |answer| Ok(answer.ack)).try_collect().await
    }

    async fn record(&self, items: &[(u64, Interaction)]) -> Result<Vec<BulkAck>, Status> {
        let requests: Vec<_> = items.iter().map(|(_, item)| RecordInteractionsRequest::from(item.clone())).collect();
        let mut client = InteractionServiceClient::new(self.client.clone());
        let answers = client.record_interactions(stream::iter(requests)).await?.into_inner();
        answers.try_filter_map(async |answer| Ok(answer.ack)).try_collect().await
    }

    async fn answered(&self, items: &[(u64, ImportResponsesRequest)]) -> Result<Vec<BulkAck>, Status> {
        let requests: Vec<_> = items.iter().map(|(_, item)| item.clone()).collect();
        let mut client = ResponseServiceClient::new(self.client.clone());
        let answers = client.import_responses(stream::iter(requests)).await?.into_inner();
        answers.try_filter_map(async |answer| Ok(answer.ack)).try_collect().await
    }

    async fn pushed(&self, items: &[(u64, PushTicketRequest)]) -> Result<Vec<BulkAck>, Status> {
        let request = |push: &PushTicketRequest| PushTicketsRequest {
            item: Some(push_tickets_request::Item::Push(Box::new(push.clone()))),
        };
        let requests: Vec<_> = items.iter().map(|(_, item)| request(item)).collect();
        let mut client = TicketServiceClient::new(self.client.clone());
        let answers = client.push_tickets(stream::iter(requests)).await?.into_inner();
        answers.try_filter_map(async |answer| Ok(answer.ack)).try_collect().await
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

/// Sends items, and again in small parts where more were refused than were named: telling again is harmless.
async fn told<T>(
    items: &[(u64, T)],
    send: impl AsyncFn(&[(u64, T)]) -> Result<Vec<BulkAck>, Status>,
) -> Result<Vec<Refused>, Fault> {
    let fault = |status: Status| rapport_platform::fault(&status);
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let acks = send(items).await.map_err(fault)?;
    if let Some(errors) = whole(&acks) {
        return Ok(errors.map(|error| named(items[place(error)].0, error)).collect());
    }
    let mut found = Vec::new();
    for few in items.chunks(NAMED) {
        let acks = send(few).await.map_err(fault)?;
        let errors = acks.iter().flat_map(|ack| &ack.errors);
        found.extend(errors.map(|error| named(few[place(error)].0, error)));
    }
    Ok(found)
}

/// The refusals, where the acknowledgements named all of them.
fn whole(acks: &[BulkAck]) -> Option<impl Iterator<Item = &BulkError>> {
    let all = acks.iter().all(|ack| usize::try_from(ack.rejected).is_ok_and(|rejected| rejected == ack.errors.len()));
    all.then(|| acks.iter().flat_map(|ack| &ack.errors))
}

fn place(error: &BulkError) -> usize {
    usize::try_from(error.index).unwrap_or(0)
}

fn named(line: u64, error: &BulkError) -> Refused {
    let fields = error.violations.iter().map(|it| (it.field.clone(), it.description.clone())).collect();
    let wrong = if error.violations.is_empty() { Wrong::one("line", error.message.clone()) } else { Wrong(fields) };
    (line, error.reason.clone(), wrong)
}
