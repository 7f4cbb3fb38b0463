//! How good a grouping is.

use crate::encode::ratio;
use crate::kmeans::{Grouping, Points, squared};
use crate::random::Random;

/// Of how many points at most the distances between all are computed.
const MOST_POINTS: usize = 1_500;

/// The distances between all points, or between those of a sample.
pub(crate) struct Distances {
    places: Vec<usize>,
    between: Vec<f64>,
}

impl Distances {
    pub(crate) fn of(points: &Points, random: &mut Random) -> Self {
        let mut places: Vec<usize> = (0..points.len()).collect();
        if places.len() > MOST_POINTS {
            for at in 0..MOST_POINTS {
                let other = at + random.below(places.len() - at);
                places.swap(at, other);
            }
            places.truncate(MOST_POINTS);
        }
        let mut between = Vec::with_capacity(places.len() * places.len());
        for a in &places {
            let from = points.at(*a);
            between.extend(places.iter().map(|b| squared(from, points.at(*b).iter().copied()).sqrt()));
        }
        Self { places, between }
    }

    /// The mean silhouette (Rousseeuw 1987): for each point (b - a) / max(a, b), where a is its mean distance to the
    /// others of its group and b that to the nearest other group; 0 for a point alone in its group.
    pub(crate) fn silhouette(&self, labels: &[usize], clusters: usize) -> f64 {
        let mut sizes = vec![0_usize; clusters];
        self.places.iter().for_each(|at| sizes[labels[*at]] += 1);
        let mut sums = vec![0.0; clusters];
        let mut total = 0.0;
        for (row, at) in self.places.iter().enumerate() {
            sums.fill(0.0);
            let distances = &self.between[row * self.places.len()..(row + 1) * self.places.len()];
            for (other, distance) in self.places.iter().zip(distances) {
                sums[labels[*other]] += distance;
            }
            let own = labels[*at];
            if sizes[own] < 2 {
                continue;
            }
            let within = sums[own] / ratio(sizes[own] - 1, 1);
            let others = (0..clusters).filter(|group| *group != own && sizes[*group] > 0);
            let nearest = others.map(|group| sums[group] / ratio(sizes[group], 1)).fold(f64::INFINITY, f64::min);
            let wider = within.max(nearest);
            if wider > 0.0 && wider.is_finite() {
                total += (nearest - within) / wider;
            }
        }
        total / ratio(self.places.len().max(1), 1)
    }
}

/// Caliński's and Harabasz' index: the variance between groups over that within, each by its degrees of freedom. 0
/// where it is not defined.
pub(crate) fn calinski_harabasz(points: &Points, grouping: &Grouping) -> f64 {
    let (count, clusters) = (points.len(), grouping.centres.len());
    if clusters < 2 || count <= clusters || grouping.inertia <= 0.0 {
        return 0.0;
    }
    let mut mean = vec![0.0; points.width];
    for point in points.iter() {
        mean.iter_mut().zip(point).for_each(|(sum, coordinate)| *sum += coordinate / ratio(count, 1));
    }
    let total: f64 = points.iter().map(|point| squared(point, mean.iter().copied())).sum();
    let between = (total - grouping.inertia) / ratio(clusters - 1, 1);
    between / (grouping.inertia / ratio(count - clusters, 1))
}

/// How well two groupings of the same members agree: 1 where they are the same but for the groups' names, about 0 where
/// they agree by chance only (Hubert and Arabie 1985).
#[must_use]
pub fn adjusted_rand(a: &[usize], b: &[usize]) -> f64 {
    let pairs = |count: usize| ratio(count, 1) * ratio(count.saturating_sub(1), 2);
    let mut cells = std::collections::BTreeMap::<(usize, usize), usize>::new();
    let (mut rows, mut columns) = (cells.clone(), cells.clone());
    for (x, y) in a.iter().zip(b) {
        *cells.entry((*x, *y)).or_default() += 1;
        *rows.entry((*x, 0)).or_default() += 1;
        *columns.entry((*y, 0)).or_default() += 1;
    }
    let sum = |counts: std::collections::BTreeMap<_, usize>| counts.into_values().map(pairs).sum::<f64>();
    let (together, of_rows, of_columns) = (sum(cells), sum(rows), sum(columns));
    let expected = of_rows * of_columns / pairs(a.len().min(b.len())).max(1.0);
    let most = f64::midpoint(of_rows, of_columns);
    if most == expected { 1.0 } else { (together - expected) / (most - expected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreement_of_groupings_is_that_of_the_textbook() {
        assert!((adjusted_rand(&[0, 0, 1, 1], &[5, 5, 3, 3]) - 1.0).abs() < 1e-12);
        // scikit-learn's documentation.
        assert!((adjusted_rand(&[0, 0, 1, 2], &[0, 0, 1, 1]) - 0.571_428_571).abs() < 1e-6);
        assert!(adjusted_rand(&[0, 0, 0, 0], &[0, 1, 2, 3]).abs() < 1e-12);
    }
}
