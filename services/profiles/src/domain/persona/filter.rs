//! Who is grouped: a condition over the profile, under the names that eligibility conditions have for it.

use std::collections::BTreeMap;

use rapport_conditions::{Activation, CompileErrors, Environment, Object, Program, Type, Value as Read};
use rapport_kernel::Timestamp;

use crate::domain::facts::{Consents, Traits, party};
use crate::domain::profile::Profile;

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
        // What is computed changes with time: a persona follows from the golden record alone.
        let computed = BTreeMap::new();
        let customer = Customer {
            traits: Traits { golden: &profile.traits, computed: &computed },
            consents: Consents::new(&profile.consents),
            party: party(profile.party),
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
