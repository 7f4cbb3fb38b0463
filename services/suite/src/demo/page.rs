//! A survey to be opened in a browser: every kind of question, in the four languages of the suite, and one invitation to it.

use std::collections::BTreeMap;

use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{
    Asking, Choice, CreateSurveyRequest, InvitationStatus, InviteCustomerRequest, IssueInvitationTokenRequest,
    ListInvitationsRequest, ListSurveysRequest, PublishSurveyRequest, Question, QuestionType, Scale, Survey,
    SurveyKind, SurveyState,
};
use tonic::Status;

use super::cdnow;
use crate::client::Client;

const NAME: &str = "Demo: a survey to be opened in a browser";

/// English, Russian, Persian and Romanian.
type Words = [&'static str; 4];

/// The token of an invitation of a customer's to the survey; none where it is not to be asked now.
///
/// # Errors
/// What the suite answered.
pub(super) async fn invite(client: &Client, customer: &str) -> Result<Option<String>, Status> {
    let mut surveys = SurveyServiceClient::new(client.clone());
    let survey_id = survey(&mut surveys).await?;
    let request = InviteCustomerRequest {
        survey_id: survey_id.clone(),
        customer: Some(cdnow::customer(customer)),
        channel: "email".to_owned(),
        ..InviteCustomerRequest::default()
    };
    if let Some(invitation) = surveys.invite_customer(request).await?.into_inner().invitation {
        return Ok(Some(invitation.token));
    }
    // Of an earlier load: an open one is gone on with.
    let request = ListInvitationsRequest {
        survey_id,
        customer: Some(cdnow::customer(customer)),
        ..ListInvitationsRequest::default()
    };
    let held = surveys.list_invitations(request).await?.into_inner().invitations;
    let is_open =
        |status| matches!(status, InvitationStatus::Invited | InvitationStatus::Delivered | InvitationStatus::Started);
    let Some(open) = held.into_iter().find(|invitation| is_open(invitation.status())) else { return Ok(None) };
    let request = IssueInvitationTokenRequest { invitation_id: open.invitation_id };
    Ok(Some(surveys.issue_invitation_token(request).await?.into_inner().token))
}

/// The survey, open: made at the first time.
async fn survey(surveys: &mut SurveyServiceClient<Client>) -> Result<String, Status> {
    let request = ListSurveysRequest { page_size: 1_000, ..ListSurveysRequest::default() };
    let held = surveys.list_surveys(request).await?.into_inner().surveys;
    let survey = match held.into_iter().find(|survey| survey.name == NAME) {
        Some(survey) => survey,
        None => {
            let request = CreateSurveyRequest { request_id: String::new(), survey: Some(asked()) };
            surveys.create_survey(request).await?.into_inner()
        }
    };
    if survey.state() == SurveyState::Draft {
        let request = PublishSurveyRequest { survey_id: survey.survey_id.clone(), ..PublishSurveyRequest::default() };
        surveys.publish_survey(request).await?;
    }
    Ok(survey.survey_id)
}

fn asked() -> Survey {
    let (welcome, welcome_translations) = told([
        "Thank you for your visit. It takes two minutes.",
        "Спасибо, что зашли к нам. Это займёт две минуты.",
        "از بازدید شما سپاسگزاریم. دو دقیقه طول می‌کشد.",
        "Vă mulțumim pentru vizită. Durează două minute.",
    ]);
    let (thanks, thanks_translations) = told([
        "Thank you. We read every answer.",
        "Спасибо. Мы читаем каждый ответ.",
        "سپاسگزاریم. ما همهٔ پاسخ‌ها را می‌خوانیم.",
        "Vă mulțumim. Citim fiecare răspuns.",
    ]);
    Survey {
        name: NAME.to_owned(),
        kind: SurveyKind::Nps.into(),
        welcome,
        welcome_translations,
        thanks,
        thanks_translations,
        questions: [first(), second()].concat(),
        asking: Some(Asking { channels: vec!["email".to_owned()], ..Asking::default() }),
        ..Survey::default()
    }
}

fn first() -> Vec<Question> {
    let (min_label, min_label_translations) =
        told(["not at all likely", "совсем не вероятно", "به هیچ وجه", "deloc probabil"]);
    let (max_label, max_label_translations) =
        told(["extremely likely", "очень вероятно", "بسیار محتمل", "foarte probabil"]);
    let scale =
        Scale { max: 10, min_label, max_label, min_label_translations, max_label_translations, ..Scale::default() };
    let nps = question(
        "nps",
        QuestionType::Scale,
        [
            "How likely are you to recommend us to a friend?",
            "Насколько вероятно, что вы порекомендуете нас другу?",
            "چقدر احتمال دارد ما را به دوستی توصیه کنید؟",
            "Cât de probabil este să ne recomandați unui prieten?",
        ],
    );
    let reason = question(
        "reason",
        QuestionType::Single,
        ["What is the main reason?", "Какова главная причина?", "دلیل اصلی چیست؟", "Care este motivul principal?"],
    );
    let topics = question(
        "topics",
        QuestionType::Multiple,
        [
            "What did you use today?",
            "Чем вы сегодня пользовались?",
            "امروز از چه چیزی استفاده کردید؟",
            "Ce ați folosit astăzi?",
        ],
    );
    vec![
        Question { required: true, scale: Some(scale), ..nps },
        Question {
            required: true,
            other: true,
            show_if: "answers.nps <= 6".to_owned(),
            choices: vec![
                choice("price", ["The price", "Цена", "قیمت", "Prețul"]),
                choice("quality", ["The quality", "Качество", "کیفیت", "Calitatea"]),
                choice("staff", ["The staff", "Сотрудники", "کارکنان", "Personalul"]),
            ],
            ..reason
        },
        Question {
            choices: vec![
                choice("shop", ["The shop", "Магазин", "فروشگاه", "Magazinul"]),
                choice("app", ["The app", "Приложение", "برنامه", "Aplicația"]),
                choice("help", ["The help desk", "Служба поддержки", "پشتیبانی", "Asistența"]),
                Choice {
                    exclusive: true, ..choice("none", ["None of these", "Ничего", "هیچ‌کدام", "Niciunul"])
                },
            ],
            ..topics
        },
    ]
}

fn second() -> Vec<Question> {
    let statement = Question {
        question_id: "easy".to_owned(),
        r#type: QuestionType::Statement.into(),
        required: true,
        ..question(
            "easy",
            QuestionType::Statement,
            [
                "I found the information I needed easily.",
                "Я легко нашёл нужную информацию.",
                "اطلاعات مورد نیازم را به آسانی یافتم.",
                "Am găsit ușor informațiile de care aveam nevoie.",
            ],
        )
    };
    let parts = vec![
        choice("speed", ["Speed", "Скорость", "سرعت", "Viteza"]),
        choice("kindness", ["Kindness", "Вежливость", "مهربانی", "Amabilitatea"]),
        choice("clarity", ["Clarity", "Понятность", "روشنی", "Claritatea"]),
    ];
    let matrix = question("parts", QuestionType::Matrix, ["How was it?", "Как это было?", "چگونه بود؟", "Cum a fost?"]);
    let ranking = question(
        "order",
        QuestionType::Ranking,
        [
            "What matters most to you?",
            "Что для вас важнее всего?",
            "چه چیزی برای شما مهم‌تر است؟",
            "Ce contează cel mai mult pentru dumneavoastră?",
        ],
    );
    let day = question(
        "day",
        QuestionType::Date,
        ["When were you here?", "Когда вы у нас были?", "چه روزی اینجا بودید؟", "Când ați fost la noi?"],
    );
    let why = question(
        "why",
        QuestionType::Text,
        [
            "What else do you want to tell us?",
            "Что ещё вы хотите нам сказать?",
            "چه چیز دیگری می‌خواهید بگویید؟",
            "Ce ați mai dori să ne spuneți?",
        ],
    );
    vec![
        statement,
        Question { scale: Some(Scale { min: 1, max: 5, ..Scale::default() }), rows: parts.clone(), ..matrix },
        Question { choices: parts, ..ranking },
        day,
        why,
    ]
}

fn question(id: &str, kind: QuestionType, words: Words) -> Question {
    let (text, translations) = told(words);
    Question { question_id: id.to_owned(), r#type: kind.into(), text, translations, ..Question::default() }
}

fn choice(id: &str, words: Words) -> Choice {
    let (text, translations) = told(words);
    Choice { choice_id: id.to_owned(), text, translations, ..Choice::default() }
}

fn told([english, others @ ..]: Words) -> (String, BTreeMap<String, String>) {
    let tags = ["ru", "fa", "ro"].into_iter();
    (english.to_owned(), tags.zip(others).map(|(tag, words)| (tag.to_owned(), words.to_owned())).collect())
}
