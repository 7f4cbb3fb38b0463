//! The internal token: the gateway's word, signed, on who calls. Services believe nothing else.
//!
//! A JWT (EdDSA over Ed25519) of one minute's life. Signing and verifying cost about as much as the rest of a call,
//! so both ends remember: the issuer per caller, the verifier per token.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rapport_kernel::{Caller, Fault, Scope, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::rpc::not_through_gateway;

/// The header (gRPC metadata key) that carries the token.
pub const HEADER: &str = "x-rapport-token";
/// [`HEADER`], parsed once.
pub const NAME: HeaderName = HeaderName::from_static(HEADER);
/// How long a token lives.
pub const LIFE: Duration = Duration::from_secs(60);
/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(5);
/// How many callers or tokens an end remembers.
const REMEMBERED: usize = 4_096;
/// What precedes the 32 secret bytes in the PKCS #8 form of an Ed25519 key (RFC 8410).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    tenant: TenantId,
    key: Uuid,
    scopes: Vec<Scope>,
    /// Microseconds, as all of the suite's time.
    issued_at: Timestamp,
    /// Seconds, as the standard has it.
    exp: i64,
}

struct Issued {
    scopes: Vec<Scope>,
    token: HeaderValue,
    at: Timestamp,
}

/// Signs tokens. Cheap to clone; clones remember together.
#[derive(Clone)]
pub struct TokenIssuer(Arc<Issuer>);

struct Issuer {
    key: EncodingKey,
    public: [u8; 32],
    issued: RwLock<HashMap<(TenantId, Uuid), Issued>>,
}

impl TokenIssuer {
    /// An issuer with the given 32 secret bytes.
    ///
    /// # Errors
    /// Where the library refuses the key.
    pub fn new(secret: &[u8; 32]) -> Result<Self, Fault> {
        let key = EncodingKey::from_ed_der(&[PKCS8.as_slice(), secret].concat());
        let jwk = Jwk::from_encoding_key(&key, Algorithm::EdDSA).map_err(Fault::internal)?;
        let AlgorithmParameters::OctetKeyPair(pair) = jwk.algorithm else {
            return Err(Fault::internal("an Ed25519 key that is no octet key pair"));
        };
        let public = URL_SAFE_NO_PAD.decode(pair.x).map_err(Fault::internal)?;
        let public = public.try_into().map_err(|_| Fault::internal("a public key that is not 32 bytes"))?;
        Ok(Self(Arc::new(Issuer { key, public, issued: RwLock::default() })))
    }

    /// The key that verifies what this one signs, in base64.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.0.public)
    }

    /// A token for a caller, with at least half of its life ahead.
    ///
    /// # Errors
    /// INTERNAL where signing fails.
    pub fn issue(&self, caller: &Caller, now: Timestamp) -> Result<Arc<str>, Fault> {
        self.header(caller, now)?.to_str().map(Into::into).map_err(Fault::internal)
    }

    /// [`issue`](Self::issue), as the value of [`HEADER`]: the same for each call, and shared by them.
    ///
    /// # Errors
    /// INTERNAL where signing fails.
    pub fn header(&self, caller: &Caller, now: Timestamp) -> Result<HeaderValue, Fault> {
        let who = (caller.tenant, caller.key);
        {
            let issued = self.0.issued.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(issued) = issued.get(&who)
                && issued.scopes == caller.scopes
                && issued.at <= now
                && now.since(issued.at) < LIFE / 2
            {
                return Ok(issued.token.clone());
            }
        }
        let claims = Claims {
            iss: "rapport".to_owned(),
            tenant: caller.tenant,
            key: caller.key,
            scopes: caller.scopes.clone(),
            issued_at: now,
            exp: now.plus(LIFE).micros().div_euclid(1_000_000),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.0.key);
        let token = HeaderValue::try_from(token.map_err(Fault::internal)?).map_err(Fault::internal)?;
        let mut issued = self.0.issued.write().unwrap_or_else(PoisonError::into_inner);
        if issued.len() >= REMEMBERED {
            issued.clear();
        }
        issued.insert(who, Issued { scopes: caller.scopes.clone(), token: token.clone(), at: now });
        Ok(token)
    }
}

/// Verifies tokens. Cheap to clone; clones remember together.
#[derive(Clone)]
pub struct TokenVerifier(Arc<Verifier>);

struct Verifier {
    /// Several, so that keys can be changed without a pause.
    keys: Vec<DecodingKey>,
    validation: Validation,
    /// By the last bytes of a token: they are its signature's, so that two tokens of ours do not share them, and
    /// nobody else's is ever kept. A token is hashed at each call, and the whole of it is long.
    verified: RwLock<HashMap<Tail, Verified>>,
}

/// The last bytes of a token's text.
type Tail = [u8; 16];

struct Verified {
    /// All of its text: only the same token is believed.
    token: Arc<str>,
    caller: Arc<Caller>,
    issued_at: Timestamp,
}

impl TokenVerifier {
    /// A verifier that trusts the given public keys.
    #[must_use]
    pub fn new(public: &[[u8; 32]]) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&["rapport"]);
        validation.set_required_spec_claims(&["iss", "exp"]);
        // The suite's clock decides, not the library's: a test moves it by hand.
        validation.validate_exp = false;
        let keys = public.iter().map(|key| DecodingKey::from_ed_der(key)).collect();
        Self(Arc::new(Verifier { keys, validation, verified: RwLock::default() }))
    }

    /// Who calls, if the token is one of ours and not over.
    ///
    /// # Errors
    /// UNAUTHENTICATED: it does not say which of the two is wrong with it.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, Fault> {
        // What is shorter is no token.
        let tail = *token.as_bytes().last_chunk().ok_or_else(foreign)?;
        if let Some((caller, issued_at)) = self.known(&tail, token) {
            return in_time(issued_at, now).map(|()| caller);
        }
        let verified = self.open(token)?;
        in_time(verified.issued_at, now)?;
        let mut known = self.0.verified.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, verified| now.since(verified.issued_at) <= LIFE);
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let caller = Arc::clone(&verified.caller);
        known.insert(tail, verified);
        Ok(caller)
    }

    fn known(&self, tail: &Tail, token: &str) -> Option<(Arc<Caller>, Timestamp)> {
        let known = self.0.verified.read().unwrap_or_else(PoisonError::into_inner);
        let verified = known.get(tail).filter(|verified| *verified.token == *token)?;
        Some((Arc::clone(&verified.caller), verified.issued_at))
    }

    fn open(&self, token: &str) -> Result<Verified, Fault> {
        let opened = self.0.keys.iter().find_map(|key| {
            let opened = jsonwebtoken::decode::<Claims>(token, key, &self.0.validation);
            opened.ok().map(|opened| opened.claims)
        });
        let claims = opened.ok_or_else(foreign)?;
        let caller = Arc::new(Caller { tenant: claims.tenant, key: claims.key, scopes: claims.scopes });
        Ok(Verified { token: token.into(), caller, issued_at: claims.issued_at })
    }
}

fn foreign() -> Fault {
    not_through_gateway().because("the internal token is not one of ours")
}

fn in_time(issued_at: Timestamp, now: Timestamp) -> Result<(), Fault> {
    if now.since(issued_at) > LIFE + SKEW || issued_at > now.plus(SKEW) {
        return Err(not_through_gateway().because("the internal token is over, or from the future"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

    fn pair() -> (TokenIssuer, TokenVerifier) {
        let issuer = TokenIssuer::new(&[7; 32]).expect("an issuer");
        let verifier = TokenVerifier::new(&[issuer.0.public]);
        (issuer, verifier)
    }

    #[test]
    fn a_token_proves_its_caller_for_a_minute() {
        let (issuer, verifier) = pair();
        let caller = Caller::internal(TenantId::new());
        let token = issuer.issue(&caller, NOW).expect("a token");
        for later in [0, 59] {
            let at = NOW.plus(Duration::from_secs(later));
            assert_eq!(verifier.verify(&token, at).expect("still good"), caller.clone().into());
        }
        for wrong in [NOW.plus(Duration::from_secs(70)), NOW.minus(Duration::from_secs(10))] {
            assert!(verifier.verify(&token, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_issued_again_when_half_its_life_is_over_or_the_scopes_change() {
        let (issuer, _) = pair();
        let mut caller = Caller::internal(TenantId::new());
        let first = issuer.issue(&caller, NOW).expect("a token");
        let same = issuer.issue(&caller, NOW.plus(Duration::from_secs(29))).expect("a token");
        assert_eq!(first, same);
        assert_ne!(first, issuer.issue(&caller, NOW.plus(Duration::from_secs(31))).expect("a token"));
        caller.scopes.pop();
        assert_ne!(first, issuer.issue(&caller, NOW).expect("a token"));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let (issuer, verifier) = pair();
        let other = TokenIssuer::new(&[8; 32]).expect("an issuer");
        let caller = Caller::internal(TenantId::new());
        assert!(verifier.verify(&other.issue(&caller, NOW).expect("a token"), NOW).is_err());
        let token = issuer.issue(&caller, NOW).expect("a token");
        let (rest, signature) = token.rsplit_once('.').expect("three parts");
        let (header, _) = rest.split_once('.').expect("three parts");
        let swapped = other.issue(&Caller::internal(TenantId::new()), NOW).expect("a token");
        let payload = swapped.split('.').nth(1).expect("three parts");
        for forged in [format!("{header}.{payload}.{signature}"), format!("{rest}."), String::new(), "a.b.c".to_owned()]
        {
            assert!(verifier.verify(&forged, NOW).is_err(), "{forged}");
        }
    }
}
