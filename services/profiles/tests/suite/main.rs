//! What profiles promises, through its calls, on both engines.

mod batch_and_bounds;
mod catalogue;
mod catalogue_entries;
mod consents;
mod corrections;
mod deletions;
mod erasure;
mod ground;
mod history;
mod hygiene;
mod identify;
mod identity;
mod interactions;
mod matching;
mod merges;
mod operations;
mod personas;
mod potential;
mod races;
mod segments;
mod settings;
mod standing;
mod survivors;
mod timeline;
mod told;
