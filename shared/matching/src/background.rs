//! How pairs agree that are neither matches nor of one household: learnt from pairs drawn at random, once what looks like
//! a match was taken out of them.

use std::collections::BTreeMap;

use super::em::Pairs;
use super::kind::NEUTRAL;
use super::model::Model;
use super::settings::Schema;

/// Sets how strangers and neighbours agree. `weights` says how much of each pair counts: one less its probability to be a
/// match or of one household.
pub fn learn(schema: &Schema, model: &mut Model, drawn: &Pairs, weights: &[f64]) {
    let local: Vec<usize> = (0..schema.fields().len()).filter(|at| schema.fields()[*at].kind.local()).collect();
    let together = local.len() > 1;
    for (at, field) in schema.fields().iter().enumerate() {
        if !(together && field.kind.local()) {
            let mut counts = vec![HALF; field.kind.levels().len()];
            for (pair, weight) in weights.iter().enumerate() {
                add(&mut counts, drawn.levels(pair)[at], *weight);
            }
            model.fields[at].unmatched = shares(&counts);
            model.fields[at].nearby = shares(&counts);
        }
    }
    if together {
        let mut patterns: BTreeMap<u128, f64> = BTreeMap::new();
        for (pair, weight) in weights.iter().enumerate() {
            let levels = drawn.levels(pair);
            *patterns.entry(pack(&local, levels)).or_default() += weight;
        }
        separate(schema, model, &local, &patterns);
    } else {
        model.nearby = 0.0;
    }
}

/// Half a pair at each level: what was never seen is rare, not impossible.
const HALF: f64 = 0.5;
/// Rounds of EM; it runs over few patterns and need not be exact.
const ROUNDS: usize = 100;
/// More than this share of all pairs are no neighbours.
const MOST_NEARBY: f64 = 0.25;

/// EM with two classes over the local fields.
fn separate(schema: &Schema, model: &mut Model, local: &[usize], patterns: &BTreeMap<u128, f64>) {
    let total: f64 = patterns.values().sum();
    for _ in 0..ROUNDS {
        let empty = || -> Vec<Vec<f64>> {
            local.iter().map(|at| vec![HALF; schema.fields()[*at].kind.levels().len()]).collect()
        };
        let (mut strangers, mut neighbours, mut sum) = (empty(), empty(), 0.0);
        for (pattern, weight) in patterns {
            let levels = unpack(*pattern, local.len());
            let (mut far, mut near) = (1.0 - model.nearby, model.nearby);
            for (at, level) in local.iter().zip(&levels).filter(|(_, level)| **level != NEUTRAL) {
                far *= model.fields[*at].unmatched[usize::from(*level)];
                near *= model.fields[*at].nearby[usize::from(*level)];
            }
            let near = weight * near / (near + far);
            sum += near;
            for (at, level) in levels.iter().enumerate() {
                add(&mut strangers[at], *level, weight - near);
                add(&mut neighbours[at], *level, near);
            }
        }
        model.nearby = (sum / total).clamp(1e-9, MOST_NEARBY);
        for (at, (far, near)) in local.iter().zip(strangers.iter().zip(&neighbours)) {
            model.fields[*at].unmatched = shares(far);
            model.fields[*at].nearby = shares(near);
        }
    }
}

/// The levels of the local fields in four bits each, of which there are at most 24.
fn pack(local: &[usize], levels: &[u8]) -> u128 {
    local.iter().fold(0, |pattern, at| (pattern << 4) | u128::from(levels[*at] & 15))
}

fn unpack(pattern: u128, count: usize) -> Vec<u8> {
    let level = |at: usize| (pattern >> (4 * (count - 1 - at))) as u8 & 15;
    (0..count).map(|at| if level(at) == NEUTRAL & 15 { NEUTRAL } else { level(at) }).collect()
}

fn add(counts: &mut [f64], level: u8, weight: f64) {
    if let Some(count) = counts.get_mut(usize::from(level)) {
        *count += weight;
    }
}

fn shares(counts: &[f64]) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    counts.iter().map(|count| count / total).collect()
}

#[cfg(test)]
mod tests {
    use super::super::kind::{EQUAL, Kind};
    use super::super::settings::{MAX_FIELDS, Settings};
    use super::*;

    #[test]
    fn what_goes_together_is_told_from_what_meets_by_chance() {
        let fields = [("town", Kind::Place), ("code", Kind::PostalCode), ("name", Kind::GivenName)];
        let schema = Schema::new(Settings::of(&fields)).expect("good settings");
        let mut drawn = Pairs::new(3);
        for at in 0..10_000 {
            let mut levels = [NEUTRAL; MAX_FIELDS];
            // One pair in a hundred shares town and code; one in five hundred shares a code alone.
            let together = at % 100 == 0;
            levels[0] = if together { EQUAL } else { 6 };
            levels[1] = if together || at % 500 == 1 { EQUAL } else { 4 };
            levels[2] = if at % 50 == 3 { EQUAL } else { 6 };
            drawn.push(&levels);
        }
        let mut model = Model::supposed(schema.settings().clone(), 1_000);
        learn(&schema, &mut model, &drawn, &vec![1.0; 10_000]);
        assert!((model.nearby - 0.01).abs() < 0.001, "{}", model.nearby);
        assert!(model.fields[0].nearby[0] > 0.9 && model.fields[0].unmatched[0] < 0.001);
        assert!((model.marginal(1, 0) - 0.012).abs() < 0.001, "{}", model.marginal(1, 0));
        assert!((model.fields[2].unmatched[0] - 0.02).abs() < 0.001);
    }
}
