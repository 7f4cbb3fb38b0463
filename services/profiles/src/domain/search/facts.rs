//! What the condition of a search may read: of a customer what the conditions of segments read, by the same names, and
//! what it is in. They are documented at `SearchProfilesRequest.filter`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rapport_conditions::{Activation, CompileErrors, Environment, Object, Program, Type, Value as Read};
use rapport_kernel::Timestamp;

use crate::domain::computed::Computed;
use crate::domain::facts;
use crate::domain::happened::History;
use crate::domain::profile::Profile;

/// A search reads nothing of what happened, and a profile's traits have what was computed already.
static NOTHING: LazyLock<(BTreeMap<String, Computed>, History)> = LazyLock::new(Default::default);

/// What a search reads beyond what segments do.
fn more() -> [(&'static str, Type); 3] {
    [("update_time", Type::Timestamp), ("segments", Type::list(Type::String)), ("lifecycle_stage", Type::String)]
}

/// Checks the condition of a search and compiles it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    let fields = || facts::fields().into_iter().chain(more());
    let declared = fields().fold(Environment::builder(), |builder, (name, kind)| builder.variable(name, kind));
    declared.variable("customer", Type::object("customer", fields())).build().compile(source, Type::Bool)
}

/// What the condition reads of one profile.
pub struct Facts<'a> {
    profile: &'a Profile,
    known: facts::Facts<'a>,
    segments: Vec<String>,
}

impl<'a> Facts<'a> {
    /// Over a profile, as of an instant.
    #[must_use]
    pub fn new(profile: &'a Profile, now: Timestamp) -> Self {
        let (computed, history) = &*NOTHING;
        let known = facts::Facts::new(profile, now, computed, facts::Heard::of(&profile.derived), history);
        Self { profile, known, segments: profile.segments.iter().map(|held| held.name.clone()).collect() }
    }
}

impl Activation for Facts<'_> {
    fn variable(&self, index: usize) -> Option<Read<'_>> {
        if index == facts::fields().len() + more().len() { Some(Read::Object(self)) } else { self.field(index) }
    }
}

/// The fields, in their order.
impl Object for Facts<'_> {
    fn field(&self, index: usize) -> Option<Read<'_>> {
        let Some(own) = index.checked_sub(facts::fields().len()) else { return self.known.field(index) };
        match own {
            0 => Some(Read::Timestamp(self.profile.updated_at)),
            1 => Some(Read::List(&self.segments)),
            2 => Some(Read::String(&self.profile.derived.stage)),
            _ => None,
        }
    }
}
