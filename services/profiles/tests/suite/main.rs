//! What profiles promises, through its calls, on both engines.

mod accounts;
mod batch_and_bounds;
mod catalogue;
mod consents;
mod erasure;
mod ground;
mod history;
mod hygiene;
mod identify;
mod imports;
mod interactions;
mod merges;
mod operations;
mod races;
mod searches;
mod told;
mod watches;
