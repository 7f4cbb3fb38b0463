//! Who is grouped: a condition over the profile, under the names that eligibility conditions have for it.

use std::collections::BTreeMap;

use rapport_conditions::{Activation, CompileErrors, Environment, Map, Object, Program, Type, Value as Read};
use rapport_kernel::Timestamp;

use crate::domain::claims::ConsentState;
use crate::domain::profile::{Profile, Trait};
use crate::domain::value::{Party, Value};

/// A compiled condition.
#[derive(Clone, Debug)]
pub struct Filter(Program);

impl Filter {
    /// Compiles a condition. It cannot depend on when it is asked: a persona follows from the profile alone.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(source: &str) -> Result<Self, CompileErrors> {
        let customer = Type::object(
            "customer",
            [("traits", Type::map(Type::Dyn)), ("consents", Type::map(Type::Bool)), ("party", Type::String)],
        );
        let environment = Environment::builder().variable("customer", customer).without_now().build();
        environment.compile(source, Type::Bool).map(Self)
    }

    /// Whether a profile fulfils it. An evaluation error is no match.
    #[must_use]
    pub fn admits(&self, profile: &Profile) -> bool {
        let customer = Customer {
            traits: Traits(&profile.traits),
            consents: Consents(
                profile
                    .consents
                    .iter()
                    .map(|held| {
                        let general = held.channel.is_empty();
                        let key =
                            if general { held.purpose.clone() } else { format!("{}/{}", held.purpose, held.channel) };
                        (key, held.decided_by.state == ConsentState::Granted)
                    })
                    .collect(),
            ),
            party: match profile.party {
                Party::Customer => "customer",
                Party::Lead => "lead",
                Party::Partner => "partner",
                Party::Employee => "employee",
            },
        };
        self.0.matches(&customer, Timestamp::MIN).value
    }
}

struct Customer<'a> {
    traits: Traits<'a>,
    consents: Consents,
    party: &'static str,
}

impl Activation for Customer<'_> {
    fn variable(&self, index: usize) -> Option<Read<'_>> {
        (index == 0).then_some(Read::Object(self))
    }
}

/// The fields, in the order in which they are declared.
impl Object for Customer<'_> {
    fn field(&self, index: usize) -> Option<Read<'_>> {
        match index {
            0 => Some(Read::Map(&self.traits)),
            1 => Some(Read::Map(&self.consents)),
            2 => Some(Read::String(self.party)),
            _ => None,
        }
    }
}

struct Traits<'a>(&'a BTreeMap<String, Trait>);

impl Map for Traits<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        Some(match &self.0.get(key)?.value {
            Value::Bool(value) => Read::Bool(*value),
            Value::Number(number) => Read::Double(number.get()),
            Value::Text(text) => Read::String(text),
            Value::Time(at) => Read::Timestamp(*at),
            Value::List(texts) => Read::List(texts),
        })
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        after(self.0, key)
    }
}

/// A channel of which nothing was said has what was said of all.
struct Consents(BTreeMap<String, bool>);

impl Map for Consents {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Read<'_>> {
        let general = || self.0.get(key.split_once('/')?.0);
        self.0.get(key).or_else(general).map(|granted| Read::Bool(*granted))
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        after(&self.0, key)
    }
}

fn after<'a, T>(map: &'a BTreeMap<String, T>, key: Option<&str>) -> Option<&'a str> {
    use std::ops::Bound;
    let beyond = key.map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<str, _>((beyond, Bound::Unbounded)).next().map(|(key, _)| key.as_str())
}
