//! The calls of `google.longrunning.Operations`: parse, do, render.

use rapport_api::google::longrunning::operations_server::{Operations, OperationsServer};
use rapport_api::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, ListOperationsResponse,
    Operation, WaitOperationRequest,
};
use rapport_api::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rapport_data::{Database, Rx, Tx};
use rapport_kernel::{Fault, OperationId, PageKey, Verb, page_size};
use rapport_platform::rpc::unary;
use rapport_platform::{Call, Platform};
use tokio::time::{Duration, Instant};
use tonic::{Request, Response, Status};

use crate::{Name, filter, render};

/// How much before the caller's deadline a wait ends, so that the answer arrives: at most, and as a part of the time.
const EARLIER: (Duration, u32) = (Duration::from_millis(250), 5);
/// How long a wait lasts where neither the request nor its caller says.
const LONGEST: Duration = Duration::from_secs(30);

/// The operations of one service.
#[derive(Clone)]
pub struct OperationsRpc {
    service: &'static str,
    database: Database,
    page_key: PageKey,
}

/// What a service mounts: its operations, by its name.
#[must_use]
pub fn server(service: &'static str, database: Database, platform: &Platform) -> OperationsServer<OperationsRpc> {
    OperationsServer::new(OperationsRpc { service, database, page_key: platform.page_key.clone() })
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES)
}

impl OperationsRpc {
    /// The operation that a name names, where the caller holds the service's scope.
    fn named(&self, call: &Call, verb: Verb, name: &str) -> Result<OperationId, Fault> {
        // The stack leaves the scope to us: see `rapport_api::policy::BY_NAME`.
        call.caller.require(self.service, verb)?;
        let parsed = Name::parse(name)?;
        if parsed.service == self.service { Ok(parsed.id) } else { Err(absent(name)) }
    }

    async fn get(&self, call: &Call, name: &str) -> Result<Operation, Fault> {
        let id = self.named(call, Verb::Read, name)?;
        let database = self.database.until(call.deadline);
        let found = database.read(call.tenant(), async |rx: Rx| rx.operation(id).await).await?;
        Ok(render(self.service, &found.ok_or_else(|| absent(name))?))
    }

    async fn list(&self, call: &Call, message: &ListOperationsRequest) -> Result<ListOperationsResponse, Fault> {
        call.caller.require(self.service, Verb::Read)?;
        if Name::parent(&message.name)? != self.service {
            return Err(absent(&message.name));
        }
        if message.return_partial_success {
            let text = "must be false: a list is of one service, and whole";
            return Err(Fault::invalid_field("return_partial_success", "bool.const", text));
        }
        let (filter, size) = (filter::parse(&message.filter)?, page_size(message.page_size)?);
        let query = format!("ListOperations|{}|{filter:?}", self.service);
        let after = self.page_key.open::<OperationId>(call.tenant(), &query, &message.page_token)?;
        let database = self.database.until(call.deadline);
        let page = database.read(call.tenant(), async |rx: Rx| rx.operations(&filter, after, size).await).await?;
        let next = page.next.map(|last| self.page_key.seal(call.tenant(), &query, &last));
        Ok(ListOperationsResponse {
            operations: page.items.iter().map(|operation| render(self.service, operation)).collect(),
            next_page_token: next.unwrap_or_default(),
            ..ListOperationsResponse::default()
        })
    }

    async fn wait(&self, call: &Call, message: &WaitOperationRequest) -> Result<Operation, Fault> {
        let id = self.named(call, Verb::Read, &message.name)?;
        let timeout = message.timeout.map(Duration::try_from).transpose();
        let timeout = timeout.map_err(|_| {
            Fault::invalid_field("timeout", "duration.gte", "must be a time that is not negative, or absent")
        })?;
        let now = Instant::now();
        let most = call.remaining().map_or(LONGEST, |left| left.saturating_sub(EARLIER.0.min(left / EARLIER.1)));
        let until = now + timeout.map_or(most, |timeout| timeout.min(most));
        let database = self.database.until(call.deadline);
        let found = database.wait_for_operation(call.tenant(), id, until).await?;
        Ok(render(self.service, &found.ok_or_else(|| absent(&message.name))?))
    }

    async fn cancel(&self, call: &Call, name: &str) -> Result<(), Fault> {
        let id = self.named(call, Verb::Write, name)?;
        let cancel = move |tx: Tx| async move { tx.cancel_operation(id).await };
        let was_there = self.database.until(call.deadline).write(call.tenant(), cancel).await?;
        if was_there { Ok(()) } else { Err(absent(name)) }
    }

    async fn delete(&self, call: &Call, name: &str) -> Result<(), Fault> {
        let id = self.named(call, Verb::Write, name)?;
        let delete = move |tx: Tx| async move { tx.delete_operation(id).await };
        let was_there = self.database.until(call.deadline).write(call.tenant(), delete).await?;
        if was_there { Ok(()) } else { Err(absent(name)) }
    }
}

fn absent(name: &str) -> Fault {
    Fault::not_found("operation", name)
}

#[tonic::async_trait]
impl Operations for OperationsRpc {
    async fn list_operations(
        &self,
        request: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        unary(request, async |call, message| self.list(&call, &message).await).await
    }

    async fn get_operation(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        unary(request, async |call, message: GetOperationRequest| self.get(&call, &message.name).await).await
    }

    async fn wait_operation(&self, request: Request<WaitOperationRequest>) -> Result<Response<Operation>, Status> {
        unary(request, async |call, message| self.wait(&call, &message).await).await
    }

    async fn cancel_operation(&self, request: Request<CancelOperationRequest>) -> Result<Response<()>, Status> {
        unary(request, async |call, message: CancelOperationRequest| self.cancel(&call, &message.name).await).await
    }

    async fn delete_operation(&self, request: Request<DeleteOperationRequest>) -> Result<Response<()>, Status> {
        unary(request, async |call, message: DeleteOperationRequest| self.delete(&call, &message.name).await).await
    }
}
