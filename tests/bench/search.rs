//! Search: what it costs to find words among what customers said, as much as there is of it. The texts are made up: a few
//! words that are in many of them, as everywhere, and many that are in few.

use std::time::{Duration, Instant, SystemTime};

use futures::stream;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{
    CreateSurveyRequest, ImportResponsesRequest, PublishSurveyRequest, SearchResponsesRequest, SubmitResponseRequest,
    Survey, SurveyKind,
};
use rapport_suite::settings::Role;

use crate::Outcome;
use crate::load::quantile;
use crate::report::{Figure, Report, Target, Unit};
use crate::suite::{Client, Suite};

const fn millis(name: &'static str, target: Target) -> Figure {
    Figure { name, unit: Unit::Millis, target }
}

/// What is measured of one size.
struct Size {
    responses: u32,
    taken: Figure,
    half: Figure,
    most: Figure,
}

/// What is promised, however much was said.
const FOUND: Target = Target::AtMost(50.0);

const fn taken(name: &'static str) -> Figure {
    Figure { name, unit: Unit::PerSecond("responses"), target: Target::None }
}

/// The sizes, the smallest first.
static SIZES: [Size; 4] = [
    Size {
        responses: 1_000,
        taken: taken("ImportResponses with comments, up to 1,000"),
        half: millis("SearchResponses, 1,000 responses, p50", Target::None),
        most: millis("SearchResponses, 1,000 responses, p99", FOUND),
    },
    Size {
        responses: 10_000,
        taken: taken("ImportResponses with comments, up to 10,000"),
        half: millis("SearchResponses, 10,000 responses, p50", Target::None),
        most: millis("SearchResponses, 10,000 responses, p99", FOUND),
    },
    Size {
        responses: 100_000,
        taken: taken("ImportResponses with comments, up to 100,000"),
        half: millis("SearchResponses, 100,000 responses, p50", Target::None),
        most: millis("SearchResponses, 100,000 responses, p99", FOUND),
    },
    Size {
        responses: 1_000_000,
        taken: taken("ImportResponses with comments, up to 1,000,000"),
        half: millis("SearchResponses, 1,000,000 responses, p50", Target::None),
        most: millis("SearchResponses, 1,000,000 responses, p99", FOUND),
    },
];

/// Words of which one is in every text, from the commonest on.
const COMMON: [&str; 24] = [
    "delivery",
    "доставка",
    "кассир",
    "price",
    "livrare",
    "کیفیت",
    "courier",
    "good",
    "late",
    "плохо",
    "хорошо",
    "خوب",
    "comanda",
    "refund",
    "support",
    "bun",
    "быстро",
    "دیر",
    "friendly",
    "повторно",
    "rapid",
    "slow",
    "قیمت",
    "telefon",
];
const SYLLABLES: [&str; 16] =
    ["ka", "lo", "mi", "ren", "sa", "tor", "vel", "wen", "bar", "des", "fin", "gol", "han", "jo", "lin", "mar"];
/// Words of one text.
const WORDS: u64 = 14;
/// Searches that are timed, and before them those that are not.
const SEARCHES: u64 = 1_000;
const WARM_UP: u64 = 50;

/// Measures every size up to the largest.
pub async fn measure(suite: &Suite, largest: u32, report: &mut Report) -> Outcome<()> {
    for size in SIZES.iter().filter(|size| size.responses <= largest) {
        let tenant = suite.tenant(&format!("search-{}", size.responses)).await?;
        let clients = suite.direct(Role::Feedback, &tenant).await?;
        let surveys = [survey(&clients[0]).await?, survey(&clients[0]).await?];
        let started = Instant::now();
        take(&clients, &surveys, size.responses).await?;
        let rate = f64::from(size.responses) / started.elapsed().as_secs_f64();
        suite.rest().await?;
        let mut took = look(&clients[0], &surveys).await?;
        let millis = |of: Duration| of.as_secs_f64() * 1e3;
        report.note(suite.engine, &size.taken, rate, None);
        report.note(suite.engine, &size.half, millis(quantile(&mut took, 0.5)), None);
        report.note(suite.engine, &size.most, millis(quantile(&mut took, 0.99)), None);
    }
    Ok(())
}

async fn survey(client: &Client) -> Outcome<String> {
    let mut surveys = SurveyServiceClient::new(client.clone());
    let survey = Survey {
        name: "Search".to_owned(),
        kind: SurveyKind::Nps.into(),
        question: "Would you recommend us?".to_owned(),
        ..Survey::default()
    };
    let request = CreateSurveyRequest { survey: Some(survey), ..CreateSurveyRequest::default() };
    let survey_id = surveys.create_survey(request).await?.into_inner().survey_id;
    let request = PublishSurveyRequest { survey_id: survey_id.clone(), ..PublishSurveyRequest::default() };
    surveys.publish_survey(request).await?;
    Ok(survey_id)
}

/// Imports responses, over all connections at once. Of ten, nine are to the first survey.
async fn take(clients: &[Client], surveys: &[String; 2], count: u32) -> Outcome<()> {
    let now = SystemTime::now();
    let lanes = clients.len() as u32;
    let told = clients.iter().zip(0..lanes).map(|(client, lane)| async move {
        let mine = (lane..count).step_by(lanes as usize);
        let expected = mine.clone().count() as i64;
        let surveys = surveys.clone();
        let items = mine.map(move |number| {
            let at = now - Duration::from_secs(u64::from(count - number));
            past(&surveys[usize::from(number % 10 == 0)], number, at.into())
        });
        let mut service = ResponseServiceClient::new(client.clone());
        let mut acks = service.import_responses(stream::iter(items)).await?.into_inner();
        let mut accepted = 0;
        while let Some(answer) = acks.message().await? {
            accepted += answer.ack.map_or(0, |ack| ack.accepted);
        }
        if accepted == expected { Ok(()) } else { Err(format!("{accepted} of {expected} responses were taken").into()) }
    });
    futures::future::try_join_all(told).await.map(drop)
}

fn past(survey: &str, number: u32, answered_at: prost_types::Timestamp) -> ImportResponsesRequest {
    let mut chance = Chance::of(u64::from(number));
    let comment: Vec<String> = (0..WORDS).map(|_| chance.word()).collect();
    let response = SubmitResponseRequest {
        survey_id: survey.to_owned(),
        score: Some(i32::try_from(chance.below(11)).unwrap_or(0)),
        comment: comment.join(" "),
        source: "bench".to_owned(),
        external_id: number.to_string(),
        answered_at: Some(answered_at),
        ..SubmitResponseRequest::default()
    };
    ImportResponsesRequest { response: Some(response), ..ImportResponsesRequest::default() }
}

/// Searches, one at a time; answers how long each took.
async fn look(client: &Client, surveys: &[String; 2]) -> Outcome<Vec<Duration>> {
    let mut responses = ResponseServiceClient::new(client.clone());
    let mut took = Vec::new();
    for number in 0..WARM_UP + SEARCHES {
        let request = search(&mut Chance::of(number), surveys);
        let sent = Instant::now();
        let page = responses.search_responses(request.clone()).await?.into_inner();
        let mut elapsed = sent.elapsed();
        if number % 10 == 9 && !page.next_page_token.is_empty() {
            // A page further on is one as well.
            let request = SearchResponsesRequest { page_token: page.next_page_token, ..request };
            let sent = Instant::now();
            responses.search_responses(request).await?;
            elapsed = sent.elapsed();
        }
        if number >= WARM_UP {
            took.push(elapsed);
        }
    }
    Ok(took)
}

/// What somebody may look for: common and rare words, together and apart.
fn search(chance: &mut Chance, surveys: &[String; 2]) -> SearchResponsesRequest {
    let (one, other, rare) = (chance.common(), chance.common(), chance.rare());
    let beginning: String = rare.chars().take(4).collect();
    let query = match chance.below(9) {
        0 => one.to_owned(),
        1 => format!("{one} {other}"),
        2 => rare,
        3 => format!("\"{one} {other}\""),
        4 => format!("{one} -{other}"),
        5 => format!("{rare} OR \"{other} {one}\""),
        6 => format!("{beginning}*"),
        7 => format!("{one} {other} {rare}"),
        _ => format!("{one} ({other} | {rare})"),
    };
    let mut request = SearchResponsesRequest { query, page_size: 20, ..SearchResponsesRequest::default() };
    match chance.below(4) {
        0 => request.survey_id.clone_from(&surveys[1]),
        1 => request.max_score = Some(6),
        _ => {}
    }
    request
}

/// Chance that can be repeated.
struct Chance(u64);

impl Chance {
    fn of(number: u64) -> Self {
        let mut chance = Self((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        chance.next();
        chance
    }
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }
    /// The first of them far more often than the last.
    fn common(&mut self) -> &'static str {
        let place = self.below(24).min(self.below(24));
        COMMON[usize::try_from(place).unwrap_or(0)]
    }
    fn rare(&mut self) -> String {
        // Some thousands, the first more often than the last.
        let mut place = self.below(SPREAD).min(self.below(SPREAD));
        let mut word = String::new();
        for _ in 0..4 {
            word.push_str(SYLLABLES[usize::try_from(place % 16).unwrap_or(0)]);
            place /= 16;
        }
        word
    }
    fn word(&mut self) -> String {
        if self.below(2) == 0 { self.common().to_owned() } else { self.rare() }
    }
}

/// How many rare words there are.
const SPREAD: u64 = 30_000;
