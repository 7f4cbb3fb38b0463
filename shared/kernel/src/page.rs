//! Page tokens: opaque, tamper-evident, bound to the tenant, the call and the filter they were made for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::fault::{Fault, Reason};
use crate::id::TenantId;

const TAG: usize = 16;
/// What a page holds where the caller does not say.
const DEFAULT: u32 = 50;
/// What a page holds at most.
const MOST: u32 = 1_000;

/// The secret with which tokens are sealed; every instance of a service must hold the same one.
#[derive(Clone)]
pub struct PageKey([u8; 32]);

impl PageKey {
    /// From 32 secret bytes.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Another secret of 32 bytes, for another purpose: whoever knows it, or any page token, knows nothing of this one.
    #[must_use]
    pub fn derive(&self, purpose: &str, input: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        // Where the tag of a token has the length of its query: no query is so long.
        mac.update(&[0xff; 24]);
        mac.update(&u64::try_from(purpose.len()).expect("a usize fits a u64").to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(input);
        mac.finalize().into_bytes().into()
    }

    fn mac(&self, tenant: TenantId, query: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(tenant.uuid().as_bytes());
        mac.update(&u64::try_from(query.len()).expect("a usize fits a u64").to_be_bytes());
        mac.update(query.as_bytes());
        mac.update(body);
        mac
    }

    /// Seals a cursor: where the next page of `query` (the call, its filter and order) starts.
    #[must_use]
    pub fn seal(&self, tenant: TenantId, query: &str, cursor: &impl Serialize) -> String {
        let body = serde_json::to_vec(cursor).expect("a cursor is plain data");
        let tag = self.mac(tenant, query, &body).finalize().into_bytes();
        BASE64.encode([&tag[..TAG], &body].concat())
    }

    /// Opens a token; an empty one is the first page.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the token is damaged, or was made for another tenant, call or filter.
    pub fn open<C: DeserializeOwned>(&self, tenant: TenantId, query: &str, token: &str) -> Result<Option<C>, Fault> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused = || {
            let text = "is damaged, or was made for another call, filter or order: start again without it";
            let mut fault = Fault::invalid_field("page_token", "page_token", text);
            fault.reason = Reason::InvalidPageToken;
            fault
        };
        let bytes = BASE64.decode(token).map_err(|_| refused())?;
        let (tag, body) = bytes.split_at_checked(TAG).ok_or_else(refused)?;
        self.mac(tenant, query, body).verify_truncated_left(tag).map_err(|_| refused())?;
        serde_json::from_slice(body).map(Some).map_err(|_| refused())
    }
}

/// How many items a page holds: what was asked, 50 where nothing was, at most 1,000.
///
/// # Errors
/// INVALID_ARGUMENT for a negative size.
pub fn page_size(asked: i32) -> Result<usize, Fault> {
    match u32::try_from(asked) {
        Ok(0) => Ok(DEFAULT as usize),
        Ok(size) => Ok(size.min(MOST) as usize),
        Err(_) => Err(Fault::invalid_field("page_size", "int32.gte", "must not be negative")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: PageKey = PageKey::new([7; 32]);

    #[test]
    fn a_token_opens_only_for_its_tenant_and_query() {
        let (tenant, other) = (TenantId::new(), TenantId::new());
        let token = KEY.seal(tenant, "ListResponses|survey=1", &(42_i64, "x"));
        let open = |tenant, query| KEY.open::<(i64, String)>(tenant, query, &token);
        assert_eq!(open(tenant, "ListResponses|survey=1").expect("its own"), Some((42, "x".to_owned())));
        for fault in [open(other, "ListResponses|survey=1"), open(tenant, "ListResponses|survey=2")] {
            assert_eq!(fault.expect_err("another's").reason, Reason::InvalidPageToken);
        }
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(at in 0_usize..40, flip in 1_u8..=255) {
            let tenant = TenantId::new();
            let mut bytes = BASE64.decode(KEY.seal(tenant, "q", &"a cursor of some length")).expect("base64");
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(KEY.open::<String>(tenant, "q", &BASE64.encode(bytes)).is_err());
        }

        #[test]
        fn any_text_is_refused_without_panic(text in ".{1,80}") {
            prop_assert!(KEY.open::<String>(TenantId::new(), "q", &text).is_err());
        }
    }
}
