//! What the crate promises, proved on both engines by one suite.

mod bulk;
mod calls;
mod erasures;
mod events;
mod full;
mod ground;
mod hygiene;
mod leases;
mod migrations;
mod operations;
mod recovery;
mod tail;
mod units;
mod walls;
