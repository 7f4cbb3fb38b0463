//! What the conditions of segments and stages read, and how: borrowed from the profile and from what happened, so that a
//! thousand conditions are evaluated without copying anything. The names are documented at `SegmentService`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rapport_kernel::Timestamp;

use super::claims::ConsentState;
use super::computed::Computed;
use super::derived::{Derived, Score};
use super::happened::{self, Event, History};
use super::memory::Memory;
use super::profile::{InForce, Profile, Trait};
use super::standing::{Choice, Flagging, Processing, Tone};
use super::value::{Party, Value};
use rapport_conditions::{
    Activation, AsValue, CompileErrors, Environment, Limits, Map, Object, Program, Type, Value as Read,
};

/// How dear a condition may be: it may look at every event of a customer a few times.
const LIMITS: Limits = Limits {
    length: 4_096,
    depth: 48,
    nodes: 1_000,
    cost: 2_000_000,
    assumed_length: 100,
    events: happened::MOST as u64,
    fuel: 2_000_000,
};

static OF_STAGES: LazyLock<Environment> = LazyLock::new(|| variables().build());
static OF_SEGMENTS: LazyLock<Environment> =
    LazyLock::new(|| variables().variable("lifecycle_stage", Type::String).build());
static OF_EVENTS: LazyLock<Environment> = LazyLock::new(|| {
    let event = Type::object("event", happened::fields());
    Environment::builder().variable("event", event).without_now().build()
});

fn variables() -> rapport_conditions::EnvironmentBuilder {
    let events = Type::events("event", happened::fields());
    let customer = Type::object("customer", fields());
    let plain = fields().into_iter();
    let declared =
        plain.fold(Environment::builder().limits(LIMITS), |builder, (name, kind)| builder.variable(name, kind));
    declared.variable("events", Type::map(events.clone())).variable("timeline", events).variable("customer", customer)
}

/// The places of the variables that follow the fields of the customer.
pub(super) const EVENTS: usize = 12;
pub(super) const TIMELINE: usize = 13;
pub(super) const CUSTOMER: usize = 14;
pub(super) const STAGE: usize = 15;

/// What is read of a customer.
pub(crate) fn fields() -> [(&'static str, Type); 12] {
    [
        ("traits", Type::map(Type::Dyn)),
        ("consents", Type::map(Type::Bool)),
        ("party", Type::String),
        ("scores", Type::map(Type::Double)),
        ("scored_at", Type::map(Type::Timestamp)),
        ("identifiers", Type::map(Type::list(Type::String))),
        ("create_time", Type::Timestamp),
        ("restrictions", Type::list(Type::String)),
        ("flags", Type::list(Type::String)),
        ("preferences", Type::map(Type::Dyn)),
        ("sources", Type::list(Type::String)),
        ("feedback", Type::map(Type::Double)),
    ]
}

/// Checks the condition of a segment and compiles it.
///
/// # Errors
/// What is wrong with it, and where; as for all that follow.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    OF_SEGMENTS.compile(source, Type::Bool)
}

/// Checks the condition of a stage and compiles it.
///
/// # Errors
/// As [`compile`].
pub fn compile_stage(source: &str) -> Result<Program, CompileErrors> {
    OF_STAGES.compile(source, Type::Bool)
}

/// Checks a condition over one event and compiles it.
///
/// # Errors
/// As [`compile`].
pub fn compile_event(source: &str) -> Result<Program, CompileErrors> {
    OF_EVENTS.compile(source, Type::Bool)
}

/// What a condition over one event reads.
pub struct One<'a>(pub &'a Event);

impl Activation for One<'_> {
    fn variable(&self, index: usize) -> Option<Read<'_>> {
        (index == 0).then_some(Read::Object(self.0))
    }
}

/// What feedback told of a customer.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    /// The last score of each kind.
    pub scores: &'a BTreeMap<String, Score>,
    /// How it feels, and what stands open.
    pub memory: &'a Memory,
}

impl<'a> Heard<'a> {
    /// As it was last derived.
    #[must_use]
    pub const fn of(derived: &'a Derived) -> Self {
        Self { scores: &derived.scores, memory: &derived.memory }
    }
}

/// What one customer's conditions read.
pub struct Facts<'a> {
    profile: &'a Profile,
    traits: Traits<'a>,
    consents: Consents,
    identifiers: BTreeMap<String, Texts>,
    restrictions: Vec<String>,
    flags: Vec<String>,
    preferences: Preferences,
    sources: Vec<String>,
    scores: Scores<'a>,
    scored_at: ScoredAt<'a>,
    feedback: BTreeMap<String, f64>,
    history: &'a History,
    stage: &'a str,
}

impl<'a> Facts<'a> {
    /// Over a profile, what was computed of it, and what happened, as of an instant.
    #[must_use]
    pub fn new(
        profile: &'a Profile,
        now: Timestamp,
        computed: &'a BTreeMap<String, Computed>,
        Heard { scores, memory }: Heard<'a>,
        history: &'a History,
    ) -> Self {
        let mut identifiers = BTreeMap::<String, Texts>::new();
        for (identifier, _) in &profile.identifiers {
            let of = identifiers.entry(identifier.namespace.clone()).or_default();
            of.0.push(identifier.value.expose().clone());
        }
        let stands = |(_, (flag, _)): &(&String, &(Flagging, _))| flag.until.is_some_and(|until| until > now);
        let flags = profile.flags.iter().filter(stands);
        let sources: BTreeSet<&str> = profile.records.iter().map(|(_, name, ..)| name.source.as_str()).collect();
        Self {
            profile,
            traits: Traits { golden: &profile.traits, computed },
            consents: Consents::new(&profile.consents),
            identifiers,
            restrictions: profile.objections.keys().map(|kind| restriction(*kind).to_owned()).collect(),
            flags: flags.map(|(name, _)| name.clone()).collect(),
            preferences: Preferences::new(profile),
            sources: sources.into_iter().map(str::to_owned).collect(),
            scores: Scores(scores),
            scored_at: ScoredAt(scores),
            feedback: memory.numbers(),
            history,
            stage: "",
        }
    }

    /// The same with the stage that was found.
    #[must_use]
    pub fn at_stage(mut self, stage: &'a str) -> Self {
        self.stage = stage;
        self
    }
}

impl Activation for Facts<'_> {
    fn variable(&self, index: usize) -> Option<Read<'_>> {
        match index {
            EVENTS => Some(Read::Map(self.history.by_kind())),
            TIMELINE => Some(self.history.timeline()),
            CUSTOMER => Some(Read::Object(self)),
            STAGE => Some(Read::String(self.stage)),
            _ if index < EVENTS => self.field(index),
            _ => None,
        }
    }
}

/// The fields, in the order of [`fields`].
impl Object for Facts<'_> {
    fn field(&self, index: usize) -> Option<Read<'_>> {
        match index {
            0 => Some(Read::Map(&self.traits)),
            1 => Some(Read::Map(&self.consents)),
            2 => Some(Read::String(party(self.profile.party))),
            3 => Some(Read::Map(&self.scores)),
            4 => Some(Read::Map(&self.scored_at)),
            5 => Some(Read::Map(&self.identifiers)),
            6 => Some(Read::Timestamp(self.profile.created_at)),
            7 => Some(Read::List(&self.restrictions)),
            8 => Some(Read::List(&self.flags)),
            9 => Some(Read::Map(&self.preferences)),
            10 => Some(Read::List(&self.sources)),
            11 => Some(Read::Map(&self.feedback)),
            _ => None,
        }
    }
}

/// A kind of processing as conditions name it.
const fn restriction(processing: Processing) -> &'static str {
    match processing {
        Processing::Marketing => "marketing",
        Processing::Profiling => "profiling",
        Processing::AutomatedDecisions => "automated_decisions",
    }
}

/// How a customer prefers to be met, by the names of the contract; when it wants to be left alone is not among them.
#[derive(Default)]
struct Preferences(BTreeMap<String, Value>);

impl Preferences {
    fn new(profile: &Profile) -> Self {
        let value = |choice: &Choice| match choice {
            Choice::Text(text) => Some(Value::Text(text.clone())),
            Choice::Texts(texts) => Some(Value::List(texts.clone())),
            Choice::Tone(Tone::Formal) => Some(Value::Text("formal".to_owned())),
            Choice::Tone(Tone::Informal) => Some(Value::Text("informal".to_owned())),
            Choice::Minutes(..) | Choice::Met(_) => None,
        };
        let held = profile
            .preferences
            .iter()
            .filter_map(|(preference, (said, _))| Some((preference.name().to_owned(), value(said.choice.as_ref()?)?)));
        Self(held.collect())
    }
}

impl Map for Preferences {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        self.0.get(key).map(AsValue::as_value)
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        next(&self.0, key)
    }
}

/// The values of a namespace.
#[derive(Default)]
struct Texts(Vec<String>);

impl AsValue for Texts {
    fn as_value(&self) -> Read<'_> {
        Read::List(&self.0)
    }
}

/// A party as conditions name it.
#[must_use]
pub const fn party(party: Party) -> &'static str {
    match party {
        Party::Customer => "customer",
        Party::Lead => "lead",
        Party::Partner => "partner",
        Party::Employee => "employee",
    }
}

/// The golden record and what is computed; of one name what is computed.
pub(super) struct Traits<'a> {
    pub(super) golden: &'a BTreeMap<String, Trait>,
    pub(super) computed: &'a BTreeMap<String, Computed>,
}

impl Map for Traits<'_> {
    fn count(&self) -> usize {
        let more = self.golden.keys().filter(|name| !self.computed.contains_key(*name)).count();
        self.computed.len() + more
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        let golden = || self.golden.get(key).map(|held| held.value.as_value());
        self.computed.get(key).map(|computed| computed.value.as_value()).or_else(golden)
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        let (golden, computed) = (next(self.golden, key), next(self.computed, key));
        golden.into_iter().chain(computed).min()
    }
}

fn next<'a, T>(map: &'a BTreeMap<String, T>, key: Option<&str>) -> Option<&'a str> {
    use std::ops::Bound::{Excluded, Unbounded};
    let mut after = match key {
        Some(key) => map.range::<str, _>((Excluded(key), Unbounded)),
        None => map.range::<str, _>((Unbounded, Unbounded)),
    };
    after.next().map(|(key, _)| key.as_str())
}

struct Scores<'a>(&'a BTreeMap<String, Score>);

impl Map for Scores<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        self.0.get(key).map(|score| Read::Double(f64::from(score.score)))
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        next(self.0, key)
    }
}

struct ScoredAt<'a>(&'a BTreeMap<String, Score>);

impl Map for ScoredAt<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        self.0.get(key).map(|score| Read::Timestamp(score.at))
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        next(self.0, key)
    }
}

/// Consents by purpose, and by purpose and channel: as decisions read them. What is said of all channels holds on each.
pub(super) struct Consents(BTreeMap<String, bool>);

impl Consents {
    pub(super) fn new(consents: &[InForce]) -> Self {
        let key = |held: &InForce| match held.channel.as_str() {
            "" => held.purpose.clone(),
            channel => format!("{}/{channel}", held.purpose),
        };
        Self(consents.iter().map(|held| (key(held), held.decided_by.state == ConsentState::Granted)).collect())
    }
}

impl Map for Consents {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        let general = || self.0.get(key.split_once('/')?.0);
        self.0.get(key).or_else(general).map(|granted| Read::Bool(*granted))
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        next(&self.0, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_cannot_read_the_stage() {
        assert!(compile_stage("lifecycle_stage == 'new'").is_err());
        assert!(compile("lifecycle_stage == 'new'").is_ok());
    }
}
