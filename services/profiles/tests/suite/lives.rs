//! Random lives of customers for the laws: what sources tell of a few records, in an order that does not matter, and
//! what is seen of them, without what was minted.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use rapport_api::common::v1::{CustomerRef, Processing, Tone, Value, value::Kind};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::account_ref::Ref;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_api::profiles::v1::*;
use rapport_kernel::TenantId;

use crate::ground::*;
use crate::imports::Dice;

/// How many records a life is about.
pub const RECORDS: usize = 6;
const SOURCES: [&str; 3] = ["crm", "erp", "web"];
/// How many seeds a law is tried with: those of CI, or as many as RAPPORT_TEST_SEEDS says.
pub fn seeds(usually: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("RAPPORT_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    0..asked.unwrap_or(usually)
}

/// One statement.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "a test tells a few dozen")]
pub enum Told {
    Said(IdentifyRequest),
    Consented(usize, SetConsentRequest),
    Objected(usize, RestrictProcessingRequest),
    Flagged(usize, SetFlagsRequest),
    Preferred(usize, SetPreferencesRequest),
    Happened(usize, Interaction),
    Undone(InteractionDeletion),
    Joined(usize, usize, AddMemberRequest),
    Left(usize, usize, RemoveMemberRequest),
    Deleted(DeleteSourceRecordRequest),
}

pub fn name(record: usize) -> SourceRecord {
    SourceRecord { source: SOURCES[record % SOURCES.len()].to_owned(), external_id: format!("r{record}") }
}

fn pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> &'a T {
    &from[index(dice, from.len())]
}

pub fn index(dice: &mut Dice, below: usize) -> usize {
    usize::try_from(dice.below(below as u64)).expect("small")
}

fn some_time(dice: &mut Dice) -> Option<prost_types::Timestamp> {
    Some(at(dice.below(40).cast_signed()))
}

pub fn number(value: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(value)) }
}

/// What a source says of a record at random: of few traits, values and instants, so that ties are frequent. With
/// `shared`, records come to share identifiers.
pub fn statement(dice: &mut Dice, shared: bool) -> IdentifyRequest {
    let record = name(index(dice, RECORDS));
    let mut request = IdentifyRequest { observed_at: some_time(dice), ..says(&record.external_id, &[]) };
    request.source = record.source;
    if shared && dice.below(4) == 0 {
        let value = format!("shared{}@example.com", dice.below(4));
        request.identifiers = says("", &[("email", &value)]).identifiers;
    }
    for _ in 0..dice.below(3) {
        let value = match dice.below(3) {
            0 => number(dice.below(4) as f64 * 10.0),
            _ => text(["gold", "silver", "none"][index(dice, 3)]),
        };
        request.traits.insert((*pick(dice, &["tier", "city", "size"])).to_owned(), value);
    }
    if dice.below(5) == 0 && !request.traits.contains_key("city") {
        request.unset_traits.push("city".to_owned());
    }
    if dice.below(4) == 0 {
        request.consents.push(consent(dice));
    }
    request
}

fn consent(dice: &mut Dice) -> Consent {
    Consent {
        purpose: (*pick(dice, &["marketing", "research"])).to_owned(),
        channel: (*pick(dice, &["", "email", "sms"])).to_owned(),
        state: (*pick(dice, &[ConsentState::Granted, ConsentState::Denied])).into(),
        observed_at: some_time(dice),
        ..Consent::default()
    }
}

/// An interaction of a record: few instants, so that several are of one, and few names, so that versions meet. What a
/// version says is always the same.
pub fn interaction(dice: &mut Dice) -> (usize, Interaction) {
    let (number_of, version) = (index(dice, 18), dice.below(3));
    let dice = &mut Dice(1_000 * number_of as u64 + version);
    let interaction = Interaction {
        source: "shop".to_owned(),
        external_id: format!("i{number_of}"),
        version: version.cast_signed(),
        r#type: (*pick(dice, &["visit", "purchase", "purchase", "call"])).to_owned(),
        channel: (*pick(dice, &["web", "shop", "call", ""])).to_owned(),
        occurred_at: some_time(dice),
        value: Some(Money {
            currency_code: (*pick(dice, &["EUR", "EUR", "CHF"])).to_owned(),
            units: dice.below(90).cast_signed(),
            nanos: 100_000_000,
        }),
        attributes: [("items".to_owned(), number(dice.below(7) as f64 / 10.0))].into(),
        ..Interaction::default()
    };
    // Whose it is is read once: every version names the same record.
    (number_of % RECORDS, interaction)
}

pub fn told(dice: &mut Dice, shared: bool) -> Told {
    let (record, observed_at) = (index(dice, RECORDS), some_time(dice));
    let source = (*pick(dice, &["crm", "app"])).to_owned();
    match dice.below(16) {
        0..=3 => Told::Said(statement(dice, shared)),
        4 => {
            let request = SetConsentRequest { consent: Some(consent(dice)), source, ..SetConsentRequest::default() };
            Told::Consented(record, request)
        }
        5 => {
            let processing = vec![(*pick(dice, &[Processing::Marketing, Processing::Profiling])).into()];
            let withdraw = dice.below(2) == 0;
            let request = RestrictProcessingRequest { processing, withdraw, source, observed_at, ..Default::default() };
            Told::Objected(record, request)
        }
        6 => {
            let name = (*pick(dice, &["vulnerable", "bereaved"])).to_owned();
            let ends = (dice.below(2) == 0).then(|| at(30_000_000 + dice.below(3).cast_signed()));
            let mut request = SetFlagsRequest { source, observed_at, ..SetFlagsRequest::default() };
            match dice.below(3) {
                0 => request.cleared_flags.push(name),
                _ => request.flags.push(Flag { name, expire_time: ends, ..Flag::default() }),
            }
            Told::Flagged(record, request)
        }
        7 => Told::Preferred(record, preferences(dice, source, observed_at)),
        8..=11 => {
            let (record, interaction) = interaction(dice);
            Told::Happened(record, interaction)
        }
        12 => {
            let (_, Interaction { source, external_id, version, .. }) = interaction(dice);
            Told::Undone(InteractionDeletion { source, external_id, version })
        }
        13 => {
            let role = (*pick(dice, &["buyer", "owner"])).to_owned();
            let request = AddMemberRequest { role, source, observed_at, ..AddMemberRequest::default() };
            Told::Joined(record, index(dice, 2), request)
        }
        14 => {
            let request = RemoveMemberRequest { source, observed_at, ..RemoveMemberRequest::default() };
            Told::Left(record, index(dice, 2), request)
        }
        _ => {
            let SourceRecord { source, external_id } = name(record);
            let observed_at = Some(at(dice.below(12).cast_signed()));
            Told::Deleted(DeleteSourceRecordRequest { source, external_id, observed_at, ..Default::default() })
        }
    }
}

fn preferences(dice: &mut Dice, source: String, observed_at: Option<prost_types::Timestamp>) -> SetPreferencesRequest {
    let mut preferences = Preferences { zone: "Asia/Tehran".to_owned(), ..Preferences::default() };
    let mut paths = vec!["language".to_owned()];
    match dice.below(4) {
        0 => {}
        1 => preferences.tone = Tone::Formal.into(),
        _ => preferences.language = (*pick(dice, &["lv", "ru", "fa"])).to_owned(),
    }
    if dice.below(2) == 0 {
        paths.extend(["tone".to_owned(), "zone".to_owned()]);
    }
    let basis = (*pick(dice, &[PreferenceBasis::Given, PreferenceBasis::Observed])).into();
    SetPreferencesRequest {
        preferences: Some(preferences),
        update_mask: Some(prost_types::FieldMask { paths }),
        source,
        basis,
        observed_at,
        ..SetPreferencesRequest::default()
    }
}

/// A tenant with its records, and what is derived of them.
pub struct World<'a> {
    pub ground: &'a Ground,
    pub tenant: TenantId,
    /// The subject of each record.
    pub subjects: Vec<String>,
    pub accounts: Vec<String>,
    pub segments: Vec<String>,
}

/// The segments of every world.
const SEGMENTS: [(&str, &str); 7] = [
    ("buyers", "events.purchase.size() >= 2"),
    ("last on the web", "has(events.purchase) && events.purchase.last().channel == 'web'"),
    ("spent", "has(traits.spent) && traits.spent > 60.0"),
    ("may be written to", "consents['marketing/email']"),
    ("gold", "traits.tier == 'gold'"),
    ("careful", "'vulnerable' in flags || 'marketing' in restrictions"),
    ("bought after a visit", "events.visit.followedBy(events.purchase, duration('10s')).size() > 0"),
];

/// The computed traits of every world: of what, and how.
fn computed() -> [(&'static str, TraitType, ComputedTrait); 5] {
    let of = |aggregate: ComputedAggregate, of: &str, kind: &str| ComputedTrait {
        aggregate: aggregate.into(),
        interaction_type: kind.to_owned(),
        of: of.to_owned(),
        currency: if of == "value" { "EUR".to_owned() } else { String::new() },
        ..ComputedTrait::default()
    };
    [
        ("spent", TraitType::Number, of(ComputedAggregate::Sum, "value", "purchase")),
        ("items", TraitType::Number, of(ComputedAggregate::Sum, "attributes.items", "")),
        ("last_channel", TraitType::Text, of(ComputedAggregate::Last, "channel", "")),
        ("first_channel", TraitType::Text, of(ComputedAggregate::First, "channel", "purchase")),
        ("visits", TraitType::Number, of(ComputedAggregate::Count, "", "visit")),
    ]
}

impl<'a> World<'a> {
    /// With each record known, in the order given.
    pub async fn new(ground: &'a Ground, order: &[usize]) -> Self {
        let tenant = TenantId::new();
        let mut world =
            World { ground, tenant, subjects: vec![String::new(); RECORDS], accounts: vec![], segments: vec![] };
        for (name, kind, computed) in computed() {
            let definition = TraitDefinition {
                name: name.to_owned(),
                r#type: kind.into(),
                computed: Some(computed),
                ..TraitDefinition::default()
            };
            let request = CreateTraitDefinitionRequest { trait_definition: Some(definition), ..Default::default() };
            ground.traits(tenant).create_trait_definition(request).await.expect("declared");
        }
        for (name, condition) in SEGMENTS {
            let request = crate::segments::wants(name, condition);
            let made = crate::segments::segments(ground, tenant).create_segment(request).await.expect("made");
            world.segments.push(made.into_inner().segment_id);
        }
        for external_id in ["firm", "home"] {
            let request = UpsertAccountRequest {
                source: "crm".to_owned(),
                external_id: external_id.to_owned(),
                version: 1,
                kind: AccountKind::Company.into(),
                name: external_id.to_owned(),
                ..UpsertAccountRequest::default()
            };
            let made = ground.accounts(tenant).upsert_account(request).await.expect("made").into_inner();
            world.accounts.push(made.account.expect("an account").account_id);
        }
        for record in order {
            let SourceRecord { source, external_id } = name(*record);
            let request = IdentifyRequest { source, observed_at: Some(at(-1)), ..says(&external_id, &[]) };
            world.subjects[*record] = ground.identify(tenant, request).await.subject_id;
        }
        world
    }

    pub fn of(&self, record: usize) -> CustomerRef {
        by_id(&self.subjects[record])
    }

    fn account(&self, account: usize) -> Option<AccountRef> {
        Some(AccountRef { r#ref: Some(Ref::AccountId(self.accounts[account].clone())) })
    }

    /// Tells it. What names a customer names it by the subject of the record it is about.
    pub async fn hear(&self, told: Told) {
        let (ground, tenant) = (self.ground, self.tenant);
        let mut profiles = ground.profiles(tenant);
        match told {
            Told::Said(request) => drop(ground.identify(tenant, request).await),
            Told::Consented(record, request) => {
                let request = SetConsentRequest { customer: Some(self.of(record)), ..request };
                profiles.set_consent(request).await.expect("heard");
            }
            Told::Objected(record, request) => {
                let request = RestrictProcessingRequest { customer: Some(self.of(record)), ..request };
                profiles.restrict_processing(request).await.expect("heard");
            }
            Told::Flagged(record, request) => {
                let request = SetFlagsRequest { customer: Some(self.of(record)), ..request };
                profiles.set_flags(request).await.expect("heard");
            }
            Told::Preferred(record, request) => {
                let request = SetPreferencesRequest { customer: Some(self.of(record)), ..request };
                profiles.set_preferences(request).await.expect("heard");
            }
            Told::Happened(record, interaction) => {
                let interaction = Some(Interaction { customer: Some(self.of(record)), ..interaction });
                let request = RecordInteractionRequest { interaction, ..RecordInteractionRequest::default() };
                ground.interactions(tenant).record_interaction(request).await.expect("heard");
            }
            Told::Undone(deletion) => {
                let item = RecordInteractionsRequest { item: Some(Item::Deletion(deletion)) };
                let mut interactions = ground.interactions(tenant);
                let acks = interactions.record_interactions(futures::stream::iter([item])).await.expect("heard");
                let ack = acks.into_inner().message().await.expect("up").and_then(|ack| ack.ack).expect("heard");
                assert!(ack.errors.is_empty(), "{:?}", ack.errors);
            }
            Told::Joined(record, account, request) => {
                let (account, customer) = (self.account(account), Some(self.of(record)));
                let request = AddMemberRequest { account, customer, ..request };
                ground.accounts(tenant).add_member(request).await.expect("heard");
            }
            Told::Left(record, account, request) => {
                let (account, customer) = (self.account(account), Some(self.of(record)));
                let request = RemoveMemberRequest { account, customer, ..request };
                ground.accounts(tenant).remove_member(request).await.expect("heard");
            }
            Told::Deleted(request) => drop(profiles.delete_source_record(request).await.expect("heard")),
        }
    }

    pub async fn get(&self, record: usize) -> Profile {
        self.ground.get(self.tenant, self.of(record)).await.expect("every id works")
    }

    fn record_of(&self, subject: &str) -> String {
        let found = self.subjects.iter().position(|held| held == subject);
        found.map_or_else(|| subject.to_owned(), |record| format!("r{record}"))
    }

    /// A profile as anybody would see it who told the same: without ids that were minted, revisions, and the instants
    /// at which something was recorded or derived.
    fn plain(&self, mut profile: Profile) -> Profile {
        let computed: BTreeSet<&str> = computed().iter().map(|(name, ..)| *name).collect();
        (profile.customer_id, profile.revision, profile.etag) = (String::new(), 0, String::new());
        let created_at = profile.create_time.take();
        profile.update_time = None;
        for identifier in &mut profile.identifiers {
            identifier.subject_id = self.record_of(&identifier.subject_id);
        }
        for (name, held) in &mut profile.traits {
            held.subject_id = self.record_of(&held.subject_id);
            if computed.contains(name.as_str()) {
                held.subject_id = String::new();
                // Of nothing that happened: since the customer is known, which is no time that was told.
                held.observed_at = held.observed_at.filter(|at| Some(*at) != created_at);
            }
        }
        for record in &mut profile.records {
            record.subject_id = self.record_of(&record.subject_id);
            record.create_time = None;
        }
        profile.records.sort_by(|a, b| a.subject_id.cmp(&b.subject_id));
        for held in &mut profile.restrictions {
            held.subject_id = self.record_of(&held.subject_id);
        }
        for flag in &mut profile.flags {
            flag.subject_id = self.record_of(&flag.subject_id);
        }
        for held in profile.preferences.iter_mut().flat_map(|held| held.provenance.values_mut()) {
            held.subject_id = self.record_of(&held.subject_id);
        }
        for segment in &mut profile.segments {
            (segment.segment_id, segment.enter_time) = (String::new(), None);
        }
        for held in &mut profile.accounts {
            held.subject_id = self.record_of(&held.subject_id);
            let account = self.accounts.iter().position(|account| *account == held.account_id);
            held.account_id = account.map_or_else(String::new, |account| account.to_string());
        }
        profile.accounts.sort_by(|a, b| a.account_id.cmp(&b.account_id));
        profile.persona = None;
        profile
    }

    /// All that can be seen of each record's customer.
    pub async fn seen(&self) -> Vec<Seen> {
        let mut members = BTreeMap::<String, BTreeSet<usize>>::new();
        for (number, segment) in self.segments.iter().enumerate() {
            for member in crate::segments::members(self.ground, self.tenant, segment).await {
                members.entry(member).or_default().insert(number);
            }
        }
        let mut seen = Vec::new();
        for record in 0..RECORDS {
            let profile = self.get(record).await;
            let member_of = members.get(&profile.customer_id).cloned().unwrap_or_default();
            let (happened, consents) = (self.happened(record).await, self.consents(record).await);
            let preferences = self.preferences(record).await;
            seen.push(Seen { profile: self.plain(profile), member_of, happened, consents, preferences });
        }
        seen
    }

    async fn happened(&self, record: usize) -> Vec<Interaction> {
        let request =
            ListInteractionsRequest { customer: Some(self.of(record)), page_size: 1_000, ..Default::default() };
        let listed = self.ground.interactions(self.tenant).list_interactions(request).await.expect("a page");
        let mut found = listed.into_inner().interactions;
        for one in &mut found {
            (one.interaction_id, one.customer, one.etag) = (String::new(), None, String::new());
            (one.create_time, one.update_time) = (None, None);
            one.subject_id = self.record_of(&one.subject_id);
        }
        // Those of one instant are listed as they came.
        found.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        found
    }

    async fn consents(&self, record: usize) -> BTreeSet<(String, Vec<u8>)> {
        let request =
            ListConsentHistoryRequest { customer: Some(self.of(record)), page_size: 1_000, ..Default::default() };
        let listed = self.ground.profiles(self.tenant).list_consent_history(request).await.expect("a page");
        let told =
            |it: ConsentStatement| (self.record_of(&it.subject_id), it.consent.unwrap_or_default().encode_to_vec());
        listed.into_inner().statements.into_iter().map(told).collect()
    }

    async fn preferences(&self, record: usize) -> BTreeSet<Vec<u8>> {
        let request =
            ListPreferenceHistoryRequest { customer: Some(self.of(record)), page_size: 1_000, ..Default::default() };
        let listed = self.ground.profiles(self.tenant).list_preference_history(request).await.expect("a page");
        // When it was inferred by which channels somebody is met is the service's own affair.
        let said = listed.into_inner().changes.into_iter().filter(|it| it.field != "inferred_channels");
        let told = |it: PreferenceChange| {
            let subject_id = self.record_of(&it.subject_id);
            PreferenceChange { subject_id, record_time: None, ..it }.encode_to_vec()
        };
        said.map(told).collect()
    }
}

/// All that can be seen of a customer.
#[derive(Clone, PartialEq)]
pub struct Seen {
    pub profile: Profile,
    pub member_of: BTreeSet<usize>,
    pub happened: Vec<Interaction>,
    pub consents: BTreeSet<(String, Vec<u8>)>,
    pub preferences: BTreeSet<Vec<u8>>,
}

impl Seen {
    /// What is another in two of them.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let (one, two) = (&self.profile, &other.profile);
        let parts = [
            ("party", one.party == two.party),
            ("identifiers", one.identifiers == two.identifiers),
            ("traits", one.traits == two.traits),
            ("consents", one.consents == two.consents),
            ("records", one.records == two.records),
            ("restrictions", one.restrictions == two.restrictions),
            ("preferences", one.preferences == two.preferences),
            ("flags", one.flags == two.flags),
            ("segments", one.segments == two.segments),
            ("lifecycle_stage", one.lifecycle_stage == two.lifecycle_stage),
            ("scores", one.scores == two.scores),
            ("accounts", one.accounts == two.accounts),
            ("the rest of the profile", one == two),
            ("members of segments", self.member_of == other.member_of),
            ("interactions", self.happened == other.happened),
            ("history of consents", self.consents == other.consents),
            ("history of preferences", self.preferences == other.preferences),
        ];
        parts.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect()
    }
}

/// Where two worlds differ, record by record.
fn differences(one: &[Seen], other: &[Seen]) -> Vec<(usize, Vec<&'static str>)> {
    let pairs = one.iter().zip(other).enumerate();
    pairs
        .map(|(record, (one, other))| (record, one.differences(other)))
        .filter(|(_, parts)| !parts.is_empty())
        .collect()
}

/// Waits until both worlds look the same: what is derived follows within a moment.
pub async fn alike(what: &str, one: &World<'_>, other: &World<'_>) {
    let mut last = Vec::new();
    for _ in 0..2_000 {
        last = differences(&one.seen().await, &other.seen().await);
        if last.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{what}: they differ: {last:?}");
}

/// Waits until a world looks as it did.
pub async fn as_before(what: &str, world: &World<'_>, before: &[Seen]) {
    let mut last = Vec::new();
    for _ in 0..2_000 {
        last = differences(before, &world.seen().await);
        if last.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{what}: it is not as before: {last:?}");
}
