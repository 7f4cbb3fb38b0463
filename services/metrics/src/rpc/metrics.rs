//! rapport.metrics.v1.MetricService.

use rapport_api::metrics::v1::metric_service_server::MetricService;
use rapport_api::metrics::v1::{
    ListFactsRequest, ListFactsResponse, ListMetricsRequest, ListMetricsResponse, QueryMetricRequest,
    QueryMetricResponse,
};
use rapport_data::Database;
use rapport_kernel::PageKey;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert;
use crate::domain::listing::Cursor;
use crate::service;

/// Answers questions about metrics.
pub(crate) struct Metrics {
    pub(crate) database: Database,
    pub(crate) threshold: i64,
    pub(crate) page_key: PageKey,
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
            let question = convert::question::question(&message, call.now)?;
            let database = self.database.until(call.deadline);
            let answer = service::query::answer(&database, call.tenant(), &question, self.threshold).await?;
            convert::answer::figures(&question, answer)
        };
        unary(request, handle).await
    }

    async fn list_facts(&self, request: Request<ListFactsRequest>) -> Result<Response<ListFactsResponse>, Status> {
        let handle = |call: rapport_platform::Call, message: ListFactsRequest| async move {
            let listing = convert::question::listing(&message, call.now)?;
            let list = convert::question::list(&message);
            let after = self.page_key.open::<Cursor>(call.tenant(), &list, &message.page_token)?;
            let database = self.database.until(call.deadline);
            let behind = (&listing.question, &listing.group[..], listing.series.as_deref());
            let page =
                service::query::facts(&database, call.tenant(), behind, (after, listing.size), self.threshold).await?;
            Ok(ListFactsResponse {
                facts: page.items.iter().map(convert::answer::fact).collect(),
                next_page_token: page
                    .next
                    .map(|cursor| self.page_key.seal(call.tenant(), &list, &cursor))
                    .unwrap_or_default(),
            })
        };
        unary(request, handle).await
    }
}
