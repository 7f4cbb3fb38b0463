//! What is noted of each administrative act: who, what, when. Ids only.

use rapport_kernel::{TenantId, Timestamp};
use uuid::Uuid;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A tenant was made.
    CreateTenant,
    /// A key was made.
    CreateApiKey,
    /// A key was revoked.
    RevokeApiKey,
    /// An erasure was asked for.
    EraseCustomer,
}

impl Action {
    /// The name in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateTenant => "create_tenant",
            Self::CreateApiKey => "create_api_key",
            Self::RevokeApiKey => "revoke_api_key",
            Self::EraseCustomer => "erase_customer",
        }
    }
}

/// One act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// In whose data.
    pub tenant: TenantId,
    /// The key it was done with; the nil UUID for the operator.
    pub key: Uuid,
    /// What was done.
    pub action: Action,
    /// To what.
    pub target: Uuid,
    /// When.
    pub at: Timestamp,
}
