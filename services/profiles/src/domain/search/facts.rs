//! What the condition of a search may read. The names are those that segments and decisions read, each also as a field of
//! `customer`; they are documented at `SearchProfilesRequest.filter`.

use std::collections::BTreeMap;

use rapport_conditions::{Activation, AsValue, CompileErrors, Environment, Map, Object, Program, Type, Value as Read};

use crate::domain::claims::ConsentState;
use crate::domain::profile::{InForce, Profile, Trait};
use crate::domain::value::{Party, Value};

fn fields() -> [(&'static str, Type); 7] {
    [
        ("traits", Type::map(Type::Dyn)),
        ("consents", Type::map(Type::Bool)),
        ("party", Type::String),
        ("identifiers", Type::map(Type::list(Type::String))),
        ("sources", Type::list(Type::String)),
        ("create_time", Type::Timestamp),
        ("update_time", Type::Timestamp),
    ]
}

/// Checks the condition of a search and compiles it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    let plain = fields().into_iter();
    let declared = plain.fold(Environment::builder(), |builder, (name, kind)| builder.variable(name, kind));
    declared.variable("customer", Type::object("customer", fields())).build().compile(source, Type::Bool)
}

/// What the condition reads of one profile.
pub struct Facts<'a> {
    profile: &'a Profile,
    consents: Consents,
    identifiers: BTreeMap<String, Values>,
    sources: Vec<String>,
}

impl<'a> Facts<'a> {
    /// Over a profile.
    #[must_use]
    pub fn new(profile: &'a Profile) -> Self {
        let mut identifiers = BTreeMap::<String, Values>::new();
        for (identifier, _) in &profile.identifiers {
            let of = identifiers.entry(identifier.namespace.clone()).or_default();
            of.0.push(identifier.value.expose().clone());
        }
        let mut sources: Vec<String> = profile.records.iter().map(|(_, name, ..)| name.source.clone()).collect();
        sources.sort_unstable();
        sources.dedup();
        Self { profile, consents: Consents::new(&profile.consents), identifiers, sources }
    }
}

impl Activation for Facts<'_> {
    fn variable(&self, index: usize) -> Option<Read<'_>> {
        if index == fields().len() { Some(Read::Object(self)) } else { self.field(index) }
    }
}

/// The fields, in the order of [`fields`].
impl Object for Facts<'_> {
    fn field(&self, index: usize) -> Option<Read<'_>> {
        match index {
            0 => Some(Read::Map(&self.profile.traits)),
            1 => Some(Read::Map(&self.consents)),
            2 => Some(Read::String(party(self.profile.party))),
            3 => Some(Read::Map(&self.identifiers)),
            4 => Some(Read::List(&self.sources)),
            5 => Some(Read::Timestamp(self.profile.created_at)),
            6 => Some(Read::Timestamp(self.profile.updated_at)),
            _ => None,
        }
    }
}

const fn party(party: Party) -> &'static str {
    match party {
        Party::Customer => "customer",
        Party::Lead => "lead",
        Party::Partner => "partner",
        Party::Employee => "employee",
    }
}

impl AsValue for Trait {
    fn as_value(&self) -> Read<'_> {
        self.value.as_value()
    }
}

impl AsValue for Value {
    fn as_value(&self) -> Read<'_> {
        match self {
            Self::Bool(value) => Read::Bool(*value),
            Self::Number(number) => Read::Double(number.get()),
            Self::Text(text) => Read::String(text),
            Self::Time(at) => Read::Timestamp(*at),
            Self::List(texts) => Read::List(texts),
        }
    }
}

/// The values of one namespace.
#[derive(Default)]
struct Values(Vec<String>);

impl AsValue for Values {
    fn as_value(&self) -> Read<'_> {
        Read::List(&self.0)
    }
}

/// Consents by purpose, and by purpose and channel, as decisions read them. What is said of all channels holds on each.
struct Consents(BTreeMap<String, bool>);

impl Consents {
    fn new(consents: &[InForce]) -> Self {
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
        self.0.key_after(key)
    }
}
