//! `rapport.feedback.v1.SurveyService`.

use std::pin::Pin;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::feedback::v1::survey_service_server::SurveyService;
use rapport_api::feedback::v1::{
    BatchInviteRequest, BatchInviteResponse, CancelInvitationRequest, CheckEligibilityRequest,
    CheckEligibilityResponse, CloseSurveyRequest, CreateSurveyRequest, DeleteSurveyRequest, DeleteSurveyResponse,
    GetInvitationRequest, GetSampleSizeRequest, GetSurveyDropOffRequest, GetSurveyRequest, Invitation,
    InviteCustomerRequest, InviteCustomerResponse, IssueInvitationTokenRequest, ListInvitationsRequest,
    ListInvitationsResponse, ListNotInvitedRequest, ListNotInvitedResponse, ListStatementsRequest,
    ListStatementsResponse, ListSurveysRequest, ListSurveysResponse, PublishSurveyRequest, RecordDeliveryRequest,
    SampleSize, Survey, SurveyDropOff, UpdateSurveyRequest, WatchInvitationsRequest, WatchInvitationsResponse,
};
use rapport_data::Receipt;
use rapport_kernel::{Fault, OperationId};
use rapport_platform::rpc::unary;
use rapport_platform::{Call, status};
use tonic::{Request, Response, Status};

use crate::convert::invitation::Batch;
use crate::convert::{asking, invitation, survey as convert, ticket};
use crate::domain::{Versioned, asking as domain};
use crate::service::asking::Invited;
use crate::service::{Asking, Responses, Surveys};

/// What the token of a watch is bound to.
const WATCH: &str = "WatchInvitations";

/// The service.
pub struct SurveyRpc {
    /// What it works on.
    pub surveys: Surveys,
    /// What was answered to them.
    pub responses: Responses,
    /// Whom they ask.
    pub asking: Asking,
}

impl SurveyRpc {
    /// An invitation with its token, for whoever invites. It is in no stored answer: it is derived again for each.
    fn with_token(&self, call: &Call, mut answer: InviteCustomerResponse) -> Result<InviteCustomerResponse, Fault> {
        let token = |it| invitation::with_token(self.asking.key(), call.tenant(), it);
        answer.invitation = answer.invitation.map(token).transpose()?;
        Ok(answer)
    }
}

fn encode_invited(invited: &Invited) -> Vec<u8> {
    invitation::render_invited(invited).encode_to_vec()
}

fn encode_invitation(it: &domain::Invitation) -> Vec<u8> {
    invitation::render(it).encode_to_vec()
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
            self.surveys.create(&call, receipt, kind, change).await?.message(convert::render)
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
            if !update.broken.is_empty() {
                return Err(self.surveys.refusal(&call, update).await);
            }
            let receipt = Receipt::new("UpdateSurvey", update.request_id, &bytes, encode);
            let answer = self.surveys.update(&call, receipt, update.survey, update.etag, update.change).await?;
            answer.message(convert::render)
        })
        .await
    }

    async fn publish_survey(&self, request: Request<PublishSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let named = convert::publish(message)?;
            let receipt = Receipt::new("PublishSurvey", named.request_id, &bytes, encode);
            let answer = self.surveys.publish(&call, receipt, named.survey, named.etag).await?;
            answer.message(convert::render)
        })
        .await
    }

    async fn close_survey(&self, request: Request<CloseSurveyRequest>) -> Result<Response<Survey>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let named = convert::close(message)?;
            let receipt = Receipt::new("CloseSurvey", named.request_id, &bytes, encode);
            let answer = self.surveys.close(&call, receipt, named.survey, named.etag).await?;
            answer.message(convert::render)
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
            self.surveys.delete(&call, receipt, named.survey, named.etag).await?.message(deleted)
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

    async fn check_eligibility(
        &self,
        request: Request<CheckEligibilityRequest>,
    ) -> Result<Response<CheckEligibilityResponse>, Status> {
        unary(request, async |call, message| {
            let check = invitation::check_eligibility(message)?;
            let one = check.survey.is_some();
            Ok(invitation::render_checked(&self.asking.check(&call, check).await?, one))
        })
        .await
    }

    async fn invite_customer(
        &self,
        request: Request<InviteCustomerRequest>,
    ) -> Result<Response<InviteCustomerResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let order = invitation::invite(message)?;
            let receipt = Receipt::new("InviteCustomer", order.request, &bytes, encode_invited);
            let answer = self.asking.invite(&call, receipt, order).await?;
            self.with_token(&call, answer.message(invitation::render_invited)?)
        })
        .await
    }

    async fn batch_invite(
        &self,
        request: Request<BatchInviteRequest>,
    ) -> Result<Response<BatchInviteResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, survey, orders) = match invitation::batch(message)? {
                Batch::Customers(request_id, survey, orders) => (request_id, survey, orders),
                Batch::Population(request_id, wave) => {
                    let encode = |operation: &OperationId| invitation::render_begun(operation).encode_to_vec();
                    let receipt = Receipt::new("BatchInvite", request_id, &bytes, encode);
                    let answer = self.asking.begin_wave(&call, receipt, request_id, *wave).await?;
                    return answer.message(invitation::render_begun);
                }
            };
            let encode = |results: &invitation::Results| invitation::render_batch(results).encode_to_vec();
            let receipt = Receipt::new("BatchInvite", request_id, &bytes, encode);
            let answer = self.asking.batch(&call, receipt, survey, orders).await?;
            let mut answer = answer.message(invitation::render_batch)?;
            for result in &mut answer.results {
                let token = |it| invitation::with_token(self.asking.key(), call.tenant(), it);
                result.invitation = result.invitation.take().map(token).transpose()?;
            }
            Ok(answer)
        })
        .await
    }

    async fn get_invitation(&self, request: Request<GetInvitationRequest>) -> Result<Response<Invitation>, Status> {
        unary(request, async |call, message| {
            let id = invitation::get(&message)?;
            Ok(invitation::render(&self.asking.get(&call, id).await?))
        })
        .await
    }

    async fn list_invitations(
        &self,
        request: Request<ListInvitationsRequest>,
    ) -> Result<Response<ListInvitationsResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.asking.list(&call, invitation::list(message)?).await?;
            let invitations = page.items.iter().map(invitation::render).collect();
            Ok(ListInvitationsResponse { invitations, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn list_not_invited(
        &self,
        request: Request<ListNotInvitedRequest>,
    ) -> Result<Response<ListNotInvitedResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.asking.list_not(&call, invitation::list_not(message)?).await?;
            let not_invited = page.items.iter().map(invitation::render_not).collect();
            Ok(ListNotInvitedResponse { not_invited, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn record_delivery(&self, request: Request<RecordDeliveryRequest>) -> Result<Response<Invitation>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let heard = invitation::delivery(message, call.now)?;
            let receipt = Receipt::new("RecordDelivery", heard.request_id, &bytes, encode_invitation);
            self.asking.delivery(&call, receipt, heard).await?.message(invitation::render)
        })
        .await
    }

    async fn cancel_invitation(
        &self,
        request: Request<CancelInvitationRequest>,
    ) -> Result<Response<Invitation>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let (request_id, id, etag) = invitation::cancel(message)?;
            let receipt = Receipt::new("CancelInvitation", request_id, &bytes, encode_invitation);
            self.asking.cancel(&call, receipt, id, etag).await?.message(invitation::render)
        })
        .await
    }

    async fn issue_invitation_token(
        &self,
        request: Request<IssueInvitationTokenRequest>,
    ) -> Result<Response<Invitation>, Status> {
        unary(request, async |call, message| {
            let issued = self.asking.issue(&call, invitation::issue(&message)?).await?;
            invitation::with_token(self.asking.key(), call.tenant(), invitation::render(&issued))
        })
        .await
    }

    type WatchInvitationsStream = Pin<Box<dyn Stream<Item = Result<WatchInvitationsResponse, Status>> + Send>>;

    async fn watch_invitations(
        &self,
        request: Request<WatchInvitationsRequest>,
    ) -> Result<Response<Self::WatchInvitationsStream>, Status> {
        unary(request, async |call, message: WatchInvitationsRequest| {
            let (tenant, page_key) = (call.tenant(), self.asking.key().clone());
            let survey = invitation::watching(&message)?;
            let from = page_key.open(tenant, WATCH, &message.resume_token).map_err(ticket::token)?;
            let watch = self.asking.watch(call, survey, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let page_key = page_key.clone();
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, WATCH, &told.places);
                    let change = told.change.as_ref().map(invitation::change);
                    Ok::<_, Fault>(Some((WatchInvitationsResponse { resume_token, change }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchInvitationsStream)
        })
        .await
    }

    async fn get_sample_size(&self, request: Request<GetSampleSizeRequest>) -> Result<Response<SampleSize>, Status> {
        unary(request, async |_, message| asking::sample_size(&message)).await
    }
}
