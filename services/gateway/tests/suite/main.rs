//! What the gateway promises, through its calls: on both engines, with services behind it in process and over TCP.

mod erasure;
mod forwarding;
mod ground;
mod hostile;
mod keys;
mod operations;
mod page;
mod peers;
mod respondents;
mod retries;
mod scopes;
mod tenants;
