//! Texts as they are read: asked for, and stored with what they are part of.

use rapport_api::feedback::v1::{
    AnalyzeTextRequest, BatchAnalyzeTextsRequest, GetResponseRequest, ListTicketMessagesRequest, MergeTicketsRequest,
    SubmitResponseRequest, TextAnalysis, TextPolarity, Ticket, TicketAuthor, TicketMessage, TicketStatus,
    UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::desk::{Told, by_id, get, message, pushed, say, ticket, tickets};
use crate::ground::{Ground, answer, fields};

fn text(text: &str) -> AnalyzeTextRequest {
    AnalyzeTextRequest { text: text.to_owned(), language: String::new() }
}

fn topics(analysis: &TextAnalysis) -> Vec<&str> {
    analysis.topics.iter().map(|one| one.topic.as_str()).collect()
}

#[tokio::test]
async fn a_text_is_read_in_each_of_the_four_languages_with_the_words_that_decided() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut texts = ground.texts(tenant);
    for (said, language, polarity, topic) in [
        ("The courier was rude and the parcel arrived broken.", "en", TextPolarity::Negative, "delivery"),
        ("Прекрасное обслуживание, оператор очень вежливый!", "ru", TextPolarity::Positive, "staff"),
        ("اپلیکیشن خیلی بد است و همیشه خراب می‌شود", "fa", TextPolarity::Negative, "app"),
        ("Sunt foarte mulțumit de livrare, curierul a fost minunat", "ro", TextPolarity::Positive, "delivery"),
    ] {
        let read = texts.analyze_text(text(said)).await.expect("read").into_inner();
        assert_eq!((read.language.as_str(), read.polarity()), (language, polarity), "{said}");
        assert!(topics(&read).contains(&topic), "{said}: {:?}", topics(&read));
        assert_eq!(read.sentiment > 0.0, polarity == TextPolarity::Positive, "{said}");
        assert!(read.sentiment.abs() <= 1.0 && read.confidence > 0.0 && read.confidence <= 1.0);
        assert!(!read.model.is_empty() && !read.evidence.is_empty(), "{said}");
        let letters: Vec<char> = said.chars().collect();
        for word in &read.evidence {
            let (start, end) =
                (usize::try_from(word.start).expect("a place"), usize::try_from(word.end).expect("a place"));
            assert_eq!(letters[start..end].iter().collect::<String>(), word.text, "{said}");
        }
    }
    let hard = texts.analyze_text(text("I called three times and was on hold for an hour. I am furious!")).await;
    let hard = hard.expect("read").into_inner();
    assert!(hard.effort.is_some_and(|effort| effort >= 0.5) && !hard.effort_cues.is_empty());
    assert!(hard.emotions.iter().any(|one| one.emotion == "anger"), "{:?}", hard.emotions);
    let hinted = AnalyzeTextRequest { language: "ru-RU".to_owned(), ..text("ok") };
    let hinted = texts.analyze_text(hinted).await.expect("read").into_inner();
    assert_eq!((hinted.language.as_str(), hinted.language_confidence), ("ru", 1.0));
    let foreign = AnalyzeTextRequest { language: "de".to_owned(), ..text("The courier was wonderful") };
    assert_eq!(texts.analyze_text(foreign).await.expect("read").into_inner().language, "en", "it is detected");
    let silent = texts.analyze_text(text(" \n ")).await.expect("read").into_inner();
    assert_eq!((silent.language.as_str(), silent.polarity(), silent.sentiment), ("", TextPolarity::Neutral, 0.0));
    assert_eq!(fields(texts.analyze_text(text("")).await), ["text"]);
    let long = AnalyzeTextRequest { language: "x".repeat(36), ..text(&"x".repeat(100_001)) };
    assert_eq!(fields(texts.analyze_text(long).await), ["text", "language"]);
}

#[tokio::test]
async fn many_texts_are_read_as_each_alone() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut texts = ground.texts(tenant);
    let all: Vec<AnalyzeTextRequest> =
        ["Too expensive.", "Спасибо, всё отлично", "42", "Refund my money!"].into_iter().map(text).collect();
    let batch = BatchAnalyzeTextsRequest { texts: all.clone() };
    let together = texts.batch_analyze_texts(batch).await.expect("read").into_inner().analyses;
    let mut alone = Vec::new();
    for one in all {
        alone.push(texts.analyze_text(one).await.expect("read").into_inner());
    }
    assert!(together == alone);
    let none = BatchAnalyzeTextsRequest { texts: Vec::new() };
    assert_eq!(fields(texts.batch_analyze_texts(none).await), ["texts"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_carries_what_was_read_in_it_and_follows_its_corrections(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (survey, mut reader) = (ground.open(tenant).await, ground.reader());
    let mut responses = ground.responses(tenant);
    let said = "Awful delivery. Pay back to RO49 AAAA 1B31 0075 9384 0000 or card 4111 1111 1111 1111, cvv 123";
    let submit = SubmitResponseRequest { comment: said.to_owned(), ..answer(&survey, 1) };
    let taken = responses.submit_response(submit).await.expect("taken").into_inner();
    assert_eq!(taken.comment, "Awful delivery. Pay back to [iban] or card [card], cvv [cvv]");
    let read = taken.analysis.clone().expect("it was read");
    assert_eq!((read.polarity(), read.language.as_str()), (TextPolarity::Negative, "en"));
    assert!(topics(&read).contains(&"delivery"));
    assert!(read.evidence.iter().any(|one| one.text == "Awful" && !one.part.is_empty()), "{:?}", read.evidence);
    let request = GetResponseRequest { response_id: taken.response_id.clone() };
    assert!(responses.get_response(request).await.expect("it is there").into_inner() == taken);

    let correction = UpdateResponseRequest {
        response_id: taken.response_id.clone(),
        comment: Some("Превосходная доставка! 2200-0000-0000-0053".to_owned()),
        ..UpdateResponseRequest::default()
    };
    let corrected = responses.update_response(correction).await.expect("corrected").into_inner();
    assert_eq!(corrected.comment, "Превосходная доставка! [card]");
    let read = corrected.analysis.expect("it was read");
    assert_eq!((read.polarity(), read.language.as_str()), (TextPolarity::Positive, "ru"));
    let silent = UpdateResponseRequest {
        response_id: taken.response_id,
        comment: Some(String::new()),
        ..UpdateResponseRequest::default()
    };
    assert!(responses.update_response(silent).await.expect("corrected").into_inner().analysis.is_none());

    let events = reader.next(3).await;
    let told: Vec<_> = events.iter().map(|(_, state)| state.reading.clone()).collect();
    let first = told[0].as_ref().expect("a reading");
    assert!(first.sentiment.is_some_and(|value| value < 0.0) && first.topics.contains_key("delivery"));
    assert!(told[1].as_ref().is_some_and(|read| read.language == "ru") && told[2].is_none());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_read_by_its_title_and_what_the_customer_wrote(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let title =
        Ticket { title: "Refund of 5500000000000004".to_owned(), ..ticket(&ground, "T-1", 1, 0, TicketStatus::Open) };
    let held = pushed(&ground, tenant, title).await;
    assert_eq!(held.title, "Refund of [card]");
    assert!(topics(held.analysis.as_ref().expect("the title was read")).contains(&"refund"));
    let write = |id: &str, minute, author, text: &str| TicketMessage {
        text: text.to_owned(),
        ..message(&ground, id, minute, author)
    };
    for said in [
        write("m1", 1, TicketAuthor::Customer, "The app crashes all the time, it is horrible"),
        write("m2", 2, TicketAuthor::Agent, "That is wonderful, what excellent news about the price"),
        TicketMessage { internal: true, ..write("m3", 3, TicketAuthor::Customer, "great quality") },
    ] {
        tickets(&ground, tenant).add_ticket_message(say(by_id(&held), said)).await.expect("taken");
    }
    let held = get(&ground, tenant, "T-1").await;
    let read = held.analysis.clone().expect("it was read");
    assert_eq!((read.polarity(), topics(&read).contains(&"app")), (TextPolarity::Negative, true));
    assert!(!topics(&read).contains(&"price") && !topics(&read).contains(&"quality"), "only the customer's words");
    assert!(read.evidence.is_empty());
    let list = ListTicketMessagesRequest { ticket: Some(by_id(&held)), ..ListTicketMessagesRequest::default() };
    let messages = tickets(&ground, tenant).list_ticket_messages(list).await.expect("messages").into_inner().messages;
    let analysed: Vec<bool> = messages.iter().map(|message| message.analysis.is_some()).collect();
    assert_eq!(analysed, [true, false, false]);
    let evidence = &messages[0].analysis.as_ref().expect("it was read").evidence;
    assert!(evidence.iter().any(|one| one.text == "horrible"), "{evidence:?}");
    told.until("the ticket's reading", |told| {
        told.state(&held)
            .is_some_and(|state| state.reading.as_ref().is_some_and(|read| read.topics.contains_key("app")))
    })
    .await;

    let other = Ticket { title: "Rude staff".to_owned(), ..ticket(&ground, "T-2", 1, 5, TicketStatus::Open) };
    let other = pushed(&ground, tenant, other).await;
    let merge = MergeTicketsRequest {
        target: Some(by_id(&held)),
        merged: vec![by_id(&other)],
        ..MergeTicketsRequest::default()
    };
    let merged = tickets(&ground, tenant).merge_tickets(merge).await.expect("merged").into_inner();
    let all = topics(merged.analysis.as_ref().expect("it was read")).join(" ");
    assert!(all.contains("staff") && all.contains("app") && all.contains("refund"), "{all}");
}
