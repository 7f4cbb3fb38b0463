//! What metrics are, without a database: facts and the group of cells they add up to, statistics, groups, suppression.

pub mod catalogue;
pub mod cells;
pub mod cuts;
pub mod dimensions;
pub mod facts;
pub mod figures;
pub mod filter;
pub mod grouping;
pub mod normal;
pub mod points;
pub mod question;
pub mod statistics;
pub mod suppression;
