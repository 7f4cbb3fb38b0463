//! Pure types and decisions: what records claim, how claims fold into a profile, which records are one customer, and
//! what a change of links does to customers. No clock, no randomness, no I/O; neither proto types nor rows.

pub mod account;
pub mod assertion;
pub mod bounds;
pub mod candidate;
pub mod catalogue;
pub mod channels;
pub mod claims;
pub mod computed;
pub mod correction;
pub mod declared;
pub mod definitions;
pub mod derived;
pub mod dynamics;
pub mod facts;
pub mod happened;
pub mod identity;
pub mod interaction;
pub mod linking;
pub mod matching;
pub mod memory;
pub mod namespace;
pub mod normalise;
pub mod persona;
pub mod placeholder;
pub mod potential;
pub mod preview;
pub mod profile;
pub mod quality;
pub mod reads;
pub mod relink;
pub mod rules;
pub mod search;
pub mod segment;
pub mod settings;
pub mod standing;
pub mod survivorship;
pub mod timeline_filter;
pub mod value;

#[cfg(test)]
mod testing;
