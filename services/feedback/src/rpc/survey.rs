//! `rapport.feedback.v1.SurveyService`.

use prost::Message as _;
use rapport_api::feedback::v1::survey_service_server::SurveyService;
use rapport_api::feedback::v1::{
    CloseSurveyRequest, CreateSurveyRequest, GetSurveyRequest, ListSurveysRequest, ListSurveysResponse,
    PublishSurveyRequest, Survey,
};
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::answered;
use crate::convert::survey as convert;
use crate::domain;
use crate::service::Surveys;

/// The service.
pub struct SurveyRpc(pub Surveys);

fn encode(survey: &domain::Survey) -> Vec<u8> {
    convert::render(survey).encode_to_vec()
}

#[tonic::async_trait]
impl SurveyService for SurveyRpc {
    async fn create_survey(&self, request: Request<CreateSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, new) = convert::create(message)?;
            let receipt = Receipt::new("CreateSurvey", request_id, &bytes, encode);
            answered(self.0.create(&call, receipt, new).await?, convert::render)
        })
        .await
    }

    async fn get_survey(&self, request: Request<GetSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let id = convert::get(&message)?;
            Ok(convert::render(&self.0.get(&call, id).await?))
        })
        .await
    }

    async fn list_surveys(
        &self,
        request: Request<ListSurveysRequest>,
    ) -> Result<Response<ListSurveysResponse>, Status> {
        unary(request, async |call, message| {
            let (size, token) = convert::list(message)?;
            let page = self.0.list(&call, size, &token).await?;
            let surveys = page.items.iter().map(convert::render).collect();
            Ok(ListSurveysResponse { surveys, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn publish_survey(&self, request: Request<PublishSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let change = convert::publish(message)?;
            let receipt = Receipt::new("PublishSurvey", change.request_id, &bytes, encode);
            let answer = self.0.publish(&call, receipt, change.survey, change.etag).await?;
            answered(answer, convert::render)
        })
        .await
    }

    async fn close_survey(&self, request: Request<CloseSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let change = convert::close(message)?;
            let receipt = Receipt::new("CloseSurvey", change.request_id, &bytes, encode);
            let answer = self.0.close(&call, receipt, change.survey, change.etag).await?;
            answered(answer, convert::render)
        })
        .await
    }
}
