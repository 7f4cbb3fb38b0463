//! A reader of the past is told the revision that an event told of by then, whatever it came of: a statement, a merge, a
//! split, an interaction, the clock, feedback, a new definition, somebody else's erasure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, TextReading, TicketChanged, event::Payload};
use rapport_api::profiles::v1::{GetProfileRequest, Profile, SourceRecord, SplitProfileRequest};
use rapport_data::Engine;
use rapport_kernel::{TenantId, Timestamp};
use rstest::rstest;

use crate::ground::*;
use crate::imports::Dice;
use crate::lives::*;
use crate::merges::merge;

/// A state of a customer id that an event told of.
#[derive(Clone, Debug)]
struct State {
    revision: u64,
    at: Timestamp,
    /// Where it was merged into.
    into: Option<String>,
}

/// All that events told of a tenant's customers.
#[derive(Default)]
struct Told {
    states: BTreeMap<String, Vec<State>>,
    /// The records that were erased: nothing is known of them, whatever was told.
    erased: BTreeSet<String>,
}

fn instant(at: &prost_types::Timestamp) -> Timestamp {
    Timestamp::from_parts(at.seconds, at.nanos).expect("in range")
}

impl Told {
    fn hear(&mut self, tenant: TenantId, events: Vec<Event>) {
        for event in events.into_iter().filter(|event| event.tenant == tenant.to_string()) {
            let Some(Payload::ProfileChanged(changed)) = event.payload else { continue };
            let at = instant(event.occurred_at.as_ref().expect("each has one"));
            let into = Some(changed.merged_into).filter(|into| !into.is_empty());
            self.states.entry(event.aggregate_id).or_default().push(State { revision: event.revision, at, into });
        }
    }

    /// The customer that an id named at an instant, its revision, and since when it had that.
    fn known(&self, id: &str, at: Timestamp) -> Option<(String, u64, Timestamp)> {
        let by_then = self.states.get(id)?.iter().filter(|state| state.at <= at);
        let last = by_then.max_by_key(|state| state.revision)?;
        match &last.into {
            Some(into) => self.known(into, at),
            None => Some((id.to_owned(), last.revision, last.at)),
        }
    }

    /// The instants at which something was told of an id, and one after each.
    fn instants(&self) -> BTreeSet<(String, Timestamp)> {
        let of = |id: &String, state: &State| {
            [(id.clone(), state.at), (id.clone(), state.at.plus(Duration::from_millis(300)))]
        };
        let kept = self.states.iter().filter(|(id, _)| !self.erased.contains(*id));
        kept.flat_map(|(id, states)| states.iter().flat_map(move |state| of(id, state))).collect()
    }
}

fn seen(profile: Profile) -> (String, u64, Timestamp) {
    (profile.customer_id, profile.revision, instant(profile.update_time.as_ref().expect("each has one")))
}

/// Where what is known of the past is not what was told; and whom no event told as they are.
async fn wrong(world: &World<'_>, told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    for subject in world.subjects.iter().filter(|subject| !told.erased.contains(*subject)) {
        let now = seen(world.ground.get(world.tenant, by_id(subject)).await.expect("every id works"));
        if told.known(&now.0, Timestamp::MAX).as_ref() != Some(&now) {
            wrong.push(format!("nothing told of {now:?}"));
        }
    }
    for (id, at) in told.instants() {
        let Some(expected) = told.known(&id, at).filter(|known| !told.erased.contains(&known.0)) else { continue };
        let request =
            GetProfileRequest { customer: Some(by_id(&id)), as_of: Some(timestamp(at)), ..Default::default() };
        match world.ground.profiles(world.tenant).get_profile(request).await {
            Ok(past) => {
                let past = seen(past.into_inner());
                if past != expected {
                    wrong.push(format!("{id} at {at:?} is {past:?}, and it was told to be {expected:?}"));
                }
            }
            Err(status) => wrong.push(format!("{id} at {at:?}: {status}")),
        }
    }
    wrong
}

/// Waits until all that was told is what is known of the past.
async fn agree(what: &str, world: &World<'_>, reader: &mut Reader, told: &mut Told) {
    let mut last = Vec::new();
    for _ in 0..120 {
        told.hear(world.tenant, reader.within(Duration::from_millis(100)).await);
        last = wrong(world, told).await;
        if last.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: {last:#?}");
}

fn ticket(tenant: TenantId, subject: &str, number: usize, revision: u64, sentiment: f64) -> Event {
    let reading = Some(TextReading { sentiment: Some(sentiment), ..TextReading::default() });
    let changed = TicketChanged { status: "open".to_owned(), reading, ..TicketChanged::default() };
    Event {
        event_id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_string(),
        subject_id: subject.to_owned(),
        aggregate_id: uuid::Uuid::from_u128(number as u128 + 1).to_string(),
        revision,
        occurred_at: Some(at(1)),
        recorded_at: Some(at(1)),
        schema_version: 1,
        payload: Some(Payload::TicketChanged(Box::new(changed))),
        ..Event::default()
    }
}

/// Something at random: told by a source, merged, split, or told by feedback.
async fn step(world: &World<'_>, dice: &mut Dice, turn: usize) {
    let mut profiles = world.ground.profiles(world.tenant);
    match dice.below(9) {
        0 => {
            let (one, other) = (index(dice, RECORDS), index(dice, RECORDS));
            // What a limit forbids is refused, and no part of this.
            let _ = profiles.merge_profiles(merge(&world.subjects[one], &[&world.subjects[other]])).await;
        }
        1 => {
            let held = world.get(index(dice, RECORDS)).await;
            let mut leaving: Vec<SourceRecord> =
                held.records.iter().filter_map(|record| record.record.clone()).collect();
            dice.shuffle(&mut leaving);
            leaving.truncate(leaving.len() / 2);
            if !leaving.is_empty() {
                let customer = Some(by_id(&held.customer_id));
                let request = SplitProfileRequest { customer, source_records: leaving, ..Default::default() };
                profiles.split_profile(request).await.expect("parted");
            }
        }
        2 => {
            let subject = &world.subjects[index(dice, RECORDS)];
            let told = ticket(world.tenant, subject, turn, 1, index(dice, 21) as f64 / 10.0 - 1.0);
            world.ground.tell("feedback", "derive", told).await;
        }
        _ => world.hear(told(dice, true)).await,
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_revision_that_an_event_told_of_is_what_is_known_as_of_that_instant(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let mut reader = ground.reader();
    for seed in seeds(3) {
        let (mut dice, mut told) = (Dice(seed * 6_151 + 5), Told::default());
        let world = World::new(&ground, &(0..RECORDS).collect::<Vec<_>>()).await;
        // Purchases are of the first forty seconds: they grow too old during the turns and after them.
        let recent = "events.purchase.within(duration('9999990s')).size() > 0";
        crate::segments::make(&ground, world.tenant, "Recent", recent).await;
        for turn in 0..36 {
            ground.wait(dice.below(3));
            step(&world, &mut dice, turn).await;
        }
        agree(&format!("seed {seed}"), &world, &mut reader, &mut told).await;
        // What grows too old, and flags that end: of these nobody says anything.
        for seconds in [60, 21_000_000] {
            ground.wait(seconds);
            agree(&format!("seed {seed}, {seconds} s later"), &world, &mut reader, &mut told).await;
        }
        let erased = world.subjects[index(&mut dice, RECORDS)].clone();
        crate::erasure::erase(&ground, world.tenant, &[&erased]).await;
        told.erased.insert(erased);
        ground.wait(1);
        agree(&format!("seed {seed}, erased"), &world, &mut reader, &mut told).await;
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_clock_feedback_or_a_new_definition_changed_is_known_in_the_past(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.record(tenant, "1", &[]).await;
    let id = customer(&made);
    let mut instants = Vec::new();
    let mut note = async || {
        let now = rapport_kernel::Clock::now(&*ground.clock);
        instants.push((now, ground.get(tenant, by_id(&id)).await.expect("there").revision));
        ground.wait(1);
    };
    note().await;
    crate::segments::make(&ground, tenant, "Recent", "events.purchase.within(duration('48h')).size() > 0").await;
    crate::segments::buys(&ground, tenant, &id, "a", 1, 5).await;
    crate::segments::until(&ground, tenant, &id, &["Recent"]).await;
    note().await;
    ground.wait(86_400);
    crate::segments::until(&ground, tenant, &id, &[]).await;
    note().await;
    crate::segments::make(&ground, tenant, "Hurt", "feedback.open_tickets > 0.0").await;
    ground.tell("feedback", "derive", ticket(tenant, &made.subject_id, 1, 1, -0.5)).await;
    crate::segments::until(&ground, tenant, &id, &["Hurt"]).await;
    note().await;
    crate::segments::make(&ground, tenant, "All", "party != 'x'").await;
    crate::segments::until(&ground, tenant, &id, &["All", "Hurt"]).await;
    note().await;
    for (place, (at, revision)) in instants.iter().enumerate() {
        let (_, then, since) = seen(ground.get_as_of(tenant, by_id(&id), *at).await);
        assert!(then >= *revision && since == *at, "{revision} at {at:?}, not {then} since {since:?}");
        if place > 0 {
            let (_, before, _) = seen(ground.get_as_of(tenant, by_id(&id), at.minus(Duration::from_micros(1))).await);
            assert!(before < *revision, "{before} before {revision}");
        }
    }
}
