//! Student's t distribution and the binomial with an even chance, both by the incomplete beta function.

use super::normal;

/// From so many degrees of freedom on, t is the normal distribution to more digits than anything here is answered in.
const NORMAL: f64 = 1e7;

/// The probability that a t value with `freedom` degrees of freedom lies at least as far from 0 as `t`.
///
/// Source: Abramowitz & Stegun 26.7.1 with 26.5.27: I_{ν/(ν+t²)}(ν/2, ½).
#[must_use]
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    if freedom >= NORMAL || !t.is_finite() {
        return normal::two_sided(t);
    }
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// How many standard errors an interval of a two-sided `level` (0 < level < 1) reaches to either side: the t whose
/// two-sided tail is what the level leaves, by bisection.
#[must_use]
pub fn reach(level: f64, freedom: f64) -> f64 {
    if freedom >= NORMAL {
        return normal::reach(level);
    }
    let tail = 1.0 - level;
    let (mut low, mut high) = (0.0, 2.0);
    while two_sided(high, freedom) > tail && high < 1e300 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if two_sided(middle, freedom) > tail { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability of at most `k` of `n` where each is as likely as not.
///
/// Source: Abramowitz & Stegun 26.5.24: I_{½}(n − k, k + 1).
#[must_use]
pub fn fewer_or_as_many(k: f64, n: f64) -> f64 {
    if k < 0.0 {
        0.0
    } else if k >= n {
        1.0
    } else {
        incomplete_beta(n - k, k + 1.0, 0.5)
    }
}

/// The regularised incomplete beta function I_x(a, b), a and b above 0, by its continued fraction (modified Lentz).
///
/// Source: Abramowitz & Stegun 26.5.8; Press et al., Numerical Recipes, 3rd ed. (2007), 6.4.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let safe = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    // It takes about √max(a, b) steps.
    for step in 1..20_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / safe(1.0 + term * d);
            c = safe(1.0 + term / c);
            change = c * d;
            result *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function, x > 0: Stirling's series, after x was raised above 12 by the recurrence.
///
/// Source: Abramowitz & Stegun 6.1.41.
fn ln_gamma(mut x: f64) -> f64 {
    const SERIES: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1_260.0, -1.0 / 1_680.0, 1.0 / 1_188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    let mut raised = 0.0;
    while x < 12.0 {
        raised += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = SERIES.iter().rev().fold(0.0, |sum, term| sum * inverse + term) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - raised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::statistics::means::fixture;

    #[test]
    fn tails_and_quantiles_are_those_of_scipy() {
        for row in fixture("student") {
            let [t, freedom, tail] = row[..] else { panic!("three figures") };
            assert!((two_sided(t, freedom) / tail - 1.0).abs() < 1e-9, "{row:?} {}", two_sided(t, freedom));
        }
        for row in fixture("student_reach") {
            let [level, freedom, expected] = row[..] else { panic!("three figures") };
            assert!((reach(level, freedom) / expected - 1.0).abs() < 1e-9, "{row:?} {}", reach(level, freedom));
        }
    }

    #[test]
    fn an_even_chance_is_that_of_scipy() {
        for row in fixture("binomial") {
            let [k, n, expected] = row[..] else { panic!("three figures") };
            assert!((fewer_or_as_many(k, n) / expected - 1.0).abs() < 1e-9, "{row:?}");
        }
    }
}
