//! A trained matcher as it is stored, and the likelihoods it stands for. Plain data.
//!
//! Fellegi and Sunter know two sorts of pairs: matches, and others who agree only by chance, field by field. Customers know
//! two more. People of one household share surname, address and telephone without being one; and whoever shares a town
//! shares its postal code and state. To a model without them a family looks like one person. So pairs that are no matches
//! are a mixture here: strangers, neighbours (agreeing on everything local at once) and members of one household (agreeing
//! on everything but what is personal). After Winkler 1993 and Larsen & Rubin, JASA 96 (2001), who fit a third class to
//! households in the same way.

use serde::{Deserialize, Serialize};

use super::frequency::Frequencies;
use super::kind::{EQUAL, NEUTRAL};
use super::settings::{Field, MAX_FIELDS, Settings};

/// What is known of one field: the probability of each level among each sort of pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldModel {
    /// Among matches (m).
    pub matched: Vec<f64>,
    /// Among strangers (u).
    pub unmatched: Vec<f64>,
    /// Among neighbours. As among strangers where the field is not local.
    pub nearby: Vec<f64>,
    /// Among members of one household.
    pub household: Vec<f64>,
    /// How common its values are.
    pub frequencies: Frequencies,
}

impl FieldModel {
    /// What is supposed of a field before any data were seen.
    #[must_use]
    pub fn supposed(field: &Field, personal: bool) -> Self {
        let table = |pick: fn(&super::kind::Level) -> f64| -> Vec<f64> {
            let levels = field.kind.levels();
            let sum: f64 = levels.iter().map(pick).sum();
            levels.iter().map(|level| pick(level) / sum).collect()
        };
        let (matched, unmatched) = (table(|level| level.matched), table(|level| level.unmatched));
        let nearby = if field.kind.local() { matched.clone() } else { unmatched.clone() };
        let household = household(field, personal, &matched, &unmatched);
        Self { matched, unmatched, nearby, household, frequencies: Frequencies::default() }
    }
}

/// What is supposed of the members of a household: they agree as one person does, or as strangers do.
#[must_use]
pub fn household(field: &Field, personal: bool, matched: &[f64], unmatched: &[f64]) -> Vec<f64> {
    let shared = shared(field, personal);
    if personal {
        let equal = |at: usize| if at == usize::from(EQUAL) { shared } else { 0.0 };
        return unmatched.iter().enumerate().map(|(at, stranger)| equal(at) + (1.0 - shared) * stranger).collect();
    }
    matched.iter().zip(unmatched).map(|(same, stranger)| shared * same + (1.0 - shared) * stranger).collect()
}

/// How often members of one household agree on a field.
fn shared(field: &Field, personal: bool) -> f64 {
    // What is personal here may be shared elsewhere: the name of an organisation where nothing is known of people.
    if personal { field.kind.shared_in_household().min(0.05) } else { field.kind.shared_in_household() }
}

/// A trained matcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// What was declared.
    pub settings: Settings,
    /// The probability that two records at random are one customer's (λ), in the population it was trained on.
    pub prior: f64,
    /// The probability that they are two members of one household.
    pub household: f64,
    /// The share of neighbours among all other pairs.
    pub nearby: f64,
    /// How many records that population had.
    pub records: u64,
    /// What is known of each field, in the order of the settings.
    pub fields: Vec<FieldModel>,
}

impl Model {
    /// What is supposed before any data were seen.
    #[must_use]
    pub fn supposed(settings: Settings, records: u64) -> Self {
        let fields: Vec<FieldModel> = settings
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| FieldModel::supposed(field, settings.is_personal(at)))
            .collect();
        // One further record for every tenth, one housemate for every other: where EM starts hardly matters.
        let others = records.max(2) as f64;
        let personal = (0..settings.fields.len()).any(|at| settings.is_personal(at));
        let household = if personal { 0.5 / others } else { 0.0 };
        let local = settings.fields.iter().filter(|field| field.kind.local()).count();
        let nearby = if local > 1 { 0.02 } else { 0.0 };
        Self { settings, prior: 0.1 / others, household, nearby, records, fields }
    }

    /// The model for a population of another size. A record has as many further records of its customer and of its
    /// household there as here, so that the probability for two at random falls as the population grows.
    #[must_use]
    pub fn for_population(mut self, records: u64) -> Self {
        let others = |records: u64| records.max(2) as f64 - 1.0;
        let scale = others(self.records) / others(records);
        self.prior = (self.prior * scale).min(0.4);
        self.household = (self.household * scale).min(0.4);
        self.records = records;
        self
    }

    /// The probability of two values to agree fully by chance, neighbours included.
    #[must_use]
    pub fn chance_of_equal(&self, field: usize) -> f64 {
        self.marginal(field, usize::from(EQUAL))
    }

    /// The probability of a level among all pairs that are neither matches nor of one household.
    #[must_use]
    pub fn marginal(&self, field: usize, level: usize) -> f64 {
        let known = &self.fields[field];
        (1.0 - self.nearby) * known.unmatched[level] + self.nearby * known.nearby[level]
    }

    /// By how much, as a natural logarithm, agreeing on this value says more than agreeing on one of average rarity.
    #[must_use]
    pub fn rarity(&self, field: usize, hash: u64) -> f64 {
        if hash == 0 {
            return 0.0;
        }
        (self.chance_of_equal(field) / self.fields[field].frequencies.chance(hash)).ln()
    }
}

/// Natural logarithms of how likely a pair's levels are among each sort of pairs. What all sorts have in common, the
/// probability of the value they agree on, is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likelihoods {
    /// Among matches.
    pub matched: f64,
    /// Among members of one household.
    pub household: f64,
    /// Among strangers and neighbours together.
    pub background: f64,
}

/// The natural logarithm of a sum, from those of its terms.
#[must_use]
pub fn sum_of_logarithms(one: f64, other: f64) -> f64 {
    let (larger, smaller) = if one >= other { (one, other) } else { (other, one) };
    // Beyond e^-37 the smaller term is lost in the rounding of the larger.
    if smaller - larger > -37.0 { larger + (smaller - larger).exp().ln_1p() } else { larger }
}

/// A model's tables as logarithms.
#[derive(Clone, Debug)]
pub struct Logarithms {
    fields: Vec<[[f64; 4]; LEVELS]>,
    included: Vec<bool>,
    personal: Vec<Option<f64>>,
    local: Vec<bool>,
    strangers: f64,
    neighbours: f64,
}

/// Room for the levels of a field.
const LEVELS: usize = 8;

/// By how much each field's full agreement says more than an average one, for one record's values.
pub type Rarities = [f64; MAX_FIELDS];

impl Logarithms {
    /// Takes the logarithms of a model. Fields for which `left_out` says so take no part.
    #[must_use]
    pub fn new(model: &Model, left_out: impl Fn(usize) -> bool) -> Self {
        let tables = |known: &FieldModel| {
            let mut levels = [[0.0; 4]; LEVELS];
            for (level, row) in levels.iter_mut().enumerate().take(known.matched.len()) {
                *row = [known.matched[level], known.household[level], known.unmatched[level], known.nearby[level]]
                    .map(f64::ln);
            }
            levels
        };
        let kinds = || model.settings.fields.iter().map(|field| field.kind);
        Self {
            fields: model.fields.iter().map(tables).collect(),
            included: (0..model.fields.len()).map(|at| !left_out(at)).collect(),
            personal: (0..model.fields.len())
                .map(|at| model.settings.is_personal(at).then(|| shared(&model.settings.fields[at], true)))
                .collect(),
            local: kinds().map(|kind| kind.local()).collect(),
            strangers: (1.0 - model.nearby).ln(),
            neighbours: model.nearby.ln(),
        }
    }

    /// How likely the levels of a pair are, given how rare the values are that the two agree on.
    #[must_use]
    pub fn of(&self, levels: &[u8], rarities: &[f64]) -> Likelihoods {
        let (mut matched, mut household, mut strangers, mut neighbours) = (0.0, 0.0, 0.0, 0.0);
        // Neighbours share one place, so its rarity counts once: that of the value that says least.
        let mut place = f64::INFINITY;
        for (at, field) in self.fields.iter().enumerate() {
            let level = levels[at];
            if level == NEUTRAL || !self.included[at] {
                continue;
            }
            let row = &field[usize::from(level)];
            matched += row[0];
            household += row[1];
            strangers += row[2];
            neighbours += row[3];
            if level == EQUAL {
                let rarity = rarities[at];
                strangers -= rarity;
                if self.local[at] {
                    place = place.min(rarity);
                } else {
                    neighbours -= rarity;
                }
                if let Some(shared) = self.personal[at] {
                    household += ((shared + (1.0 - shared) * (row[2] - rarity).exp()) / row[1].exp()).ln();
                }
            }
        }
        if place.is_finite() {
            neighbours -= place;
        }
        let background = sum_of_logarithms(self.strangers + strangers, self.neighbours + neighbours);
        Likelihoods { matched, household, background }
    }
}
