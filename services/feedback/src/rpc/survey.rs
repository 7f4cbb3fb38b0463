//! `rapport.feedback.v1.SurveyService`.

use prost::Message as _;
use rapport_api::feedback::v1::survey_service_server::SurveyService;
use rapport_api::feedback::v1::{
    CloseSurveyRequest, CreateSurveyRequest, DeleteSurveyRequest, DeleteSurveyResponse, GetSurveyDropOffRequest,
    GetSurveyRequest, ListStatementsRequest, ListStatementsResponse, ListSurveysRequest, ListSurveysResponse,
    PublishSurveyRequest, Survey, SurveyDropOff, UpdateSurveyRequest,
};
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::answered;
use crate::convert::survey as convert;
use crate::domain::Versioned;
use crate::service::{Responses, Surveys};

/// The service.
pub struct SurveyRpc {
    /// What it works on.
    pub surveys: Surveys,
    /// What was answered to them.
    pub responses: Responses,
}

fn encode(survey: &Versioned) -> Vec<u8> {
    convert::render(survey).encode_to_vec()
}

fn deleted(count: &u64) -> DeleteSurveyResponse {
    DeleteSurveyResponse { deleted_responses: i64::try_from(*count).unwrap_or(i64::MAX) }
}

#[tonic::async_trait]
impl SurveyService for SurveyRpc {
    async fn create_survey(&self, request: Request<CreateSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, kind, change) = convert::create(message)?;
            let receipt = Receipt::new("CreateSurvey", request_id, &bytes, encode);
            answered(self.surveys.create(&call, receipt, kind, change).await?, convert::render)
        })
        .await
    }

    async fn get_survey(&self, request: Request<GetSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let get = convert::get(message)?;
            let found = self.surveys.get(&call, get.survey, get.version).await?;
            Ok(convert::render(&found.told(&get.language)))
        })
        .await
    }

    async fn list_surveys(
        &self,
        request: Request<ListSurveysRequest>,
    ) -> Result<Response<ListSurveysResponse>, Status> {
        unary(request, async |call, message| {
            let (which, size, token) = convert::list(message)?;
            let page = self.surveys.list(&call, which, size, &token).await?;
            let surveys = page.items.iter().map(convert::render).collect();
            Ok(ListSurveysResponse { surveys, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_survey(&self, request: Request<UpdateSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let update = convert::update(message)?;
            let receipt = Receipt::new("UpdateSurvey", update.request_id, &bytes, encode);
            let answer = self.surveys.update(&call, receipt, update.survey, update.etag, update.change).await?;
            answered(answer, convert::render)
        })
        .await
    }

    async fn publish_survey(&self, request: Request<PublishSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let named = convert::publish(message)?;
            let receipt = Receipt::new("PublishSurvey", named.request_id, &bytes, encode);
            let answer = self.surveys.publish(&call, receipt, named.survey, named.etag).await?;
            answered(answer, convert::render)
        })
        .await
    }

    async fn close_survey(&self, request: Request<CloseSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let named = convert::close(message)?;
            let receipt = Receipt::new("CloseSurvey", named.request_id, &bytes, encode);
            let answer = self.surveys.close(&call, receipt, named.survey, named.etag).await?;
            answered(answer, convert::render)
        })
        .await
    }

    async fn delete_survey(
        &self,
        request: Request<DeleteSurveyRequest>,
    ) -> Result<Response<DeleteSurveyResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let named = convert::delete(message)?;
            let encode = |count: &u64| deleted(count).encode_to_vec();
            let receipt = Receipt::new("DeleteSurvey", named.request_id, &bytes, encode);
            answered(self.surveys.delete(&call, receipt, named.survey, named.etag).await?, deleted)
        })
        .await
    }

    async fn list_statements(
        &self,
        request: Request<ListStatementsRequest>,
    ) -> Result<Response<ListStatementsResponse>, Status> {
        unary(request, async |_, message| convert::statements(&message)).await
    }

    async fn get_survey_drop_off(
        &self,
        request: Request<GetSurveyDropOffRequest>,
    ) -> Result<Response<SurveyDropOff>, Status> {
        unary(request, async |call, message| {
            let (counted, newest) = self.responses.drop_off(&call, convert::drop_off(&message)?).await?;
            convert::render_drop_off(&counted, &newest)
        })
        .await
    }
}
