//! `google.longrunning.Operations` over a service's database: how a client follows long work, the same in every service.
//!
//! A service mounts [`server`] beside its own calls, and answers the operations that it begins with [`render`]. What is
//! done, and by whom, is `rapport_data`'s business ([`rapport_data::Jobs`]). The gateway hands a call on to the service
//! that the operation's name begins with; that service asks for its own scope here, for the contract cannot say which.

mod filter;
mod name;
mod render;
mod rpc;

pub use name::Name;
pub use render::render;
pub use rpc::{OperationsRpc, server};
