//! Any history of submissions, continuations, corrections, tags and deletions: what the events tell last is what is read
//! back, and an old version's answers are judged by it for ever.

use std::collections::BTreeMap;

use rapport_api::events::v1::ResponseChanged;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, GetResponseRequest, Question, QuestionType, Response, ResponseState, SubmitResponseRequest,
    Survey, SurveyKind, TagResponseRequest, UpdateResponseRequest, UpdateSurveyRequest, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::{Ground, answer};
use crate::questions::{answers, question, to};

/// A generator of numbers: SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
    fn score(&mut self) -> i32 {
        i32::try_from(self.below(11)).expect("small")
    }
}

/// What an event and the call must agree on.
#[derive(Debug, PartialEq)]
struct State {
    score: Option<i32>,
    complete: bool,
    measures: Vec<(String, i32)>,
    version: u32,
    is_test: bool,
    channel: String,
    weight: f64,
}

fn told(state: &ResponseChanged) -> State {
    State {
        score: state.score,
        complete: state.complete,
        measures: state.measures.iter().map(|measure| (measure.question.clone(), measure.value)).collect(),
        version: state.survey_version,
        is_test: state.is_test,
        channel: state.channel.clone(),
        weight: state.weight,
    }
}

fn read(response: &Response) -> State {
    State {
        score: response.score,
        complete: response.state() == ResponseState::Complete,
        measures: response.measures.iter().map(|measure| (measure.question.clone(), measure.value)).collect(),
        version: response.survey_version,
        is_test: response.is_test,
        channel: response.channel.clone(),
        weight: response.weight,
    }
}

#[rstest]
#[case(Engine::Sqlite, 1)]
#[case(Engine::Sqlite, 2)]
#[case(Engine::Postgres, 3)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_event_of_each_response_is_what_is_read_back(#[case] engine: Engine, #[case] seed: u64) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut dice = Dice(seed);
    let low = Question { show_if: "answers.nps <= 6".to_owned(), ..question("found", QuestionType::Statement) };
    let questions = vec![question("nps", QuestionType::Scale), low, question("why", QuestionType::Text)];
    let made = Survey { name: "s".to_owned(), kind: SurveyKind::Nps.into(), questions, ..Survey::default() };
    let mut survey = ground.open_of(tenant, made).await;
    let mut responses = ground.responses(tenant);
    let (mut ids, mut told_of): (Vec<String>, usize) = (Vec::new(), 0);
    for step in 0..120 {
        let response_id =
            if ids.is_empty() { String::new() } else { ids[dice.below(ids.len() as u64) as usize].clone() };
        let score = dice.score();
        let done = match dice.below(if ids.is_empty() { 2 } else { 8 }) {
            0 | 1 => {
                let partial = dice.below(2) == 0;
                let found = (score <= 6).then(|| to("found", Value::Number(1 + score % 5)));
                let request = SubmitResponseRequest {
                    partial,
                    score: Some(score),
                    is_test: dice.below(5) == 0,
                    ..answers(&survey, found.into_iter().collect())
                };
                let taken = responses.submit_response(request).await.map(|taken| Some(taken.into_inner()));
                ids.extend(taken.iter().flatten().map(|taken| taken.response_id.clone()));
                taken
            }
            2 => {
                let partial = dice.below(2) == 0;
                let request = SubmitResponseRequest { response_id, partial, ..answer(&survey, score) };
                responses.submit_response(request).await.map(|taken| Some(taken.into_inner()))
            }
            3 | 4 => {
                let channel = format!("c{}", dice.below(3));
                let request = UpdateResponseRequest { response_id, channel, score: Some(score), ..Default::default() };
                responses.update_response(request).await.map(|right| Some(right.into_inner()))
            }
            5 => {
                let add_tags = vec![format!("t{}", dice.below(4))];
                let request = TagResponseRequest { response_id, add_tags, ..Default::default() };
                responses.tag_response(request).await.map(|tagged| Some(tagged.into_inner()))
            }
            6 => {
                let done = responses.delete_response(DeleteResponseRequest { response_id, ..Default::default() }).await;
                told_of += usize::from(done.is_ok());
                done.map(|_| None)
            }
            _ => {
                let mut changed = survey.clone();
                changed.questions.push(question(&format!("q{step}"), QuestionType::Text));
                let request = UpdateSurveyRequest { survey: Some(changed), ..UpdateSurveyRequest::default() };
                survey = ground.surveys(tenant).update_survey(request).await.expect("a new version").into_inner();
                Ok(None)
            }
        };
        match done {
            Ok(_) => {}
            Err(refused) => {
                let fair = [tonic::Code::NotFound, tonic::Code::FailedPrecondition];
                assert!(fair.contains(&refused.code()), "{refused:?}");
            }
        }
    }
    // Each response has an event for each revision it has reached.
    let mut held = BTreeMap::new();
    for id in &ids {
        match responses.get_response(GetResponseRequest { response_id: id.clone() }).await {
            Ok(found) => {
                let found = found.into_inner();
                held.insert(id.clone(), found);
            }
            Err(gone) => assert_eq!(gone.code(), tonic::Code::NotFound),
        }
    }
    let events = ground.reader().all().await;
    assert!(told_of > 0 && events.len() >= ids.len(), "something was deleted");
    let mut last: BTreeMap<String, (u64, ResponseChanged)> = BTreeMap::new();
    for (event, state) in events {
        let newest = last.entry(event.aggregate_id).or_default();
        assert!(event.revision > newest.0, "in order, and each once");
        *newest = (event.revision, state);
    }
    assert_eq!(last.len(), ids.len());
    for (id, (revision, state)) in last {
        match held.get(&id) {
            None => assert!(state.deleted),
            Some(response) => {
                assert_eq!((revision, told(&state)), (response.revision, read(response)));
            }
        }
    }
}
