//! Expectation maximisation over the sorts of pairs a [`Model`] knows. Strangers and neighbours are held fixed; how matches
//! and households agree is learnt, with a Dirichlet prior on each field, so that a level nobody was seen at is unlikely
//! and not impossible.

use super::compare::Levels;
use super::kind::NEUTRAL;
use super::model::{FieldModel, Logarithms, Model, sum_of_logarithms};
use super::settings::{MAX_FIELDS, Schema};

/// Room for the levels of a field; the last is for neutral ones.
const STRIDE: usize = 8;
const UNKNOWN: usize = STRIDE - 1;

/// The compared pairs, packed.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    fields: usize,
    levels: Vec<u8>,
}

impl Pairs {
    /// No pairs yet, of so many fields.
    #[must_use]
    pub fn new(fields: usize) -> Self {
        Self { fields: fields.min(MAX_FIELDS), levels: Vec::new() }
    }

    /// Adds a pair.
    pub fn push(&mut self, levels: &Levels) {
        self.levels.extend_from_slice(&levels[..self.fields]);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.len().checked_div(self.fields).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The levels of a pair, field by field.
    #[must_use]
    pub fn levels(&self, pair: usize) -> &[u8] {
        &self.levels[pair * self.fields..(pair + 1) * self.fields]
    }
}

/// What EM is to do.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The schema of the records.
    pub schema: &'a Schema,
    /// The pairs that take part.
    pub pairs: &'a Pairs,
    /// Which of them.
    pub chosen: &'a [u32],
    /// For each of the pairs, by how much each field's agreement says more than an average one.
    pub rarities: &'a [f64],
    /// How many pairs there are beside the chosen ones that are strangers for certain.
    pub others: f64,
    /// Fields that take no part: those by which the pairs were chosen.
    pub fixed: &'a [bool],
    /// What is supposed, as strong as [`Limits::prior_pairs`].
    pub supposed: &'a Model,
}

/// When to stop, and how much to trust what was supposed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most rounds.
    pub rounds: usize,
    /// The change of any probability below which it has converged.
    pub tolerance: f64,
    /// As how many pairs the supposed probabilities count.
    pub prior_pairs: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rounds: 200, tolerance: 1e-4, prior_pairs: 5.0 }
    }
}

/// What EM found.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The model.
    pub model: Model,
    /// How many of the chosen pairs are expected to be matches.
    pub matches: f64,
    /// How many are expected to be of one household.
    pub households: f64,
    /// The penalised log-likelihood before each round: it never falls.
    pub likelihood: Vec<f64>,
    /// The log-likelihood before the last round, without what was supposed.
    pub plain_likelihood: f64,
    /// Whether the change fell below the tolerance in time.
    pub converged: bool,
}

/// Half a pair of each sort is supposed, so that no prior is ever 0 or 1.
const HALF: f64 = 0.5;

/// Runs EM from a model.
#[must_use]
pub fn fit(task: Task<'_>, model: Model, limits: Limits) -> Fit {
    let fixed = Fixed::new(task, &model);
    let mut fit =
        Fit { model, matches: 0.0, households: 0.0, likelihood: Vec::new(), plain_likelihood: 0.0, converged: false };
    for _ in 0..limits.rounds {
        let expected = expect(task, &fixed, &fit.model);
        fit.likelihood.push(expected.likelihood + penalty(task, &fit.model, limits));
        let next = maximise(task, &expected, &fit.model, limits);
        let change = largest_change(&fit.model, &next, expected.households);
        fit.model = next;
        fit.plain_likelihood = expected.likelihood;
        (fit.matches, fit.households) = (expected.matches, expected.households);
        if change < limits.tolerance {
            fit.converged = true;
            break;
        }
    }
    fit
}

/// The probabilities of each chosen pair to be a match, and to be of one household.
#[must_use]
pub fn posteriors(task: Task<'_>, model: &Model) -> Vec<(f64, f64)> {
    let logarithms = Logarithms::new(model, |field| task.fixed[field]);
    let priors = Priors::new(model);
    let one = |pair: &u32| {
        let pair = *pair as usize;
        let fields = task.pairs.fields;
        let found = logarithms.of(task.pairs.levels(pair), &task.rarities[pair * fields..(pair + 1) * fields]);
        let (matched, household) = (priors.matched + found.matched, priors.household + found.household);
        let all = sum_of_logarithms(sum_of_logarithms(matched, household), priors.background + found.background);
        ((matched - all).exp(), (household - all).exp())
    };
    task.chosen.iter().map(one).collect()
}

struct Priors {
    matched: f64,
    household: f64,
    background: f64,
}

impl Priors {
    fn new(model: &Model) -> Self {
        let background = (1.0 - model.prior - model.household).ln();
        Self { matched: model.prior.ln(), household: model.household.ln(), background }
    }
}

/// What does not change from round to round.
struct Fixed {
    /// The pairs that may be more than strangers, each with what is fixed of its likelihoods.
    open: Vec<(u32, Constant)>,
    /// The log-likelihood of the other chosen pairs, but for the probability of strangers, and how many they are with
    /// those that are strangers for certain.
    settled: (f64, f64),
}

/// What of a pair's likelihoods is held fixed.
struct Constant {
    background: f64,
    household: f64,
}

/// A pair whose odds are below e^-25 to begin with is no match and no housemate, however the probabilities move.
const HOPELESS: f64 = -25.0;

impl Fixed {
    fn new(task: Task<'_>, model: &Model) -> Self {
        let logarithms = Logarithms::new(model, |field| task.fixed[field]);
        let priors = Priors::new(model);
        let mut this = Self { open: Vec::new(), settled: (0.0, task.others) };
        let fields = task.pairs.fields;
        for &pair in task.chosen {
            let (levels, at) = (task.pairs.levels(pair as usize), pair as usize * fields);
            let rarities = &task.rarities[at..at + fields];
            let found = logarithms.of(levels, rarities);
            let best = (priors.matched + found.matched).max(priors.household + found.household);
            if best - priors.background - found.background < HOPELESS {
                this.settled = (this.settled.0 + found.background, this.settled.1 + 1.0);
                continue;
            }
            let mut personal = [NEUTRAL; MAX_FIELDS];
            for (field, level) in levels.iter().enumerate().filter(|(at, _)| task.schema.settings().is_personal(*at)) {
                personal[field] = *level;
            }
            let household = logarithms.of(&personal, rarities).household;
            this.open.push((pair, Constant { background: found.background, household }));
        }
        this
    }
}

/// Sums of expected pairs.
struct Expected {
    /// For each field and level: of matches, and of households.
    counts: Vec<[f64; 2]>,
    matches: f64,
    households: f64,
    likelihood: f64,
}

/// The E step: how many matches and households are expected at each level.
fn expect(task: Task<'_>, fixed: &Fixed, model: &Model) -> Expected {
    let mut weights = vec![[0.0; 2]; STRIDE * model.fields.len()];
    for (field, known) in model.fields.iter().enumerate().filter(|(field, _)| !task.fixed[*field]) {
        let personal = task.schema.settings().is_personal(field);
        for (level, (matched, household)) in known.matched.iter().zip(&known.household).enumerate() {
            weights[field * STRIDE + level] = [matched.ln(), if personal { 0.0 } else { household.ln() }];
        }
    }
    let priors = Priors::new(model);
    let mut expected =
        Expected { counts: vec![[0.0; 2]; weights.len()], matches: 0.0, households: 0.0, likelihood: 0.0 };
    for (pair, constant) in &fixed.open {
        let levels = task.pairs.levels(*pair as usize);
        let places =
            || levels.iter().enumerate().map(|(field, level)| field * STRIDE + usize::from(*level).min(UNKNOWN));
        let (mut matched, mut household) = (priors.matched, priors.household + constant.household);
        for at in places() {
            matched += weights[at][0];
            household += weights[at][1];
        }
        let background = priors.background + constant.background;
        let (matched, household) = (matched - background, household - background);
        expected.likelihood += background;
        // What is less likely than a billionth adds nothing, and most pairs are.
        if matched.max(household) > -21.0 {
            // e^600 is still a number; no odds come near it.
            let (matched, household) = (matched.min(600.0).exp(), household.min(600.0).exp());
            let all = 1.0 + matched + household;
            expected.likelihood += all.ln();
            let (matched, household) = (matched / all, household / all);
            expected.matches += matched;
            expected.households += household;
            for at in places() {
                expected.counts[at][0] += matched;
                expected.counts[at][1] += household;
            }
        }
    }
    expected.likelihood += fixed.settled.0 + fixed.settled.1 * priors.background;
    expected
}

/// The M step: the likeliest probabilities, given the counts and what was supposed.
fn maximise(task: Task<'_>, expected: &Expected, model: &Model, limits: Limits) -> Model {
    let mut next = model.clone();
    let all = task.chosen.len() as f64 + task.others + HALF;
    if model.household > 0.0 {
        next.household = (expected.households + HALF) / (all + 2.0 * HALF);
        next.prior = (expected.matches + HALF) / (all + 2.0 * HALF);
    } else {
        next.prior = (expected.matches + HALF) / (all + HALF);
    }
    for (at, known) in next.fields.iter_mut().enumerate().filter(|(at, _)| !task.fixed[*at]) {
        let (supposed, kind) = (&task.supposed.fields[at], task.schema.fields()[at].kind);
        let count = |class: usize, table: &[f64]| -> Vec<f64> {
            let prior = table.iter().map(|probability| limits.prior_pairs * probability);
            prior.enumerate().map(|(level, prior)| prior + expected.counts[at * STRIDE + level][class]).collect()
        };
        known.matched = shares(&count(0, &supposed.matched), kind.most_different());
        if !task.schema.settings().is_personal(at) && model.household > 0.0 {
            known.household = shares(&count(1, &supposed.household), 1.0);
        }
    }
    next
}

/// The shares of counts, the last at most `most`: the likeliest distribution under that bound.
fn shares(counts: &[f64], most: f64) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    let last = counts[counts.len() - 1];
    if last <= most * total {
        return counts.iter().map(|count| count / total).collect();
    }
    let scale = (1.0 - most) / (total - last);
    let end = counts.len() - 1;
    counts.iter().enumerate().map(|(at, count)| if at == end { most } else { count * scale }).collect()
}

/// The logarithm of what was supposed of the parameters.
fn penalty(task: Task<'_>, model: &Model, limits: Limits) -> f64 {
    let weigh = |supposed: &[f64], found: &[f64]| -> f64 {
        supposed.iter().zip(found).map(|(supposed, found)| limits.prior_pairs * supposed * found.ln()).sum()
    };
    let mut sum = HALF * (model.prior.ln() + (1.0 - model.prior - model.household).ln());
    if model.household > 0.0 {
        sum += HALF * model.household.ln();
    }
    for (at, known) in model.fields.iter().enumerate().filter(|(at, _)| !task.fixed[*at]) {
        let supposed = &task.supposed.fields[at];
        sum += weigh(&supposed.matched, &known.matched);
        if !task.schema.settings().is_personal(at) && model.household > 0.0 {
            sum += weigh(&supposed.household, &known.household);
        }
    }
    sum
}

/// The largest change of a probability. How households agree matters only where there are any.
fn largest_change(one: &Model, other: &Model, households: f64) -> f64 {
    let pairs = |table: fn(&FieldModel) -> &Vec<f64>| {
        let fields = one.fields.iter().zip(&other.fields);
        fields.flat_map(move |(one, other)| table(one).iter().zip(table(other))).map(|(one, other)| (one - other).abs())
    };
    let matched = pairs(|known| &known.matched).fold(0.0, f64::max);
    let household = if households < 1.0 { 0.0 } else { pairs(|known| &known.household).fold(0.0, f64::max) };
    matched.max(household).max((one.prior / other.prior).ln().abs())
}

#[cfg(test)]
mod tests {
    use super::super::kind::{EQUAL, Kind};
    use super::super::record::spread;
    use super::super::settings::Settings;
    use super::*;

    /// Pairs drawn from known probabilities: what was put in must come out.
    #[test]
    fn known_probabilities_are_found_again() {
        let fields = ["a", "b", "c", "d", "e"].map(|name| (name, Kind::Exact));
        let schema = Schema::new(Settings::of(&fields)).expect("good settings");
        let (matched, unmatched, prior) = ([0.95, 0.9, 0.8, 0.7, 0.85], [0.1, 0.05, 0.2, 0.01, 0.3], 0.05);
        let mut state = 0_u64;
        let mut uniform = || {
            state += 1;
            (spread(state.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut pairs = Pairs::new(fields.len());
        for _ in 0..50_000 {
            let equal = if uniform() < prior { matched } else { unmatched };
            let mut levels = [NEUTRAL; MAX_FIELDS];
            for (level, probability) in levels.iter_mut().zip(equal) {
                *level = if uniform() < probability { EQUAL } else { 2 };
            }
            pairs.push(&levels);
        }
        let mut supposed = Model::supposed(schema.settings().clone(), 1_000);
        (supposed.prior, supposed.nearby) = (0.2, 0.0);
        for (known, equal) in supposed.fields.iter_mut().zip(unmatched) {
            known.unmatched = vec![equal, 1e-9, 1.0 - equal];
        }
        let chosen: Vec<u32> = (0..pairs.len() as u32).collect();
        let task = Task {
            schema: &schema,
            pairs: &pairs,
            chosen: &chosen,
            rarities: &vec![0.0; pairs.len() * fields.len()],
            others: 0.0,
            fixed: &[false; 5],
            supposed: &supposed,
        };
        let found = fit(task, supposed.clone(), Limits::default());
        assert!(found.converged && found.likelihood.is_sorted());
        assert!((found.model.prior - prior).abs() < 0.004, "{}", found.model.prior);
        for (known, expected) in found.model.fields.iter().zip(matched) {
            assert!((known.matched[usize::from(EQUAL)] - expected).abs() < 0.02, "{:?} {expected}", known.matched);
        }
        let posteriors = posteriors(task, &found.model);
        let expected: f64 = posteriors.iter().map(|(matched, _)| matched).sum();
        assert!((expected / 50_000.0 - prior).abs() < 0.004);
    }
}
