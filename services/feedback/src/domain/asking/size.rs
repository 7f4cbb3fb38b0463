//! How many answers it takes for a difference to be seen.
//!
//! Two groups of equal size, a two-sided test at a confidence, with a power: for means n = (z₁ + z₂)²·2σ²/δ² (Cochran,
//! Sampling Techniques, 1977); for two proportions (z₁·√(2p̄q̄) + z₂·√(p₁q₁ + p₂q₂))²/δ² (Fleiss, Levin & Paik, Statistical
//! Methods for Rates and Proportions, 2003, without continuity correction); for a net promoter score, whose answers are −1, 0 and 1,
//! as for means with σ² = p + d − (p − d)² in each group (Rocks, The American Statistician 70, 2016), where the other group's
//! difference moves promoters and detractors by the same share. Finite populations: n / (1 + (n − 1)/N).

/// What is to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Difference {
    /// A share, and how far the other one is from it.
    Share(f64, f64),
    /// The shares of promoters and detractors, and how far the other score is from theirs, as a share of 1.
    Nps(f64, f64, f64),
    /// A standard deviation, and how far the other mean is.
    Mean(f64, f64),
}

/// How sure one wants to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// That a difference that is seen is there.
    pub confidence: f64,
    /// That one that is there is seen.
    pub power: f64,
    /// How many there are to be asked; 0: many.
    pub population: u64,
}

/// Answers needed in each group.
#[must_use]
pub fn answers_needed(difference: Difference, wish: Wish) -> u64 {
    let (one, two) = (normal_quantile(f64::midpoint(1.0, wish.confidence)), normal_quantile(wish.power));
    let needed = match difference {
        Difference::Share(share, by) => {
            let other = share + by;
            let middle = f64::midpoint(share, other);
            let pooled = (2.0 * middle * (1.0 - middle)).sqrt();
            let apart = share.mul_add(1.0 - share, other * (1.0 - other)).sqrt();
            (one.mul_add(pooled, two * apart) / by).powi(2)
        }
        Difference::Nps(promoters, detractors, by) => {
            let (more, less) = moved(promoters, detractors, by);
            let spread = |p: f64, d: f64| p + d - (p - d).powi(2);
            (one + two).powi(2) * (spread(promoters, detractors) + spread(more, less)) / by.powi(2)
        }
        Difference::Mean(deviation, by) => (one + two).powi(2) * 2.0 * deviation.powi(2) / by.powi(2),
    };
    #[expect(clippy::cast_precision_loss, reason = "a population beyond 2^53 is many")]
    let population = wish.population as f64;
    let needed = if wish.population == 0 { needed } else { needed / (1.0 + (needed - 1.0) / population) };
    // A hair above a whole number is rounding, not another answer.
    let whole = (needed - 1e-9).ceil().max(2.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive, and saturates")]
    let whole = whole as u64;
    if wish.population == 0 { whole } else { whole.min(wish.population) }
}

/// The shares of the other group: promoters and detractors each give half of the difference, as far as there are any.
fn moved(promoters: f64, detractors: f64, by: f64) -> (f64, f64) {
    let half = by / 2.0;
    let detractors_after = (detractors - half).clamp(0.0, 1.0);
    // What the detractors could not give, the promoters do.
    let promoters_after = (promoters + by - (detractors - detractors_after)).clamp(0.0, 1.0);
    (promoters_after, (promoters_after - (promoters - detractors + by)).clamp(0.0, 1.0 - promoters_after))
}

/// The standard normal's quantile: Acklam's approximation, made exact to the last digits by a step of Halley's.
fn normal_quantile(share: f64) -> f64 {
    const A: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
    ];
    const C: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416];
    let horner = |of: &[f64], at: f64| of.iter().fold(0.0_f64, |sum, next| sum.mul_add(at, *next));
    let tail = |share: f64| {
        let at = (-2.0 * share.ln()).sqrt();
        horner(&C, at) / horner(&[D.as_slice(), &[1.0]].concat(), at)
    };
    let guess = if share < 0.024_25 {
        tail(share)
    } else if share > 1.0 - 0.024_25 {
        -tail(1.0 - share)
    } else {
        let at = share - 0.5;
        horner(&A, at * at) * at / horner(&[B.as_slice(), &[1.0]].concat(), at * at)
    };
    let error = normal_below(guess) - share;
    let step = error * (2.0 * std::f64::consts::PI).sqrt() * (guess * guess / 2.0).exp();
    guess - step / (1.0 + guess * step / 2.0)
}

/// The standard normal's share below a value: its Taylor series near 0, its continued fraction in the tails.
fn normal_below(value: f64) -> f64 {
    let density = (-value * value / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if value.abs() < 3.0 {
        let (mut term, mut sum, mut step) = (value, value, 1.0);
        while term.abs() > 1e-18 {
            step += 2.0;
            term *= value * value / step;
            sum += term;
        }
        return density.mul_add(sum, 0.5);
    }
    let far = value.abs();
    let fraction = (1..=60).rev().fold(0.0, |rest, step| f64::from(step) / (far + rest));
    let above = density / (far + fraction);
    if value > 0.0 { 1.0 - above } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Wish = Wish { confidence: 0.95, power: 0.8, population: 0 };

    #[test]
    fn quantiles_of_the_normal_are_those_of_the_tables() {
        for (share, value) in [
            (0.5, 0.0),
            (0.8, 0.841_621_233_572_914_2),
            (0.9, 1.281_551_565_544_600_4),
            (0.975, 1.959_963_984_540_054),
            (0.995, 2.575_829_303_548_900_4),
            (0.999_95, 3.890_591_886_413_113),
        ] {
            assert!((normal_quantile(share) - value).abs() < 1e-11, "{share}: {}", normal_quantile(share));
        }
    }

    #[test]
    fn published_sample_sizes_come_out() {
        // R: power.prop.test(p1 = .50, p2 = .75, power = .90) gives n = 76.7; its help page.
        let of = |power| Wish { power, ..USUAL };
        assert_eq!(answers_needed(Difference::Share(0.50, 0.25), of(0.9)), 77);
        // The same from the other side, and downwards.
        assert_eq!(answers_needed(Difference::Share(0.75, -0.25), of(0.9)), 77);
        // Cohen 1988: a medium effect of half a deviation, 80 % power: 63 by the normal, 64 by t.
        assert_eq!(answers_needed(Difference::Mean(1.0, 0.5), USUAL), 63);
    }

    #[test]
    fn a_net_promoter_score_needs_what_its_variance_says() {
        // 50 % promoters, 20 % detractors: 0.61 of variance; 10 points more: 55 %, 15 %: 0.54.
        let variance = 0.61 + 0.54;
        let expected = (1.959_963_984_540_054_f64 + 0.841_621_233_572_914_2).powi(2) * variance / 0.01;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
        let expected = expected.ceil() as u64;
        assert_eq!(answers_needed(Difference::Nps(0.5, 0.2, 0.1), USUAL), expected);
    }

    #[test]
    fn few_to_be_asked_take_fewer_and_never_more_than_there_are() {
        let many = answers_needed(Difference::Share(0.3, 0.05), USUAL);
        let few = answers_needed(Difference::Share(0.3, 0.05), Wish { population: 500, ..USUAL });
        assert!(few < many && few <= 500);
        assert_eq!(answers_needed(Difference::Share(0.3, 0.001), Wish { population: 500, ..USUAL }), 500);
    }
}
