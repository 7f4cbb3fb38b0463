//! Pure types and decisions: what records claim, how claims fold into a profile, which records are one customer, and
//! what a change of links does to customers. No clock, no randomness, no I/O; neither proto types nor rows.

pub mod account;
pub mod assertion;
pub mod bounds;
pub mod claims;
pub mod declared;
pub mod interaction;
pub mod linking;
pub mod namespace;
pub mod normalise;
pub mod preview;
pub mod profile;
pub mod relink;
pub mod rules;
pub mod search;
pub mod value;

#[cfg(test)]
mod testing;
