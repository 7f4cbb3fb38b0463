//! `rapport.feedback.v1.ResponseService`.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, TryStreamExt as _};
use prost::Message as _;
use rapport_api::feedback::v1::response_service_server::ResponseService;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, DeleteResponseResponse, GetQuestionnaireRequest, GetResponseRequest, ImportResponsesRequest,
    ImportResponsesResponse, ListResponsesRequest, ListResponsesResponse, Questionnaire, Response as Answered,
    SearchResponsesRequest, SearchResponsesResponse, SubmitResponseRequest, TagResponseRequest, UpdateResponseRequest,
    WatchResponsesRequest, WatchResponsesResponse,
};
use rapport_data::Receipt;
use rapport_kernel::{Clock, Fault, PageKey, Timestamp};
use rapport_platform::bulk::{Acks, Import, Intake};
use rapport_platform::rpc::{call_of, unary};
use rapport_platform::{Call, status};
use tonic::{Request, Response, Status, Streaming};

use crate::convert::{response as convert, search, submission, ticket};
use crate::domain;
use crate::domain::Customer;
use crate::domain::asking::token::{Scope, Token};
use crate::domain::response::NewResponse;
use crate::service::{Asking, Responses};

/// What the token of a watch is bound to.
const WATCH: &str = "WatchResponses";

/// The service.
pub struct ResponseRpc {
    /// What it works on.
    pub responses: Responses,
    /// By whose invitations some come.
    pub asking: Asking,
    /// Seals the tokens of watches.
    pub page_key: PageKey,
    /// A stream goes on for longer than an instant: each of its items is judged by the time it came.
    pub clock: Arc<dyn Clock>,
}

/// ImportResponses.
#[derive(Clone)]
struct Past(Responses);

impl Intake for Past {
    type Item = ImportResponsesRequest;
    type Sound = (Option<Customer>, NewResponse);
    type Rules = ();

    // Each is a part of its own within the commit, and others wait for it.
    const ITEMS: usize = 200;

    fn read(&self, _: &Call, (): &(), item: Self::Item, now: Timestamp) -> Result<Self::Sound, Fault> {
        let submit = submission::import(item, now)?;
        Ok((submit.customer, submit.new))
    }

    async fn rules(&self, _: &Call) -> Result<(), Fault> {
        Ok(())
    }

    async fn commit(&self, call: &Call, items: Vec<Self::Sound>) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.0.import(call, items).await
    }
}

fn encode(response: &domain::Response) -> Vec<u8> {
    convert::render(response).encode_to_vec()
}

#[tonic::async_trait]
impl ResponseService for ResponseRpc {
    async fn submit_response(&self, request: Request<SubmitResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let submit = submission::submit(message, call.now)?;
            let receipt = Receipt::new("SubmitResponse", submit.request_id, &bytes, encode);
            let token = submit.token.expose();
            let answer = if token.is_empty() {
                self.responses.submit(&call, receipt, submit.customer, submit.new).await?
            } else {
                let token = Token::expect(token, Scope::Invitation, call.tenant());
                self.asking.submit(&call, receipt, submit.request_id, &token, submit.new).await?
            };
            let mut response = answer.message(convert::render)?;
            if !submit.token.expose().is_empty()
                && let Some(id) = convert::erasable(&response)
            {
                response.erasure_code = self.asking.code(&call, id);
            }
            Ok(response)
        })
        .await
    }

    async fn update_response(&self, request: Request<UpdateResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let update = convert::update(message, call.now)?;
            let receipt = Receipt::new("UpdateResponse", update.request_id, &bytes, encode);
            let (id, etag, correction) = (update.response, update.etag, update.correction);
            self.responses.update(&call, receipt, id, etag, correction).await?.message(convert::render)
        })
        .await
    }

    async fn delete_response(
        &self,
        request: Request<DeleteResponseRequest>,
    ) -> Result<Response<DeleteResponseResponse>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let delete = convert::delete(message)?;
            let receipt = Receipt::new("DeleteResponse", delete.request_id, &bytes, |()| Vec::new());
            let answer = self.responses.delete(&call, receipt, delete.response, delete.etag).await?;
            answer.message(|()| DeleteResponseResponse {})
        })
        .await
    }

    async fn get_response(&self, request: Request<GetResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let id = convert::get(&message)?;
            Ok(convert::render(&self.responses.get(&call, id).await?))
        })
        .await
    }

    async fn list_responses(
        &self,
        request: Request<ListResponsesRequest>,
    ) -> Result<Response<ListResponsesResponse>, Status> {
        unary(request, async |call, message| {
            let page = self.responses.list(&call, convert::list(message)?).await?;
            let responses = page.items.iter().map(convert::render).collect();
            Ok(ListResponsesResponse { responses, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn search_responses(
        &self,
        request: Request<SearchResponsesRequest>,
    ) -> Result<Response<SearchResponsesResponse>, Status> {
        unary(request, async |call, message| {
            let (typed, query, which) = search::parse(message)?;
            let page = self.responses.search(&call, typed.expose(), query, which).await?;
            let hits = page.items.iter().map(search::render).collect();
            Ok(SearchResponsesResponse { hits, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn tag_response(&self, request: Request<TagResponseRequest>) -> Result<Response<Answered>, Status> {
        unary(request, async |call, message| {
            let bytes = message.encode_to_vec();
            let tag = convert::tag(message)?;
            let receipt = Receipt::new("TagResponse", tag.request_id, &bytes, encode);
            let answer = self.responses.tag(&call, receipt, tag.response, tag.etag, tag.tagging).await?;
            answer.message(convert::render)
        })
        .await
    }

    type WatchResponsesStream = Pin<Box<dyn Stream<Item = Result<WatchResponsesResponse, Status>> + Send>>;

    async fn watch_responses(
        &self,
        request: Request<WatchResponsesRequest>,
    ) -> Result<Response<Self::WatchResponsesStream>, Status> {
        unary(request, async |call, message: WatchResponsesRequest| {
            let (tenant, page_key) = (call.tenant(), self.page_key.clone());
            let survey = convert::watching(&message)?;
            let from = page_key.open(tenant, WATCH, &message.resume_token).map_err(ticket::token)?;
            let watch = self.responses.watch(call, survey, message.include_tests, from).await?;
            let told = futures::stream::try_unfold(watch, move |mut watch| {
                let page_key = page_key.clone();
                async move {
                    let told = watch.next().await?;
                    let resume_token = page_key.seal(tenant, WATCH, &told.places);
                    let change = told.change.as_ref().map(convert::change);
                    Ok::<_, Fault>(Some((WatchResponsesResponse { resume_token, change }, watch)))
                }
            });
            Ok(Box::pin(told.map_err(status)) as Self::WatchResponsesStream)
        })
        .await
    }

    type ImportResponsesStream = Acks<ImportResponsesResponse>;

    async fn import_responses(
        &self,
        request: Request<Streaming<ImportResponsesRequest>>,
    ) -> Result<Response<Self::ImportResponsesStream>, Status> {
        let call = call_of(&request).map_err(status)?;
        let (past, clock) = (Past(self.responses.clone()), Arc::clone(&self.clock));
        let import = Import::new(request.into_inner(), past, clock, call);
        Ok(Response::new(import.acks(|ack| ImportResponsesResponse { ack: Some(ack) })))
    }

    async fn get_questionnaire(
        &self,
        request: Request<GetQuestionnaireRequest>,
    ) -> Result<Response<Questionnaire>, Status> {
        unary(request, async |call, message| {
            let (id, language) = convert::questionnaire(message)?;
            Ok(convert::render_questionnaire(&self.responses.questionnaire(&call, id, language).await?))
        })
        .await
    }
}
