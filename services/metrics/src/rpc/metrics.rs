//! rapport.metrics.v1.MetricService.

use rapport_api::metrics::v1::metric_service_server::MetricService;
use rapport_api::metrics::v1::{ListMetricsRequest, ListMetricsResponse, QueryMetricRequest, QueryMetricResponse};
use rapport_data::Database;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert;
use crate::service;

/// Answers questions about metrics.
pub(crate) struct Metrics {
    pub(crate) database: Database,
    pub(crate) threshold: i64,
}

#[tonic::async_trait]
impl MetricService for Metrics {
    async fn list_metrics(
        &self,
        request: Request<ListMetricsRequest>,
    ) -> Result<Response<ListMetricsResponse>, Status> {
        unary(request, |_, _| async { Ok(convert::answer::catalogue()) }).await
    }

    async fn query_metric(
        &self,
        request: Request<QueryMetricRequest>,
    ) -> Result<Response<QueryMetricResponse>, Status> {
        let handle = |call: rapport_platform::Call, message: QueryMetricRequest| async move {
            let question = convert::question::question(&message)?;
            let database = self.database.until(call.deadline);
            let answer = service::query::answer(&database, call.tenant(), &question, self.threshold).await?;
            convert::answer::figures(&question, answer)
        };
        unary(request, handle).await
    }
}
