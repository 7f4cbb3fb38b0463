//! Mentions: in whatever order sources tell of them, answered, watched, shown where their authors agree, forgotten.

use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::{CustomerRef, EraseSubjectsRequest, Identifier, customer_ref::Ref};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, MentionChanged, event::Payload};
use rapport_api::feedback::v1::{
    DeleteMentionRequest, GetMentionRequest, ListMentionsRequest, ListTestimonialsRequest, Mention, MentionKind,
    MentionOutcome, MentionRating, RecordMentionRequest, RecordMentionsRequest, ReplyToMentionRequest,
    SubmitResponseRequest, TextPolarity, TextSource, WatchMentionsRequest,
};
use rapport_data::{DatabaseConfig, Engine};
use rapport_kernel::{Clock as _, RequestId, SubjectId, TenantId};
use rapport_platform::config::Address;
use rstest::rstest;

use crate::desk::{go_to, minutes};
use crate::ground::{Ground, Known, answer, by_id, fields, reason};

fn review(id: &str, version: i64, text: &str) -> Mention {
    Mention {
        source: "reviews".to_owned(),
        external_id: id.to_owned(),
        version,
        kind: MentionKind::Review.into(),
        place: "trustpilot".to_owned(),
        author: "Anna P.".to_owned(),
        text: text.to_owned(),
        ..Mention::default()
    }
}

fn record(mention: Mention) -> RecordMentionRequest {
    RecordMentionRequest { mention: Some(mention), ..RecordMentionRequest::default() }
}

async fn recorded(ground: &Ground, tenant: TenantId, mention: Mention) -> Mention {
    let answer = ground.mentions(tenant).record_mention(record(mention)).await.expect("taken").into_inner();
    answer.mention.expect("it is held")
}

/// All that was published of mentions, until there are so many.
async fn published(ground: &Ground, count: usize) -> Vec<(Event, MentionChanged)> {
    published_until(ground, |found| found.len() >= count).await
}

/// What is published, as far as it takes until it is enough.
async fn published_until(
    ground: &Ground,
    enough: impl Fn(&[(Event, MentionChanged)]) -> bool,
) -> Vec<(Event, MentionChanged)> {
    let (mut found, end) = (Vec::new(), tokio::time::Instant::now() + Duration::from_secs(20));
    let mut subscriptions = Vec::new();
    for group in ["metrics", "derive"] {
        let lane = rapport_data::lane("feedback", group);
        for partition in 0..rapport_data::PARTITIONS {
            subscriptions.push((group == "metrics", ground.bus.subscribe(&lane, partition, group)));
        }
    }
    while !enough(&found) {
        assert!(tokio::time::Instant::now() < end, "only {} events came", found.len());
        for (counts, subscription) in &mut subscriptions {
            let deliveries = subscription.next(100, Duration::from_millis(2)).await.expect("the bus is up");
            if let Some(last) = deliveries.last() {
                subscription.commit(last.id).await.expect("the bus is up");
            }
            for delivery in deliveries.into_iter().filter(|_| *counts) {
                let mut event = Event::decode(delivery.body).expect("an event");
                if let Some(Payload::MentionChanged(state)) = event.payload.take() {
                    found.push((event, state));
                }
            }
        }
    }
    found
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mention_is_held_by_its_highest_version_and_a_deletion_outlasts_all(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 100);
    let (customer, subject) = ground.profiles.customer(tenant);
    let mut mentions = ground.mentions(tenant);
    let first = Mention {
        rating: Some(MentionRating { value: 2.0, min: 0.0, max: 0.0 }),
        title: "Never again".to_owned(),
        product: "tea".to_owned(),
        said_at: Some(minutes(&ground, 10)),
        competitors: vec!["Globex".to_owned()],
        ..review("1", 2, "Terrible delivery, my card 4111 1111 1111 1111 was charged twice")
    };
    let request = RecordMentionRequest { request_id: RequestId::new().to_string(), ..record(first.clone()) };
    let answer = mentions.record_mention(request.clone()).await.expect("taken").into_inner();
    assert!(mentions.record_mention(request).await.expect("a retry").into_inner() == answer);
    assert_eq!(answer.outcome(), MentionOutcome::Created);
    let held = answer.mention.expect("it is held");
    assert_eq!(held.text, "Terrible delivery, my card [card] was charged twice");
    assert_eq!((held.subject_id.as_str(), held.customer.clone(), held.revision), ("", None, 1));
    let naming = ListMentionsRequest { topic: "Globex".to_owned(), ..ListMentionsRequest::default() };
    assert_eq!(mentions.list_mentions(naming).await.expect("a list").into_inner().mentions.len(), 1);
    assert_eq!(held.rating, Some(MentionRating { value: 2.0, min: 1.0, max: 5.0 }));
    let read = held.analysis.as_ref().expect("it was read");
    let speaks = read.topics.iter().any(|one| one.topic == "delivery");
    assert_eq!((read.polarity(), speaks), (TextPolarity::Negative, true));

    for (version, outcome) in [(2, MentionOutcome::Unchanged), (1, MentionOutcome::Unchanged)] {
        let late = mentions.record_mention(record(review("1", version, "Late"))).await.expect("harmless").into_inner();
        assert!(late.outcome() == outcome && late.mention.as_ref() == Some(&held));
    }
    let known = Mention { customer: Some(customer), ..review("1", 3, "It was mended. Wonderful service!") };
    let updated = mentions.record_mention(record(known)).await.expect("taken").into_inner();
    assert_eq!(updated.outcome(), MentionOutcome::Updated);
    let updated = updated.mention.expect("it is held");
    assert_eq!((updated.subject_id.as_str(), updated.revision), (subject.to_string().as_str(), 2));
    assert_eq!(
        (&updated.mention_id, updated.analysis.as_ref().map(|read| read.polarity())),
        (&held.mention_id, Some(TextPolarity::Positive))
    );

    let delete = DeleteMentionRequest { mention_id: held.mention_id.clone(), etag: held.etag, ..Default::default() };
    assert_eq!(reason(mentions.delete_mention(delete.clone()).await), "STALE_ETAG");
    mentions.delete_mention(DeleteMentionRequest { etag: updated.etag, ..delete }).await.expect("deleted");
    let again = mentions.record_mention(record(review("1", 9, "Back"))).await.expect("harmless").into_inner();
    assert_eq!((again.outcome(), again.mention), (MentionOutcome::Deleted, None));
    let get = GetMentionRequest { mention_id: held.mention_id.clone() };
    assert_eq!(reason(mentions.get_mention(get).await), "RESOURCE_NOT_FOUND");

    // It became somebody's in between: what is of another subject may come in another order.
    let mut events = published(&ground, 3).await;
    events.sort_by_key(|(event, _)| event.revision);
    let revisions: Vec<_> = events.iter().map(|(event, state)| (event.revision, state.deleted)).collect();
    assert!([(1, false), (2, false), (3, true)].iter().all(|wanted| revisions.contains(wanted)), "{revisions:?}");
    let (event, state) = &events[0];
    assert_eq!(
        (event.occurred_at, event.aggregate_id.as_str()),
        (Some(minutes(&ground, 10)), held.mention_id.as_str())
    );
    assert_eq!((state.kind.as_str(), state.place.as_str(), state.rating), ("review", "trustpilot", Some(2.0)));
    assert!(state.anonymous && state.reading.as_ref().is_some_and(|read| read.competitors == ["Globex"]));
    assert!(!state.encode_to_vec().windows(8).any(|window| window == b"Terrible"), "words do not leave the service");
}

#[tokio::test]
async fn what_is_wrong_with_a_mention_is_named_all_at_once() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut mentions = ground.mentions(tenant);
    let wrong =
        Mention { rating: Some(MentionRating { value: 6.0, min: 1.0, max: 5.0 }), version: -1, ..Mention::default() };
    let mut named = fields(mentions.record_mention(record(wrong)).await);
    named.sort();
    let expected = ["mention.external_id", "mention.kind", "mention.rating.value", "mention.source", "mention.version"];
    assert_eq!(named, expected);
    assert_eq!(fields(mentions.record_mention(record(review("1", 0, ""))).await), ["mention.text"]);
    let early = Mention { said_at: Some(minutes(&ground, 60)), ..review("1", 0, "From the future") };
    assert_eq!(fields(mentions.record_mention(record(early)).await), ["mention.said_at"]);
    let unknown = |r#ref| Mention { customer: Some(CustomerRef { r#ref: Some(r#ref) }), ..review("2", 0, "Hm") };
    let nobody = Ref::CustomerId(SubjectId::new().to_string());
    assert_eq!(reason(mentions.record_mention(record(unknown(nobody))).await), "RESOURCE_NOT_FOUND");
    let identifier = Identifier { namespace: "email".to_owned(), value: "nobody@example.com".to_owned() };
    assert_eq!(recorded(&ground, tenant, unknown(Ref::Identifier(identifier))).await.subject_id, "", "it is nobody's");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_taken_by_a_stream_and_lists_find_them(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 1_000);
    let (customer, _) = ground.profiles.customer(tenant);
    let items: Vec<RecordMentionsRequest> = (0..60_i64)
        .map(|n| {
            let text = ["Awful delivery", "Excellent app, thank you", ""][usize::try_from(n % 3).expect("few")];
            let stars = f64::from(i32::try_from(n % 5 + 1).expect("few"));
            let kind = if n % 3 == 2 { MentionKind::AppRating } else { MentionKind::Review };
            let mention = Mention {
                kind: kind.into(),
                rating: Some(MentionRating { value: stars, min: 1.0, max: 5.0 }),
                said_at: Some(minutes(&ground, n)),
                customer: (n % 10 == 0).then(|| customer.clone()),
                ..review(&format!("{n}"), 1, text)
            };
            RecordMentionsRequest { mention: Some(mention) }
        })
        .chain([RecordMentionsRequest { mention: Some(Mention::default()) }])
        .collect();
    let mut mentions = ground.mentions(tenant);
    let mut acks = mentions.record_mentions(futures::stream::iter(items)).await.expect("a stream").into_inner();
    let (mut accepted, mut refused, mut through) = (0, Vec::new(), 0);
    while let Some(ack) = acks.message().await.expect("the stream goes on") {
        let ack = ack.ack.expect("an acknowledgement");
        (accepted, through) = (accepted + ack.accepted, ack.through_index);
        refused.extend(ack.errors.into_iter().map(|error| error.index));
    }
    assert_eq!((accepted, through, refused), (60, 60, vec![60]));

    let count = async |request: ListMentionsRequest| {
        let request = ListMentionsRequest { page_size: 1_000, ..request };
        ground.mentions(tenant).list_mentions(request).await.expect("a list").into_inner().mentions.len()
    };
    let all = ListMentionsRequest::default;
    assert_eq!(count(all()).await, 60);
    assert_eq!(count(ListMentionsRequest { customer: Some(customer), ..all() }).await, 6);
    assert_eq!(count(ListMentionsRequest { kinds: vec![MentionKind::AppRating.into()], ..all() }).await, 20);
    assert_eq!(count(ListMentionsRequest { polarity: TextPolarity::Negative.into(), ..all() }).await, 20);
    assert_eq!(count(ListMentionsRequest { topic: "app".to_owned(), ..all() }).await, 20);
    assert_eq!(count(ListMentionsRequest { min_rating: Some(0.75), ..all() }).await, 24);
    assert_eq!(count(ListMentionsRequest { max_rating: Some(0.0), ..all() }).await, 12);
    assert_eq!(count(ListMentionsRequest { replied: Some(true), ..all() }).await, 0);
    assert_eq!(count(ListMentionsRequest { language: "en".to_owned(), ..all() }).await, 40);
    assert_eq!(count(ListMentionsRequest { place: "elsewhere".to_owned(), ..all() }).await, 0);
    let (start_time, end_time) = (Some(minutes(&ground, 10)), Some(minutes(&ground, 20)));
    assert_eq!(count(ListMentionsRequest { start_time, end_time, ..all() }).await, 10);

    for order_by in ["", "said_at"] {
        let (mut page, mut seen) =
            (ListMentionsRequest { page_size: 7, order_by: order_by.to_owned(), ..all() }, Vec::new());
        loop {
            let list = mentions.list_mentions(page.clone()).await.expect("a page").into_inner();
            seen.extend(list.mentions.into_iter().map(|one| one.external_id.parse::<i64>().expect("a number")));
            if list.next_page_token.is_empty() {
                break;
            }
            page.page_token = list.next_page_token;
        }
        let mut expected: Vec<i64> = (0..60).collect();
        if order_by.is_empty() {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
    assert_eq!(
        fields(mentions.list_mentions(ListMentionsRequest { order_by: "rating".to_owned(), ..all() }).await),
        ["order_by"]
    );
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_are_kept_watched_and_told(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 100);
    let mut watcher = ground.mentions(tenant);
    let wanted = WatchMentionsRequest { polarity: TextPolarity::Negative.into(), ..WatchMentionsRequest::default() };
    let mut watch = watcher.watch_mentions(wanted).await.expect("watching").into_inner();
    assert!(watch.message().await.expect("no error").is_some_and(|told| told.change.is_none()));
    recorded(&ground, tenant, review("0", 1, "Splendid, thank you")).await;
    let said = Mention { said_at: Some(minutes(&ground, 50)), ..review("1", 1, "Terrible, I hate it") };
    let held = recorded(&ground, tenant, said).await;
    let mut mentions = ground.mentions(tenant);
    let reply = ReplyToMentionRequest {
        mention_id: held.mention_id.clone(),
        etag: held.etag.clone(),
        text: "We are sorry".to_owned(),
        agent: "boris".to_owned(),
        time: Some(minutes(&ground, 60)),
        ..ReplyToMentionRequest::default()
    };
    let replied = mentions.reply_to_mention(reply.clone()).await.expect("noted").into_inner();
    assert_eq!((replied.first_reply_time, replied.replies.len()), (Some(minutes(&ground, 60)), 1));
    assert_eq!(reason(mentions.reply_to_mention(reply.clone()).await), "STALE_ETAG");
    let correction = ReplyToMentionRequest {
        etag: String::new(),
        reply_id: replied.replies[0].reply_id.clone(),
        text: "We are very sorry".to_owned(),
        time: None,
        ..reply.clone()
    };
    let corrected = mentions.reply_to_mention(correction).await.expect("corrected").into_inner();
    assert_eq!(
        (corrected.replies[0].text.as_str(), corrected.first_reply_time),
        ("We are very sorry", Some(minutes(&ground, 60)))
    );
    let early = ReplyToMentionRequest { etag: String::new(), time: Some(minutes(&ground, 40)), ..reply };
    assert_eq!(fields(mentions.reply_to_mention(early).await), ["time"]);
    let list = ListMentionsRequest { replied: Some(true), ..ListMentionsRequest::default() };
    assert_eq!(mentions.list_mentions(list).await.expect("a list").into_inner().mentions.len(), 1);
    let mut revisions = Vec::new();
    while revisions.len() < 3 {
        let told = tokio::time::timeout(Duration::from_secs(30), watch.message()).await.expect("it tells something");
        if let Some(change) = told.expect("no error").expect("it goes on").change {
            assert_eq!(change.mention_id, held.mention_id, "praise is not watched");
            revisions.push(change.revision);
        }
    }
    assert_eq!(revisions, [1, 2, 3]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn praise_is_shown_where_its_author_agrees_now(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 100);
    let survey = ground.open(tenant).await;
    let person = |consent: Option<bool>| {
        let subject = SubjectId::new();
        let consents = consent.map(|granted| ("publication".to_owned(), granted)).into_iter().collect();
        let known = Known { subject, subjects: vec![subject], consents, ..Known::default() };
        ground.profiles.tell(tenant, &by_id(subject), known);
        subject
    };
    let (agrees, refuses, silent) = (person(Some(true)), person(Some(false)), person(None));
    let praise = "Wonderful service, I love this app!";
    let mut n = 0;
    let mut say = async |customer: Option<SubjectId>, consent: bool, text: &str| {
        n += 1;
        let mention = Mention {
            customer: customer.map(by_id),
            publication_consent: consent,
            said_at: Some(minutes(&ground, n)),
            ..review(&n.to_string(), 1, text)
        };
        recorded(&ground, tenant, mention).await.mention_id
    };
    let by_consent = say(Some(agrees), false, praise).await;
    say(Some(refuses), true, praise).await;
    let with_it = say(Some(silent), true, praise).await;
    let nobodys = say(None, true, praise).await;
    say(Some(silent), false, praise).await;
    say(None, false, praise).await;
    say(Some(agrees), true, "Horrible, I hate this app!").await;
    for customer in [agrees, silent] {
        let submit = SubmitResponseRequest {
            customer: Some(by_id(customer)),
            comment: "Excellent delivery, thank you".to_owned(),
            answered_at: Some(minutes(&ground, 50)),
            ..answer(&survey, 9)
        };
        ground.responses(tenant).submit_response(submit).await.expect("taken");
    }
    let list = async |request: ListTestimonialsRequest| {
        ground.mentions(tenant).list_testimonials(request).await.expect("a list").into_inner().testimonials
    };
    let shown = list(ListTestimonialsRequest::default()).await;
    let which: Vec<_> =
        shown.iter().map(|one| (one.source(), one.mention_id.as_str(), one.consent_given_with_it)).collect();
    let expected = [
        (TextSource::Response, "", false),
        (TextSource::Mention, nobodys.as_str(), true),
        (TextSource::Mention, with_it.as_str(), true),
        (TextSource::Mention, by_consent.as_str(), false),
    ];
    assert_eq!(which, expected);
    assert_eq!((shown[0].text.as_str(), shown[3].author.as_str()), ("Excellent delivery, thank you", "Anna P."));
    let of_app = ListTestimonialsRequest { topic: "app".to_owned(), ..ListTestimonialsRequest::default() };
    assert_eq!(list(of_app).await.len(), 3);
    let (mut page, mut seen) = (ListTestimonialsRequest { page_size: 1, ..ListTestimonialsRequest::default() }, 0);
    loop {
        let list = ground.mentions(tenant).list_testimonials(page.clone()).await.expect("a page").into_inner();
        seen += list.testimonials.len();
        if list.next_page_token.is_empty() {
            break;
        }
        page.page_token = list.next_page_token;
    }
    assert_eq!(seen, 4);
    let known = Known { subject: agrees, subjects: vec![agrees], ..Known::default() };
    ground.profiles.tell(tenant, &by_id(agrees), known);
    assert_eq!(list(ListTestimonialsRequest::default()).await.len(), 2, "what is withdrawn is not shown");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_forgets_mentions_and_what_was_read_and_a_replay_tells_the_rest(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, subject) = ground.profiles.customer(tenant);
    let theirs = Mention { customer: Some(customer.clone()), ..review("1", 1, "Terrible delivery") };
    let theirs = recorded(&ground, tenant, theirs).await;
    let submit =
        SubmitResponseRequest { customer: Some(customer.clone()), comment: "Bad app".to_owned(), ..answer(&survey, 1) };
    ground.responses(tenant).submit_response(submit).await.expect("taken");
    let kept = recorded(&ground, tenant, review("2", 1, "Great quality")).await;
    let gone = recorded(&ground, tenant, review("3", 1, "Fine")).await;
    let delete = DeleteMentionRequest { mention_id: gone.mention_id.clone(), ..DeleteMentionRequest::default() };
    ground.mentions(tenant).delete_mention(delete).await.expect("deleted");
    let erase = EraseSubjectsRequest {
        erasure_id: RequestId::new().to_string(),
        subject_ids: vec![subject.to_string()],
        requested_at: Some(timestamp(ground.clock.now())),
    };
    let erased = ground.erasures(tenant).erase_subjects(erase).await.expect("erased").into_inner();
    assert!(erased.deleted_rows >= 6, "a mention, a response, and what was read in both: {}", erased.deleted_rows);
    let get = GetMentionRequest { mention_id: theirs.mention_id };
    assert_eq!(reason(ground.mentions(tenant).get_mention(get).await), "RESOURCE_NOT_FOUND");
    let late = Mention { customer: Some(customer), ..review("4", 1, "Still me") };
    assert_eq!(reason(ground.mentions(tenant).record_mention(record(late)).await), "ERASED");
    let again = ground.mentions(tenant).record_mention(record(review("1", 5, "Again"))).await.expect("harmless");
    assert_eq!(again.into_inner().outcome(), MentionOutcome::Deleted);

    let url = (engine == Engine::Postgres).then(|| Address::new(ground.url.clone()));
    let database = DatabaseConfig { url, folder: ground.folder.path().to_owned(), ..DatabaseConfig::default() };
    rapport_feedback::replay(&ground.platform, rapport_feedback::Config { database }).await.expect("replayed");
    // Told, and told again.
    let of = |events: &[(Event, MentionChanged)], id: &str, deleted| {
        events.iter().filter(|(event, state)| event.aggregate_id == id && state.deleted == deleted).count()
    };
    let enough = |events: &[(Event, MentionChanged)]| {
        of(events, &kept.mention_id, false) >= 2 && of(events, &gone.mention_id, true) >= 2
    };
    published_until(&ground, enough).await;
}
