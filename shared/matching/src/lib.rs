//! Probabilistic matching: are two records one customer's? Fellegi and Sunter's model, trained without labels, explained
//! field by field, and fast enough to meet a new record with a million known ones.
//!
//! The engine that profiles' matching is built on, pure and proved by itself.
//!
//! [`settings`] says what is compared; [`record`] makes records ready; [`blocking`] finds candidates; [`train`] learns a
//! [`model`]; [`score`] weighs pairs and says why. Pure throughout: no clock, no I/O, no randomness but from a seed.

pub mod background;
pub mod blocking;
pub mod compare;
pub mod distance;
pub mod em;
pub mod fold;
pub mod frequency;
pub mod kind;
pub mod model;
pub mod pairs;
pub mod record;
pub mod score;
pub mod settings;
pub mod train;
