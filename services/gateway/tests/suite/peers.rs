//! Small real services to stand behind the gateway. Each refuses whoever did not come through it, as every service does.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use prost_types::Any;
use rapport_api::common::v1::erasure_service_server::{ErasureService, ErasureServiceServer};
use rapport_api::common::v1::{
    BulkAck, CustomerRef, EraseSubjectsRequest, EraseSubjectsResponse, Identifier, Value, customer_ref::Ref,
    value::Kind,
};
use rapport_api::events::v1::CustomerContext;
use rapport_api::feedback::v1::respondent_service_server::RespondentServiceServer;
use rapport_api::google::longrunning::operations_server::{Operations, OperationsServer};
use rapport_api::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, ListOperationsResponse,
    Operation, WaitOperationRequest,
};
use rapport_api::profiles::v1::context_service_server::{ContextService, ContextServiceServer};
use rapport_api::profiles::v1::interaction_service_server::{InteractionService, InteractionServiceServer};
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_api::profiles::v1::{
    DeleteInteractionRequest, DeleteInteractionResponse, GetContextRequest, GetContextResponse, GetInteractionRequest,
    Interaction, ListInteractionsRequest, ListInteractionsResponse, RecordInteractionRequest,
    RecordInteractionResponse, RecordInteractionsRequest, RecordInteractionsResponse, RecordOutcome,
    UpdateInteractionRequest, UpdateInteractionResponse,
};
use rapport_kernel::{Fault, Reason, SubjectId};
use rapport_platform::Routes;
use rapport_platform::rpc::{call_of, unary};
use rapport_platform::status;
use tonic::{Request, Response, Status, Streaming};

use crate::respondents::Desk;

/// What the services behind the gateway know and have been asked, over all of them.
#[derive(Clone, Default)]
pub struct World {
    told: Arc<Mutex<Told>>,
    /// Who takes respondents' answers.
    pub desk: Desk,
}

#[derive(Default)]
struct Told {
    /// Customers, as e-mail → subjects.
    customers: BTreeMap<String, Vec<SubjectId>>,
    /// Who was asked to erase, in order.
    asked: Vec<&'static str>,
    /// Services that fail when they are asked.
    failing: BTreeSet<&'static str>,
    /// How often services still answer that the bus is not clear.
    not_clear: BTreeMap<&'static str, u32>,
}

impl World {
    pub fn customer(&self, email: &str, subjects: Vec<SubjectId>) {
        self.told.lock().expect("no panic").customers.insert(email.to_owned(), subjects);
    }
    pub fn asked(&self) -> Vec<&'static str> {
        self.told.lock().expect("no panic").asked.clone()
    }
    pub fn fail(&self, service: &'static str, fails: bool) {
        let failing = &mut self.told.lock().expect("no panic").failing;
        if fails {
            failing.insert(service)
        } else {
            failing.remove(service)
        };
    }
    pub fn not_clear(&self, service: &'static str, times: u32) {
        self.told.lock().expect("no panic").not_clear.insert(service, times);
    }

    /// The routes of a role.
    pub fn routes(&self, role: &'static str) -> Routes {
        let routes = Routes::new(ErasureServiceServer::new(Forgets { role, world: self.clone() }))
            .add_service(OperationsServer::new(Follows(role)));
        match role {
            "profiles" => routes
                .add_service(ContextServiceServer::new(self.clone()))
                .add_service(InteractionServiceServer::new(Probe)),
            "feedback" => routes.add_service(RespondentServiceServer::new(self.desk.clone())),
            _ => routes,
        }
    }
}

pub fn by_id(customer: SubjectId) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) }
}

pub fn by_email(email: &str) -> CustomerRef {
    let (namespace, value) = ("email".to_owned(), email.to_owned());
    CustomerRef { r#ref: Some(Ref::Identifier(Identifier { namespace, value })) }
}

#[tonic::async_trait]
impl ContextService for World {
    async fn get_context(&self, request: Request<GetContextRequest>) -> Result<Response<GetContextResponse>, Status> {
        unary(request, async |_, message| {
            let told = self.told.lock().expect("no panic");
            let found = match message.customer.and_then(|customer| customer.r#ref).expect("the contract requires it") {
                Ref::Identifier(identifier) => told.customers.get(&identifier.value),
                Ref::CustomerId(id) => {
                    told.customers.values().find(|subjects| subjects.iter().any(|subject| subject.to_string() == id))
                }
            };
            let subjects = found.ok_or_else(|| Fault::not_found("customer", ""))?;
            let subject_ids: Vec<_> = subjects.iter().map(SubjectId::to_string).collect();
            let (customer_id, subject_id) = (subject_ids[0].clone(), subject_ids[0].clone());
            let context = CustomerContext { customer_id, subject_ids, ..CustomerContext::default() };
            Ok(GetContextResponse { context: Some(context), subject_id, dimensions: BTreeMap::new() })
        })
        .await
    }
}

/// Forgets subjects.
struct Forgets {
    role: &'static str,
    world: World,
}

#[tonic::async_trait]
impl ErasureService for Forgets {
    async fn erase_subjects(
        &self,
        request: Request<EraseSubjectsRequest>,
    ) -> Result<Response<EraseSubjectsResponse>, Status> {
        unary(request, async |_, message| {
            let mut told = self.world.told.lock().expect("no panic");
            told.asked.push(self.role);
            if told.failing.contains(self.role) {
                return Err(Fault::unavailable("the database", "a test took it away"));
            }
            if self.role == "profiles" {
                let gone = |subject: &SubjectId| message.subject_ids.contains(&subject.to_string());
                told.customers.retain(|_, subjects| !subjects.iter().any(gone));
            }
            let times = told.not_clear.entry(self.role).or_default();
            let bus_clear = *times == 0;
            *times = times.saturating_sub(1);
            let deleted_rows = i64::try_from(message.subject_ids.len()).expect("few");
            Ok(EraseSubjectsResponse { deleted_rows, bus_clear })
        })
        .await
    }
}

/// Long work: tells who was asked for what, and cannot be changed.
struct Follows(&'static str);

impl Follows {
    fn saw(&self, name: String) -> Operation {
        let metadata = Some(Any { type_url: self.0.to_owned(), value: Vec::new() });
        Operation { name, metadata, ..Operation::default() }
    }
}

#[tonic::async_trait]
impl Operations for Follows {
    async fn get_operation(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        unary(request, async |_, message| Ok(self.saw(message.name))).await
    }

    async fn wait_operation(&self, request: Request<WaitOperationRequest>) -> Result<Response<Operation>, Status> {
        unary(request, async |_, message| Ok(self.saw(message.name))).await
    }

    async fn list_operations(
        &self,
        request: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        unary(request, async |_, message| {
            let operations = vec![self.saw(message.name)];
            let next_page_token = format!("{} {}", message.filter, message.page_size);
            Ok(ListOperationsResponse { operations, next_page_token, ..ListOperationsResponse::default() })
        })
        .await
    }

    async fn cancel_operation(&self, request: Request<CancelOperationRequest>) -> Result<Response<()>, Status> {
        unary(request, async |_, message| Err(Fault::new(Reason::InvalidState, format!("{} {}", self.0, message.name))))
            .await
    }

    async fn delete_operation(&self, request: Request<DeleteOperationRequest>) -> Result<Response<()>, Status> {
        unary(request, async |_, message| Err(Fault::new(Reason::InvalidState, format!("{} {}", self.0, message.name))))
            .await
    }
}

/// Answers what it sees of a call, and does what an interaction's `type` says.
struct Probe;

fn text(value: impl ToString) -> Value {
    Value { kind: Some(Kind::TextValue(value.to_string())) }
}

#[tonic::async_trait]
impl InteractionService for Probe {
    async fn record_interaction(
        &self,
        request: Request<RecordInteractionRequest>,
    ) -> Result<Response<RecordInteractionResponse>, Status> {
        let mut names: Vec<_> = request.metadata().clone().into_headers().keys().map(ToString::to_string).collect();
        names.sort_unstable();
        unary(request, async |call, message| {
            let asked = message.interaction.unwrap_or_default();
            match asked.r#type.as_str() {
                "sleep" => tokio::time::sleep(Duration::from_secs(60)).await,
                "refuse" => return Err(Fault::new(Reason::StaleEtag, "an older version").with("limit", 7)),
                _ => {}
            }
            let remaining = call.remaining().map_or(-1, |left| i64::try_from(left.as_millis()).expect("short"));
            let seen = [
                ("tenant", text(call.tenant())),
                ("key", text(call.caller.key)),
                ("request_id", text(&call.request_id)),
                ("remaining", text(remaining)),
                ("metadata", text(names.join(" "))),
            ];
            let attributes = seen.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let interaction = Interaction { attributes, ..asked };
            Ok(RecordInteractionResponse { interaction: Some(interaction), outcome: 1 })
        })
        .await
    }

    type RecordInteractionsStream = Pin<Box<dyn Stream<Item = Result<RecordInteractionsResponse, Status>> + Send>>;

    /// Acknowledges each item by itself; fails at one whose type says so.
    async fn record_interactions(
        &self,
        request: Request<Streaming<RecordInteractionsRequest>>,
    ) -> Result<Response<Self::RecordInteractionsStream>, Status> {
        call_of(&request).map_err(status)?;
        let acks = request.into_inner().enumerate().then(async |(index, item)| {
            let item = match item?.item {
                Some(Item::Interaction(interaction)) => *interaction,
                Some(Item::Deletion(_)) | None => Interaction::default(),
            };
            if item.r#type == "rest" {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            if item.r#type == "refuse" {
                return Err(status(Fault::new(Reason::StaleEtag, "an older version").with("limit", index)));
            }
            let through_index = i64::try_from(index).expect("few");
            let accepted = item.version;
            Ok(RecordInteractionsResponse { ack: Some(BulkAck { through_index, accepted, ..BulkAck::default() }) })
        });
        Ok(Response::new(Box::pin(acks)))
    }

    async fn update_interaction(
        &self,
        request: Request<UpdateInteractionRequest>,
    ) -> Result<Response<UpdateInteractionResponse>, Status> {
        unary(request, async |_, message| {
            let UpdateInteractionRequest { interaction, .. } = message;
            Ok(UpdateInteractionResponse { interaction, ..UpdateInteractionResponse::default() })
        })
        .await
    }

    async fn delete_interaction(
        &self,
        request: Request<DeleteInteractionRequest>,
    ) -> Result<Response<DeleteInteractionResponse>, Status> {
        unary(request, async |_, _| Ok(DeleteInteractionResponse { outcome: RecordOutcome::Deleted.into() })).await
    }

    async fn get_interaction(&self, request: Request<GetInteractionRequest>) -> Result<Response<Interaction>, Status> {
        unary(request, async |_, _| Ok(Interaction::default())).await
    }

    async fn list_interactions(
        &self,
        request: Request<ListInteractionsRequest>,
    ) -> Result<Response<ListInteractionsResponse>, Status> {
        unary(request, async |_, message| {
            let count = usize::try_from(message.page_size).expect("not negative");
            let interaction = Interaction { product: "p".repeat(1_000), ..Interaction::default() };
            Ok(ListInteractionsResponse {
                interactions: vec![interaction; count],
                ..ListInteractionsResponse::default()
            })
        })
        .await
    }
}
