//! Groups of alike rows: which few groups a population falls into, by numbers, flags and texts that may be missing; how
//! good that grouping is; what sets each group apart; and to which of them a newcomer belongs.
//!
//! - Numbers are standardised and weigh the same; numbers that are skewed (above 2) by their logarithm, in units of their
//!   median, where that makes them less so. A text has a dimension for each of its commonest values and one for all
//!   others; texts and flags weigh half as much as numbers.
//! - A missing value lies at the population's mean: it draws to no group. Who has none of the traits is in no group.
//! - Groups are k-means', begun by k-means++ and the best of several beginnings. How many there are is decided by the
//!   mean silhouette, which knows both how tight groups are and how far apart: the fewest within 0.02 of the highest.
//! - Everything is a function of the rows and the seed. The order of the rows does not show, nor the unit of a number.
//!
//! [`discover`] learns a [`Model`]; [`Model::assign`] places a row, by the same arithmetic that placed those it was
//! learnt from; [`Sample`] draws from what is too large to learn from. Pure throughout: no clock, no I/O, no randomness
//! but from a seed.

mod cell;
mod describe;
mod discover;
mod encode;
mod kmeans;
mod model;
mod quality;
mod random;
mod sample;

pub use cell::{Cell, Row};
pub use describe::{Cluster, Feature};
pub use discover::{Discovery, Settings, Trial, Unfit, discover};
pub use encode::{LEAST_CATEGORY, MOST_CATEGORIES, Unused};
pub use model::{Assigned, Model};
pub use quality::adjusted_rand;
pub use sample::Sample;
