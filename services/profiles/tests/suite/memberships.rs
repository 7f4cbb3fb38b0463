//! Segments against brute force: random conditions over random lives, with what is told late, corrected, deleted, merged
//! and split, followed through the API while the clock goes on. At every instant that is looked at, who is a member is
//! who a naive reading of the whole log says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, ResponseChanged, event::Payload};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::computed_trait::Window;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_api::profiles::v1::*;
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId, Timestamp};
use rstest::rstest;

use crate::conditions::{CHANNELS, Computed, Condition, Happened, KINDS, Known, TIERS, number};
use crate::ground::*;
use crate::imports::Dice;
use crate::lives::{index, seeds};
use crate::merges::{merge, split};
use crate::segments::{segments, wants};

const RECORDS: usize = 5;
const ZONES: [&str; 4] = ["Asia/Tehran", "America/New_York", "Pacific/Auckland", "Europe/Riga"];
/// In a night in which clocks are put back in Europe, a little before.
const BEGIN: i64 = 1_761_429_600_000_000;

/// What a record told, as it is held: the newest of everything.
#[derive(Clone, Default)]
struct Record {
    subject: String,
    tier: Option<(i64, &'static str)>,
    consents: BTreeMap<(&'static str, &'static str), (i64, bool)>,
    zone: Option<(i64, &'static str)>,
}

/// What was told of an interaction: its version and whether that is a deletion, and what it says.
type Versions = BTreeMap<usize, (i64, Option<(usize, Happened)>)>;

/// A response: its record, kind, score, when it was given, and its revision; none where it was deleted.
type Response = (usize, &'static str, Option<i32>, i64, u64);

struct Log<'a> {
    ground: &'a Ground,
    tenant: TenantId,
    dice: Dice,
    records: Vec<Record>,
    happened: Versions,
    scores: BTreeMap<u64, Response>,
    conditions: Vec<(String, Condition)>,
    /// A type of which conditions read the ends alone.
    only_ends: Option<&'static str>,
    /// How often it was waited for what was told.
    markers: usize,
    /// Statements get ever later instants, so that none has two of one.
    stated: i64,
}

impl<'a> Log<'a> {
    async fn new(ground: &'a Ground, seed: u64, only_ends: Option<&'static str>) -> Self {
        let (tenant, dice) = (TenantId::new(), Dice(seed * 1_299_709 + 11));
        let mut log = Log {
            ground,
            tenant,
            dice,
            records: Vec::new(),
            happened: Versions::new(),
            scores: BTreeMap::new(),
            conditions: Vec::new(),
            only_ends,
            markers: 0,
            stated: 0,
        };
        // A trait of events of all types reads all of them.
        let declared = computed().into_iter().filter(|(name, _)| only_ends.is_none() || *name != "lately");
        for (name, computed) in declared {
            let text = name == "first_channel";
            let definition = TraitDefinition {
                name: name.to_owned(),
                r#type: if text { TraitType::Text } else { TraitType::Number }.into(),
                computed: Some(computed),
                ..TraitDefinition::default()
            };
            let request = CreateTraitDefinitionRequest { trait_definition: Some(definition), ..Default::default() };
            ground.traits(tenant).create_trait_definition(request).await.expect("declared");
        }
        for record in 0..RECORDS {
            let subject = ground.record(tenant, &record.to_string(), &[]).await.subject_id;
            log.records.push(Record { subject, ..Record::default() });
        }
        for _ in 0..8 {
            log.segment().await;
        }
        log
    }

    async fn segment(&mut self) {
        let condition = Condition::random(&mut self.dice, 2);
        let condition = match self.only_ends {
            Some(kind) => condition.only_ends_of(kind),
            None => condition,
        };
        let request = wants(&self.conditions.len().to_string(), &condition.source());
        let made = segments(self.ground, self.tenant).create_segment(request).await;
        let made = made.unwrap_or_else(|status| panic!("{}: {status}", condition.source()));
        self.conditions.push((made.into_inner().segment_id, condition));
    }

    fn now(&self) -> i64 {
        self.ground.clock.now().micros()
    }

    /// An instant by which nothing was stated yet.
    fn later(&mut self) -> (i64, Option<prost_types::Timestamp>) {
        self.stated += 1;
        (self.stated, Some(at(self.stated)))
    }

    async fn step(&mut self) {
        let record = index(&mut self.dice, RECORDS);
        match self.dice.below(16) {
            0..=6 => self.happens(record).await,
            7 => self.undo().await,
            8 => self.consent(record).await,
            9 => self.tier(record).await,
            10 => self.zone(record).await,
            11 | 12 => self.score(record).await,
            13 | 14 => self.merge(record).await,
            _ => self.split(record).await,
        }
    }

    /// Something happened, some time ago or in a moment; or what was told of it is corrected, perhaps by an old version.
    async fn happens(&mut self, record: usize) {
        let dice = &mut self.dice;
        let id = index(dice, 40);
        let ago = [0, 10, 20, 50, 100, 130, 3_600, 50_000, 2_700_000, -20, -130][index(dice, 11)];
        let kind = KINDS[index(dice, KINDS.len())];
        let channel = CHANNELS[index(dice, CHANNELS.len())];
        let euros = (dice.below(3) > 0).then(|| dice.below(40).cast_signed() - 8);
        let items = (dice.below(2) == 0).then(|| dice.below(6).cast_signed());
        let version = dice.below(4).cast_signed();
        let now = self.now();
        let happened = Happened { id, kind, at: now - ago * 1_000_000, channel, euros, items };
        let whose = match self.happened.get(&id) {
            Some((_, Some((whose, _)))) => *whose,
            _ => record,
        };
        let money = |units| Money { currency_code: "EUR".to_owned(), units, nanos: 0 };
        let number = |value: i64| Value { kind: Some(Kind::NumberValue(value as f64)) };
        let interaction = Interaction {
            customer: Some(by_id(&self.records[record].subject)),
            source: "shop".to_owned(),
            external_id: format!("{id:03}"),
            version,
            r#type: kind.to_owned(),
            channel: channel.to_owned(),
            occurred_at: Some(timestamp(Timestamp::from_column(happened.at))),
            value: euros.map(money),
            attributes: items.map(|items| ("items".to_owned(), number(items))).into_iter().collect(),
            ..Interaction::default()
        };
        let request = RecordInteractionRequest { interaction: Some(interaction), ..Default::default() };
        let told = self.ground.interactions(self.tenant).record_interaction(request).await.expect("recorded");
        let held = self.happened.get(&id).map(|(version, _)| *version);
        if held.is_none_or(|held| held < version) {
            // Whose it was is kept by its tombstone as well.
            let whose = self.subject_of(told.into_inner().interaction.as_ref(), whose);
            self.happened.insert(id, (version, Some((whose, happened))));
        }
    }

    fn subject_of(&self, interaction: Option<&Interaction>, otherwise: usize) -> usize {
        let subject = interaction.map(|one| one.subject_id.as_str());
        self.records.iter().position(|record| Some(record.subject.as_str()) == subject).unwrap_or(otherwise)
    }

    async fn undo(&mut self) {
        let (id, version) = (index(&mut self.dice, 40), self.dice.below(4).cast_signed());
        let deletion = InteractionDeletion { source: "shop".to_owned(), external_id: format!("{id:03}"), version };
        let item = RecordInteractionsRequest { item: Some(Item::Deletion(deletion)) };
        let mut interactions = self.ground.interactions(self.tenant);
        let acks = interactions.record_interactions(futures::stream::iter([item])).await.expect("heard").into_inner();
        let ack = { acks }.message().await.expect("up").and_then(|told| told.ack).expect("an acknowledgement");
        assert!(ack.errors.is_empty(), "{:?}", ack.errors);
        if self.happened.get(&id).is_none_or(|(held, _)| *held <= version) {
            self.happened.insert(id, (version, None));
        }
    }

    async fn consent(&mut self, record: usize) {
        let (stated, observed_at) = self.later();
        let purpose = ["marketing", "research"][index(&mut self.dice, 2)];
        let channel = ["", "email"][index(&mut self.dice, 2)];
        let granted = self.dice.below(3) > 0;
        let state = if granted { ConsentState::Granted } else { ConsentState::Denied }.into();
        let consent = Consent {
            purpose: purpose.to_owned(),
            channel: channel.to_owned(),
            state,
            observed_at,
            ..Consent::default()
        };
        let request = SetConsentRequest {
            customer: Some(by_id(&self.records[record].subject)),
            consent: Some(consent),
            source: "site".to_owned(),
            ..SetConsentRequest::default()
        };
        self.ground.profiles(self.tenant).set_consent(request).await.expect("heard");
        self.records[record].consents.insert((purpose, channel), (stated, granted));
    }

    async fn tier(&mut self, record: usize) {
        let ((stated, observed_at), tier) = (self.later(), TIERS[index(&mut self.dice, 2)]);
        let request = IdentifyRequest { observed_at, ..states(&record.to_string(), &[("tier", tier)], 0) };
        self.ground.identify(self.tenant, request).await;
        self.records[record].tier = Some((stated, tier));
    }

    async fn zone(&mut self, record: usize) {
        let ((stated, observed_at), zone) = (self.later(), ZONES[index(&mut self.dice, ZONES.len())]);
        let request = SetPreferencesRequest {
            customer: Some(by_id(&self.records[record].subject)),
            preferences: Some(Preferences { zone: zone.to_owned(), ..Preferences::default() }),
            source: "app".to_owned(),
            observed_at,
            ..SetPreferencesRequest::default()
        };
        self.ground.profiles(self.tenant).set_preferences(request).await.expect("heard");
        self.records[record].zone = Some((stated, zone));
    }

    /// A response is new, corrected or deleted.
    async fn score(&mut self, record: usize) {
        let dice = &mut self.dice;
        let response = dice.below(8) + 1;
        let score = (dice.below(4) > 0).then(|| i32::try_from(dice.below(8)).expect("small"));
        let (kind, seconds) = (["nps", "csat"][index(dice, 2)], dice.below(1_000).cast_signed());
        let given = match self.scores.get(&response) {
            // Whose it is, of which kind and when, stays.
            Some((record, kind, _, at, revision)) => (*record, *kind, score, *at, revision + 1),
            None => (record, kind, score.or(Some(5)), seconds, 1),
        };
        let (record, kind, score, seconds, revision) = given;
        let changed = ResponseChanged {
            deleted: score.is_none(),
            kind: kind.to_owned(),
            score,
            complete: true,
            ..Default::default()
        };
        let event = Event {
            event_id: uuid::Uuid::now_v7().to_string(),
            tenant: self.tenant.to_string(),
            subject_id: self.records[record].subject.clone(),
            aggregate_type: "response".to_owned(),
            aggregate_id: uuid::Uuid::from_u128(u128::from(response)).to_string(),
            revision,
            occurred_at: Some(at(seconds)),
            recorded_at: Some(at(seconds)),
            schema_version: 1,
            payload: Some(Payload::ResponseChanged(changed)),
            ..Event::default()
        };
        self.scores.insert(response, given);
        self.ground.tell("feedback", "derive", event).await;
    }

    async fn merge(&mut self, record: usize) {
        let other = index(&mut self.dice, RECORDS);
        let (one, other) = (&self.records[record].subject, &self.records[other].subject);
        self.ground.profiles(self.tenant).merge_profiles(merge(one, &[other])).await.expect("merged");
    }

    async fn split(&mut self, record: usize) {
        let held = self.ground.get(self.tenant, by_id(&self.records[record].subject)).await.expect("there");
        let mut leaving = names(&held);
        leaving.truncate(leaving.len() / 2);
        if !leaving.is_empty() {
            let leaving: Vec<&str> = leaving.iter().map(String::as_str).collect();
            self.ground.profiles(self.tenant).split_profile(split(&held.customer_id, &leaving)).await.expect("split");
        }
    }

    /// What is known of the customer that some records are.
    fn known(&self, records: &BTreeSet<usize>) -> Known {
        let mut known = Known::default();
        let held = self.happened.values().filter_map(|(_, held)| held.as_ref());
        known.log = held.filter(|(whose, _)| records.contains(whose)).map(|(_, happened)| happened.clone()).collect();
        known.log.sort_by_key(|one| (one.at, one.id));
        let mine = || records.iter().map(|record| &self.records[*record]);
        let mut consents = BTreeMap::<(&str, &str), bool>::new();
        for ((purpose, channel), (_, granted)) in mine().flat_map(|record| &record.consents) {
            let held = consents.entry((*purpose, *channel)).or_insert(true);
            *held &= *granted;
        }
        for ((purpose, channel), granted) in &consents {
            let everywhere = consents.get(&(*purpose, "")).copied().unwrap_or(true);
            let key = if channel.is_empty() { (*purpose).to_owned() } else { format!("{purpose}/{channel}") };
            known.consents.insert(key, *granted && everywhere);
        }
        known.tier = mine().filter_map(|record| record.tier).max().map(|(_, tier)| tier);
        let zone = mine().filter_map(|record| record.zone).max().map(|(_, zone)| zone);
        known.zone = zone.map(|zone| zone.parse().expect("a zone"));
        let mut last = BTreeMap::<&str, ((i64, u64), i32)>::new();
        for (response, (record, kind, score, at, _)) in &self.scores {
            let Some(score) = score.filter(|_| records.contains(record)) else { continue };
            let given = ((*at, *response), score);
            last.entry(kind).and_modify(|held| *held = (*held).max(given)).or_insert(given);
        }
        known.scores = last.into_iter().map(|(kind, (_, score))| (kind, score)).collect();
        known
    }

    /// The customers as they are, each with what is known of it.
    async fn customers(&self) -> BTreeMap<String, Known> {
        let mut records = BTreeMap::<String, BTreeSet<usize>>::new();
        for (number, record) in self.records.iter().enumerate() {
            let held = self.ground.get(self.tenant, by_id(&record.subject)).await.expect("there");
            records.entry(held.customer_id).or_default().insert(number);
        }
        records.into_iter().map(|(customer, records)| (customer, self.known(&records))).collect()
    }

    /// Who is in which segment, naively.
    fn expected(&self, customers: &BTreeMap<String, Known>, at: i64) -> Vec<BTreeSet<String>> {
        let members = |(_, condition): &(String, Condition)| {
            let is_in = |(_, known): &(&String, &Known)| condition.says(known, at) == Some(true);
            customers.iter().filter(is_in).map(|(customer, _)| customer.clone()).collect()
        };
        self.conditions.iter().map(members).collect()
    }

    async fn members(&self, at: Option<i64>) -> Vec<BTreeSet<String>> {
        let mut found = Vec::new();
        for (segment_id, _) in &self.conditions {
            let request = ListSegmentMembersRequest {
                segment_id: segment_id.clone(),
                page_size: 1_000,
                at: at.map(|at| timestamp(Timestamp::from_column(at))),
                ..ListSegmentMembersRequest::default()
            };
            let page = segments(self.ground, self.tenant).list_segment_members(request).await.expect("a page");
            found.push(page.into_inner().members.into_iter().map(|member| member.customer_id).collect());
        }
        found
    }

    /// The same as profiles show it.
    async fn shown(&self, customers: &BTreeMap<String, Known>) -> Vec<BTreeSet<String>> {
        let mut found = vec![BTreeSet::new(); self.conditions.len()];
        for (customer, known) in customers {
            let profile = self.ground.get(self.tenant, by_id(customer)).await.expect("there");
            for segment in &profile.segments {
                found[segment.name.parse::<usize>().expect("a number")].insert(customer.clone());
            }
            let held = |name: &str| match profile.traits.get(name).and_then(|held| held.value.clone()?.kind) {
                Some(Kind::NumberValue(number)) => number,
                _ => f64::NAN,
            };
            for (name, of) in
                [("lately", Computed::Lately), ("today", Computed::Today), ("last_month", Computed::LastMonth)]
            {
                if (held(name) - number(known, of, self.now()) as f64).abs() > 1e-9 {
                    // Not followed yet, or wrong: whoever compares looks again.
                    return Vec::new();
                }
            }
        }
        found
    }

    /// Waits until all that is shown is what brute force finds.
    async fn settled(&self, when: &str) {
        let (now, customers) = (self.now(), self.customers().await);
        let expected = self.expected(&customers, now);
        let mut last = (Vec::new(), Vec::new());
        for _ in 0..2_667 {
            last = (self.shown(&customers).await, self.members(None).await);
            if last.0 == expected && last.1 == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        for (at, (_, condition)) in self.conditions.iter().enumerate() {
            if last.0.get(at) != Some(&expected[at]) || last.1[at] != expected[at] {
                eprintln!(
                    "{at}: {}\n shown {:?}\n listed {:?}\n expected {:?}",
                    condition.source(),
                    last.0.get(at),
                    last.1[at],
                    expected[at]
                );
            }
        }
        panic!("{when}: at {now} not everybody is where brute force finds it: {customers:#?}");
    }

    /// Waits until what was told until now is followed: of each record something of long ago is told, which comes after.
    async fn followed(&mut self) {
        self.markers += 1;
        for (number, record) in self.records.iter().enumerate() {
            let interaction = Interaction {
                customer: Some(by_id(&record.subject)),
                source: "shop".to_owned(),
                external_id: format!("marker {} of {number}", self.markers),
                r#type: "marker".to_owned(),
                occurred_at: Some(at(1)),
                ..Interaction::default()
            };
            let request = RecordInteractionRequest { interaction: Some(interaction), ..Default::default() };
            self.ground.interactions(self.tenant).record_interaction(request).await.expect("recorded");
        }
        for record in &self.records {
            let mut tries = 0;
            loop {
                let held = self.ground.get(self.tenant, by_id(&record.subject)).await.expect("there");
                let wanted = Some(Kind::NumberValue((self.markers * names(&held).len()) as f64));
                if held.traits.get("markers").and_then(|held| held.value.clone()).and_then(|value| value.kind) == wanted
                {
                    break;
                }
                tries += 1;
                assert!(tries < 2_667, "what was told is not followed");
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        }
    }

    /// Asks of instants to come and gone who would be in a segment, by what is known now.
    async fn preview(&mut self, when: &str) {
        let customers = self.customers().await;
        let mut of_events = self.conditions.iter().filter(|(_, condition)| condition.is_of_events());
        let Some((_, condition)) = of_events.next_back() else { return };
        for by in [-75, -20, 10, 100, 4_000] {
            let asked = self.now() + by * 1_000_000;
            let request = PreviewSegmentRequest {
                condition: condition.source(),
                at: Some(timestamp(Timestamp::from_column(asked))),
                sample_size: 100,
                purpose: SegmentPurpose::Profiling.into(),
            };
            let found = segments(self.ground, self.tenant).preview_segment(request).await.expect("found").into_inner();
            let is_in = |(_, known): &(&String, &Known)| condition.says(known, asked) == Some(true);
            let expected: BTreeSet<String> = customers.iter().filter(is_in).map(|(id, _)| id.clone()).collect();
            let found: BTreeSet<String> = found.sample_customer_ids.into_iter().collect();
            assert_eq!(found, expected, "{when}: {} at {by} s from now", condition.source());
        }
    }
}

fn computed() -> [(&'static str, ComputedTrait); 5] {
    let purchases = |aggregate: ComputedAggregate, of: &str| ComputedTrait {
        aggregate: aggregate.into(),
        interaction_type: "purchase".to_owned(),
        of: of.to_owned(),
        ..ComputedTrait::default()
    };
    let calendar = |unit: CalendarUnit, back| Some(Window::Calendar(CalendarWindow { unit: unit.into(), back }));
    let lately = ComputedTrait {
        aggregate: ComputedAggregate::Count.into(),
        window: Some(Window::Sliding(prost_types::Duration { seconds: 100, nanos: 0 })),
        ..ComputedTrait::default()
    };
    let today = ComputedTrait {
        currency: "EUR".to_owned(),
        window: calendar(CalendarUnit::Day, 0),
        ..purchases(ComputedAggregate::Sum, "value")
    };
    let last_month =
        ComputedTrait { window: calendar(CalendarUnit::Month, 1), ..purchases(ComputedAggregate::Count, "") };
    let markers = ComputedTrait { interaction_type: "marker".to_owned(), ..purchases(ComputedAggregate::Count, "") };
    [
        ("markers", markers),
        ("lately", lately),
        ("today", today),
        ("last_month", last_month),
        ("first_channel", purchases(ComputedAggregate::First, "channel")),
    ]
}

#[rstest]
#[case(Engine::Sqlite, None)]
#[case(Engine::Postgres, None)]
#[case(Engine::Sqlite, Some("visit"))]
#[case(Engine::Postgres, Some("visit"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_segment_is_whom_brute_force_over_the_whole_log_finds_at_any_instant(
    #[case] engine: Engine,
    #[case] only_ends: Option<&'static str>,
) {
    for seed in seeds(3) {
        let ground = Ground::new(engine).await;
        ground.clock.set(Timestamp::from_column(BEGIN));
        let mut log = Log::new(&ground, seed, only_ends).await;
        let mut asked: Vec<(i64, Vec<BTreeSet<String>>)> = Vec::new();
        for round in 0..14 {
            for _ in 0..log.dice.below(5) {
                log.step().await;
            }
            if round == 6 {
                log.segment().await;
                asked.clear();
            }
            let when = format!("seed {seed}, round {round}");
            log.settled(&when).await;
            if round % 4 == 1 {
                log.preview(&when).await;
            }
            // Time goes by, and nobody looks meanwhile. What holds at instants within is asked for at the end.
            let customers = log.customers().await;
            let seconds = [1, 10, 30, 100, 3_600, 20_000, 86_400][index(&mut log.dice, 7)];
            let from = log.now();
            for part in [1, 5, 9] {
                let instant = from + seconds * 100_000 * part;
                asked.push((instant, log.expected(&customers, instant)));
            }
            // What is told of instants to come changes nobody yet, and must be known before they are gone.
            log.followed().await;
            ground.wait(seconds.cast_unsigned());
            log.settled(&format!("{when}, later")).await;
        }
        for (instant, expected) in asked {
            let found = log.members(Some(instant)).await;
            for (at, (_, condition)) in log.conditions.iter().enumerate() {
                assert_eq!(found[at], expected[at], "seed {seed}: {} at {instant}", condition.source());
            }
        }
    }
}
