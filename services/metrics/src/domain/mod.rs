//! What metrics are, without a database: records and their facts, the group of cells they add up to, what is reckoned from
//! them, statistics, groups, suppression.

pub mod catalogue;
pub mod cells;
pub mod cuts;
pub mod dimensions;
pub mod facts;
pub mod figures;
pub mod filter;
pub mod grouping;
pub mod listing;
pub mod points;
pub mod question;
pub mod reckoning;
pub mod records;
pub mod slots;
pub mod statistics;
pub mod suppression;
