//! Trains a matcher without labels.
//!
//! 1. Pairs drawn at random say how often people who are not the same agree (u).
//! 2. Each blocking rule in turn: EM over its pairs, its own fields left out, says how often the same person agrees (m).
//!    A field's m is the mean over the rules that leave it free, weighted by their expected matches.
//! 3. EM over the pairs of all rules together, with every field and with the rarity of values, refines m and finds λ; a
//!    pair that no rule proposes counts as no match. Its posteriors then take the matches out of u and out of the
//!    frequencies, and it is repeated.
//!
//! The same records, settings and seed give the same model.

use std::collections::HashMap;
use std::fmt;

use super::background;
use super::compare::compare;
use super::em::{self, Fit, Limits, Pairs, Task};
use super::frequency::Frequencies;
use super::kind::EQUAL;
use super::model::{FieldModel, Model, household};
use super::pairs::{self, Blocked};
use super::record::PreparedRecord;
use super::settings::Schema;

/// How to train. The defaults suit some thousand to a hundred thousand records.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed of the random pairs.
    pub seed: u64,
    /// How many random pairs to compare.
    pub random_pairs: usize,
    /// About how many pairs of the blocking rules to compare at most; of more a share is drawn.
    pub blocked_pairs: usize,
    /// How often matches are taken out of u and the frequencies.
    pub rounds: usize,
    /// When EM stops.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, random_pairs: 1_000_000, blocked_pairs: 1_000_000, rounds: 3, limits: Limits::default() }
    }
}

/// What a training did, beside its model.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How many random pairs were compared.
    pub random_pairs: usize,
    /// How many pairs the blocking rules proposed.
    pub blocked_pairs: usize,
    /// How many matches are expected among them.
    pub expected_matches: f64,
    /// How many pairs of one household are expected among them.
    pub expected_households: f64,
    /// What each blocking rule found.
    pub rules: Vec<RuleReport>,
    /// Whether the last run of EM over all rules' pairs converged.
    pub converged: bool,
    /// Of each run of EM over all rules' pairs the penalised log-likelihood, round by round.
    pub likelihoods: Vec<Vec<f64>>,
}

/// What one blocking rule found.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleReport {
    /// The rule in words.
    pub rule: String,
    /// How many pairs it proposed.
    pub pairs: usize,
    /// How many matches are expected among them.
    pub expected_matches: f64,
    /// How many of those no other rule proposed.
    pub alone: f64,
    /// The penalised log-likelihood of its own run of EM, round by round.
    pub likelihood: Vec<f64>,
}

/// Why nothing could be learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrainable {
    /// There are fewer than two records with values.
    TooFewRecords,
    /// No blocking rule proposes a pair: no two records agree on what they are looked up by.
    NoPairs,
    /// No blocking rule proposes a pair, since more records than are compared with each other agree wherever any do: the
    /// most that agree, and how many are compared.
    Crowded(usize, usize),
}

impl fmt::Display for Untrainable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewRecords => out.write_str("there are fewer than two records: tell of more customers first"),
            Self::NoPairs => out.write_str(
                "no two records agree on any of what they are looked up by, so that no pair can be compared: name fields \
                 that more of the records have",
            ),
            Self::Crowded(agree, most) => write!(
                out,
                "the records are too much alike to learn from: what they are looked up by tells none from another, as up \
                 to {agree} records agree on it and of more than {most} none are compared; name fields in which people \
                 differ, as a date of birth or a street"
            ),
        }
    }
}

impl std::error::Error for Untrainable {}

/// Learns a model from records of which any two may be one customer's.
///
/// # Errors
/// [`Untrainable`] where the records hold nothing to learn from.
pub fn train(schema: &Schema, records: &[PreparedRecord], options: Options) -> Result<(Model, Report), Untrainable> {
    if records.len() < 2 {
        return Err(Untrainable::TooFewRecords);
    }
    let blocked = Blocked::new(schema, records, options.blocked_pairs);
    if blocked.pairs.is_empty() {
        return Err(match blocked.crowded {
            0 => Untrainable::NoPairs,
            agree => Untrainable::Crowded(agree, schema.settings().bounds.per_block),
        });
    }
    let mut training = Training::new(schema, records, options, blocked);
    let sessions = training.sessions();
    let mut fit = training.refine();
    training.drop_households(&mut fit);
    let mut likelihoods = vec![fit.likelihood.clone()];
    for _ in 1..options.rounds {
        training.take_matches_out();
        fit = training.refine();
        likelihoods.push(fit.likelihood.clone());
    }
    Ok(training.finish(fit, &sessions, likelihoods))
}

/// Pairs of records, how they agree, and how rare what they agree on is.
struct Compared {
    of: Vec<(u32, u32)>,
    pairs: Pairs,
    all: Vec<u32>,
    rarities: Vec<f64>,
}

impl Compared {
    fn new(schema: &Schema, records: &[PreparedRecord], of: Vec<(u32, u32)>) -> Self {
        let mut pairs = Pairs::new(schema.fields().len());
        for &(left, right) in &of {
            pairs.push(&compare(schema, &records[left as usize], &records[right as usize]));
        }
        let rarities = vec![0.0; of.len() * schema.fields().len()];
        Self { all: (0..of.len() as u32).collect(), of, pairs, rarities }
    }

    fn weigh(&mut self, model: &Model, records: &[PreparedRecord]) {
        let fields = model.fields.len();
        for (pair, row) in self.rarities.chunks_exact_mut(fields).enumerate() {
            let record = &records[self.of[pair].0 as usize];
            for ((field, rarity), level) in row.iter_mut().enumerate().zip(self.pairs.levels(pair)) {
                *rarity = if *level == EQUAL { model.rarity(field, record.hash(field)) } else { 0.0 };
            }
        }
    }
}

/// A training under way.
struct Training<'a> {
    schema: &'a Schema,
    records: &'a [PreparedRecord],
    options: Options,
    blocked: Blocked,
    /// The pairs of the rules.
    proposed: Compared,
    /// Random pairs.
    drawn: Compared,
    supposed: Model,
    model: Model,
    free: Vec<bool>,
}

impl<'a> Training<'a> {
    fn new(schema: &'a Schema, records: &'a [PreparedRecord], options: Options, mut blocked: Blocked) -> Self {
        let random = pairs::random(records.len(), options.random_pairs, options.seed);
        let supposed = Model::supposed(schema.settings().clone(), records.len() as u64);
        let mut this = Self {
            schema,
            records,
            options,
            proposed: Compared::new(schema, records, std::mem::take(&mut blocked.pairs)),
            drawn: Compared::new(schema, records, random),
            blocked,
            model: supposed.clone(),
            supposed,
            free: vec![false; schema.fields().len()],
        };
        let nothing = HashMap::new();
        this.count(&vec![1.0; this.drawn.of.len()], |_| &nothing);
        this
    }

    /// EM over the pairs of each rule, with the rule's own fields left out. Sets the mean of what they found.
    fn sessions(&mut self) -> Vec<Fit> {
        let start =
            Model { prior: 0.1, household: if self.model.household > 0.0 { 0.1 } else { 0.0 }, ..self.model.clone() };
        // They only say where the runs over all rules begin: a rough answer is enough.
        let limits = Limits { rounds: self.options.limits.rounds.min(30), ..self.options.limits };
        let fits: Vec<Fit> = (0..self.schema.rules().len())
            .map(|rule| {
                let mut fixed = self.free.clone();
                self.schema.rules()[rule].fields().for_each(|field| fixed[field] = true);
                let chosen = self.blocked.of_rule(rule);
                let task = Task { chosen: &chosen, fixed: &fixed, ..self.task(&self.proposed, 0.0) };
                em::fit(task, start.clone(), limits)
            })
            .collect();
        for (field, known) in self.model.fields.iter_mut().enumerate() {
            let leaves_free = |rule: &usize| self.schema.rules()[*rule].fields().all(|other| other != field);
            let found: Vec<&Fit> = (0..fits.len()).filter(leaves_free).map(|rule| &fits[rule]).collect();
            let mean = |weight: fn(&Fit) -> f64, table: fn(&FieldModel) -> &Vec<f64>| -> Option<Vec<f64>> {
                let total: f64 = found.iter().map(|fit| weight(fit)).sum();
                let level =
                    |level| found.iter().map(|fit| weight(fit) * table(&fit.model.fields[field])[level]).sum::<f64>();
                let levels = 0..self.schema.fields()[field].kind.levels().len();
                (total >= 1.0).then(|| levels.map(|at| level(at) / total).collect())
            };
            let matched = mean(|fit| fit.matches, |known| &known.matched);
            let household = mean(|fit| fit.households, |known| &known.household);
            known.matched = matched.unwrap_or_else(|| known.matched.clone());
            known.household = household.unwrap_or_else(|| known.household.clone());
        }
        fits
    }

    /// EM over the pairs of all rules, with every field.
    fn refine(&mut self) -> Fit {
        let fit = em::fit(self.task(&self.proposed, self.others()), self.model.clone(), self.options.limits);
        self.model = fit.model.clone();
        fit
    }

    /// Tries to do without households, and does where the pairs hardly speak for them: by Schwarz's criterion, half the
    /// logarithm of the number of pairs for each parameter.
    fn drop_households(&mut self, fit: &mut Fit) {
        if self.model.household == 0.0 {
            return;
        }
        let fields = self.schema.fields().iter().enumerate();
        let free = fields.filter(|(at, _)| !self.schema.settings().is_personal(*at));
        let parameters = 1 + free.map(|(_, field)| field.kind.levels().len() - 1).sum::<usize>();
        let price = 0.5 * parameters as f64 * (self.proposed.of.len() as f64).ln();
        let without = Model { household: 0.0, ..self.model.clone() };
        let other = em::fit(self.task(&self.proposed, self.others()), without, self.options.limits);
        let end = |fit: &Fit| fit.plain_likelihood;
        if end(fit) - end(&other) < price {
            self.model = other.model.clone();
            *fit = other;
        }
    }

    /// How many pairs no rule proposed; scaled down where only a share of the rules' pairs was drawn.
    fn others(&self) -> f64 {
        let records = self.records.len() as f64;
        (records * (records - 1.0) / 2.0 * self.blocked.share - self.proposed.of.len() as f64).max(0.0)
    }

    fn task<'t>(&'t self, compared: &'t Compared, others: f64) -> Task<'t> {
        Task {
            schema: self.schema,
            pairs: &compared.pairs,
            chosen: &compared.all,
            rarities: &compared.rarities,
            others,
            fixed: &self.free,
            supposed: &self.supposed,
        }
    }

    /// Counts chance agreement and frequencies again, without the pairs that are supposed to be matches or of one
    /// household.
    fn take_matches_out(&mut self) {
        let weights: Vec<f64> = em::posteriors(self.task(&self.drawn, 0.0), &self.model)
            .into_iter()
            .map(|(matched, household)| (1.0 - matched - household).max(0.0))
            .collect();
        let mut matched: Vec<HashMap<u64, f64>> = vec![HashMap::new(); self.model.fields.len()];
        let found = em::posteriors(self.task(&self.proposed, 0.0), &self.model);
        for (pair, posterior) in found.into_iter().map(|(matched, household)| matched + household).enumerate() {
            let record = &self.records[self.proposed.of[pair].0 as usize];
            for (field, level) in self.proposed.pairs.levels(pair).iter().enumerate() {
                if posterior > 0.01 && *level == EQUAL {
                    *matched[field].entry(record.hash(field)).or_default() += posterior / self.blocked.share;
                }
            }
        }
        self.count(&weights, |field| &matched[field]);
    }

    fn count<'m>(&mut self, weights: &[f64], matched: impl Fn(usize) -> &'m HashMap<u64, f64>) {
        background::learn(self.schema, &mut self.model, &self.drawn.pairs, weights);
        for (at, (known, field)) in self.model.fields.iter_mut().zip(self.schema.fields()).enumerate() {
            let values = self.records.iter().map(|record| record.hash(at)).filter(|hash| *hash != 0);
            known.frequencies =
                Frequencies::new(values.collect(), |hash| matched(at).get(&hash).copied().unwrap_or(0.0));
            if self.schema.settings().is_personal(at) {
                known.household = household(field, true, &known.matched, &known.unmatched);
            }
        }
        self.proposed.weigh(&self.model, self.records);
        self.drawn.weigh(&self.model, self.records);
    }

    fn finish(self, fit: Fit, sessions: &[Fit], likelihoods: Vec<Vec<f64>>) -> (Model, Report) {
        let found = em::posteriors(self.task(&self.proposed, 0.0), &fit.model);
        let rules = sessions
            .iter()
            .enumerate()
            .map(|(rule, session)| {
                let chosen = self.blocked.of_rule(rule);
                let sum = |only: bool| -> f64 {
                    let counts = |pair: &&u32| !only || self.blocked.rules[**pair as usize] == 1 << rule;
                    chosen.iter().filter(counts).map(|pair| found[*pair as usize].0).sum()
                };
                RuleReport {
                    rule: self.schema.settings().rules[rule].label(),
                    pairs: chosen.len(),
                    expected_matches: sum(false),
                    alone: sum(true),
                    likelihood: session.likelihood.clone(),
                }
            })
            .collect();
        let report = Report {
            random_pairs: self.drawn.of.len(),
            blocked_pairs: self.proposed.of.len(),
            expected_matches: found.iter().map(|(matched, _)| matched).sum(),
            expected_households: found.iter().map(|(_, household)| household).sum(),
            rules,
            converged: fit.converged,
            likelihoods,
        };
        (fit.model, report)
    }
}
