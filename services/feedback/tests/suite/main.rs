//! What feedback promises, through its calls, on both engines.

mod abuse;
mod anonymous;
mod branching;
mod desk;
mod drop_off;
mod erasure;
mod ground;
mod histories;
mod import;
mod lists;
mod mentions;
mod partial;
mod questions;
mod responses;
mod service_levels;
mod surveys;
mod tags;
mod taxonomy;
mod texts;
mod ticket_lists;
mod ticket_orders;
mod tickets;
mod trends;
mod versions;
mod watch;
