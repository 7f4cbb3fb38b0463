//! What is remembered of feedback: against brute force over all that was told, in random order, with corrections,
//! deletions, merges and splits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapport_api::events::v1::{
    Event, FollowUpChanged, Measure, MentionChanged, PromiseChanged, ResponseChanged, TextReading, TicketChanged,
    event::Payload,
};
use rapport_api::profiles::v1::*;
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;
use crate::imports::Dice;
use crate::lives::{index, seeds};
use crate::merges::{merge, split};

const RECORDS: usize = 4;
const DAY: f64 = 24.0 * 3_600.0;

/// One thing as it stands: whose, when, how it feels with which weight, and which of the counts it is in.
#[derive(Clone, Debug)]
struct Item {
    record: usize,
    seconds: i64,
    text: Option<(f64, f64)>,
    counts: [u32; 4],
    revision: u64,
}

fn reading(sentiment: Option<f64>) -> Option<TextReading> {
    Some(TextReading { sentiment, ..TextReading::default() })
}

/// A state of an item of a kind at random: what is published of it, and what that means.
fn state(dice: &mut Dice, kind: usize) -> (Payload, Option<(f64, f64)>, [u32; 4]) {
    let deleted = dice.below(6) == 0;
    let sentiment = (dice.below(4) > 0).then(|| (index(dice, 21) as f64 - 10.0) / 10.0);
    let says = |weight: f64| sentiment.filter(|_| !deleted).map(|sentiment| (sentiment, weight));
    let reading = reading(sentiment).filter(|_| !deleted);
    match kind {
        0 => {
            let changed =
                ResponseChanged { deleted, reading, kind: "csat".to_owned(), complete: true, ..Default::default() };
            (Payload::ResponseChanged(changed), says(1.0), [0; 4])
        }
        1 => {
            let status = ["new", "open", "pending", "solved", "closed"][index(dice, 5)];
            let kind = ["question", "complaint", "claim", ""][index(dice, 4)];
            let open = u32::from(!deleted && !["solved", "closed"].contains(&status));
            let complaint = open * u32::from(["complaint", "claim"].contains(&kind));
            let (status, kind) = (status.to_owned(), kind.to_owned());
            let changed = TicketChanged { deleted, reading, status, kind, ..TicketChanged::default() };
            (Payload::TicketChanged(Box::new(changed)), says(1.0), [open, complaint, 0, 0])
        }
        2 => {
            let kind = ["review", "chat"][index(dice, 2)].to_owned();
            let changed = MentionChanged { deleted, reading, kind, ..MentionChanged::default() };
            (Payload::MentionChanged(changed), says(0.7), [0; 4])
        }
        3 => {
            let status = ["open", "in_progress", "resolved", "cancelled"][index(dice, 4)];
            let open = u32::from(!deleted && status.len() != 8 && status != "cancelled");
            let changed = FollowUpChanged { deleted, status: status.to_owned(), ..FollowUpChanged::default() };
            (Payload::FollowUpChanged(changed), None, [0, 0, open, 0])
        }
        _ => {
            let status = ["open", "kept", "broken", "withdrawn"][index(dice, 4)];
            let late = dice.below(2) == 0;
            let broken = u32::from(!deleted && status == "broken" && !late);
            let (due_time, resolve_time) = (Some(at(100)), Some(at(if late { 101 } else { 100 })));
            let status = status.to_owned();
            let changed = PromiseChanged { deleted, status, due_time, resolve_time, ..PromiseChanged::default() };
            (Payload::PromiseChanged(changed), None, [0, 0, 0, broken])
        }
    }
}

fn event(tenant: TenantId, subject: &str, id: usize, (revision, seconds): (u64, i64), payload: Payload) -> Event {
    Event {
        event_id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_string(),
        subject_id: subject.to_owned(),
        aggregate_id: uuid::Uuid::from_u128(id as u128 + 1).to_string(),
        revision,
        occurred_at: Some(at(seconds)),
        recorded_at: Some(at(seconds)),
        schema_version: 1,
        payload: Some(payload),
        ..Event::default()
    }
}

/// What the definition says of items: the accumulated sentiment, over how many texts, and the counts.
fn naive<'a>(items: impl Iterator<Item = &'a Item>) -> (Option<f64>, u32, [u32; 4]) {
    // Any instant will do.
    let now = 9_000.0 * DAY;
    let (mut sum, mut weights, mut texts, mut counts) = (0.0, 0.0, 0, [0; 4]);
    for item in items {
        counts.iter_mut().zip(item.counts).for_each(|(count, more)| *count += more);
        if let Some((sentiment, weight)) = item.text {
            let weight = weight * 2_f64.powf(-(now - item.seconds as f64) / (30.0 * DAY) + 250.0);
            sum += weight * sentiment;
            weights += weight;
            texts += 1;
        }
    }
    ((texts > 0).then(|| sum / weights), texts, counts)
}

fn seen(profile: &Profile) -> (Option<f64>, u32, [u32; 4]) {
    let scores = profile.scores.clone().unwrap_or_default();
    let mood = scores.accumulated_sentiment.as_ref();
    let counts = [scores.open_tickets, scores.open_complaints, scores.open_follow_ups, scores.broken_promises];
    (mood.map(|mood| mood.value), mood.map_or(0, |mood| mood.texts), counts)
}

fn alike(one: &(Option<f64>, u32, [u32; 4]), other: &(Option<f64>, u32, [u32; 4])) -> bool {
    let close = match (one.0, other.0) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-6,
        (one, other) => one == other,
    };
    close && (one.1, one.2) == (other.1, other.2)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_is_what_the_definition_says_of_all_that_was_told(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    for seed in seeds(3) {
        let (tenant, mut dice) = (TenantId::new(), Dice(seed * 7_919 + 3));
        let mut subjects = Vec::new();
        for record in 0..RECORDS {
            subjects.push(ground.record(tenant, &record.to_string(), &[]).await.subject_id);
        }
        let mut items = BTreeMap::<usize, Item>::new();
        for turn in 0..60 {
            match dice.below(10) {
                0 => {
                    let (one, other) = (index(&mut dice, RECORDS), index(&mut dice, RECORDS));
                    let request = merge(&subjects[one], &[&subjects[other]]);
                    ground.profiles(tenant).merge_profiles(request).await.expect("merged");
                }
                1 => {
                    let one = index(&mut dice, RECORDS);
                    let held = ground.get(tenant, by_id(&subjects[one])).await.expect("there");
                    let mut leaving = names(&held);
                    leaving.truncate(leaving.len() / 2);
                    if !leaving.is_empty() {
                        let leaving: Vec<&str> = leaving.iter().map(String::as_str).collect();
                        let request = split(&held.customer_id, &leaving);
                        ground.profiles(tenant).split_profile(request).await.expect("split");
                    }
                }
                _ => {
                    let id = index(&mut dice, 25);
                    let (payload, text, counts) = state(&mut dice, id % 5);
                    let held = items.get(&id);
                    // A ticket may turn out to be somebody else's.
                    let moves = held.is_none() || (id % 5 == 1 && dice.below(3) == 0);
                    let record = if moves { index(&mut dice, RECORDS) } else { held.map_or(0, |held| held.record) };
                    let seconds = held.map_or_else(|| dice.below(90 * 86_400).cast_signed(), |held| held.seconds);
                    let revision = held.map_or(1, |held| held.revision + 1);
                    let told = event(tenant, &subjects[record], id, (revision, seconds), payload);
                    if let Some(held) = held {
                        // A word of before comes once more, with another sense.
                        let (stale, ..) = state(&mut dice, id % 5);
                        let stale = event(tenant, &subjects[held.record], id, (held.revision, seconds), stale);
                        ground.tell("feedback", "derive", stale).await;
                    }
                    ground.tell("feedback", "derive", told).await;
                    items.insert(id, Item { record, seconds, text, counts, revision });
                }
            }
            if turn % 10 != 9 {
                continue;
            }
            for subject in &subjects {
                let mut found = None;
                for _ in 0..4_000 {
                    let profile = ground.get(tenant, by_id(subject)).await.expect("there");
                    let records: BTreeSet<usize> =
                        names(&profile).iter().map(|name| name.parse().expect("a number")).collect();
                    let expected = naive(items.values().filter(|item| records.contains(&item.record)));
                    found = Some((seen(&profile), expected));
                    if found.as_ref().is_some_and(|(seen, expected)| alike(seen, expected)) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let (seen, expected) = found.expect("it was looked at");
                assert!(alike(&seen, &expected), "seed {seed}, turn {turn}: {seen:?} is not {expected:?}");
            }
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_turns_out_to_be_somebody_elses_is_taken_from_whom_it_was_told_of(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let open = || {
        let changed = TicketChanged { status: "open".to_owned(), ..TicketChanged::default() };
        Payload::TicketChanged(Box::new(changed))
    };
    let mut pairs = Vec::new();
    for pair in 0..20 {
        let [one, other] = [0, 1].map(|side| format!("{pair}_{side}"));
        let one = ground.record(tenant, &one, &[]).await.subject_id;
        pairs.push((one, ground.record(tenant, &other, &[]).await.subject_id));
    }
    // Both words at once, each in the partition of its subject.
    for (id, (one, other)) in pairs.iter().enumerate() {
        ground.tell("feedback", "derive", event(tenant, one, id, (1, 5), open())).await;
        ground.tell("feedback", "derive", event(tenant, other, id, (2, 5), open())).await;
    }
    for (one, other) in &pairs {
        let mut counts = None;
        for _ in 0..2_000 {
            let (one, other) = (ground.get(tenant, by_id(one)).await, ground.get(tenant, by_id(other)).await);
            counts = Some((seen(&one.expect("there")).2[0], seen(&other.expect("there")).2[0]));
            if counts == Some((0, 1)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(counts, Some((0, 1)));
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_and_the_decision_context_see_it_and_an_erasure_leaves_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.record(tenant, "1", &[]).await;
    let condition = "feedback.open_complaints > 0.0 && feedback.sentiment < -0.5";
    crate::segments::make(&ground, tenant, "Hurt", condition).await;
    let ticket = |status: &str, revision: u64| {
        let changed = TicketChanged {
            status: status.to_owned(),
            kind: "complaint".to_owned(),
            reading: reading(Some(-0.9)),
            ..TicketChanged::default()
        };
        event(tenant, &made.subject_id, 1, (revision, 10), Payload::TicketChanged(Box::new(changed)))
    };
    ground.tell("feedback", "derive", ticket("open", 1)).await;
    crate::segments::until(&ground, tenant, &customer(&made), &["Hurt"]).await;
    let request = GetContextRequest { customer: Some(by_id(&customer(&made))), ..GetContextRequest::default() };
    let answer = ground.contexts(tenant).get_context(request).await.expect("there").into_inner();
    let feedback = answer.context.and_then(|context| context.feedback).expect("it is told");
    assert_eq!((feedback.sentiment, feedback.open_complaints, feedback.texts), (Some(-0.9), 1, 1));
    ground.tell("feedback", "derive", ticket("solved", 2)).await;
    crate::segments::until(&ground, tenant, &customer(&made), &[]).await;
    let measure = |kind: &str, value, scale_max| Measure {
        kind: kind.to_owned(),
        value,
        scale_min: 1,
        scale_max,
        reversed: kind == "ces",
        ..Measure::default()
    };
    let changed = ResponseChanged {
        kind: "ces".to_owned(),
        score: Some(4),
        complete: true,
        measures: vec![measure("csat", 4, 7), measure("ces", 4, 5)],
        ..ResponseChanged::default()
    };
    ground
        .tell("feedback", "derive", event(tenant, &made.subject_id, 2, (1, 20), Payload::ResponseChanged(changed)))
        .await;
    let mut scores = Vec::new();
    for _ in 0..4_000 {
        let profile = ground.get(tenant, by_id(&customer(&made))).await.expect("there");
        scores = profile.scores.unwrap_or_default().last_scores;
        if !scores.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((scores[0].score, scores[0].scale_min, scores[0].scale_max, scores[0].reversed), (4, 1, 5, true));
    crate::erasure::erase(&ground, tenant, &[&made.subject_id]).await;
    assert_eq!(reason(ground.get(tenant, by_id(&customer(&made))).await), "RESOURCE_NOT_FOUND");
}

/// Waits until a customer feels so, over so many texts.
async fn feels(ground: &Ground, tenant: TenantId, customer: &str, expected: Option<f64>, texts: u32) {
    let (mut last, expected) = (None, (expected, texts, [1, 0, 0, 0]));
    for _ in 0..1_000 {
        let now = seen(&ground.get(tenant, by_id(customer)).await.expect("there"));
        if alike(&now, &expected) {
            return;
        }
        last = Some(now);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{last:?} is not {expected:?}");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_weigh_as_the_tenant_says_and_who_was_there_before_follows_a_change(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    crate::segments::make(&ground, tenant, "Glad", "has(feedback.sentiment) && feedback.sentiment > 0.0").await;
    let mut customers = Vec::new();
    for number in 0..3 {
        let made = ground.record(tenant, &number.to_string(), &[]).await;
        let review =
            MentionChanged { kind: "review".to_owned(), reading: reading(Some(1.0)), ..MentionChanged::default() };
        let asks =
            TicketChanged { status: "open".to_owned(), reading: reading(Some(-1.0)), ..TicketChanged::default() };
        for (at, payload) in
            [Payload::MentionChanged(review), Payload::TicketChanged(Box::new(asks))].into_iter().enumerate()
        {
            let told = event(tenant, &made.subject_id, number * 2 + at, (1, 10), payload);
            ground.tell("feedback", "derive", told).await;
        }
        feels(&ground, tenant, &customer(&made), Some(-0.3 / 1.7), 2).await;
        customers.push(customer(&made));
    }
    let set = async |weights: SentimentWeights| {
        let settings = TenantSettings { sentiment_weights: Some(weights), ..TenantSettings::default() };
        let request = UpdateTenantSettingsRequest {
            tenant_settings: Some(settings),
            update_mask: Some(prost_types::FieldMask { paths: vec!["sentiment_weights".to_owned()] }),
            ..UpdateTenantSettingsRequest::default()
        };
        ground.settings(tenant).update_tenant_settings(request).await.expect("set");
    };
    set(SentimentWeights { mention: Some(2.0), ..SentimentWeights::default() }).await;
    for id in &customers {
        feels(&ground, tenant, id, Some(1.0 / 3.0), 2).await;
        crate::segments::until(&ground, tenant, id, &["Glad"]).await;
    }
    // A source that weighs nothing is left out; and so it is in what comes from then on, and for who is merged.
    set(SentimentWeights { mention: Some(0.0), ..SentimentWeights::default() }).await;
    for id in &customers {
        feels(&ground, tenant, id, Some(-1.0), 1).await;
        crate::segments::until(&ground, tenant, id, &[]).await;
    }
    let chat = MentionChanged { kind: "chat".to_owned(), reading: reading(Some(0.0)), ..MentionChanged::default() };
    let subject = &customers[0];
    ground.tell("feedback", "derive", event(tenant, subject, 90, (1, 10), Payload::MentionChanged(chat))).await;
    feels(&ground, tenant, subject, Some(-1.0 / 1.7), 2).await;
    // All sources at nothing: nothing is accumulated. What stands open is counted all the same.
    let nothing = Some(0.0);
    set(SentimentWeights { survey: nothing, ticket: nothing, mention: nothing, chat: nothing }).await;
    for id in &customers {
        feels(&ground, tenant, id, None, 0).await;
    }
    set(SentimentWeights::default()).await;
    feels(&ground, tenant, &customers[1], Some(-0.3 / 1.7), 2).await;
}
