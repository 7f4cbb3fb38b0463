//! What the crate promises, proved on both engines by one suite.

mod calls;
mod erasures;
mod events;
mod full;
mod ground;
mod leases;
mod migrations;
mod recovery;
mod units;
mod walls;
