//! The demo: real purchases and reviews, and plainly labelled synthetic feedback, loaded through the public API as any
//! client would.
//! Loading twice changes nothing: every item is recognised by its source record, its name or its customer.

mod cdnow;
mod febrl;
mod page;
mod patience;
mod reviews;
mod synthetic;
mod tickets;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::{TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rapport_api::common::v1::Value;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{
    CreateSurveyRequest, ListResponsesRequest, ListSurveysRequest, PublishSurveyRequest, SubmitResponseRequest, Survey,
    SurveyKind, SurveyState,
};
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{WaitOperationRequest, operation};
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, CreateActionRequest, ListActionsRequest};
use rapport_api::profiles::v1::identity_service_client::IdentityServiceClient;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::trait_service_client::TraitServiceClient;
use rapport_api::profiles::v1::{
    CreateTraitDefinitionRequest, GetMatcherRequest, IdentifyRequest, ImportProfilesRequest, ImportProfilesResponse,
    RecordInteractionsRequest, RecordInteractionsResponse, TrainMatcherRequest, TraitDefinition, TraitType,
};
use tonic::{Code, Status};

use crate::client::{Client, connect};
use patience::{bulk, patiently};
use synthetic::Person;

/// How many calls are under way at once.
const AT_ONCE: usize = 64;

/// What the demo holds, for the summary.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Purchases sent.
    pub purchases: i64,
    /// Customers told about.
    pub people: usize,
    /// Records of people who share no identifier.
    pub records: usize,
    /// Responses to the demo survey.
    pub responses: usize,
    /// Tickets.
    pub tickets: usize,
    /// Reviews.
    pub reviews: usize,
    /// Actions.
    pub actions: usize,
    /// The token of an invitation to a survey that can be opened in a browser; none where nobody is to be asked now.
    pub invitation: Option<String>,
    /// A customer to try things with.
    pub example: String,
    /// How long it took.
    pub seconds: f64,
}

/// Loads the demo.
///
/// # Errors
/// What the suite answered.
pub async fn load(address: &str, key: &str) -> Result<Loaded, Status> {
    let started = Instant::now();
    let client = connect(address, key).await?;
    let people = synthetic::people();
    let steps = 69_659 + 2 * people.len() as u64 + febrl::records().count() as u64 + (tickets::COUNT + 3_000) as u64;
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  loading the demo {bar:32} {percent:>3} % {msg}") {
        bar.set_style(style);
    }
    declare(&client).await?;
    // First who they are: what they buy and say then counts for their regions.
    bar.set_message("customers");
    introduce(&client, people.iter().map(identify).chain(febrl::records()).collect(), &bar).await?;
    // Who is one is found before the purchases: they begin 21,000 more customers, of whom there is nothing to compare.
    bar.set_message("who is one");
    match_records(&client).await?;
    bar.set_message("purchases and feedback");
    let said = async { Ok((tickets::tell(&client, &people, &bar).await?, reviews::tell(&client, &bar).await?)) };
    let (purchases, responses, (tickets, reviews)) =
        tokio::try_join!(buy(&client, &bar), ask(&client, &people, &bar), said)?;
    let actions = offer(&client).await?;
    let example = people.first().map(|person| person.number.to_owned()).unwrap_or_default();
    let invitation = page::invite(&client, &example).await?;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let records = febrl::records().count();
    let people = people.len();
    Ok(Loaded { purchases, people, records, responses, tickets, reviews, actions, invitation, example, seconds })
}

/// Declares the trait by which the demo's figures can be grouped.
async fn declare(client: &Client) -> Result<(), Status> {
    let definition = TraitDefinition {
        name: "region".to_owned(),
        r#type: TraitType::Text.into(),
        metric_dimension: true,
        description: "Demo: a made-up sales region".to_owned(),
        ..TraitDefinition::default()
    };
    let request = CreateTraitDefinitionRequest { request_id: String::new(), trait_definition: Some(definition) };
    match TraitServiceClient::new(client.clone()).create_trait_definition(request).await {
        Err(status) if status.code() != Code::AlreadyExists => Err(status),
        _ => Ok(()),
    }
}

/// Sends the purchases through the bulk call.
async fn buy(client: &Client, bar: &ProgressBar) -> Result<i64, Status> {
    let service = InteractionServiceClient::new(client.clone());
    bulk(
        "purchase",
        bar,
        |answer: RecordInteractionsResponse| answer.ack,
        async |done| {
            let items =
                cdnow::purchases().skip(done).map(|one| RecordInteractionsRequest::from(cdnow::interaction(one)));
            service.clone().record_interactions(stream::iter(items)).await
        },
    )
    .await
}

/// Tells who some of the customers are, through the bulk call.
async fn introduce(client: &Client, people: Vec<IdentifyRequest>, bar: &ProgressBar) -> Result<(), Status> {
    let service = ProfileServiceClient::new(client.clone());
    let told = bulk(
        "record",
        bar,
        |answer: ImportProfilesResponse| answer.ack,
        async |done| {
            let rest = people[done..].to_vec();
            let items = rest.into_iter().map(|person| ImportProfilesRequest { profile: Some(person) });
            service.clone().import_profiles(stream::iter(items)).await
        },
    );
    told.await.map(drop)
}

fn identify(person: &Person) -> IdentifyRequest {
    use rapport_api::common::v1::{Identifier, value::Kind};

    let text = |text: &str| Value { kind: Some(Kind::TextValue(text.to_owned())) };
    IdentifyRequest {
        source: "demo_crm".to_owned(),
        external_id: person.number.to_owned(),
        identifiers: vec![
            Identifier { namespace: cdnow::NAMESPACE.to_owned(), value: person.number.to_owned() },
            Identifier { namespace: "email".to_owned(), value: person.email.clone() },
        ],
        traits: BTreeMap::from([
            ("region".to_owned(), text(person.region)),
            ("synthetic".to_owned(), Value { kind: Some(Kind::BoolValue(true)) }),
        ]),
        // The day before the first purchase: told twice, it is the same statement.
        observed_at: Some(prost_types::Timestamp { seconds: synthetic::KNOWN_SINCE, nanos: 0 }),
        ..IdentifyRequest::default()
    }
}

/// Lets the matcher learn, unless it has, and find who of FEBRL's people are one.
async fn match_records(client: &Client) -> Result<(), Status> {
    let mut identity = IdentityServiceClient::new(client.clone());
    match identity.get_matcher(GetMatcherRequest {}).await {
        Err(status) if status.code() == Code::NotFound => {}
        known => return known.map(drop),
    }
    let mut operation = identity.train_matcher(TrainMatcherRequest::default()).await?.into_inner();
    let operations = OperationsClient::new(client.clone());
    while !operation.done {
        let timeout = Some(prost_types::Duration { seconds: 10, nanos: 0 });
        let wait = WaitOperationRequest { name: operation.name, timeout };
        let answer = patiently(|| {
            let (mut operations, wait) = (operations.clone(), wait.clone());
            async move { operations.wait_operation(wait).await }
        });
        operation = answer.await?.into_inner();
    }
    match operation.result {
        Some(operation::Result::Error(error)) => Err(Status::internal(error.message)),
        Some(operation::Result::Response(_)) | None => Ok(()),
    }
}

/// Asks those customers how likely they are to recommend, and answers for them.
async fn ask(client: &Client, people: &[Person], bar: &ProgressBar) -> Result<usize, Status> {
    let survey_id = survey(client).await?;
    let expected = people.iter().filter(|person| person.score.is_some()).count();
    let held = responses_held(client, &survey_id).await?;
    if held >= expected {
        return Ok(expected);
    }
    stream::iter(people.iter().map(Ok::<_, Status>))
        .try_for_each_concurrent(AT_ONCE, |person| {
            let (responses, survey_id) = (ResponseServiceClient::new(client.clone()), survey_id.clone());
            async move {
                // A load that was cut off goes on: whoever has answered is not asked again.
                let again = held > 0 && has_answered(&responses, &survey_id, person).await?;
                if let Some(score) = person.score.filter(|_| !again) {
                    let request = SubmitResponseRequest {
                        request_id: person.request_id(&survey_id),
                        survey_id,
                        customer: Some(cdnow::customer(person.number)),
                        score: Some(score),
                        channel: person.channel.to_owned(),
                        product: "cd".to_owned(),
                        answered_at: Some(prost_types::Timestamp { seconds: person.answered_at, nanos: 0 }),
                        ..SubmitResponseRequest::default()
                    };
                    patiently(|| {
                        let (mut responses, request) = (responses.clone(), request.clone());
                        async move { responses.submit_response(request).await }
                    })
                    .await?;
                }
                bar.inc(1);
                Ok(())
            }
        })
        .await?;
    Ok(expected)
}

/// The demo's survey, open: made at the first time.
async fn survey(client: &Client) -> Result<String, Status> {
    let mut surveys = SurveyServiceClient::new(client.clone());
    let name = "Demo: NPS (synthetic answers)";
    let request = ListSurveysRequest { page_size: 1_000, ..ListSurveysRequest::default() };
    let held = surveys.list_surveys(request).await?.into_inner().surveys;
    let survey = match held.into_iter().find(|survey| survey.name == name) {
        Some(survey) => survey,
        None => {
            let survey = Survey {
                name: name.to_owned(),
                kind: SurveyKind::Nps.into(),
                question: "How likely are you to recommend us to a friend?".to_owned(),
                ..Survey::default()
            };
            let request = CreateSurveyRequest { request_id: String::new(), survey: Some(survey) };
            surveys.create_survey(request).await?.into_inner()
        }
    };
    if survey.state() == SurveyState::Draft {
        let request = PublishSurveyRequest { survey_id: survey.survey_id.clone(), ..PublishSurveyRequest::default() };
        surveys.publish_survey(request).await?;
    }
    Ok(survey.survey_id)
}

/// How many responses the survey has.
async fn responses_held(client: &Client, survey_id: &str) -> Result<usize, Status> {
    let mut responses = ResponseServiceClient::new(client.clone());
    let (mut found, mut page_token) = (0, String::new());
    loop {
        let request = ListResponsesRequest {
            survey_id: survey_id.to_owned(),
            page_size: 1_000,
            page_token,
            ..ListResponsesRequest::default()
        };
        let page = responses.list_responses(request).await?.into_inner();
        found += page.responses.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

async fn has_answered(
    responses: &ResponseServiceClient<Client>,
    survey_id: &str,
    person: &Person,
) -> Result<bool, Status> {
    let request = ListResponsesRequest {
        survey_id: survey_id.to_owned(),
        customer: Some(cdnow::customer(person.number)),
        page_size: 1,
        ..ListResponsesRequest::default()
    };
    let page = patiently(|| {
        let (mut responses, request) = (responses.clone(), request.clone());
        async move { responses.list_responses(request).await }
    });
    Ok(!page.await?.into_inner().responses.is_empty())
}

/// Makes a few actions to decide between.
async fn offer(client: &Client) -> Result<usize, Status> {
    let mut service = ActionServiceClient::new(client.clone());
    let request = ListActionsRequest { page_size: 1_000, ..ListActionsRequest::default() };
    let held: BTreeSet<_> =
        service.list_actions(request).await?.into_inner().actions.into_iter().map(|action| action.name).collect();
    let actions = synthetic::actions();
    for action in actions.iter().filter(|action| !held.contains(action.name)) {
        let action = Action {
            name: action.name.to_owned(),
            kind: ActionKind::Offer.into(),
            channels: vec!["web".to_owned()],
            eligibility: action.eligibility.to_owned(),
            value: action.value,
            propensity: Some(action.propensity),
            ..Action::default()
        };
        service.create_action(CreateActionRequest { request_id: String::new(), action: Some(action) }).await?;
    }
    Ok(actions.len())
}
