//! When a page of questions was shown: sealed into its form, for the page remembers nothing between two requests. Whoever sends the
//! form cannot say that it was out for longer than it was.

use std::sync::Arc;
use std::time::Duration;

use rapport_kernel::{Clock, PageKey, TenantId, Timestamp};

use crate::domain::fields::Fields;

/// What tells one showing of a page from another, and what is known of it: they come back as they were sent, with the same page.
pub(super) const NONCE: &str = "nonce";
/// When it was shown, sealed.
pub(super) const SHOWN: &str = "shown";
/// What the page's script says of the time spent on each question.
pub(super) const TIMES: &str = "times";

/// Seals when pages are shown.
pub(super) struct Shown {
    key: PageKey,
    clock: Arc<dyn Clock>,
}

impl Shown {
    pub(super) fn new(key: PageKey, clock: Arc<dyn Clock>) -> Self {
        Self { key, clock }
    }

    /// That a page is shown now, to the holder of a token.
    pub(super) fn now(&self, tenant: TenantId, token: &str, nonce: &str) -> String {
        self.key.seal(tenant, &of(token, nonce), &self.clock.now().micros())
    }

    /// How long the page was out that a form was on; none where that cannot be told.
    pub(super) fn since(&self, tenant: TenantId, token: &str, fields: &Fields) -> Option<Duration> {
        let shown = self.key.open(tenant, &of(token, fields.one(NONCE)), fields.one(SHOWN)).ok()??;
        let (shown, now) = (Timestamp::from_column(shown), self.clock.now());
        (shown <= now).then(|| now.since(shown))
    }
}

/// What the seal of a page is bound to.
fn of(token: &str, nonce: &str) -> String {
    format!("a page of questions\n{token}\n{nonce}")
}

#[cfg(test)]
mod tests {
    use rapport_kernel::ManualClock;

    use super::*;

    #[test]
    fn a_page_was_out_as_long_as_it_was_and_nobody_says_otherwise() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_column(1_750_000_000_000_000)));
        let shown = Shown::new(PageKey::new([7; 32]), Arc::clone(&clock) as Arc<_>);
        let (tenant, sealed) = (TenantId::new(), |nonce: &str, shown: &str| {
            let pairs = [(NONCE, nonce), (SHOWN, shown)].map(|(name, value)| (name.to_owned(), value.to_owned()));
            Fields::new(pairs.into_iter())
        });
        let seal = shown.now(tenant, "token", "one");
        clock.advance(Duration::from_millis(2_500));
        let since = |token: &str, fields: &Fields| shown.since(tenant, token, fields);
        assert_eq!(since("token", &sealed("one", &seal)), Some(Duration::from_millis(2_500)));
        assert_eq!(since("token", &sealed("another", &seal)), None);
        assert_eq!(since("another", &sealed("one", &seal)), None);
        assert_eq!(shown.since(TenantId::new(), "token", &sealed("one", &seal)), None);
        for damaged in
            ["", "x", "MTc1MDAwMDAwMDAwMDAwMA", &seal[1..], &seal.replace(|it: char| it.is_ascii_digit(), "0")]
        {
            assert_eq!(since("token", &sealed("one", damaged)), None, "{damaged}");
        }
        clock.set(Timestamp::from_column(1_749_999_999_000_000));
        assert_eq!(since("token", &sealed("one", &seal)), None, "a clock that was put back tells nothing");
    }
}
