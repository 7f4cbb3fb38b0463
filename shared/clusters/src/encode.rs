//! From values to points: each number becomes a dimension whose variance is one; each flag or text, dimensions whose
//! variances add up to a half. Flags and texts are all or nothing: at full weight a single one of them would make the
//! groups alone, whatever the numbers say (Huang 1998 advises a half as well).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Row};
use crate::model::Real;

/// How many values of a text have a dimension of their own; all others share one.
pub const MOST_CATEGORIES: usize = 12;
/// How many members at least have a value that gets a dimension of its own, and is named. What fewer share may point at
/// a person.
pub const LEAST_CATEGORY: usize = 5;
/// Of those who have the text, the least share with such a value.
const LEAST_SHARE: f64 = 0.01;
/// The variance of a flag or a text, all its dimensions together.
const HALF: f64 = 0.5;
/// From which skewness on a number's logarithm is tried.
const SKEWED: f64 = 2.0;

/// Why a trait tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unused {
    /// Nobody has it.
    Missing,
    /// All who have it have the same, or all have values too rare to be told apart.
    Alike,
}

/// How a trait's values become dimensions.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// One dimension: (f(x) / reach - mean) / spread, where f is the value, or its logarithm in units of its median.
    Number { log_unit: Option<Real>, reach: Real, mean: Real, spread: Real },
    /// One dimension: (1 or 0 - share) / spread.
    Flag { share: Real, spread: Real },
    /// A dimension for each category, in order of their names, and one for all others.
    Text { categories: BTreeMap<String, Real>, other: Real, spread: Real },
    /// None.
    Unused(Unused),
}

impl Encoding {
    /// What is learnt of a trait from the values of a population, in their canonical order.
    pub(crate) fn learn<'a>(cells: impl Iterator<Item = &'a Cell> + Clone) -> Self {
        let numbers: Vec<f64> = cells.clone().filter_map(number).collect();
        let flags: Vec<bool> = cells.clone().filter_map(flag).collect();
        let texts: Vec<&str> = cells.filter_map(text).collect();
        let most = numbers.len().max(flags.len()).max(texts.len());
        if most == 0 {
            Self::Unused(Unused::Missing)
        } else if numbers.len() == most {
            Self::numbers(&numbers)
        } else if flags.len() == most {
            let share = ratio(flags.iter().filter(|flag| **flag).count(), flags.len());
            let spread = deviation(share) / HALF.sqrt();
            if spread > 0.0 {
                Self::Flag { share: Real(share), spread: Real(spread) }
            } else {
                Self::Unused(Unused::Alike)
            }
        } else {
            Self::texts(&texts)
        }
    }

    fn numbers(values: &[f64]) -> Self {
        let plain = Spread::of(values);
        let Some(plain) = plain else { return Self::Unused(Unused::Alike) };
        let log_unit = (plain.skewness.abs() > SKEWED).then(|| median_size(values)).flatten();
        if let Some(unit) = log_unit {
            let logs: Vec<f64> = values.iter().map(|value| logarithm(*value, unit)).collect();
            if let Some(logs) = Spread::of(&logs).filter(|logs| logs.skewness.abs() < plain.skewness.abs()) {
                return logs.encoding(Some(Real(unit)));
            }
        }
        plain.encoding(None)
    }

    fn texts(values: &[&str]) -> Self {
        let mut counts = BTreeMap::<&str, usize>::new();
        for value in values {
            *counts.entry(value).or_default() += 1;
        }
        let enough = |count: usize| count >= LEAST_CATEGORY && ratio(count, values.len()) >= LEAST_SHARE;
        let mut common: Vec<(&str, usize)> = counts.into_iter().filter(|(_, count)| enough(*count)).collect();
        common.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        common.truncate(MOST_CATEGORIES);
        let others = values.len() - common.iter().map(|(_, count)| count).sum::<usize>();
        let other = ratio(others, values.len());
        let shares: BTreeMap<String, f64> =
            common.into_iter().map(|(name, count)| (name.to_owned(), ratio(count, values.len()))).collect();
        let variance = 1.0 - shares.values().map(|share| share * share).sum::<f64>() - other * other;
        if shares.is_empty() || variance < 1e-9 {
            return Self::Unused(Unused::Alike);
        }
        let categories = shares.into_iter().map(|(name, share)| (name, Real(share))).collect();
        Self::Text { categories, other: Real(other), spread: Real((variance / HALF).sqrt()) }
    }

    /// How many dimensions it makes.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Flag { .. } => 1,
            Self::Text { categories, .. } => categories.len() + 1,
            Self::Unused(_) => 0,
        }
    }

    /// Adds a value's dimensions to a point; says whether it is there. One of another kind than the trait's is not.
    pub(crate) fn encode(&self, cell: &Cell, point: &mut Vec<f64>) -> bool {
        let end = point.len() + self.width();
        match self {
            Self::Number { log_unit, reach, mean, spread } => {
                let value = number(cell).map(|value| log_unit.map_or(value, |unit| logarithm(value, unit.0)));
                point.extend(value.map(|value| (value / reach.0 - mean.0) / spread.0));
            }
            Self::Flag { share, spread } => {
                let one = |flag: bool| (f64::from(u8::from(flag)) - share.0) / spread.0;
                point.extend(flag(cell).map(one));
            }
            Self::Text { categories, other, spread } => {
                if let Some(value) = text(cell) {
                    let is = |held: bool, share: &Real| (f64::from(u8::from(held)) - share.0) / spread.0;
                    point.extend(categories.iter().map(|(name, share)| is(name == value, share)));
                    point.push(is(!categories.contains_key(value), other));
                }
            }
            Self::Unused(_) => {}
        }
        let there = point.len() == end && self.width() > 0;
        point.resize(end, 0.0);
        there
    }
}

/// A population's points, row by row, and for each row whether anything is known of it.
pub(crate) fn encode(encodings: &[Encoding], row: &Row, point: &mut Vec<f64>) -> bool {
    let mut known = false;
    for (at, encoding) in encodings.iter().enumerate() {
        known |= encoding.encode(row.get(at).unwrap_or(&Cell::Missing), point);
    }
    known
}

/// Where numbers lie and how they spread, in units of the largest: so that none overflows.
struct Spread {
    reach: f64,
    mean: f64,
    deviation: f64,
    skewness: f64,
}

impl Spread {
    /// `None` where all are alike.
    fn of(values: &[f64]) -> Option<Self> {
        let reach = values.iter().fold(0.0_f64, |reach, value| reach.max(value.abs()));
        let count = ratio(values.len(), 1);
        if reach == 0.0 {
            return None;
        }
        let mean = values.iter().map(|value| value / reach).sum::<f64>() / count;
        let moment = |power: i32| values.iter().map(|value| (value / reach - mean).powi(power)).sum::<f64>() / count;
        let deviation = moment(2).sqrt();
        // Below this, differences are those of rounding.
        (deviation > 1e-12).then(|| Self { reach, mean, deviation, skewness: moment(3) / deviation.powi(3) })
    }

    fn encoding(&self, log_unit: Option<Real>) -> Encoding {
        let (reach, mean, spread) = (Real(self.reach), Real(self.mean), Real(self.deviation));
        Encoding::Number { log_unit, reach, mean, spread }
    }
}

/// The logarithm of a number in a unit: odd, 0 at 0, and about the number itself where it is small.
fn logarithm(value: f64, unit: f64) -> f64 {
    (value.abs() / unit).ln_1p().copysign(value)
}

/// The median of the sizes of numbers that are not 0.
fn median_size(values: &[f64]) -> Option<f64> {
    let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).filter(|size| *size > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).copied()
}

/// The standard deviation of what is 1 with this share and else 0.
pub(crate) fn deviation(share: f64) -> f64 {
    (share * (1.0 - share)).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
pub(crate) fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

pub(crate) fn number(cell: &Cell) -> Option<f64> {
    if let Cell::Number(value) = cell { value.is_finite().then_some(*value) } else { None }
}
pub(crate) fn flag(cell: &Cell) -> Option<bool> {
    if let Cell::Flag(value) = cell { Some(*value) } else { None }
}
pub(crate) fn text(cell: &Cell) -> Option<&str> {
    if let Cell::Text(value) = cell { Some(value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells() -> impl Strategy<Value = Vec<Cell>> {
        let cell = prop_oneof![
            Just(Cell::Missing),
            any::<f64>().prop_map(Cell::Number),
            any::<bool>().prop_map(Cell::Flag),
            "[a-d]".prop_map(Cell::Text),
        ];
        prop_oneof![
            proptest::collection::vec(cell, 1..60),
            proptest::collection::vec((-1e6..1e6).prop_map(Cell::Number), 2..60),
            proptest::collection::vec("[a-d]".prop_map(Cell::Text), 10..60),
            proptest::collection::vec(any::<bool>().prop_map(Cell::Flag), 2..60),
        ]
    }

    proptest! {
        #[test]
        fn the_dimensions_of_a_trait_have_a_mean_of_nought_and_one_variance_together(cells in cells()) {
            let encoding = Encoding::learn(cells.iter());
            let mut points = Vec::new();
            for cell in &cells {
                let mut point = Vec::new();
                if encoding.encode(cell, &mut point) {
                    points.push(point);
                } else {
                    prop_assert!(point.iter().all(|coordinate| *coordinate == 0.0), "what is missing lies at the mean");
                }
            }
            let (mut variance, count) = (0.0, ratio(points.len(), 1));
            for at in 0..encoding.width() {
                let mean = points.iter().map(|point| point[at]).sum::<f64>() / count;
                prop_assert!(mean.abs() < 1e-3, "the mean is {}", mean);
                variance += points.iter().map(|point| (point[at] - mean).powi(2)).sum::<f64>() / count;
            }
            let expected = if matches!(encoding, Encoding::Number { .. }) { 1.0 } else { HALF };
            prop_assert!(encoding.width() == 0 || (variance - expected).abs() < 1e-3, "the variance is {}", variance);
        }
    }

    #[test]
    fn a_skewed_amount_is_taken_by_its_logarithm_and_a_plain_one_as_it_is() {
        let cells = |of: fn(f64) -> f64| (1..=200).map(|at| Cell::Number(of(f64::from(at)))).collect::<Vec<_>>();
        let of = |cells: Vec<Cell>| Encoding::learn(cells.iter());
        assert!(matches!(of(cells(|x| (x / 15.0).exp())), Encoding::Number { log_unit: Some(_), .. }));
        assert!(matches!(of(cells(|x| x)), Encoding::Number { log_unit: None, .. }));
    }

    #[test]
    fn a_text_keeps_its_commonest_values_and_none_that_few_share() {
        let value = |at: usize| Cell::Text(if at < 40 { format!("city{}", at % 4) } else { format!("rare{at}") });
        let cells: Vec<Cell> = (0..60).map(value).collect();
        let Encoding::Text { categories, other, .. } = Encoding::learn(cells.iter()) else { panic!("a text") };
        assert_eq!(categories.keys().collect::<Vec<_>>(), ["city0", "city1", "city2", "city3"]);
        assert!((other.0 - 20.0 / 60.0).abs() < 1e-12);
        let many: Vec<Cell> = (0..400).map(|at| Cell::Text(format!("{:02}", at % 40))).collect();
        let Encoding::Text { categories, .. } = Encoding::learn(many.iter()) else { panic!("a text") };
        assert_eq!(categories.len(), MOST_CATEGORIES);
        let unique: Vec<Cell> = (0..400).map(|at| Cell::Text(at.to_string())).collect();
        assert!(matches!(Encoding::learn(unique.iter()), Encoding::Unused(Unused::Alike)));
    }
}
