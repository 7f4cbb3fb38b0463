//! What feedback promises, through its calls, on both engines.

mod abuse;
mod anonymous;
mod branching;
mod desk;
mod drop_off;
mod erasure;
mod follow_ups;
mod ground;
mod histories;
mod import;
mod lists;
mod loops;
mod partial;
mod promises;
mod questions;
mod responses;
mod search;
mod search_laws;
mod service_levels;
mod surveys;
mod tags;
mod ticket_lists;
mod ticket_orders;
mod tickets;
mod versions;
mod watch;
