//! The law of search: SQLite, Postgres and the plain meaning of a query find the same, whatever was said and is looked for.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    ImportResponsesRequest, ListMentionsRequest, ListResponsesRequest, ListTicketsRequest, Mention, MentionKind,
    RecordMentionRequest, Response, SearchResponsesRequest, SubmitResponseRequest, TextAnalysis, TextPolarity,
    TicketAuthor, TicketMessage, TicketStatus,
};
use rapport_data::Engine;
use rapport_feedback::domain::search::{Document, Passage, Query};
use rapport_kernel::{Clock as _, TenantId};
use rapport_text::{Analyser, Language};
use rstest::rstest;

use crate::desk::{message, push, ticket, tickets};
use crate::ground::{Ground, answer, fields};

/// Words in several forms and spellings, so that texts and queries meet often.
const WORDS: [&str; 60] = [
    "courier",
    "couriers",
    "late",
    "later",
    "delivery",
    "deliveries",
    "delivered",
    "the",
    "not",
    "fast",
    "10.5",
    "wi-fi",
    "don't",
    "SOOOO",
    "café",
    "доставка",
    "доставки",
    "доставкой",
    "ёлка",
    "елка",
    "ещё",
    "еще",
    "плохо",
    "плoхо",
    "курьер",
    "курьеры",
    "не",
    "быстро",
    "كيفيت",
    "کیفیت",
    "کتاب",
    "کتاب‌ها",
    "كتاب‌هاي",
    "خوب",
    "نبود",
    "می‌خواهم",
    "میخواهد",
    "۱۲۳",
    "123",
    "comanda",
    "comenzi",
    "comenzile",
    "mulţumesc",
    "mulțumesc",
    "multumesc",
    "şedinţă",
    "nu",
    "rapid",
    "rapidă",
    "livrare",
    "livrarea",
    "care",
    "car",
    "👍",
    ":)",
    "https://x.example/a",
    "a@b.example",
    "OR",
    "Ω",
    "x2",
];
const BETWEEN: [&str; 8] = [" ", " ", " ", ", ", ". ", "\n", " - ", "! "];

/// Chance that can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }
    /// Some words; seldom so many of one that the indexes hold no more of it.
    fn text(&mut self) -> String {
        if self.below(40) == 0 {
            return format!("{} {}", format!("{} ", self.word()).repeat(300), self.word());
        }
        (0..=self.below(9)).map(|_| format!("{}{}", self.word(), BETWEEN[self.below(BETWEEN.len())])).collect()
    }
    fn query(&mut self, deep: usize) -> String {
        let parts = 1 + self.below(3);
        let part = |chance: &mut Self| {
            let not = if chance.below(4) == 0 { "-" } else { "" };
            let part = match chance.below(8) {
                0 | 1 => format!("\"{} {}\"", chance.word(), chance.word()),
                2 => {
                    let word = chance.word();
                    let letters = 2 + chance.below(3);
                    format!("{}*", word.chars().take(letters).collect::<String>())
                }
                3 if deep < 3 => format!("({})", chance.query(deep + 1)),
                _ => chance.word().to_owned(),
            };
            let or = if chance.below(3) == 0 { " OR " } else { " " };
            format!("{not}{part}{or}")
        };
        (0..parts).map(|_| part(self)).collect()
    }
}

/// How words must have been read.
#[derive(Clone, Debug, Default)]
struct Tone {
    polarity: TextPolarity,
    min: Option<f64>,
    max: Option<f64>,
    topic: String,
}

impl Tone {
    fn by(chance: &mut Chance, topics: &[String]) -> Self {
        let leans = [TextPolarity::Positive, TextPolarity::Negative, TextPolarity::Neutral];
        let polarity = leans.get(chance.below(6)).copied().unwrap_or_default();
        let bound = |chance: &mut Chance| {
            (chance.below(2) == 0).then(|| (f64::from(chance.below(2_001) as u16) - 1_000.0) / 1_000.0)
        };
        let (one, other) = (bound(chance), bound(chance));
        // Seldom upside down: then nothing is between them.
        let turned = one.zip(other).is_some_and(|(one, other)| one > other) && chance.below(10) > 0;
        let (min, max) = if turned { (other, one) } else { (one, other) };
        Self { polarity, min, max, topic: topics.get(chance.below(topics.len() * 2)).cloned().unwrap_or_default() }
    }

    /// What it means, by what is shown of a text.
    fn admits(&self, analysis: Option<&TextAnalysis>) -> bool {
        let Self { polarity, min, max, topic } = self;
        if *polarity == TextPolarity::Unspecified && min.is_none() && max.is_none() && topic.is_empty() {
            return true;
        }
        analysis.is_some_and(|read| {
            let named = || read.topics.iter().chain(&read.competitors);
            (*polarity == TextPolarity::Unspecified || read.polarity() == *polarity)
                && min.is_none_or(|min| read.sentiment >= min)
                && max.is_none_or(|max| read.sentiment <= max)
                && (topic.is_empty() || named().any(|one| one.topic == *topic))
        })
    }
}

/// All responses, or those whose words were read so.
async fn listed(ground: &Ground, tenant: TenantId, tone: &Tone) -> Vec<Response> {
    let request = ListResponsesRequest {
        page_size: 1_000,
        polarity: tone.polarity.into(),
        min_sentiment: tone.min,
        max_sentiment: tone.max,
        topic: tone.topic.clone(),
        ..ListResponsesRequest::default()
    };
    ground.responses(tenant).list_responses(request).await.expect("a page").into_inner().responses
}

/// What is found, page by page, by the ids at the source.
async fn found(ground: &Ground, tenant: TenantId, (query, tone): (&str, &Tone), page_size: i32) -> Vec<(i64, String)> {
    let mut request = SearchResponsesRequest {
        query: query.to_owned(),
        page_size,
        polarity: tone.polarity.into(),
        min_sentiment: tone.min,
        max_sentiment: tone.max,
        topic: tone.topic.clone(),
        ..SearchResponsesRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page = ground.responses(tenant).search_responses(request.clone()).await.expect("a page").into_inner();
        all.extend(page.hits.into_iter().map(|hit| {
            let response = hit.response.expect("a response");
            (response.answered_at.expect("a time").seconds, response.external_id)
        }));
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// The same said on both engines.
async fn said_on_both(tenant: TenantId, said: &[(String, &str)]) -> [Ground; 2] {
    let grounds = [Ground::new(Engine::Sqlite).await, Ground::new(Engine::Postgres).await];
    for ground in &grounds {
        let survey = ground.open(tenant).await;
        let now = ground.clock.now();
        let items = said.iter().enumerate().map(|(n, (text, language))| ImportResponsesRequest {
            response: Some(SubmitResponseRequest {
                source: "old".to_owned(),
                external_id: n.to_string(),
                comment: text.clone(),
                language: (*language).to_owned(),
                // Many at one instant.
                answered_at: Some(timestamp(now.minus(Duration::from_secs(n as u64 / 20)))),
                ..answer(&survey, 5)
            }),
            ..ImportResponsesRequest::default()
        });
        let items: Vec<_> = items.collect();
        let acks = ground.responses(tenant).import_responses(stream::iter(items)).await.expect("a stream");
        let (mut acks, mut taken) = (acks.into_inner(), 0);
        while let Some(ack) = acks.message().await.expect("acknowledged") {
            taken += ack.ack.expect("an ack").accepted;
        }
        assert_eq!(usize::try_from(taken).expect("a count"), said.len());
    }
    grounds
}

fn documents(said: &[(String, &str)]) -> Vec<Document> {
    let analyser = Analyser::new();
    said.iter()
        .map(|(text, language)| {
            let passage = [Passage { place: "comment", text }];
            Document::of(&passage, Language::from_code(language), &analyser)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_engines_find_what_the_query_means_and_nothing_else() {
    let tenant = TenantId::new();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let languages = ["", "", "en", "ro", "ru-RU", "de"];
    let said: Vec<(String, &str)> = (0..250).map(|_| (chance.text(), languages[chance.below(6)])).collect();
    let (grounds, documents) = (said_on_both(tenant, &said).await, documents(&said));
    let (mut asked, mut met) = (0, 0);
    while asked < 300 {
        let typed = chance.query(0);
        let Ok(query) = typed.parse::<Query>() else { continue };
        asked += 1;
        let meant: BTreeSet<String> =
            (0..said.len()).filter(|&n| query.finds(&documents[n])).map(|n| n.to_string()).collect();
        met += usize::from(!meant.is_empty() && meant.len() < said.len());
        let page_size = if asked % 10 == 0 { 7 } else { 1_000 };
        for ground in &grounds {
            let listed = found(ground, tenant, (&typed, &Tone::default()), page_size).await;
            assert!(listed.windows(2).all(|pair| pair[0].0 >= pair[1].0), "newest first: {typed}");
            let ids: BTreeSet<String> = listed.iter().map(|(_, id)| id.clone()).collect();
            assert_eq!(ids.len(), listed.len(), "each once: {typed}");
            assert_eq!(ids, meant, "{typed}");
        }
    }
    assert!(met > 150, "most queries tell texts apart: {met}");
}

/// Sentences that are felt about, and about something.
const SENTENCES: [&str; 12] = [
    "I love the app, it is excellent.",
    "The delivery was terrible and late!",
    "The price is 10.5 now.",
    "Courier came.",
    "Ужасная доставка, курьер опоздал.",
    "Отличное качество, спасибо!",
    "کیفیت عالی بود.",
    "Livrarea a fost foarte proastă.",
    "The refund never came, awful support.",
    "Good staff but a bad website.",
    "Mulțumesc, preț foarte bun!",
    "It was fine.",
];
const QUERIES: [&str; 8] =
    ["was", "the", "-late", "deliv* OR app", "доставка | price", "it (was OR is)", "-was -доставка", "never OR came"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_found_is_narrowed_by_how_its_words_were_read_alike_on_both_engines() {
    let (tenant, mut chance) = (TenantId::new(), Chance(0x0123_4567_89ab_cdef));
    let said: Vec<(String, &str)> = (0..160)
        .map(|n| match n % 16 {
            0 => (String::new(), ""),
            _ => {
                let sentences = (0..=chance.below(3)).map(|_| SENTENCES[chance.below(SENTENCES.len())]);
                (sentences.collect::<Vec<_>>().join(" "), "")
            }
        })
        .collect();
    let (grounds, documents) = (said_on_both(tenant, &said).await, documents(&said));
    let shown =
        [listed(&grounds[0], tenant, &Tone::default()).await, listed(&grounds[1], tenant, &Tone::default()).await];
    let by_id = |responses: &[Response]| -> BTreeSet<String> {
        responses.iter().map(|response| response.external_id.clone()).collect()
    };
    assert_eq!((shown[0].len(), by_id(&shown[0])), (said.len(), by_id(&shown[1])));
    let read = shown[0].iter().filter_map(|response| response.analysis.as_ref());
    let topics: BTreeSet<String> = read.flat_map(|read| &read.topics).map(|topic| topic.topic.clone()).collect();
    assert!(topics.len() > 3, "there is much to speak of: {topics:?}");
    let topics: Vec<String> = topics.into_iter().chain(["Delivery".to_owned()]).collect();
    let (mut asked, mut met) = (0, 0);
    while asked < 150 {
        let typed = match asked % 3 {
            0 => chance.query(1),
            _ => QUERIES[chance.below(QUERIES.len())].to_owned(),
        };
        let tone = Tone::by(&mut chance, &topics);
        let Ok(query) = typed.parse::<Query>() else { continue };
        asked += 1;
        for (ground, shown) in grounds.iter().zip(&shown) {
            let meant: Vec<Response> =
                shown.iter().filter(|response| tone.admits(response.analysis.as_ref())).cloned().collect();
            assert_eq!(by_id(&listed(ground, tenant, &tone).await), by_id(&meant), "{tone:?}");
            let finds = |id: &String| query.finds(&documents[id.parse::<usize>().expect("a number")]);
            let both: BTreeSet<String> = by_id(&meant).into_iter().filter(|id| finds(id)).collect();
            let page_size = if asked % 10 == 0 { 3 } else { 1_000 };
            let hits = found(ground, tenant, (&typed, &tone), page_size).await;
            assert_eq!(hits.into_iter().map(|(_, id)| id).collect::<BTreeSet<_>>(), both, "{typed} {tone:?}");
            met += usize::from(!both.is_empty() && both.len() < meant.len().max(by_id(shown).len()));
        }
    }
    assert!(met > 40, "many searches tell texts apart: {met}");
    let wrong = SearchResponsesRequest {
        query: "late".to_owned(),
        min_sentiment: Some(-1.5),
        max_sentiment: Some(f64::NAN),
        topic: "x".repeat(101),
        ..SearchResponsesRequest::default()
    };
    let mut named = fields(grounds[0].responses(tenant).search_responses(wrong).await);
    named.sort();
    assert_eq!(named, ["max_sentiment", "min_sentiment", "topic"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mentions_and_tickets_are_listed_by_how_their_words_were_read(#[case] engine: Engine) {
    let (ground, tenant, mut chance) = (Ground::new(engine).await, TenantId::new(), Chance(0xfeed_f00d_dead_beef));
    for n in 0..24 {
        let text = if n % 6 == 0 { String::new() } else { SENTENCES[chance.below(SENTENCES.len())].to_owned() };
        let mention = Mention {
            source: "reviews".to_owned(),
            external_id: n.to_string(),
            version: 1,
            kind: MentionKind::Other.into(),
            title: if text.is_empty() { ":-|".to_owned() } else { String::new() },
            text: text.clone(),
            ..Mention::default()
        };
        let request = RecordMentionRequest { mention: Some(mention), ..RecordMentionRequest::default() };
        ground.mentions(tenant).record_mention(request).await.expect("taken");
        let mut request = push(ticket(&ground, &n.to_string(), 1, 0, TicketStatus::Open));
        if !text.is_empty() {
            request.messages = vec![TicketMessage { text, ..message(&ground, "m1", 0, TicketAuthor::Customer) }];
        }
        tickets(&ground, tenant).push_ticket(request).await.expect("taken");
    }
    let topics = ["delivery", "app", "price", "staff", "nothing"].map(str::to_owned);
    let listed = async |tone: &Tone| {
        let mentions = ListMentionsRequest {
            page_size: 1_000,
            polarity: tone.polarity.into(),
            min_sentiment: tone.min,
            max_sentiment: tone.max,
            topic: tone.topic.clone(),
            ..ListMentionsRequest::default()
        };
        let asked = ListTicketsRequest {
            page_size: 1_000,
            polarity: tone.polarity.into(),
            min_sentiment: tone.min,
            max_sentiment: tone.max,
            text_topic: tone.topic.clone(),
            ..ListTicketsRequest::default()
        };
        let mentions = ground.mentions(tenant).list_mentions(mentions).await.expect("a list").into_inner().mentions;
        let asked = tickets(&ground, tenant).list_tickets(asked).await.expect("a list").into_inner().tickets;
        let mentions = mentions.into_iter().map(|one| ('m', one.external_id, one.analysis));
        mentions.chain(asked.into_iter().map(|one| ('t', one.external_id, one.analysis))).collect::<Vec<_>>()
    };
    let all = listed(&Tone::default()).await;
    assert_eq!(all.len(), 48);
    let mut met = 0;
    for _ in 0..40 {
        let tone = Tone::by(&mut chance, &topics);
        let meant = all.iter().filter(|(.., analysis)| tone.admits(analysis.as_ref()));
        let meant: BTreeSet<(char, &str)> = meant.map(|(kind, id, _)| (*kind, id.as_str())).collect();
        let found = listed(&tone).await;
        let found: BTreeSet<(char, &str)> = found.iter().map(|(kind, id, _)| (*kind, id.as_str())).collect();
        assert_eq!(found, meant, "{tone:?}");
        met += usize::from(!meant.is_empty() && meant.len() < all.len());
    }
    assert!(met > 8, "many filters tell texts apart: {met}");
}
