//! API keys: 256 random bits, which only their holder has. What is stored is a hash; it cannot be turned back, and with
//! so many bits no list of guesses helps, so that a plain SHA-256 is enough.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rapport_kernel::{Caller, Fault, Id, PageKey, Private, Reason, Scope, TenantId, Timestamp};
use sha2::{Digest as _, Sha256};

/// A key's id, which is no secret.
pub type ApiKeyId = Id<ApiKey>;

/// What a key's text begins with, so that it is known where it leaks.
const PREFIX: &str = "rk_";

/// The secret of a key: shown once, to whoever made it.
#[derive(Clone, Debug)]
pub struct Secret(Private<String>);

/// What the secret of a key is made from, together with a key that lies in no database. It is kept with the answer to a
/// request id, so that a retry gets the same secret, and gone when that is: then nobody can make the secret again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From 256 random bits.
    #[must_use]
    pub const fn new(bits: [u8; 32]) -> Self {
        Self(bits)
    }

    /// From its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        BASE64.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The text, for the stored answer.
    #[must_use]
    pub fn text(&self) -> String {
        BASE64.encode(self.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

impl Secret {
    /// Of a key, from its seed.
    #[must_use]
    pub fn grown(by: &PageKey, id: ApiKeyId, seed: &Seed) -> Self {
        Self::new(by.derive("api key", &[id.uuid().as_bytes().as_slice(), &seed.0].concat()))
    }

    /// From 256 random bits.
    #[must_use]
    pub fn new(bits: [u8; 32]) -> Self {
        Self(Private::new(format!("{PREFIX}{}", BASE64.encode(bits))))
    }

    /// The secret that a caller sent, if it has the form of one: what cannot be a key is not looked up.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bits: [u8; 32] = BASE64.decode(text.strip_prefix(PREFIX)?).ok()?.try_into().ok()?;
        Some(Self::new(bits))
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.0.expose())
    }

    /// The text, for whoever made the key.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// SHA-256 of a key's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// From a stored column.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The bytes, for a column and for comparison in constant time.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash")
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Revokes it. Twice is once.
    #[must_use]
    pub fn revoke(mut self, now: Timestamp) -> Self {
        self.revoked_at.get_or_insert(now);
        self
    }

    /// Who calls with it.
    ///
    /// # Errors
    /// UNAUTHENTICATED where it was revoked.
    pub fn caller(&self) -> Result<Caller, Fault> {
        match self.revoked_at {
            Some(_) => Err(Fault::new(Reason::KeyRevoked, "this API key was revoked: use another one")),
            None => Ok(Caller { tenant: self.tenant, key: self.id.uuid(), scopes: self.scopes.clone() }),
        }
    }
}

/// Lets a caller hand on only what its own key may do.
///
/// # Errors
/// PERMISSION_DENIED naming the first scope that its key lacks.
pub fn check_grant(maker: &Caller, scopes: &[Scope]) -> Result<(), Fault> {
    scopes.iter().try_for_each(|scope| maker.require(scope.service(), scope.verb()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Vec<Scope> {
        texts.iter().map(|text| text.parse().expect("a scope")).collect()
    }

    #[test]
    fn a_secret_is_known_by_its_form_and_found_by_its_hash() {
        let secret = Secret::new([7; 32]);
        let again = Secret::parse(secret.expose()).expect("its own text");
        assert_eq!(again.hash(), secret.hash());
        assert!(!format!("{secret:?} {:?}", secret.hash()).contains("Bwc"), "neither can be printed");
        let short = &secret.expose()[..secret.expose().len() - 1];
        for garbled in ["", "rk_", "rk_!!", short, &format!("{}A", secret.expose()), &secret.expose()[3..]] {
            assert!(Secret::parse(garbled).is_none(), "{garbled}");
        }
    }

    #[test]
    fn a_secret_is_grown_again_from_all_of_what_it_was_grown_from_and_from_nothing_less() {
        let (by, id, seed) = (PageKey::new([1; 32]), ApiKeyId::new(), Seed::new([2; 32]));
        let text = |by: &PageKey, id: ApiKeyId, seed: &Seed| Secret::grown(by, id, seed).expose().to_owned();
        let secret = text(&by, id, &seed);
        assert_eq!(text(&by, id, &Seed::parse(&seed.text()).expect("its own text")), secret);
        assert_ne!(text(&PageKey::new([3; 32]), id, &seed), secret);
        assert_ne!(text(&by, ApiKeyId::new(), &seed), secret);
        assert_ne!(text(&by, id, &Seed::new([4; 32])), secret);
        assert!(!secret.contains(&seed.text()) && Seed::parse(&secret).is_none());
    }

    #[test]
    fn a_hash_is_read_from_hexadecimal_digits() {
        let hash = KeyHash::of("rk_x");
        let hex: String = hash.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(KeyHash::from_hex(&hex), Some(hash));
        assert_eq!(KeyHash::from_hex(&hex.to_uppercase()), Some(hash));
        for wrong in ["", &hex[1..], &format!("{}g", &hex[1..]), &format!("+{}", &hex[1..])] {
            assert_eq!(KeyHash::from_hex(wrong), None);
        }
    }

    #[test]
    fn nobody_hands_on_more_than_he_has() {
        let mut maker = Caller::internal(TenantId::new());
        maker.scopes = scopes(&["profiles:write", "admin:admin"]);
        assert!(check_grant(&maker, &scopes(&["profiles:read", "profiles:write", "admin:read"])).is_ok());
        for more in ["profiles:admin", "metrics:read", "*:read", "operator:read", "internal:read"] {
            assert_eq!(check_grant(&maker, &scopes(&[more])).expect_err(more).reason, Reason::MissingScope);
        }
        maker.scopes = scopes(&["*:admin"]);
        assert!(check_grant(&maker, &scopes(&["*:admin", "metrics:write"])).is_ok());
        assert!(check_grant(&maker, &scopes(&["operator:read"])).is_err());
    }

    #[test]
    fn a_revoked_key_calls_nobody_and_keeps_the_time_of_its_first_revocation() {
        let (id, tenant, now) = (ApiKeyId::new(), TenantId::new(), Timestamp::from_column(5));
        let key = ApiKey { id, tenant, name: "x".to_owned(), scopes: Vec::new(), created_at: now, revoked_at: None };
        assert!(key.caller().is_ok());
        let revoked = key.revoke(now).revoke(Timestamp::from_column(9));
        assert_eq!(revoked.revoked_at, Some(now));
        assert_eq!(revoked.caller().expect_err("revoked").reason, Reason::KeyRevoked);
    }
}
