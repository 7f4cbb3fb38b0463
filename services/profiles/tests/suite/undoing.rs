//! A split takes back a merge and leaves everything as if there had been none: profiles, consents, interactions, segments,
//! what is computed and inferred, personas, accounts, and what others were told.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{CustomerContext, Event};
use rapport_api::profiles::v1::{MergeProfilesRequest, Profile, SplitProfileRequest};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;
use crate::imports::Dice;
use crate::lives::*;
use crate::merges::{merge, split};
use crate::personas::{by_traits, discover, persona_of, population};

/// The records of each customer.
async fn customers(world: &World<'_>) -> BTreeMap<String, BTreeSet<usize>> {
    let mut found = BTreeMap::<String, BTreeSet<usize>>::new();
    for record in 0..RECORDS {
        found.entry(world.get(record).await.customer_id).or_default().insert(record);
    }
    found
}

/// Since when each record's customer is in its segments, and since when what is computed of it is so.
async fn entered(world: &World<'_>) -> Vec<BTreeMap<String, Option<prost_types::Timestamp>>> {
    let mut all = Vec::new();
    for record in 0..RECORDS {
        let profile = world.get(record).await;
        let segments = profile.segments.into_iter().map(|segment| (segment.name, segment.enter_time));
        let traits = profile.traits.into_iter().map(|(name, held)| (name, held.observed_at));
        all.push(segments.chain(traits).collect());
    }
    all
}

/// Merges customers in a random tree, and takes them apart again in a random order.
struct Tree {
    merges: Vec<(usize, usize)>,
    /// The records that leave together, each time.
    splits: Vec<BTreeSet<usize>>,
}

async fn plant(world: &World<'_>, dice: &mut Dice) -> Tree {
    let before = customers(world).await;
    let mut groups: Vec<BTreeSet<usize>> = before.into_values().collect();
    dice.shuffle(&mut groups);
    groups.truncate(2 + index(dice, 3));
    let mut tree = Tree { merges: Vec::new(), splits: groups[1..].to_vec() };
    let mut roots: Vec<usize> = groups.iter().filter_map(|group| group.first().copied()).collect();
    while roots.len() > 1 {
        let source = roots.remove(index(dice, roots.len()));
        let target = roots[index(dice, roots.len())];
        tree.merges.push((target, source));
    }
    dice.shuffle(&mut tree.splits);
    tree
}

async fn grow(world: &World<'_>, tree: &Tree) {
    for (target, source) in &tree.merges {
        let request = MergeProfilesRequest {
            target: Some(world.of(*target)),
            sources: vec![world.of(*source)],
            ..MergeProfilesRequest::default()
        };
        world.ground.profiles(world.tenant).merge_profiles(request).await.expect("merged");
    }
}

async fn fell(world: &World<'_>, tree: &Tree) {
    for leaving in &tree.splits {
        let record = leaving.first().copied().expect("one at least");
        let request = SplitProfileRequest {
            customer: Some(world.of(record)),
            source_records: leaving.iter().map(|record| name(*record)).collect(),
            ..SplitProfileRequest::default()
        };
        world.ground.profiles(world.tenant).split_profile(request).await.expect("split");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_merged_and_split_again_is_as_it_was_and_as_if_it_never_had_been(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    for seed in seeds(4) {
        let mut dice = Dice(seed * 104_729 + 5);
        let order: Vec<usize> = (0..RECORDS).collect();
        let (world, twin) = (World::new(&ground, &order).await, World::new(&ground, &order).await);
        for _ in 0..40 {
            let one = told(&mut dice, true);
            world.hear(one.clone()).await;
            twin.hear(one).await;
        }
        alike("before", &world, &twin).await;
        let (before, held, entered) = (world.seen().await, customers(&world).await, entered(&world).await);
        let tree = plant(&world, &mut dice).await;
        ground.wait(1);
        grow(&world, &tree).await;
        ground.wait(1);
        fell(&world, &tree).await;
        as_before(&format!("seed {seed}: merged and split"), &world, &before).await;
        assert_eq!(self::entered(&world).await, entered, "seed {seed}: since when it is in its segments");
        assert_eq!(customers(&world).await, held, "seed {seed}: each id is itself again");
        // Once more, and now life goes on meanwhile: it is as if nobody had merged.
        let tree = plant(&world, &mut dice).await;
        grow(&world, &tree).await;
        for _ in 0..15 {
            let one = told(&mut dice, false);
            world.hear(one.clone()).await;
            twin.hear(one).await;
        }
        fell(&world, &tree).await;
        alike(&format!("seed {seed}: never merged"), &world, &twin).await;
        assert_eq!(customers(&world).await, held, "seed {seed}");
    }
}

/// What a reader holds who keeps of each customer the newest that it was told, and of each subject whose it is.
#[derive(Default)]
struct Reading {
    contexts: BTreeMap<String, (u64, Option<CustomerContext>)>,
    links: BTreeMap<String, (u64, String)>,
}

impl Reading {
    fn hear(&mut self, events: Vec<Event>) {
        for event in events {
            let (id, revision) = (event.aggregate_id, event.revision);
            match event.payload {
                Some(Payload::ProfileChanged(changed)) => {
                    let held = self.contexts.entry(id).or_default();
                    if held.0 < revision {
                        *held = (revision, changed.context.map(|context| *context));
                    }
                }
                Some(Payload::SubjectLinked(linked)) => {
                    let held = self.links.entry(id).or_default();
                    if held.0 < revision {
                        *held = (revision, linked.to_customer_id);
                    }
                }
                _ => {}
            }
        }
    }

    /// Without revisions and the instants at which something was derived.
    fn plain(&self) -> (BTreeMap<String, CustomerContext>, BTreeMap<String, String>) {
        let plain = |context: &CustomerContext| {
            // Until when it holds is a lower bound: who looked at less knows less of it.
            let mut context = CustomerContext { revision: 0, valid_until: None, ..context.clone() };
            context.segments.iter_mut().for_each(|segment| segment.enter_time = None);
            context.subject_ids.sort();
            context
        };
        let live = self.contexts.iter().filter_map(|(id, (_, held))| Some((id.clone(), plain(held.as_ref()?))));
        (live.collect(), self.links.iter().map(|(id, (_, to))| (id.clone(), to.clone())).collect())
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_the_events_of_a_merge_and_a_split_holds_what_it_held_before(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let mut dice = Dice(77);
    let (mut reader, mut reading) = (ground.reader(), Reading::default());
    let order: Vec<usize> = (0..RECORDS).collect();
    let world = World::new(&ground, &order).await;
    for _ in 0..50 {
        world.hear(told(&mut dice, true)).await;
    }
    let mut before = reading.plain();
    // Until nothing more is told.
    loop {
        reading.hear(reader.within(std::time::Duration::from_millis(400)).await);
        let now = reading.plain();
        if now == before && !now.0.is_empty() {
            break;
        }
        before = now;
    }
    for _ in 0..3 {
        let tree = plant(&world, &mut dice).await;
        grow(&world, &tree).await;
        fell(&world, &tree).await;
    }
    for tries in 0.. {
        reading.hear(reader.within(std::time::Duration::from_millis(200)).await);
        let now = reading.plain();
        if now == before {
            break;
        }
        assert!(tries < 40, "it does not hold the same");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persona_is_the_one_of_before_once_a_merge_is_split(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted: Vec<String> = population(&ground, tenant).await.into_keys().collect();
    discover(&ground, tenant, by_traits()).await;
    let mut dice = Dice(3);
    for _ in 0..12 {
        let (one, other) = (index(&mut dice, planted.len()), index(&mut dice, planted.len()));
        if one == other {
            continue;
        }
        let get = async |id: &str| ground.get(tenant, by_id(id)).await.expect("there");
        let shown = |profile: &Profile| (persona_of(profile), profile.persona.clone(), profile.traits.clone());
        let before = (get(&planted[one]).await, get(&planted[other]).await);
        let records = names(&before.1);
        ground.profiles(tenant).merge_profiles(merge(&planted[one], &[&planted[other]])).await.expect("merged");
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        ground.profiles(tenant).split_profile(split(&planted[one], &records)).await.expect("split");
        let after = (get(&planted[one]).await, get(&planted[other]).await);
        assert!(shown(&before.0) == shown(&after.0) && shown(&before.1) == shown(&after.1));
        assert!(!persona_of(&after.0).is_empty());
    }
}
