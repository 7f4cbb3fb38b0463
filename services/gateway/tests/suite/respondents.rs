//! A small feedback, as the respondents' page sees it: one survey of every kind of question, and what was asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rapport_api::feedback::v1::respondent_service_server::RespondentService;
use rapport_api::feedback::v1::{
    Answer, Choice, EraseByCodeRequest, EraseByCodeResponse, GetInvitedQuestionnaireRequest, InvitedQuestionnaire,
    InvitedResponse, Question, QuestionType, Questionnaire, ReadTokenRequest, ReadTokenResponse, Scale,
    SubmitInvitedResponseRequest, Survey, UnsubscribeRequest, UnsubscribeResponse, answer::Value,
};
use rapport_kernel::{Fault, Reason, TenantId, Violations};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

/// The token of an invitation that can be answered, and of one to an anonymous survey.
pub const TOKEN: &str = "an-invitation-that-can-be-answered";
pub const NOBODYS: &str = "an-invitation-to-an-anonymous-survey";
/// Tokens that can no longer be used, with why.
pub const OVER: [(&str, &str); 3] = [
    ("an-invitation-that-was-used", "INVITATION_USED"),
    ("an-invitation-that-expired", "INVITATION_EXPIRED"),
    ("an-invitation-that-was-withdrawn", "INVITATION_CANCELLED"),
];
/// The code of an anonymous answer.
pub const CODE: &str = "the-code-of-an-anonymous-answer";

/// The service.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    answers: BTreeMap<String, Answer>,
    language: String,
    complete: bool,
    submitted: Vec<SubmitInvitedResponseRequest>,
    unsubscribed: Vec<String>,
    erased: Vec<String>,
}

impl Desk {
    pub fn answers(&self) -> BTreeMap<String, Answer> {
        self.0.lock().expect("no panic").answers.clone()
    }
    pub fn is_complete(&self) -> bool {
        self.0.lock().expect("no panic").complete
    }
    pub fn submitted(&self) -> Vec<SubmitInvitedResponseRequest> {
        self.0.lock().expect("no panic").submitted.clone()
    }
    pub fn unsubscribed(&self) -> Vec<String> {
        self.0.lock().expect("no panic").unsubscribed.clone()
    }
    pub fn erased(&self) -> Vec<String> {
        self.0.lock().expect("no panic").erased.clone()
    }
    /// The language that the invitation names.
    pub fn names(&self, language: &str) {
        self.0.lock().expect("no panic").language = language.to_owned();
    }
}

fn admitted(token: &str) -> Result<(), Fault> {
    if let Some((_, kind)) = OVER.iter().find(|(over, _)| *over == token) {
        return Err(Fault::new(Reason::InvalidState, "it is over").precondition(kind, "an id"));
    }
    if token == TOKEN || token == NOBODYS { Ok(()) } else { Err(Fault::not_found("invitation", "")) }
}

/// What an answer is answered with.
fn answered(token: &str, complete: bool) -> InvitedResponse {
    InvitedResponse {
        response_id: uuid::Uuid::max().to_string(),
        complete,
        erasure_code: if complete && token == NOBODYS { CODE.to_owned() } else { String::new() },
    }
}

/// A text in the survey's two languages.
fn told(language: &str, text: &str) -> String {
    if language.starts_with("fa") { format!("«{text}» به فارسی") } else { text.to_owned() }
}

fn choices(language: &str, ids: &[&str]) -> Vec<Choice> {
    let choice = |id: &&str| Choice {
        choice_id: (*id).to_owned(),
        text: told(language, &format!("choice {id}")),
        exclusive: *id == "none",
        ..Choice::default()
    };
    ids.iter().map(choice).collect()
}

/// The survey told in a language.
fn survey(language: &str) -> Survey {
    let question = |id: &str, kind: QuestionType| Question {
        question_id: id.to_owned(),
        r#type: kind.into(),
        text: told(language, &format!("What about {id} <here> & \"there\"?")),
        ..Question::default()
    };
    let scale = |min, max| Some(Scale { min, max, min_label: told(language, "bad"), ..Scale::default() });
    let questions = vec![
        Question { required: true, scale: scale(0, 10), ..question("nps", QuestionType::Scale) },
        Question {
            required: true,
            other: true,
            show_if: "answers.nps <= 6".to_owned(),
            choices: choices(language, &["price", "speed"]),
            ..question("reason", QuestionType::Single)
        },
        Question {
            other: true,
            max_choices: 2,
            hint: told(language, "a word of explanation"),
            choices: choices(language, &["shop", "app", "none"]),
            ..question("topics", QuestionType::Multiple)
        },
        Question { scale: scale(-50, 50), ..question("mood", QuestionType::Scale) },
        Question { required: true, ..question("easy", QuestionType::Statement) },
        Question {
            required: true,
            scale: scale(1, 5),
            rows: choices(language, &["speed", "tone"]),
            ..question("parts", QuestionType::Matrix)
        },
        Question {
            rows: choices(language, &["morning", "evening"]),
            choices: choices(language, &["yes", "no"]),
            ..question("times", QuestionType::Matrix)
        },
        Question { choices: choices(language, &["a", "b", "c"]), ..question("order", QuestionType::Ranking) },
        question("day", QuestionType::Date),
        Question { max_length: 100, ..question("why", QuestionType::Text) },
    ];
    Survey {
        survey_id: uuid::Uuid::nil().to_string(),
        name: "the staff's own name of it".to_owned(),
        default_language: "en".to_owned(),
        language: language.to_owned(),
        languages: vec!["en".to_owned(), "fa".to_owned()],
        welcome: told(language, "Welcome, <friend>."),
        thanks: told(language, "That was all."),
        questions,
        ..Survey::default()
    }
}

fn shown(held: &BTreeMap<String, Answer>) -> Vec<String> {
    let number = |answer: &Answer| match answer.value {
        Some(Value::Number(figure)) => figure,
        _ => i32::MAX,
    };
    let low = held.get("nps").is_some_and(|answer| number(answer) <= 6);
    let all = survey("en").questions.into_iter().map(|question| question.question_id);
    all.filter(|id| id != "reason" || low).collect()
}

fn missing(held: &BTreeMap<String, Answer>) -> Vec<String> {
    let questions = survey("en").questions.into_iter().filter(|question| question.required);
    let required: Vec<_> = questions.map(|question| question.question_id).collect();
    shown(held).into_iter().filter(|id| required.contains(id) && !held.contains_key(id)).collect()
}

#[tonic::async_trait]
impl RespondentService for Desk {
    async fn read_token(&self, request: Request<ReadTokenRequest>) -> Result<Response<ReadTokenResponse>, Status> {
        unary(request, async |_, message| {
            let known = [TOKEN, NOBODYS, CODE].contains(&message.token.as_str())
                || OVER.iter().any(|(token, _)| *token == message.token);
            let tenant_id = TenantId::from_uuid(uuid::Uuid::max()).to_string();
            let read = ReadTokenResponse { tenant_id, scope: String::new() };
            if known { Ok(read) } else { Err(Fault::not_found("invitation", "")) }
        })
        .await
    }

    async fn get_invited_questionnaire(
        &self,
        request: Request<GetInvitedQuestionnaireRequest>,
    ) -> Result<Response<InvitedQuestionnaire>, Status> {
        unary(request, async |_, message| {
            let held = self.0.lock().expect("no panic");
            let same = |one: &&SubmitInvitedResponseRequest| !one.partial && one.request_id == message.request_id;
            let taken = held.submitted.iter().find(same).map(|one| answered(&one.token, true));
            if taken.is_none() {
                // Of a known survey nothing more is asked once it was answered.
                admitted(&message.token)?;
                if held.complete && message.token == TOKEN {
                    return Err(Fault::new(Reason::InvalidState, "it is over").precondition("INVITATION_USED", "an id"));
                }
            }
            let language = if message.language.is_empty() { &held.language } else { &message.language };
            let language = if language.is_empty() { "en" } else { language };
            let anonymous = message.token == NOBODYS;
            // Of an anonymous survey only whoever names the answer goes on with it.
            let goes_on = !held.submitted.is_empty() && (!anonymous || !message.response_id.is_empty());
            let answers = if goes_on { held.answers.clone() } else { BTreeMap::new() };
            Ok(InvitedQuestionnaire {
                questionnaire: Some(Questionnaire {
                    survey: Some(survey(language)),
                    shown: shown(&answers),
                    missing: missing(&answers),
                }),
                answers: answers.into_values().collect(),
                response_id: if goes_on { uuid::Uuid::max().to_string() } else { String::new() },
                anonymous,
                taken,
                max_uses: 1,
                language: held.language.clone(),
                ..InvitedQuestionnaire::default()
            })
        })
        .await
    }

    async fn submit_invited_response(
        &self,
        request: Request<SubmitInvitedResponseRequest>,
    ) -> Result<Response<InvitedResponse>, Status> {
        unary(request, async |_, message| {
            admitted(&message.token)?;
            let mut held = self.0.lock().expect("no panic");
            let mut out = Violations::new();
            for (place, answer) in message.answers.iter().enumerate() {
                if matches!(&answer.value, Some(Value::Text(text)) if text.contains("forbidden")) {
                    out.add(format!("answers[{place}]"), "answer.value", "must not say that");
                }
            }
            out.check()?;
            for answer in message.answers.clone() {
                match answer.value {
                    Some(_) => held.answers.insert(answer.question_id.clone(), answer),
                    None => held.answers.remove(&answer.question_id),
                };
            }
            if !message.partial {
                let mut out = Violations::new();
                for id in missing(&held.answers) {
                    out.add(format!("answers[\"{id}\"]"), "answer.required", "must be answered");
                }
                out.check()?;
            }
            held.complete |= !message.partial;
            let answer = answered(&message.token, !message.partial);
            held.submitted.push(message);
            Ok(answer)
        })
        .await
    }

    async fn unsubscribe(&self, request: Request<UnsubscribeRequest>) -> Result<Response<UnsubscribeResponse>, Status> {
        unary(request, async |_, message| {
            // Also by one that was used.
            let over = OVER.iter().any(|(token, _)| *token == message.token);
            if !over {
                admitted(&message.token)?;
            }
            self.0.lock().expect("no panic").unsubscribed.push(message.token);
            Ok(UnsubscribeResponse { channel: "email".to_owned(), purpose: "surveys".to_owned() })
        })
        .await
    }

    async fn erase_by_code(
        &self,
        request: Request<EraseByCodeRequest>,
    ) -> Result<Response<EraseByCodeResponse>, Status> {
        unary(request, async |_, message| {
            self.0.lock().expect("no panic").erased.push(message.code);
            Ok(EraseByCodeResponse {})
        })
        .await
    }
}
