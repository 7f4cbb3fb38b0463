//! What customers say, as it comes in: answers to a survey, each a call of its own, and a desk's tickets in one stream.

use std::sync::Arc;
use std::time::Instant;

use futures::stream;
use rapport_api::feedback::v1::push_tickets_request::Item;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::ticket_service_client::TicketServiceClient;
use rapport_api::feedback::v1::{
    CreateSurveyRequest, PublishSurveyRequest, PushTicketRequest, PushTicketsRequest, SubmitResponseRequest, Survey,
    SurveyKind, Ticket, TicketKind, TicketPriority, TicketStatus,
};
use rapport_suite::settings::Role;

use crate::Outcome;
use crate::load::{IN_FLIGHT, Measured, Until, drive};
use crate::people::{by_id, introduce, long_ago};
use crate::raw::Raw;
use crate::suite::{Client, Suite};

/// Those who answer and ask.
const CUSTOMERS: u32 = 500;
const COMMENTS: [&str; 4] = [
    "The delivery was quick and the courier was friendly.",
    "Заказ пришёл поздно, и никто не позвонил.",
    "کیفیت خوب بود ولی قیمت زیاد است",
    "Aplicația s-a blocat de două ori la plată.",
];

/// Who is heard, and where.
pub struct Hearing {
    clients: Vec<Client>,
    customers: Arc<Vec<String>>,
    survey: String,
    raw: Raw,
}

/// A tenant with customers and a survey that they answer.
pub async fn prepare(suite: &Suite) -> Outcome<Hearing> {
    let tenant = suite.tenant("hearing").await?;
    let customers = Arc::new(introduce(&suite.direct(Role::Profiles, &tenant).await?, CUSTOMERS).await?);
    let clients = suite.direct(Role::Feedback, &tenant).await?;
    let mut surveys = SurveyServiceClient::new(clients[0].clone());
    let survey = Survey {
        name: "Relation".to_owned(),
        kind: SurveyKind::Nps.into(),
        question: "Would you recommend us?".to_owned(),
        ..Survey::default()
    };
    let request = CreateSurveyRequest { survey: Some(survey), ..CreateSurveyRequest::default() };
    let survey = surveys.create_survey(request).await?.into_inner().survey_id;
    let request = PublishSurveyRequest { survey_id: survey.clone(), ..PublishSurveyRequest::default() };
    surveys.publish_survey(request).await?;
    Ok(Hearing { clients, customers, survey, raw: suite.raw_tickets().await? })
}

impl Hearing {
    /// Submits answers of known customers, each read and stored as it comes.
    pub async fn submit(&self, until: Until) -> Outcome<Measured> {
        let (customers, survey) = (Arc::clone(&self.customers), self.survey.clone());
        drive(&self.clients, IN_FLIGHT, until, move |client, number| {
            let place = usize::try_from(number).unwrap_or(0);
            let request = SubmitResponseRequest {
                survey_id: survey.clone(),
                customer: Some(by_id(&customers[place % customers.len()])),
                score: Some((number % 11) as i32),
                comment: COMMENTS[place % COMMENTS.len()].to_owned(),
                ..SubmitResponseRequest::default()
            };
            async move { ResponseServiceClient::new(client).submit_response(request).await.map(drop) }
        })
        .await
    }

    /// Pushes tickets by one stream, and inserts the same rows bare; answers how many of each a second.
    pub async fn push(&mut self, round: u32, rows: u32) -> Outcome<(f64, f64)> {
        let source = format!("desk-{round}");
        let items: Vec<PushTicketsRequest> = (0..rows).map(|number| self.ticket(&source, number)).collect();
        let mut service = TicketServiceClient::new(self.clients[0].clone());
        let started = Instant::now();
        let mut acks = service.push_tickets(stream::iter(items)).await?.into_inner();
        let mut accepted = 0;
        while let Some(answer) = acks.message().await? {
            accepted += answer.ack.map_or(0, |ack| ack.accepted);
        }
        let took = started.elapsed();
        if accepted != i64::from(rows) {
            return Err(format!("{accepted} of {rows} tickets were taken").into());
        }
        let stored = self.raw.rows(&source).await?;
        let bare = self.raw.insert(&stored).await?;
        Ok((f64::from(rows) / took.as_secs_f64(), f64::from(rows) / bare.as_secs_f64()))
    }

    fn ticket(&self, source: &str, number: u32) -> PushTicketsRequest {
        let ticket = Ticket {
            source: source.to_owned(),
            external_id: number.to_string(),
            version: 1,
            customer: Some(by_id(&self.customers[number as usize % self.customers.len()])),
            kind: TicketKind::Question.into(),
            status: TicketStatus::Open.into(),
            priority: TicketPriority::Normal.into(),
            channel: "email".to_owned(),
            team: "north".to_owned(),
            title: COMMENTS[number as usize % COMMENTS.len()].to_owned(),
            create_time: Some(prost_types::Timestamp { seconds: long_ago(number), nanos: 0 }),
            update_time: Some(prost_types::Timestamp { seconds: long_ago(number), nanos: 0 }),
            ..Ticket::default()
        };
        let push = PushTicketRequest { ticket: Some(ticket), ..PushTicketRequest::default() };
        PushTicketsRequest { item: Some(Item::Push(Box::new(push))) }
    }
}
