//! rapport.common.v1.ErasureService: internal, the gateway alone calls it.

use rapport_api::common::v1::erasure_service_server::ErasureService;
use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_data::Database;
use rapport_kernel::Fault;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::service;

/// Forgets subjects.
pub(crate) struct Erasure {
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl ErasureService for Erasure {
    async fn erase_subjects(
        &self,
        request: Request<EraseSubjectsRequest>,
    ) -> Result<Response<EraseSubjectsResponse>, Status> {
        let handle = |call: rapport_platform::Call, message: EraseSubjectsRequest| async move {
            rapport_api::check(&message).check()?;
            let subjects = message.subject_ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>();
            let subjects =
                subjects.map_err(|_| Fault::internal("the contract's rule for UUIDs let something else by"))?;
            let database = self.database.until(call.deadline);
            let deleted = service::erase::erase(&database, call.tenant(), subjects).await?;
            let deleted_rows = i64::try_from(deleted).unwrap_or(i64::MAX);
            // Metrics publishes nothing: the bus never holds an event of its own.
            Ok(EraseSubjectsResponse { deleted_rows, bus_clear: true })
        };
        unary(request, handle).await
    }
}
