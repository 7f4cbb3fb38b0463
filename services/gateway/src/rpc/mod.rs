//! The gateway's own calls: parse, do, render.

mod key;
mod privacy;
mod tenant;

pub use key::ApiKeyRpc;
pub use privacy::PrivacyRpc;
pub use tenant::TenantRpc;
