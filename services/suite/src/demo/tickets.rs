//! The demo's tickets: made up, seeded and plainly labelled, in English, Russian, Persian and Romanian, of customers who
//! bought. Nothing here was said by anybody.

use futures::stream;
use indicatif::ProgressBar;
use rapport_api::feedback::v1::push_tickets_request::Item;
use rapport_api::feedback::v1::ticket_service_client::TicketServiceClient;
use rapport_api::feedback::v1::{
    PushTicketRequest, PushTicketsRequest, PushTicketsResponse, Ticket, TicketAuthor, TicketKind, TicketMessage,
    TicketPriority, TicketStatus, TicketStatusChange,
};
use tonic::Status;

use super::cdnow;
use super::patience::bulk;
use super::synthetic::{Person, mix};
use crate::client::Client;

/// How many tickets there are.
pub const COUNT: usize = 400;
/// The source name of the tickets, and the tag that labels each of them.
const SOURCE: &str = "demo_desk";
const LABEL: &str = "synthetic";
const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// The cases: topic, stage, kind, and in each language what the customer and the agent write.
struct Case {
    topic: &'static str,
    stage: &'static str,
    kind: TicketKind,
    /// Language, title, what the customer writes, what the agent answers.
    words: [(&'static str, &'static str, &'static str, &'static str); 4],
}

const CASES: [Case; 6] = [
    Case {
        topic: "delivery",
        stage: "delivery",
        kind: TicketKind::Complaint,
        words: [
            (
                "en",
                "My parcel is late",
                "The CD should have come a week ago and it is still not here. I am very disappointed with the delivery.",
                "I am sorry. The parcel was held up at the depot; it will be with you tomorrow.",
            ),
            (
                "ru",
                "Посылка опаздывает",
                "Диск должен был прийти неделю назад, а его всё ещё нет. Доставка ужасная, я очень недоволен.",
                "Приносим извинения. Посылка задержалась на складе, завтра она будет у вас.",
            ),
            (
                "fa",
                "بسته‌ام دیر کرده است",
                "سی‌دی باید هفتهٔ پیش می‌رسید و هنوز نیامده است. از تحویل شما خیلی ناراضی هستم.",
                "پوزش می‌خواهیم. بسته در انبار مانده بود و فردا به دست شما می‌رسد.",
            ),
            (
                "ro",
                "Coletul întârzie",
                "CD-ul trebuia să ajungă acum o săptămână și încă nu a venit. Sunt foarte dezamăgit de livrare.",
                "Ne pare rău. Coletul a fost reținut la depozit; ajunge mâine la dumneavoastră.",
            ),
        ],
    },
    Case {
        topic: "quality",
        stage: "use",
        kind: TicketKind::Claim,
        words: [
            (
                "en",
                "The disc is scratched",
                "The disc is scratched and does not play. This is terrible quality, please send another one.",
                "That should not happen. A new disc is on its way, and you may keep the old one.",
            ),
            (
                "ru",
                "Диск поцарапан",
                "Диск поцарапан и не играет. Отвратительное качество, пришлите другой.",
                "Такого быть не должно. Новый диск уже отправлен, старый можете оставить себе.",
            ),
            (
                "fa",
                "سی‌دی خط افتاده است",
                "سی‌دی خط افتاده و پخش نمی‌شود. کیفیتش افتضاح است، لطفاً یکی دیگر بفرستید.",
                "نباید چنین می‌شد. سی‌دی تازه‌ای برایتان فرستادیم و آن یکی هم پیش شما بماند.",
            ),
            (
                "ro",
                "Discul este zgâriat",
                "Discul este zgâriat și nu merge. Calitatea este groaznică, trimiteți altul, vă rog.",
                "Nu trebuia să se întâmple. Un disc nou este pe drum, iar pe cel vechi îl puteți păstra.",
            ),
        ],
    },
    Case {
        topic: "refund",
        stage: "purchase",
        kind: TicketKind::Claim,
        words: [
            (
                "en",
                "Where is my refund?",
                "I sent the CD back three weeks ago and have called twice. When do I get my money back?",
                "Your refund was made today and will be on your account in two days.",
            ),
            (
                "ru",
                "Где мой возврат?",
                "Три недели назад я вернул диск и уже дважды звонил. Когда мне вернут деньги?",
                "Сегодня мы вернули вам деньги, через два дня они будут на счёте.",
            ),
            (
                "fa",
                "پولم کی برمی‌گردد؟",
                "سه هفته پیش سی‌دی را پس فرستادم و دو بار زنگ زدم. پولم کی برمی‌گردد؟",
                "پول شما امروز بازگردانده شد و تا دو روز دیگر به حسابتان می‌رسد.",
            ),
            (
                "ro",
                "Unde este rambursarea mea?",
                "Am trimis CD-ul înapoi acum trei săptămâni și am sunat de două ori. Când îmi primesc banii?",
                "Rambursarea a fost făcută astăzi și ajunge în cont în două zile.",
            ),
        ],
    },
    Case {
        topic: "billing",
        stage: "purchase",
        kind: TicketKind::Question,
        words: [
            (
                "en",
                "Charged twice?",
                "There are two charges for one order on my statement. Can you explain this?",
                "One of them is only a reservation; it disappears by itself within five days.",
            ),
            (
                "ru",
                "Списали дважды?",
                "В выписке два списания за один заказ. Можете объяснить?",
                "Одно из них — только резервирование, через пять дней оно исчезнет само.",
            ),
            (
                "fa",
                "دو بار پول گرفته‌اید؟",
                "در صورت‌حسابم برای یک سفارش دو بار پول کم شده است. می‌توانید توضیح بدهید؟",
                "یکی از آن‌ها فقط رزرو است و تا پنج روز دیگر خودبه‌خود حذف می‌شود.",
            ),
            (
                "ro",
                "Taxat de două ori?",
                "Pe extras apar două plăți pentru o singură comandă. Îmi puteți explica?",
                "Una dintre ele este doar o rezervare; dispare singură în cinci zile.",
            ),
        ],
    },
    Case {
        topic: "information",
        stage: "research",
        kind: TicketKind::Question,
        words: [
            (
                "en",
                "Is it in stock?",
                "Do you still have the album in stock, and could you gift-wrap it?",
                "Yes to both: choose gift wrapping when you order.",
            ),
            (
                "ru",
                "Есть ли в наличии?",
                "Есть ли ещё этот альбом и можно ли завернуть его в подарок?",
                "И то и другое да: выберите подарочную упаковку при заказе.",
            ),
            (
                "fa",
                "موجود است؟",
                "این آلبوم هنوز موجود است؟ می‌شود آن را کادو کنید؟",
                "بله، هر دو: هنگام سفارش بسته‌بندی هدیه را انتخاب کنید.",
            ),
            (
                "ro",
                "Este în stoc?",
                "Mai aveți albumul în stoc și îl puteți împacheta pentru cadou?",
                "Da, amândouă: alegeți ambalajul de cadou la comandă.",
            ),
        ],
    },
    Case {
        topic: "staff",
        stage: "support",
        kind: TicketKind::Request,
        words: [
            (
                "en",
                "Please thank your colleague",
                "Your colleague on the phone was wonderful, so friendly and helpful. Please thank her from me!",
                "Thank you, we have told her: she was delighted.",
            ),
            (
                "ru",
                "Поблагодарите вашу сотрудницу",
                "Ваша сотрудница по телефону была замечательной, очень вежливой. Передайте ей большое спасибо!",
                "Спасибо, мы передали ей: она очень обрадовалась.",
            ),
            (
                "fa",
                "از همکارتان تشکر کنید",
                "همکارتان پشت تلفن عالی و بسیار مهربان بود. لطفاً از طرف من از او تشکر کنید!",
                "سپاسگزاریم، به او گفتیم و خیلی خوشحال شد.",
            ),
            (
                "ro",
                "Mulțumiți colegei dumneavoastră",
                "Colega dumneavoastră de la telefon a fost minunată, foarte amabilă. Vă rog să-i mulțumiți din partea mea!",
                "Mulțumim, i-am spus: s-a bucurat foarte mult.",
            ),
        ],
    },
];

const CHANNELS: [&str; 3] = ["email", "phone", "chat"];
const PRIORITIES: [TicketPriority; 3] = [TicketPriority::Low, TicketPriority::Normal, TicketPriority::High];

/// The tickets of people who answered, one each, each with its whole history.
pub fn of(people: &[Person]) -> impl Iterator<Item = PushTicketRequest> {
    people
        .iter()
        .step_by((people.len() / COUNT).max(1))
        .take(COUNT)
        .zip(0..)
        .map(|(person, number)| ticket(person, number))
}

/// A quarter in each language; most solved at once, some opened again, some not solved yet.
fn ticket(person: &Person, number: u64) -> PushTicketRequest {
    let draw = mix(number ^ 0x71c4e7);
    let of = |shift: u32, of: usize| usize::try_from((draw >> shift) & 0xff).unwrap_or_default() % of;
    let case = &CASES[of(0, CASES.len())];
    let (language, title, said, answered) = case.words[usize::try_from(number % 4).unwrap_or_default()];
    let opened = person.answered_at - DAY + i64::try_from(of(8, 600)).unwrap_or_default() * MINUTE;
    let replied = opened + i64::try_from(10 + 3 * of(16, 200)).unwrap_or_default() * MINUTE;
    let (agent, again) = (format!("agent-{}", 1 + of(24, 5)), of(32, 10));
    let mut statuses = vec![(TicketStatus::New, opened), (TicketStatus::Open, replied)];
    let mut messages = vec![message("1", TicketAuthor::Customer, opened, said, language)];
    messages
        .push(TicketMessage { agent: agent.clone(), ..message("2", TicketAuthor::Agent, replied, answered, language) });
    if again > 0 {
        statuses.push((TicketStatus::Solved, replied + 30 * MINUTE));
    }
    // Two of ten had to ask again.
    if again > 7 {
        let asked = replied + 2 * DAY;
        messages.push(message("3", TicketAuthor::Customer, asked, said, language));
        messages.push(TicketMessage {
            agent: agent.clone(),
            ..message("4", TicketAuthor::Agent, asked + 90 * MINUTE, answered, language)
        });
        statuses.extend([(TicketStatus::Open, asked), (TicketStatus::Solved, asked + 2 * 60 * MINUTE)]);
    }
    let changes = statuses.iter().map(|(status, time)| TicketStatusChange {
        status: (*status).into(),
        time: at(*time),
        agent: agent.clone(),
        ..TicketStatusChange::default()
    });
    let ticket = Ticket {
        source: SOURCE.to_owned(),
        external_id: format!("T-{number}"),
        version: 1,
        customer: Some(cdnow::customer(person.number)),
        kind: case.kind.into(),
        status: statuses.last().map_or(TicketStatus::New, |(status, _)| *status).into(),
        status_history: changes.collect(),
        priority: PRIORITIES[of(40, 3)].into(),
        channel: CHANNELS[of(48, 3)].to_owned(),
        touchpoint: "help_form".to_owned(),
        stage: case.stage.to_owned(),
        product: "cd".to_owned(),
        topic: case.topic.to_owned(),
        title: title.to_owned(),
        agent: agent.clone(),
        language: language.to_owned(),
        tags: vec![LABEL.to_owned()],
        create_time: at(opened),
        update_time: at(statuses.last().map_or(opened, |(_, time)| *time)),
        ..Ticket::default()
    };
    PushTicketRequest { ticket: Some(ticket), messages, ..PushTicketRequest::default() }
}

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn message(id: &str, author: TicketAuthor, time: i64, text: &str, language: &str) -> TicketMessage {
    TicketMessage {
        external_id: id.to_owned(),
        version: 1,
        time: at(time),
        author: author.into(),
        text: text.to_owned(),
        language: language.to_owned(),
        ..TicketMessage::default()
    }
}

/// Pushes them through the bulk call; answers how many there are.
pub async fn tell(client: &Client, people: &[Person], bar: &ProgressBar) -> Result<usize, Status> {
    let pushes: Vec<_> = of(people).map(|push| PushTicketsRequest { item: Some(Item::Push(Box::new(push))) }).collect();
    let count = pushes.len();
    let service = TicketServiceClient::new(client.clone());
    let told = bulk(
        "ticket",
        bar,
        |answer: PushTicketsResponse| answer.ack,
        async |done| service.clone().push_tickets(stream::iter(pushes[done..].to_vec())).await,
    );
    told.await.map(|_| count)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::synthetic::people;
    use super::*;

    #[test]
    fn the_same_tickets_each_time_labelled_and_in_four_languages() {
        let (first, second): (Vec<_>, Vec<_>) = (of(&people()).collect(), of(&people()).collect());
        assert_eq!(first, second);
        assert_eq!(first.len(), COUNT);
        let tickets: Vec<_> = first.into_iter().filter_map(|push| push.ticket).collect();
        assert!(tickets.iter().all(|ticket| ticket.tags == [LABEL]));
        let mut languages = BTreeMap::new();
        for ticket in &tickets {
            *languages.entry(&*ticket.language).or_insert(0) += 1;
        }
        assert_eq!(languages, BTreeMap::from([("en", 100), ("fa", 100), ("ro", 100), ("ru", 100)]));
        let topics: BTreeSet<_> = tickets.iter().map(|ticket| &*ticket.topic).collect();
        assert_eq!(topics.len(), CASES.len());
    }
}
