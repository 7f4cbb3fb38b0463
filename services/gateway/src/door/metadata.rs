//! A call's metadata: how much of it is taken, the key it shows, and what of it a service may see.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use rapport_kernel::{Fault, Private, Reason};

use super::Shown;

/// What a service may see. Whatever else a client sends (credentials first of all) ends here: a list of what is
/// forbidden would always lack something.
const ALLOWED: [HeaderName; 9] = [
    header::TE,
    header::CONTENT_TYPE,
    header::USER_AGENT,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
];

/// Lets in what is not too much: names and values together.
///
/// # Errors
/// RESOURCE_EXHAUSTED.
pub(super) fn check(headers: &HeaderMap, most: usize) -> Result<(), Fault> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size <= most {
        return Ok(());
    }
    Err(Fault::new(Reason::MessageTooLarge, format!("the call's metadata is larger than {most} bytes"))
        .with("limit", most))
}

/// The key that a call shows: `authorization: Bearer rk_…`, once.
///
/// # Errors
/// UNAUTHENTICATED where it shows none, several, or something else.
pub(super) fn key(headers: &HeaderMap) -> Result<Shown, Fault> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (shown.next(), shown.next());
    let text = first.filter(|_| second.is_none()).and_then(|shown: &HeaderValue| shown.to_str().ok());
    let key = text.and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    key.map(|key| Private::new(key.to_owned())).ok_or_else(|| {
        let text = "this call needs an API key: send the metadata \"authorization: Bearer <key>\"";
        Fault::new(Reason::InvalidCredentials, text)
    })
}

/// The answer to a key that nobody holds, or that is no key at all: it does not say which.
pub(super) fn unknown_key() -> Fault {
    Fault::new(
        Reason::InvalidCredentials,
        "this API key is not known: look whether it is whole, and of this installation",
    )
}

/// What of a call's metadata a service may see.
pub(super) fn allowed(headers: &HeaderMap) -> HeaderMap {
    let mut allowed = HeaderMap::with_capacity(ALLOWED.len() + 3);
    for name in ALLOWED {
        if let Some(value) = headers.get(&name) {
            allowed.insert(name, value.clone());
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_one_bearer_key_is_a_key() {
        for good in ["Bearer rk_x", "bearer rk_x", "BEARER  rk_x "] {
            assert_eq!(key(&headers(&[("authorization", good)])).expect(good).expose(), "rk_x");
        }
        let mut twice = headers(&[("authorization", "Bearer rk_x")]);
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer rk_y"));
        let others = [headers(&[]), headers(&[("authorization", "rk_x")]), headers(&[("authorization", "Basic rk_x")])];
        for wrong in others.iter().chain([&twice]) {
            assert_eq!(key(wrong).expect_err("no key").reason, Reason::InvalidCredentials);
        }
    }

    #[test]
    fn credentials_and_unknown_metadata_end_at_the_door() {
        let given = headers(&[
            ("authorization", "Bearer rk_x"),
            ("x-rapport-token", "forged"),
            ("x-forwarded-for", "10.0.0.1"),
            ("cookie", "a=b"),
            ("grpc-timeout", "1S"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ]);
        let names: Vec<_> = allowed(&given).keys().map(|name| name.as_str().to_owned()).collect();
        assert_eq!(names, ["grpc-timeout", "traceparent"]);
    }

    #[test]
    fn metadata_is_measured_by_names_and_values() {
        let given = headers(&[("a", "123"), ("b", "45")]);
        assert!(check(&given, 7).is_ok());
        assert_eq!(check(&given, 6).expect_err("too much").reason, Reason::MessageTooLarge);
    }
}
