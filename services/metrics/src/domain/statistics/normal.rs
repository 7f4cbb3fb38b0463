//! The standard normal distribution: its quantile and its tails, to about 1e-15. Written here because every interval and
//! every test rests on the two, and no dependency is worth two functions.

/// The quantile: the `z` below which a standard normal value falls with probability `p`, 0 < p < 1.
///
/// Source: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988), 477–484: relative error about 1e-16.
#[must_use]
pub fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(&CENTRE, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-tail.ln()).sqrt();
    let magnitude = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&FAR, r - 5.0) };
    if q < 0.0 { -magnitude } else { magnitude }
}

/// How many standard errors an interval of a two-sided `level` (0 < level < 1) reaches to either side.
#[must_use]
pub fn reach(level: f64) -> f64 {
    quantile(0.5 + level / 2.0)
}

/// The probability that a standard normal value lies at least as far from 0 as `z`: the two-sided p-value.
#[must_use]
pub fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The complementary error function for x ≥ 0: below 2.5 by the series 2/√π·e^(−x²)·Σ 2ⁿx^(2n+1)/(2n+1)‼ of erf, whose
/// terms are all positive, above it by Laplace's continued fraction (Abramowitz & Stegun 7.1.6 and 7.1.14).
fn erfc(x: f64) -> f64 {
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return 1.0 - 2.0 * scale * sum;
    }
    let fraction = (1..=100).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
    scale / fraction
}

/// Numerator and denominator of a rational approximation, from the highest power down.
type Rational = ([f64; 8], [f64; 8]);

fn ratio((above, below): &Rational, r: f64) -> f64 {
    let horner = |coefficients: &[f64; 8]| coefficients.iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
    horner(above) / horner(below)
}

const CENTRE: Rational = (
    [
        2.509_080_928_730_122_6e3,
        3.343_057_558_358_813e4,
        6.726_577_092_700_87e4,
        4.592_195_393_154_987e4,
        1.373_169_376_550_946e4,
        1.971_590_950_306_551_4e3,
        1.331_416_678_917_843_8e2,
        3.387_132_872_796_366_5,
    ],
    [
        5.226_495_278_852_854e3,
        2.872_908_573_572_194_3e4,
        3.930_789_580_009_271e4,
        2.121_379_430_158_659_7e4,
        5.394_196_021_424_751e3,
        6.871_870_074_920_579e2,
        4.231_333_070_160_091e1,
        1.0,
    ],
);
const MIDDLE: Rational = (
    [
        7.745_450_142_783_414e-4,
        2.272_384_498_926_918_4e-2,
        2.417_807_251_774_506e-1,
        1.270_458_252_452_368_4,
        3.647_848_324_763_204_5,
        5.769_497_221_460_691,
        4.630_337_846_156_546,
        1.423_437_110_749_683_5,
    ],
    [
        1.050_750_071_644_416_9e-9,
        5.475_938_084_995_345e-4,
        1.519_866_656_361_645_7e-2,
        1.481_039_764_274_800_8e-1,
        6.897_673_349_851e-1,
        1.676_384_830_183_803_8,
        2.053_191_626_637_759,
        1.0,
    ],
);
const FAR: Rational = (
    [
        2.010_334_399_292_288_1e-7,
        2.711_555_568_743_487_6e-5,
        1.242_660_947_388_078_4e-3,
        2.653_218_952_657_612_4e-2,
        2.965_605_718_285_048_7e-1,
        1.784_826_539_917_291_3,
        5.463_784_911_164_114,
        6.657_904_643_501_103,
    ],
    [
        2.044_263_103_389_939_8e-15,
        1.421_511_758_316_446e-7,
        1.846_318_317_510_054_8e-5,
        7.868_691_311_456_133e-4,
        1.487_536_129_085_061_5e-2,
        1.369_298_809_227_358e-1,
        5.998_322_065_558_88e-1,
        1.0,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `scipy.stats.norm.ppf((1 + level) / 2)`.
    const REACHES: [(f64, f64); 6] = [
        (0.5, 0.674_489_750_196_081_7),
        (0.8, 1.281_551_565_544_600_4),
        (0.9, 1.644_853_626_951_472_2),
        (0.95, 1.959_963_984_540_054),
        (0.99, 2.575_829_303_548_900_4),
        (0.999, 3.290_526_731_491_925_5),
    ];
    /// scipy 1.17.1: `2 * scipy.stats.norm.sf(z)`.
    const TAILS: [(f64, f64); 13] = [
        (0.0, 1.0),
        (0.1, 0.920_344_325_445_942),
        (0.5, 0.617_075_077_451_973_8),
        (1.0, 0.317_310_507_862_914_15),
        (1.5, 0.133_614_402_537_716_14),
        (1.96, 0.049_995_790_296_440_87),
        (2.3, 0.021_448_220_043_351_618),
        (2.9, 0.003_731_626_600_768_075),
        (3.0, 0.002_699_796_063_260_186_6),
        (3.5, 0.000_465_258_158_071_050_03),
        (5.0, 5.733_031_437_583_866e-7),
        (8.0, 1.244_192_114_854_348e-15),
        (12.0, 3.552_964_224_155_306e-33),
    ];

    #[test]
    fn quantiles_are_those_of_scipy() {
        for (level, expected) in REACHES {
            assert!((reach(level) / expected - 1.0).abs() < 1e-14, "{level}: {}", reach(level));
            assert!((quantile(0.5 - level / 2.0) / -expected - 1.0).abs() < 1e-12, "{level}");
        }
    }

    #[test]
    fn tails_are_those_of_scipy() {
        for (z, expected) in TAILS {
            assert!((two_sided(z) / expected - 1.0).abs() < 1e-12, "{z}: {}", two_sided(z));
            assert_eq!(two_sided(-z).to_bits(), two_sided(z).to_bits());
        }
    }
}
