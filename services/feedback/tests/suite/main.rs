//! What feedback promises, through its calls, on both engines.

mod abuse;
mod desk;
mod erasure;
mod ground;
mod lists;
mod responses;
mod service_levels;
mod surveys;
mod ticket_lists;
mod ticket_orders;
mod tickets;
