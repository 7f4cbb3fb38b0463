//! Scores pairs by a model: the match weight (the base-2 logarithm of the odds), the probability, and why, field by field.
//! Source: Fellegi & Sunter, "A Theory for Record Linkage", JASA 64 (1969); term frequencies after Winkler 2000.

use std::f64::consts::LN_2;
use std::fmt;

use super::compare::compare;
use super::kind::{EQUAL, NEUTRAL};
use super::model::{FieldModel, Likelihoods, Logarithms, Model, Rarities, sum_of_logarithms};
use super::record::PreparedRecord;
use super::settings::{MAX_FIELDS, Problem, Schema};

/// A model made ready to score with.
#[derive(Clone, Debug)]
pub struct Scorer {
    schema: Schema,
    model: Model,
    logarithms: Logarithms,
    /// Logarithms of the probabilities of each sort of pairs.
    priors: Likelihoods,
}

/// Why a model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Its settings are wrong.
    Settings(Problem),
    /// Its tables do not fit its settings or are no probabilities: it was not written by a training.
    Tables,
}

impl fmt::Display for Unusable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(problem) => problem.fmt(out),
            Self::Tables => write!(out, "the model's probabilities do not fit its fields"),
        }
    }
}

impl std::error::Error for Unusable {}

/// A candidate with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored<T> {
    /// The candidate.
    pub candidate: T,
    /// The match weight in bits.
    pub weight: f64,
    /// The match probability.
    pub probability: f64,
}

/// What one field contributes to a match weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The field.
    pub field: String,
    /// How its values agree; none where a value is missing or counted with another field.
    pub level: Option<&'static str>,
    /// Bits for the level, for a value of average rarity.
    pub bits: f64,
    /// Bits more, or fewer, because the value they agree on is rare, or common.
    pub rarity_bits: f64,
    /// The probability of what was seen among matches.
    pub matched: f64,
    /// The probability of what was seen among others.
    pub unmatched: f64,
}

/// Why two records match, or do not. The match weight is the sum of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Bits for two records of which nothing is known.
    pub prior_weight: f64,
    /// What each field adds, in the order of the fields.
    pub contributions: Vec<Contribution>,
    /// Bits back because what they share goes together in one neighbourhood: town, postal code and state are one fact.
    pub neighbourhood_bits: f64,
    /// Bits back because two members of one household would agree so too.
    pub household_bits: f64,
    /// The match weight: the sum of all these.
    pub weight: f64,
    /// The match probability.
    pub probability: f64,
}

/// The probability that belongs to a match weight.
#[must_use]
pub fn probability(weight: f64) -> f64 {
    1.0 / (1.0 + (-weight).exp2())
}

impl Scorer {
    /// Checks a model and makes it ready.
    ///
    /// # Errors
    /// [`Unusable`] says what is wrong with it.
    pub fn new(model: Model) -> Result<Self, Unusable> {
        let schema = Schema::new(model.settings.clone()).map_err(Unusable::Settings)?;
        if !is_sound(&schema, &model) {
            return Err(Unusable::Tables);
        }
        let priors = Likelihoods {
            matched: model.prior.ln(),
            household: model.household.ln(),
            background: (1.0 - model.prior - model.household).ln(),
        };
        Ok(Self { schema, logarithms: Logarithms::new(&model, |_| false), priors, model })
    }

    /// The schema of the records it scores.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The model behind it.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Makes a record ready to be scored against many.
    #[must_use]
    pub fn query<'a>(&'a self, record: &'a PreparedRecord) -> Query<'a> {
        let mut rarities = [0.0; MAX_FIELDS];
        for (at, rarity) in rarities.iter_mut().enumerate().take(self.model.fields.len()) {
            *rarity = self.model.rarity(at, record.hash(at));
        }
        Query { scorer: self, record, rarities }
    }

    /// The match weight of two records.
    #[must_use]
    pub fn weight(&self, left: &PreparedRecord, right: &PreparedRecord) -> f64 {
        self.query(left).weight(right)
    }

    /// Why two records match, or do not.
    #[must_use]
    pub fn explain(&self, left: &PreparedRecord, right: &PreparedRecord) -> Explanation {
        let levels = compare(&self.schema, left, right);
        let query = self.query(left);
        let contributions: Vec<Contribution> =
            (0..self.model.fields.len()).map(|at| self.contribution(at, levels[at], query.rarities[at])).collect();
        let likelihoods = self.logarithms.of(&levels, &query.rarities);
        let weight = self.weigh(likelihoods);
        let prior_weight = (self.model.prior / (1.0 - self.model.prior)).log2();
        let bits: f64 = contributions.iter().map(|one| one.bits + one.rarity_bits).sum();
        let neighbourhood_bits = (likelihoods.matched - likelihoods.background) / LN_2 - bits;
        let household_bits = weight - prior_weight - bits - neighbourhood_bits;
        let probability = probability(weight);
        Explanation { prior_weight, contributions, neighbourhood_bits, household_bits, weight, probability }
    }

    fn contribution(&self, at: usize, level: u8, rarity: f64) -> Contribution {
        let field = &self.schema.fields()[at];
        let name = field.name.clone();
        if level == NEUTRAL {
            return Contribution {
                field: name,
                level: None,
                bits: 0.0,
                rarity_bits: 0.0,
                matched: 1.0,
                unmatched: 1.0,
            };
        }
        let index = usize::from(level);
        let rarity = if level == EQUAL { rarity } else { 0.0 };
        let (matched, unmatched) = (self.model.fields[at].matched[index], self.model.marginal(at, index));
        Contribution {
            field: name,
            level: Some(field.kind.levels()[index].label),
            bits: (matched / unmatched).log2(),
            rarity_bits: rarity / LN_2,
            matched,
            unmatched: unmatched * (-rarity).exp(),
        }
    }

    /// The match weight: the odds of a match against everything else.
    fn weigh(&self, found: Likelihoods) -> f64 {
        let household = self.priors.household + found.household;
        let other = sum_of_logarithms(self.priors.background + found.background, household);
        (self.priors.matched + found.matched - other) / LN_2
    }
}

/// Whether the tables fit the fields and hold probabilities.
fn is_sound(schema: &Schema, model: &Model) -> bool {
    let proper = |table: &[f64], levels: usize| {
        table.len() == levels && table.iter().all(|probability| *probability > 0.0 && *probability <= 1.0)
    };
    let field = |(known, levels): (&FieldModel, usize)| {
        [&known.matched, &known.unmatched, &known.nearby, &known.household].iter().all(|table| proper(table, levels))
    };
    model.fields.len() == schema.fields().len()
        && model.prior > 0.0
        && model.household >= 0.0
        && model.prior + model.household < 1.0
        && (0.0..1.0).contains(&model.nearby)
        && model.fields.iter().zip(schema.fields()).all(|(known, it)| field((known, it.kind.levels().len())))
}

/// A record ready to be scored against many.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    scorer: &'a Scorer,
    record: &'a PreparedRecord,
    rarities: Rarities,
}

impl Query<'_> {
    /// The match weight of a candidate.
    #[must_use]
    pub fn weight(&self, candidate: &PreparedRecord) -> f64 {
        let levels = compare(&self.scorer.schema, self.record, candidate);
        self.scorer.weigh(self.scorer.logarithms.of(&levels, &self.rarities))
    }

    /// The candidates at or above the review threshold, the best first; equally good ones in the order of their ids.
    #[must_use]
    pub fn rank<'c, T: Ord + Copy>(
        &self,
        candidates: impl IntoIterator<Item = (T, &'c PreparedRecord)>,
    ) -> Vec<Scored<T>> {
        let review = self.scorer.schema.settings().thresholds.review;
        let mut scored: Vec<Scored<T>> = candidates
            .into_iter()
            .map(|(candidate, record)| {
                let weight = self.weight(record);
                Scored { candidate, weight, probability: probability(weight) }
            })
            .filter(|scored| scored.probability >= review)
            .collect();
        scored.sort_by(|one, other| other.weight.total_cmp(&one.weight).then(one.candidate.cmp(&other.candidate)));
        scored
    }
}
