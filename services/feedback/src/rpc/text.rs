//! `rapport.feedback.v1.TextService`.

use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::text_service_server::TextService;
use rapport_data::Receipt;
use rapport_kernel::{Fault, OperationId};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::{reading, text, topic as convert};
use crate::domain::reading::Reading;
use crate::service::Topics;
use crate::service::topics::Changed;

/// The service.
pub struct TextRpc(pub Topics);

fn bytes(changed: &Changed) -> Vec<u8> {
    convert::changed(changed).encode_to_vec()
}

fn analysis((text, _): &(String, String), read: &Reading) -> proto::TextAnalysis {
    reading::analysis(read, &[("", text)])
}

#[tonic::async_trait]
impl TextService for TextRpc {
    async fn analyze_text(
        &self,
        request: Request<proto::AnalyzeTextRequest>,
    ) -> Result<Response<proto::TextAnalysis>, Status> {
        unary(request, async |call, message| {
            let texts = [text::analyze(message)?];
            let read = self.0.analyse(&call, &texts).await?;
            let told = texts.iter().zip(&read).map(|(text, read)| analysis(text, read)).next();
            told.ok_or_else(|| Fault::internal("one text has one reading"))
        })
        .await
    }

    async fn batch_analyze_texts(
        &self,
        request: Request<proto::BatchAnalyzeTextsRequest>,
    ) -> Result<Response<proto::BatchAnalyzeTextsResponse>, Status> {
        unary(request, async |call, message| {
            let texts = text::batch(message)?;
            let read = self.0.analyse(&call, &texts).await?;
            let analyses = texts.iter().zip(&read).map(|(text, read)| analysis(text, read)).collect();
            Ok(proto::BatchAnalyzeTextsResponse { analyses })
        })
        .await
    }

    async fn create_topic(
        &self,
        request: Request<proto::CreateTopicRequest>,
    ) -> Result<Response<proto::Topic>, Status> {
        unary(request, async |call, message: proto::CreateTopicRequest| {
            let (request, topic) = convert::create(&message)?;
            let receipt = Receipt::new("CreateTopic", request, &message.encode_to_vec(), bytes);
            self.0.create(&call, receipt, topic).await?.message(convert::changed)
        })
        .await
    }

    async fn get_topic(&self, request: Request<proto::GetTopicRequest>) -> Result<Response<proto::Topic>, Status> {
        unary(request, async |call, message: proto::GetTopicRequest| {
            Ok(convert::render(&self.0.get(&call, convert::get(&message)?).await?))
        })
        .await
    }

    async fn list_topics(
        &self,
        request: Request<proto::ListTopicsRequest>,
    ) -> Result<Response<proto::ListTopicsResponse>, Status> {
        unary(request, async |call, message: proto::ListTopicsRequest| {
            let size = convert::list(&message)?;
            let page = self.0.list(&call, size, &message.page_token).await?;
            let topics = page.items.iter().map(convert::render).collect();
            Ok(proto::ListTopicsResponse { topics, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_topic(
        &self,
        request: Request<proto::UpdateTopicRequest>,
    ) -> Result<Response<proto::Topic>, Status> {
        unary(request, async |call, message: proto::UpdateTopicRequest| {
            let (request, change) = convert::update(&message)?;
            let receipt = Receipt::new("UpdateTopic", request, &message.encode_to_vec(), bytes);
            self.0.update(&call, receipt, change).await?.message(convert::changed)
        })
        .await
    }

    async fn delete_topic(
        &self,
        request: Request<proto::DeleteTopicRequest>,
    ) -> Result<Response<proto::DeleteTopicResponse>, Status> {
        unary(request, async |call, message: proto::DeleteTopicRequest| {
            let (request, id) = convert::delete(&message)?;
            let encode = |by: &OperationId| convert::deleted(by).encode_to_vec();
            let receipt = Receipt::new("DeleteTopic", request, &message.encode_to_vec(), encode);
            self.0.delete(&call, receipt, id, message.etag).await?.message(convert::deleted)
        })
        .await
    }

    async fn get_topic_trends(
        &self,
        request: Request<proto::GetTopicTrendsRequest>,
    ) -> Result<Response<proto::GetTopicTrendsResponse>, Status> {
        unary(request, async |call, message: proto::GetTopicTrendsRequest| {
            let asked = text::trends(&message)?;
            Ok(text::render(&asked, &self.0.trends(&call, asked.clone()).await?))
        })
        .await
    }
}
