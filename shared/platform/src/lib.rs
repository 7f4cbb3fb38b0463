//! What every service stands on: configuration, telemetry, the tower stack, the host, peers, background tasks.
//!
//! A service's `build(&Platform, Config)` answers a [`Module`]; [`stack`](stack::stack) wraps its routes with the
//! one stack (catch panic → request id → trace → metrics → shed → deadline → caller); the result is served by
//! [`host`] or linked into [`Peers`], and cannot tell which. Nothing here knows a service by name.

pub mod bulk;
pub mod call;
pub mod config;
pub mod contract;
pub mod host;
pub mod metrics;
pub mod module;
pub mod peers;
pub mod platform;
pub mod routes;
pub mod rpc;
pub mod stack;
pub mod status;
pub mod tasks;
pub mod telemetry;
pub mod token;
mod windows;

pub use call::Call;
pub use contract::{Access, Contract};
pub use module::{Module, Readiness};
pub use peers::{PeerChannel, Peers};
pub use platform::{Platform, PlatformConfig};
pub use routes::Routes;
pub use status::{fault, status, unknown_call};
pub use tasks::{OnFailure, Tasks};
pub use token::{TokenIssuer, TokenVerifier};
