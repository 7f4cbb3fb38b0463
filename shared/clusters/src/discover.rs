//! Learning groups from a population.

use serde::{Deserialize, Serialize};

use crate::cell::{self, Cell, Row};
use crate::describe::{self, Cluster};
use crate::encode::{self, Encoding, ratio};
use crate::kmeans::{self, Grouping, Points};
use crate::model::{Model, Real};
use crate::quality::{Distances, calinski_harabasz};
use crate::random::{Random, fork};

/// How far below the best silhouette one may lie that counts as as good: so much it wavers with the sample.
const NEAR: f64 = 0.02;

/// What to look for.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The traits, in the order of a row.
    pub traits: Vec<String>,
    /// The fewest groups, at least 2.
    pub least: usize,
    /// The most groups.
    pub most: usize,
    /// The seed: the same rows and seed give the same groups.
    pub seed: u64,
    /// How often k-means begins anew for each number of groups.
    pub restarts: usize,
    /// The share of the population that each group must have, for a number of groups to be chosen: so that a few
    /// outliers do not count as a group. Where no number of groups fulfils it, it is left aside.
    pub least_share: f64,
}

impl Settings {
    /// The usual ones: 2 to 12 groups of at least a hundredth, thirty beginnings.
    #[must_use]
    pub fn of(traits: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let traits = traits.into_iter().map(Into::into).collect();
        Self { traits, least: 2, most: 12, seed: 0, restarts: 30, least_share: 0.01 }
    }
}

/// How a number of groups did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How many groups.
    pub clusters: usize,
    /// The mean silhouette, −1 to 1: the higher, the tighter and the farther apart the groups are. Of at most 1,500
    /// members, drawn by the seed.
    pub silhouette: f64,
    /// Caliński's and Harabasz' index, for those who want a second opinion.
    pub calinski_harabasz: f64,
    /// The sum of squared distances to the centres, where each trait has a variance of one.
    pub inertia: f64,
    /// The share of the smallest group.
    pub smallest_share: f64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// Places any row.
    pub model: Model,
    /// The groups, the largest first.
    pub clusters: Vec<Cluster>,
    /// The group of each row, in the rows' order; `None` of a row of which nothing is known.
    pub labels: Vec<Option<usize>>,
    /// Every number of groups that was tried, ascending; chosen are the fewest groups whose silhouette is within
    /// 0.02 of the highest, among those whose smallest group is large enough.
    pub trials: Vec<Trial>,
}

/// Why there are no groups to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No trait differs among the members.
    NothingDiffers,
    /// There are fewer different members than the fewest groups asked for.
    TooFew {
        /// How many different members there are.
        distinct: usize,
    },
}

/// Finds groups.
///
/// # Errors
/// Where the rows do not fall into so many groups.
pub fn discover(rows: &[Row], settings: &Settings) -> Result<Discovery, Unfit> {
    // Sums of numbers depend on their order: one that does not depend on how the rows came.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| cell::order(&rows[*a], &rows[*b]));
    let encodings = learn(rows, &order, settings.traits.len());
    let width = encodings.iter().map(Encoding::width).sum();
    if width == 0 {
        return Err(Unfit::NothingDiffers);
    }
    let mut points = Points { width, flat: Vec::with_capacity(width * rows.len()) };
    let mut members = Vec::with_capacity(rows.len());
    for at in order {
        if encode::encode(&encodings, &rows[at], &mut points.flat) {
            members.push(at);
        } else {
            points.flat.truncate(members.len() * width);
        }
    }
    let least = settings.least.max(2);
    let distinct = points.distinct(settings.most.max(least));
    if distinct < least {
        return Err(Unfit::TooFew { distinct });
    }
    let (trials, grouping) = choose(&points, least..=distinct, settings);
    let centres = grouping.centres.iter().map(|centre| centre.iter().copied().map(Real).collect()).collect();
    let model = Model { traits: settings.traits.clone(), encodings, centres };
    let clusters = describe::clusters(&model, rows, &members, &grouping);
    let mut labels = vec![None; rows.len()];
    members.iter().zip(&grouping.labels).for_each(|(member, label)| labels[*member] = Some(*label));
    Ok(Discovery { model, clusters, labels, trials })
}

fn learn(rows: &[Row], order: &[usize], traits: usize) -> Vec<Encoding> {
    let column = |at: usize| order.iter().map(move |row| rows[*row].get(at).unwrap_or(&Cell::Missing));
    (0..traits).map(|at| Encoding::learn(column(at))).collect()
}

/// Tries numbers of groups, and keeps the best.
fn choose(points: &Points, counts: std::ops::RangeInclusive<usize>, settings: &Settings) -> (Vec<Trial>, Grouping) {
    let distances = Distances::of(points, &mut Random::new(fork(settings.seed, 0)));
    let (mut trials, mut groupings) = (Vec::new(), Vec::new());
    for clusters in counts {
        let mut random = Random::new(fork(settings.seed, u64::try_from(clusters).unwrap_or(u64::MAX)));
        let grouping = kmeans::best(points, clusters, settings.restarts, &mut random);
        let silhouette = distances.silhouette(&grouping.labels, clusters);
        let smallest = (0..clusters).map(|at| grouping.labels.iter().filter(|label| **label == at).count()).min();
        let smallest_share = ratio(smallest.unwrap_or(0), points.len());
        let (calinski_harabasz, inertia) = (calinski_harabasz(points, &grouping), grouping.inertia);
        trials.push(Trial { clusters, silhouette, calinski_harabasz, inertia, smallest_share });
        groupings.push(grouping);
    }
    let chosen = chosen(&trials, settings.least_share);
    (trials, groupings.swap_remove(chosen))
}

/// The place of the fewest groups whose silhouette is next to the best. There is at least one trial.
fn chosen(trials: &[Trial], least_share: f64) -> usize {
    let large = |trial: &Trial| trial.smallest_share >= least_share;
    let none_is = !trials.iter().any(large);
    let counts = |trial: &&Trial| none_is || large(trial);
    let best = trials.iter().filter(counts).map(|trial| trial.silhouette).fold(f64::NEG_INFINITY, f64::max);
    trials.iter().position(|trial| counts(&trial) && trial.silhouette >= best - NEAR).unwrap_or(0)
}
