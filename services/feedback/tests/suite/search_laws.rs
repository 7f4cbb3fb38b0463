//! The law of search: SQLite, Postgres and the plain meaning of a query find the same, whatever was said and is looked for.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{ImportResponsesRequest, SearchResponsesRequest, SubmitResponseRequest};
use rapport_data::Engine;
use rapport_feedback::domain::search::{Document, Passage, Query};
use rapport_kernel::{Clock as _, TenantId};
use rapport_text::{Analyser, Language};

use crate::ground::{Ground, answer};

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

/// What is found, page by page, by the ids at the source.
async fn found(ground: &Ground, tenant: TenantId, query: &str, page_size: i32) -> Vec<(i64, String)> {
    let query = query.to_owned();
    let mut request = SearchResponsesRequest { query, page_size, ..SearchResponsesRequest::default() };
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_engines_find_what_the_query_means_and_nothing_else() {
    let tenant = TenantId::new();
    let grounds = [Ground::new(Engine::Sqlite).await, Ground::new(Engine::Postgres).await];
    let (mut chance, analyser) = (Chance(0x9e37_79b9_7f4a_7c15), Analyser::new());
    let languages = ["", "", "en", "ro", "ru-RU", "de"];
    let said: Vec<(String, &str)> = (0..250).map(|_| (chance.text(), languages[chance.below(6)])).collect();
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
        assert_eq!(taken, 250);
    }
    let documents: Vec<Document> = said
        .iter()
        .map(|(text, language)| {
            let passage = [Passage { place: "comment", text }];
            Document::of(&passage, Language::from_code(language), &analyser)
        })
        .collect();
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
            let listed = found(ground, tenant, &typed, page_size).await;
            assert!(listed.windows(2).all(|pair| pair[0].0 >= pair[1].0), "newest first: {typed}");
            let ids: BTreeSet<String> = listed.iter().map(|(_, id)| id.clone()).collect();
            assert_eq!(ids.len(), listed.len(), "each once: {typed}");
            assert_eq!(ids, meant, "{typed}");
        }
    }
    assert!(met > 150, "most queries tell texts apart: {met}");
}
