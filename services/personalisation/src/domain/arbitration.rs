//! The choice among what the funnel left: inverse-gap weighting, drawn with a seeded generator.
//!
//! Foster & Rakhlin, "Beyond UCB: Optimal and Efficient Contextual Bandits with Regression Oracles" (SquareCB), 2020:
//! with K candidates and the best priority normalised to 1, a candidate at a gap g below the best is drawn with
//! probability 1 / (K + γ·g), the best with the rest. So every probability is exact and known before the draw. γ = 0
//! is uniform; the greater γ, the greedier.

/// The probabilities with which each of `priorities` (finite, ≥ 0) is drawn, in the same order. They add up to 1.
///
/// Of several best the first takes the rest, which then is 1/K like the others'. Where all are zero, all are equal.
/// Nothing to draw from: none.
#[must_use]
pub fn probabilities(priorities: &[f64], exploration: f64) -> Vec<f64> {
    let Some(best) = best(priorities) else { return Vec::new() };
    let most = priorities[best];
    let candidates = priorities.len() as f64;
    let mut rest = 1.0;
    let mut drawn: Vec<f64> = Vec::with_capacity(priorities.len());
    for (at, priority) in priorities.iter().enumerate() {
        if at == best {
            drawn.push(0.0);
            continue;
        }
        let gap = if most > 0.0 { 1.0 - priority / most } else { 0.0 };
        let probability = 1.0 / (candidates + exploration * gap);
        rest -= probability;
        drawn.push(probability);
    }
    // Each of the others gets at most 1/K, so what is left is at least 1/K; rounding cannot make it negative.
    drawn[best] = rest.max(0.0);
    drawn
}

/// The first of the highest priorities.
#[must_use]
pub fn best(priorities: &[f64]) -> Option<usize> {
    let mut best = None::<usize>;
    for (at, priority) in priorities.iter().enumerate() {
        if best.is_none_or(|best| *priority > priorities[best]) {
            best = Some(at);
        }
    }
    best
}

/// Which of `probabilities` a uniform draw from [0, 1) falls on.
#[must_use]
pub fn pick(probabilities: &[f64], draw: f64) -> Option<usize> {
    let mut passed = 0.0;
    let mut last = None;
    for (at, probability) in probabilities.iter().enumerate() {
        passed += probability;
        if draw < passed {
            return Some(at);
        }
        if *probability > 0.0 {
            last = Some(at);
        }
    }
    // The sum fell short of 1 by a rounding error, and the draw fell into the gap.
    last
}

/// SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014): small, fixed for ever,
/// and good for seeds that are close to each other. The draw for rank r is its r-th output.
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts at a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number in [0, 1), in steps of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first outputs for seed 1234567, as the reference implementation (xoshiro.di.unimi.it/splitmix64.c)
        // gives them.
        let mut generator = SplitMix64::new(1_234_567);
        let outputs: Vec<u64> = (0..5).map(|_| generator.bits()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(outputs, published);
    }

    #[test]
    fn the_weights_are_those_of_the_formula() {
        // K = 3, γ = 100; priorities 4, 3, 1: gaps 0, ¼, ¾.
        let drawn = probabilities(&[4.0, 3.0, 1.0], 100.0);
        let (second, third) = (1.0 / (3.0 + 25.0), 1.0 / (3.0 + 75.0));
        assert_eq!(drawn, vec![1.0 - second - third, second, third]);
    }

    #[test]
    fn one_candidate_is_certain_and_none_is_none() {
        assert_eq!(probabilities(&[7.0], 100.0), vec![1.0]);
        assert_eq!(probabilities(&[0.0], 100.0), vec![1.0]);
        assert!(probabilities(&[], 100.0).is_empty());
        assert_eq!(pick(&[], 0.5), None);
    }

    #[test]
    fn nothing_of_worth_is_drawn_evenly() {
        assert_eq!(probabilities(&[0.0; 4], 100.0), vec![0.25; 4]);
    }

    #[test]
    fn without_exploration_parameter_all_are_even() {
        assert_eq!(probabilities(&[4.0, 0.0], 0.0), vec![0.5, 0.5]);
    }

    #[test]
    fn a_draw_in_the_rounding_gap_falls_on_the_last_that_can_be_drawn() {
        assert_eq!(pick(&[0.5, 0.499_999, 0.0], 0.999_999_9), Some(1));
    }
}
