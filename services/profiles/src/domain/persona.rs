//! Personas: the groups that a tenant's customers fall into. A set of them is found by a discovery; which one a customer
//! has is a function of the set's model and of the profile, so it is derived whenever a profile is folded: no write can
//! leave it behind, and neither a merge nor a split has anything to put right.

mod carry;
mod filter;

use std::fmt;

use rapport_clusters::{Cell, Cluster, Feature, Model, Row, Trial};
use rapport_kernel::{Id, Timestamp};
use serde::{Deserialize, Serialize};

pub use carry::carried;
pub use filter::Filter;

use super::profile::Profile;
use super::standing::Processing;
use super::value::{Number, Value};

/// Marks the id of a persona set.
pub enum PersonaSetMark {}
/// The id of a persona set.
pub type PersonaSetId = Id<PersonaSetMark>;
/// Marks the id of a persona.
pub enum PersonaMark {}
/// The id of a persona.
pub type PersonaId = Id<PersonaMark>;

/// What a discovery looks for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The set's name, for people.
    pub name: String,
    /// The traits that customers are grouped by.
    pub traits: Vec<String>,
    /// The condition for being grouped; empty: none.
    pub filter: String,
    /// The fewest personas.
    pub least: usize,
    /// The most.
    pub most: usize,
    /// The seed.
    pub seed: i64,
    /// How many customers are drawn.
    pub sample_size: usize,
    /// The share each persona must have.
    pub smallest_share: f64,
}

impl Settings {
    /// As the engine takes them, for a sample of so many. The larger a sample, the less it matters where k-means begins.
    #[must_use]
    pub fn engine(&self, sample: usize) -> rapport_clusters::Settings {
        rapport_clusters::Settings {
            traits: self.traits.clone(),
            least: self.least,
            most: self.most,
            seed: self.seed.cast_unsigned(),
            restarts: if sample > 2_000 { 10 } else { 30 },
            least_share: self.smallest_share,
        }
    }

    /// What the engine sees of a profile; `None` where it has none of the traits, or objected to being profiled.
    #[must_use]
    pub fn row(&self, profile: &Profile) -> Option<Row> {
        if objects(profile) {
            return None;
        }
        let row = row(&self.traits, profile);
        row.iter().any(|cell| *cell != Cell::Missing).then_some(row)
    }
}

/// Whether the customer objected to being profiled: a persona is just that.
fn objects(profile: &Profile) -> bool {
    profile.objections.contains_key(&Processing::Profiling)
}

fn row(traits: &[String], profile: &Profile) -> Row {
    let cell = |name: &String| match profile.traits.get(name).map(|held| &held.value) {
        Some(Value::Number(number)) => Cell::Number(number.get()),
        Some(Value::Bool(flag)) => Cell::Flag(*flag),
        Some(Value::Text(text)) => Cell::Text(text.clone()),
        Some(Value::Time(_) | Value::List(_)) | None => Cell::Missing,
    };
    traits.iter().map(cell).collect()
}

/// Where a set stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is looked for.
    Discovering,
    /// It is in force, and customers are being told.
    Assigning,
    /// It is in force.
    InForce,
    /// Another came after it.
    Superseded,
    /// There was nothing to be found.
    Failed,
}

/// What was found.
#[derive(Clone, Serialize, Deserialize)]
pub struct Found {
    /// Gives any customer its place.
    pub model: Model,
    /// How many customers it was learnt from.
    pub sample: u64,
    /// How each number of personas did.
    pub trials: Vec<Trial>,
}

impl Found {
    /// How the number that was chosen did.
    #[must_use]
    pub fn chosen(&self) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.clusters == self.model.clusters())
    }
}

/// A persona set.
#[derive(Clone)]
pub struct PersonaSet {
    /// Its id.
    pub id: PersonaSetId,
    /// What was looked for.
    pub settings: Settings,
    /// Where it stands.
    pub state: State,
    /// What was found, once it was.
    pub found: Option<Found>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Since when it is, or was, in force.
    pub in_force_at: Option<Timestamp>,
}

impl fmt::Debug for PersonaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonaSet").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

/// A persona.
#[derive(Clone, Debug)]
pub struct Persona {
    /// Its id.
    pub id: PersonaId,
    /// Its set.
    pub set: PersonaSetId,
    /// Its place in the set: that of its group in the model.
    pub place: usize,
    /// Its name.
    pub name: String,
    /// Whether a person gave it that.
    pub is_named: bool,
    /// What it stands for.
    pub description: String,
    /// How many customers of the sample had it.
    pub sample_customers: u64,
    /// Its centre.
    pub features: Vec<Feature>,
    /// Grows with every edit, and with every set that it is found in again.
    pub revision: u64,
    /// When it was first found.
    pub created_at: Timestamp,
    /// When it was last edited or found again, or retired.
    pub updated_at: Timestamp,
    /// When a set came in force in which it was not found again.
    pub retired_at: Option<Timestamp>,
}

impl Persona {
    /// The persona of a group that was found.
    #[must_use]
    pub fn found(id: PersonaId, set: PersonaSetId, place: usize, cluster: Cluster, at: Timestamp) -> Self {
        Self {
            id,
            set,
            place,
            name: cluster.name,
            is_named: false,
            description: String::new(),
            sample_customers: u64::try_from(cluster.size).unwrap_or(u64::MAX),
            features: cluster.features,
            revision: 1,
            created_at: at,
            updated_at: at,
            retired_at: None,
        }
    }

    /// The same persona in a later set: what a person said of it stays.
    #[must_use]
    pub fn again(self, set: PersonaSetId, place: usize, cluster: Cluster, at: Timestamp) -> Self {
        let found = Self::found(self.id, set, place, cluster, at);
        Self {
            name: if self.is_named { self.name } else { found.name },
            is_named: self.is_named,
            description: self.description,
            revision: self.revision + 1,
            created_at: self.created_at,
            ..found
        }
    }

    /// The persona where it was not found again.
    #[must_use]
    pub fn retired(self, at: Timestamp) -> Self {
        Self { revision: self.revision + 1, updated_at: at, retired_at: Some(at), ..self }
    }
}

/// Which persona a customer has.
#[derive(Clone, PartialEq, Eq)]
pub struct Membership {
    /// The persona.
    pub persona: PersonaId,
    /// Its name.
    pub name: String,
    /// Its set.
    pub set: PersonaSetId,
    /// How far the customer is from its centre.
    pub distance: Number,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("persona", &self.persona).finish_non_exhaustive()
    }
}

/// What gives customers their personas: the set in force.
#[derive(Clone, Debug)]
pub struct Assigner {
    /// The set.
    pub set: PersonaSetId,
    /// Its personas, by their places.
    pub personas: Vec<(PersonaId, String)>,
    model: Model,
    filter: Option<Filter>,
}

impl Assigner {
    /// Of a set that was found, and its personas; `None` where it was not, or its condition is not understood.
    #[must_use]
    pub fn new(set: &PersonaSet, mut personas: Vec<Persona>) -> Option<Self> {
        personas.sort_by_key(|persona| persona.place);
        let filter = match set.settings.filter.as_str() {
            "" => None,
            source => Some(Filter::compile(source).ok()?),
        };
        let personas = personas.into_iter().map(|persona| (persona.id, persona.name)).collect();
        Some(Self { set: set.id, personas, model: set.found.as_ref()?.model.clone(), filter })
    }

    /// The persona that a profile has.
    #[must_use]
    pub fn membership(&self, profile: &Profile) -> Option<Membership> {
        if objects(profile) || self.filter.as_ref().is_some_and(|filter| !filter.admits(profile)) {
            return None;
        }
        let assigned = self.model.assign(&row(self.model.traits(), profile))?;
        let (persona, name) = self.personas.get(assigned.cluster)?;
        let distance = Number::new(assigned.distance)?;
        Some(Membership { persona: *persona, name: name.clone(), set: self.set, distance })
    }
}
