//! The configuration of the respondents' page.

use rapport_platform::config::{About, Describe};
use serde::{Deserialize, Serialize};

/// The respondents' page.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageConfig {
    /// Whether it is served. It takes HTTP/1.1 besides HTTP/2 then, which browsers speak without TLS.
    pub enabled: bool,
    /// Requests a second of one peer, over time; 0: no limit.
    pub requests_per_second: u32,
    /// How many may come at once.
    pub burst: u32,
    /// How many proxies of one's own stand before the gateway: the peer is whom the first of them saw.
    pub proxies: u8,
}

impl Default for PageConfig {
    fn default() -> Self {
        Self { enabled: true, requests_per_second: 5, burst: 60, proxies: 0 }
    }
}

impl Describe for PageConfig {
    fn describe(about: &mut About) {
        about
            .key(
                "enabled",
                "whether surveys can be answered in a browser: /survey/TOKEN, beside gRPC, over HTTP/1.1 too",
            )
            .key("requests_per_second", "requests a second that one peer may make of the page; 0: no limit")
            .key("burst", "requests that may come at once")
            .key("proxies", "proxies of one's own before the gateway: the peer is read from x-forwarded-for");
    }
}
