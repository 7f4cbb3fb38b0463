//! Tokens by which a respondent answers without a key: what it is for, the tenant, and 256 secret bits, in base64url. Only a
//! token's hash is stored. The secret is derived from the suite's own, so that a token can be told again to whoever sends it,
//! though it is nowhere kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rapport_kernel::{Fault, PageKey, Private, TenantId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Answering an invitation.
    Invitation,
    /// Erasing an anonymous answer.
    Erasure,
}

impl Scope {
    const fn byte(self) -> u8 {
        match self {
            Self::Invitation => b'i',
            Self::Erasure => b'e',
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Erasure => "erasure",
        }
    }
}

/// A token, as it was read.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is for.
    pub scope: Scope,
    /// The tenant it names.
    pub tenant: TenantId,
    secret: Private<[u8; 32]>,
}

impl Token {
    /// The token of an invitation, or the code of an answer.
    #[must_use]
    pub fn of(key: &PageKey, scope: Scope, tenant: TenantId, id: Uuid) -> Self {
        let input = [tenant.uuid().as_bytes().as_slice(), id.as_bytes()].concat();
        let secret = Private::new(key.derive(&format!("feedback {}", scope.name()), &input));
        Self { scope, tenant, secret }
    }

    /// Reads a token; none where it is damaged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let (scope, rest) = bytes.split_first()?;
        let (tenant, secret) = rest.split_first_chunk::<16>()?;
        let scope = [Scope::Invitation, Scope::Erasure].into_iter().find(|one| one.byte() == *scope)?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(*tenant));
        Some(Self { scope, tenant, secret: Private::new(secret.try_into().ok()?) })
    }

    /// Reads a token of a tenant, for something. One of another tenant or for something else, or a damaged one, is read as one
    /// that never was: whoever asks for it learns nothing by the answer, nor by how long it took.
    #[must_use]
    pub fn expect(text: &str, scope: Scope, tenant: TenantId) -> Self {
        let read = Self::parse(text).filter(|token| token.scope == scope && token.tenant == tenant);
        read.unwrap_or_else(|| Self { scope, tenant, secret: Private::new(Sha256::digest(text).into()) })
    }

    /// As it is given to the respondent.
    #[must_use]
    pub fn text(&self) -> String {
        BASE64.encode([&[self.scope.byte()], self.tenant.uuid().as_bytes().as_slice(), self.secret.expose()].concat())
    }

    /// As it is stored.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::new().chain_update([self.scope.byte()]).chain_update(self.secret.expose()).finalize().into()
    }

    /// What its uses are noted under, where nobody is to know who answered: neither it nor the hash leads to the other.
    #[must_use]
    pub fn mark(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"mark").chain_update(self.secret.expose()).finalize().into()
    }

    /// What a request by this token is told from others by; nobody finds the token by it.
    #[must_use]
    pub fn claim(&self, request: Uuid) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"claim")
            .chain_update(self.secret.expose())
            .chain_update(request.as_bytes())
            .finalize()
            .into()
    }
}

/// What a token that there is not, and one of another tenant, are answered alike with.
#[must_use]
pub fn unknown() -> Fault {
    Fault::not_found("invitation", "")
}
