//! The taxonomy: edited by the tenant, and what is stored follows it.

use prost::Message as _;
use rapport_api::feedback::v1::{
    AnalyzeTextRequest, CreateTopicRequest, DeleteTopicRequest, GetMentionRequest, GetResponseRequest, GetTopicRequest,
    ListTicketMessagesRequest, ListTopicsRequest, Mention, MentionKind, RecordMentionRequest, RereadTextsResult,
    SubmitResponseRequest, TextAnalysis, Ticket, TicketAuthor, TicketMessage, TicketStatus, Topic, TopicPhrases,
    UpdateTopicRequest,
};
use rapport_api::google::longrunning::operation::Result as Ended;
use rapport_data::Engine;
use rapport_kernel::{RequestId, TenantId};
use rstest::rstest;

use crate::desk::{Told, by_id, get, message, pushed, say, ticket, tickets};
use crate::ground::{Ground, answer, fields, reason};

fn topic(name: &str, phrases: &[&str]) -> Topic {
    let said = TopicPhrases { language: String::new(), phrases: phrases.iter().map(ToString::to_string).collect() };
    let phrases = if phrases.is_empty() { Vec::new() } else { vec![said] };
    Topic { name: name.to_owned(), phrases, ..Topic::default() }
}

fn create(topic: Topic) -> CreateTopicRequest {
    CreateTopicRequest { topic: Some(topic), ..CreateTopicRequest::default() }
}

async fn names(ground: &Ground, tenant: TenantId) -> Vec<String> {
    let list = ground.texts(tenant).list_topics(ListTopicsRequest::default()).await.expect("topics").into_inner();
    list.topics.into_iter().map(|topic| topic.name).collect()
}

fn speaks(analysis: Option<&TextAnalysis>, topic: &str) -> bool {
    analysis.is_some_and(|read| read.topics.iter().any(|one| one.topic == topic))
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_the_taxonomy_that_ships_until_it_makes_it_its_own(#[case] engine: Engine) {
    let (ground, tenant, neighbour) = (Ground::new(engine).await, TenantId::new(), TenantId::new());
    let mut texts = ground.texts(tenant);
    let ships =
        ["app", "billing", "connection", "delivery", "information", "price", "quality", "refund", "staff", "waiting"];
    assert_eq!(names(&ground, tenant).await, ships);
    let list = texts.list_topics(ListTopicsRequest::default()).await.expect("topics").into_inner().topics;
    let app = list[0].clone();
    assert!(app.is_standard && app.create_time.is_none() && app.display_names.len() == 4 && app.phrases.len() == 4);
    let get = |topic: &Topic| GetTopicRequest { topic_id: topic.topic_id.clone() };
    assert!(texts.get_topic(get(&app)).await.expect("it is there").into_inner() == app);

    let request =
        CreateTopicRequest { request_id: RequestId::new().to_string(), ..create(topic("parking", &["parking lot"])) };
    let made = texts.create_topic(request.clone()).await.expect("made").into_inner();
    assert!(texts.create_topic(request).await.expect("a retry").into_inner() == made);
    assert!(!made.is_standard && made.revision == 1 && made.operation.starts_with("feedback/operations/"));
    assert_eq!(names(&ground, tenant).await.len(), 11);
    assert_eq!(names(&ground, neighbour).await, ships, "a neighbour keeps what ships");
    assert!(texts.get_topic(get(&app)).await.expect("it is there still").into_inner() == app, "its id stays");

    let update = UpdateTopicRequest {
        topic: Some(Topic { name: "The App".to_owned(), ..app.clone() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["name".to_owned()] }),
        ..UpdateTopicRequest::default()
    };
    let renamed = texts.update_topic(update.clone()).await.expect("changed").into_inner();
    assert_eq!((renamed.name.as_str(), renamed.is_standard, renamed.phrases == app.phrases), ("The App", false, true));
    assert_eq!(reason(texts.update_topic(update).await), "STALE_ETAG");
    assert_eq!(reason(texts.create_topic(create(topic("PARKING", &["car park"]))).await), "RESOURCE_EXISTS");
    let delete = DeleteTopicRequest { topic_id: app.topic_id.clone(), ..DeleteTopicRequest::default() };
    assert_eq!(
        reason(
            ground
                .texts(neighbour)
                .delete_topic(DeleteTopicRequest { topic_id: made.topic_id.clone(), ..DeleteTopicRequest::default() })
                .await
        ),
        "RESOURCE_NOT_FOUND"
    );
    texts.delete_topic(delete.clone()).await.expect("deleted");
    assert_eq!(reason(texts.delete_topic(delete).await), "RESOURCE_NOT_FOUND");
    let read = |text: &str| AnalyzeTextRequest { text: text.to_owned(), ..AnalyzeTextRequest::default() };
    let analysis = texts.analyze_text(read("The website crashed in the parking lot")).await.expect("read").into_inner();
    assert!(
        !speaks(Some(&analysis), "The App") && !speaks(Some(&analysis), "app") && speaks(Some(&analysis), "parking")
    );

    let mut seen = Vec::new();
    let mut page = ListTopicsRequest { page_size: 4, ..ListTopicsRequest::default() };
    loop {
        let list = texts.list_topics(page.clone()).await.expect("a page").into_inner();
        seen.extend(list.topics.into_iter().map(|topic| topic.name));
        if list.next_page_token.is_empty() {
            break;
        }
        page.page_token = list.next_page_token;
    }
    assert_eq!(seen, names(&ground, tenant).await);
}

#[tokio::test]
async fn what_is_wrong_with_a_topic_is_named_all_at_once() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut texts = ground.texts(tenant);
    assert_eq!(fields(texts.create_topic(CreateTopicRequest::default()).await), ["topic"]);
    assert_eq!(fields(texts.create_topic(create(topic("bare", &[]))).await), ["topic.phrases"]);
    let wrong = Topic { condition: "sentimnet > 1".to_owned(), ..topic(" ", &["fine", "!?", "a b c d e f g h i"]) };
    let mut wrong_fields = fields(texts.create_topic(create(wrong)).await);
    wrong_fields.sort();
    let expected = ["topic.condition", "topic.name", "topic.phrases[0].phrases[1]", "topic.phrases[0].phrases[2]"];
    assert_eq!(wrong_fields, expected);
    let condition = Topic { condition: "text +".to_owned(), ..topic("by condition", &[]) };
    assert_eq!(reason(texts.create_topic(create(condition)).await), "INVALID_CONDITION");
    let twice = Topic {
        phrases: vec![TopicPhrases { language: "en".to_owned(), phrases: vec!["car".to_owned()] }; 2],
        ..topic("twice", &[])
    };
    assert_eq!(fields(texts.create_topic(create(twice)).await), ["topic.phrases[1].language"]);
    let rival = Topic { is_competitor: true, ..topic("Vodafone", &[]) };
    texts.create_topic(create(rival)).await.expect("a competitor's name speaks of it");
    let unknown = UpdateTopicRequest {
        topic: Some(Topic { topic_id: RequestId::new().to_string(), ..topic("x", &["y"]) }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["color".to_owned()] }),
        ..UpdateTopicRequest::default()
    };
    assert_eq!(fields(texts.update_topic(unknown).await), ["update_mask.paths[0]"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_stored_before_are_read_again_after_a_change(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (survey, mut told) = (ground.open(tenant).await, Told::of(&ground));
    let mut texts = ground.texts(tenant);
    let words = "There was no place in the parking lot, unlike at Globex.";
    let submit = SubmitResponseRequest { comment: words.to_owned(), ..answer(&survey, 1) };
    let response = ground.responses(tenant).submit_response(submit).await.expect("taken").into_inner();
    let silent = SubmitResponseRequest { comment: "Fine.".to_owned(), ..answer(&survey, 8) };
    let silent = ground.responses(tenant).submit_response(silent).await.expect("taken").into_inner();
    let (parent, child) = ("T-1", "T-2");
    for name in [parent, child] {
        let held = pushed(&ground, tenant, ticket(&ground, name, 1, 0, TicketStatus::Open)).await;
        let said = TicketMessage { text: words.to_owned(), ..message(&ground, "m", 1, TicketAuthor::Customer) };
        tickets(&ground, tenant).add_ticket_message(say(by_id(&held), said)).await.expect("taken");
    }
    let titled = Ticket { title: "Parking lot".to_owned(), ..ticket(&ground, "T-3", 1, 0, TicketStatus::Open) };
    let titled = pushed(&ground, tenant, titled).await;
    let merge = rapport_api::feedback::v1::MergeTicketsRequest {
        target: Some(crate::desk::key(parent)),
        merged: vec![crate::desk::key(child)],
        ..Default::default()
    };
    let held = tickets(&ground, tenant).merge_tickets(merge).await.expect("merged").into_inner();
    let mention = Mention {
        source: "reviews".to_owned(),
        external_id: "1".to_owned(),
        kind: MentionKind::Review.into(),
        text: words.to_owned(),
        ..Mention::default()
    };
    let record = RecordMentionRequest { mention: Some(mention), ..RecordMentionRequest::default() };
    let mention = ground.mentions(tenant).record_mention(record).await.expect("taken").into_inner().mention;
    let mention = mention.expect("it is held");

    let made = texts.create_topic(create(topic("parking", &["parking lot"]))).await.expect("made").into_inner();
    let rival = Topic { is_competitor: true, ..topic("Globex", &[]) };
    let rival = texts.create_topic(create(rival)).await.expect("made").into_inner();
    ground.operation(tenant, &made.operation).await;
    let Some(Ended::Response(result)) = ground.operation(tenant, &rival.operation).await.result else {
        panic!("it ended well")
    };
    RereadTextsResult::decode(result.value.as_slice()).expect("its result");

    let of = |response_id: &str| GetResponseRequest { response_id: response_id.to_owned() };
    let response_now =
        ground.responses(tenant).get_response(of(&response.response_id)).await.expect("there").into_inner();
    assert!(speaks(response_now.analysis.as_ref(), "parking") && response_now.revision > response.revision);
    let named = |analysis: Option<&TextAnalysis>| {
        analysis.is_some_and(|read| read.competitors.iter().any(|one| one.topic == "Globex"))
    };
    assert!(named(response_now.analysis.as_ref()));
    let untouched = ground.responses(tenant).get_response(of(&silent.response_id)).await.expect("there").into_inner();
    assert_eq!(untouched.revision, silent.revision, "what is read as before does not change");
    let parent_now = get(&ground, tenant, parent).await;
    let two = parent_now.analysis.as_ref().map(|read| read.topics.clone()).unwrap_or_default();
    assert!(two.iter().any(|one| one.topic == "parking") && named(parent_now.analysis.as_ref()), "{two:?}");
    let list = ListTicketMessagesRequest { ticket: Some(by_id(&held)), ..ListTicketMessagesRequest::default() };
    let messages = tickets(&ground, tenant).list_ticket_messages(list).await.expect("messages").into_inner().messages;
    assert!(messages.len() == 2 && messages.iter().all(|message| speaks(message.analysis.as_ref(), "parking")));
    assert!(speaks(get(&ground, tenant, "T-3").await.analysis.as_ref(), "parking"), "by its title");
    let get_mention = GetMentionRequest { mention_id: mention.mention_id.clone() };
    let mention_now = ground.mentions(tenant).get_mention(get_mention.clone()).await.expect("there").into_inner();
    assert!(speaks(mention_now.analysis.as_ref(), "parking") && named(mention_now.analysis.as_ref()));
    told.until("what was read again", |told| {
        let has = |ticket: &Ticket| {
            told.state(ticket)
                .is_some_and(|state| state.reading.as_ref().is_some_and(|read| read.topics.contains_key("parking")))
        };
        has(&held) && has(&titled)
    })
    .await;

    let delete = DeleteTopicRequest { topic_id: made.topic_id, ..DeleteTopicRequest::default() };
    let deleted = texts.delete_topic(delete).await.expect("deleted").into_inner();
    ground.operation(tenant, &deleted.operation).await;
    let mention_now = ground.mentions(tenant).get_mention(get_mention).await.expect("there").into_inner();
    assert!(!speaks(mention_now.analysis.as_ref(), "parking") && named(mention_now.analysis.as_ref()));
    assert!(!speaks(get(&ground, tenant, parent).await.analysis.as_ref(), "parking"));
}
