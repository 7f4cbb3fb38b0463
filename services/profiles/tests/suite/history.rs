//! Random histories: whatever was said, merged and split, and in whatever order it came, the customers and their
//! profiles equal a computation from scratch over all of it.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::profiles::v1::{IdentifyRequest, Profile};
use rapport_data::Engine;
use rapport_kernel::{Private, SubjectId, TenantId, Timestamp};
use rapport_profiles::domain::assertion::{Assertion, AssertionId};
use rapport_profiles::domain::linking::{Evidence, partition};
use rapport_profiles::domain::namespace::Namespaces;
use rapport_profiles::domain::value::SourceRecord;
use rstest::rstest;

use crate::ground::*;
use crate::merges::{merge, split};

/// A small generator: histories must be the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a record says at random: few values, so that they are often shared and often too many.
fn statement(dice: &mut Dice) -> IdentifyRequest {
    let mut identifiers = Vec::new();
    for (namespace, values) in [("customer_number", 4), ("user_id", 5), ("email", 6)] {
        if dice.roll(3) == 0 {
            let value = dice.roll(values);
            let value = if namespace == "email" { format!("{value}@example.com") } else { format!("v{value}") };
            identifiers.push((namespace, value));
        }
    }
    let identifiers: Vec<(&str, &str)> =
        identifiers.iter().map(|(namespace, value)| (*namespace, value.as_str())).collect();
    let mut request = says(&dice.roll(8).to_string(), &identifiers);
    request.observed_at = Some(at(i64::try_from(dice.roll(20)).expect("small")));
    request.traits.insert(format!("t{}", dice.roll(3)), text(&dice.roll(3).to_string()));
    request
}

/// What a profile says, without what was minted: its records, identifiers and traits.
type Content = (Vec<String>, BTreeSet<(String, String)>, BTreeMap<String, String>);

fn content(profile: &Profile) -> Content {
    let identifiers = profile.identifiers.iter().map(|it| (it.namespace.clone(), it.value.clone())).collect();
    let traits =
        profile.traits.keys().map(|name| (name.clone(), trait_text(profile, name).unwrap_or_default())).collect();
    (names(profile), identifiers, traits)
}

async fn contents(ground: &Ground, tenant: TenantId, subjects: &BTreeMap<String, String>) -> BTreeSet<Content> {
    let mut found = BTreeSet::new();
    for subject in subjects.values() {
        found.insert(content(&ground.get(tenant, by_id(subject)).await.expect("every id works")));
    }
    found
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_statements_in_any_order_make_the_same_customers(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let statements: Vec<IdentifyRequest> = (0..25).map(|_| statement(&mut dice)).collect();
        let mut outcomes = Vec::new();
        for order in 0..3 {
            let (tenant, mut left, mut subjects) = (TenantId::new(), statements.clone(), BTreeMap::new());
            while !left.is_empty() {
                let at = if order == 0 { 0 } else { dice.roll(left.len() as u64) as usize };
                let request = left.remove(at);
                let name = request.external_id.clone();
                subjects.insert(name, ground.identify(tenant, request).await.subject_id);
            }
            outcomes.push(contents(&ground, tenant, &subjects).await);
        }
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "seed {seed}: {outcomes:#?}");
    }
}

/// All that happened, for the computation from scratch.
#[derive(Default)]
struct Model {
    subjects: BTreeMap<String, String>,
    evidence: Evidence,
    statements: Vec<IdentifyRequest>,
}

impl Model {
    fn hear(&mut self, request: &IdentifyRequest, subject: &str) {
        let id: SubjectId = subject.parse().expect("a UUID");
        self.subjects.insert(request.external_id.clone(), subject.to_owned());
        let name = SourceRecord { source: "crm".to_owned(), external_id: Private::new(request.external_id.clone()) };
        self.evidence.subjects.insert(id, name);
        let observed_at = request.observed_at.as_ref().expect("it is set");
        let seen = Timestamp::from_parts(observed_at.seconds, observed_at.nanos).expect("in range");
        for it in &request.identifiers {
            let identifier = Namespaces::default().normalise(&it.namespace, &it.value).expect("valid");
            let first = self.evidence.carried.entry(id).or_default().entry(identifier).or_insert(seen);
            *first = (*first).min(seen);
        }
        self.statements.push(request.clone());
    }

    fn declare(
        &mut self,
        same: bool,
        left: BTreeSet<SubjectId>,
        right: BTreeSet<SubjectId>,
        survivor: Option<SubjectId>,
    ) {
        let (id, reason) = (AssertionId::new(), String::new());
        let created_at = Timestamp::from_column(i64::try_from(self.evidence.assertions.len()).expect("small"));
        self.evidence.assertions.push(Assertion { id, same, left, right, survivor, reason, created_at });
    }

    /// The customers: their ids, and the names of their records.
    fn customers(&self) -> BTreeMap<String, BTreeSet<String>> {
        let name = |subject: &SubjectId| self.evidence.subjects[subject].external_id.expose().clone();
        let clusters = partition(&self.evidence, &Namespaces::default()).clusters;
        clusters.iter().map(|it| (it.customer.to_string(), it.members.keys().map(name).collect())).collect()
    }
}

fn members(profile: &Profile) -> BTreeSet<SubjectId> {
    profile.records.iter().map(|record| record.subject_id.parse().expect("a UUID")).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_history_of_statements_merges_and_splits_equals_a_computation_from_scratch(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    for seed in 100..108 {
        let (tenant, mut dice, mut model) = (TenantId::new(), Dice(seed), Model::default());
        for _ in 0..40 {
            ground.wait(1);
            match dice.roll(4) {
                0 if model.subjects.len() > 1 => merge_some(&ground, tenant, &mut dice, &mut model).await,
                1 if model.subjects.len() > 1 => split_some(&ground, tenant, &mut dice, &mut model).await,
                _ => {
                    let request = statement(&mut dice);
                    let subject = ground.identify(tenant, request.clone()).await.subject_id;
                    model.hear(&request, &subject);
                }
            }
            let mut held = BTreeMap::new();
            for subject in model.subjects.values() {
                let profile = ground.get(tenant, by_id(subject)).await.expect("every id works");
                held.insert(profile.customer_id.clone(), names(&profile).into_iter().collect::<BTreeSet<_>>());
            }
            assert_eq!(held, model.customers(), "seed {seed}");
        }
        // The same statements, heard by nobody before, with nothing declared: the traits of each record are the same.
        let scratch = TenantId::new();
        for request in model.statements.iter().rev() {
            let alone = IdentifyRequest { identifiers: Vec::new(), ..request.clone() };
            ground.identify(scratch, alone).await;
        }
        for (name, subject) in &model.subjects {
            let held = ground.get(tenant, by_id(subject)).await.expect("there");
            if names(&held).len() == 1 {
                let alone =
                    ground.identify(scratch, IdentifyRequest { observed_at: Some(at(0)), ..says(name, &[]) }).await;
                assert_eq!(content(&held).2, content(profile(&alone)).2, "seed {seed}");
            }
        }
    }
}

async fn pick(ground: &Ground, tenant: TenantId, dice: &mut Dice, model: &Model) -> Profile {
    let at = dice.roll(model.subjects.len() as u64) as usize;
    let subject = model.subjects.values().nth(at).expect("one of them");
    ground.get(tenant, by_id(subject)).await.expect("every id works")
}

async fn merge_some(ground: &Ground, tenant: TenantId, dice: &mut Dice, model: &mut Model) {
    let (target, source) = (pick(ground, tenant, dice, model).await, pick(ground, tenant, dice, model).await);
    let request = merge(&target.customer_id, &[&source.customer_id]);
    match ground.profiles(tenant).merge_profiles(request).await {
        Ok(_) if target.customer_id != source.customer_id => {
            let survivor = target.customer_id.parse().ok();
            model.declare(true, members(&target), members(&source), survivor);
        }
        Ok(_) => {}
        Err(status) => assert_eq!(reason::<()>(Err(status)), "IDENTITY_CONFLICT"),
    }
}

async fn split_some(ground: &Ground, tenant: TenantId, dice: &mut Dice, model: &mut Model) {
    let held = pick(ground, tenant, dice, model).await;
    let leaving: Vec<String> = names(&held).into_iter().filter(|_| dice.roll(2) == 0).collect();
    if leaving.is_empty() || leaving.len() == held.records.len() {
        return;
    }
    let names: Vec<&str> = leaving.iter().map(String::as_str).collect();
    ground.profiles(tenant).split_profile(split(&held.customer_id, &names)).await.expect("parted");
    let left: BTreeSet<SubjectId> = leaving.iter().map(|name| model.subjects[name].parse().expect("a UUID")).collect();
    let right = members(&held).difference(&left).copied().collect();
    model.declare(false, left, right, None);
}
