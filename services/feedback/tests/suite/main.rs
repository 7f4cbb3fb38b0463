//! What feedback promises, through its calls, on both engines.

mod abuse;
mod anonymous;
mod branching;
mod drop_off;
mod erasure;
mod ground;
mod histories;
mod import;
mod lists;
mod partial;
mod questions;
mod responses;
mod surveys;
mod tags;
mod versions;
mod watch;
