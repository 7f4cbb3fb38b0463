//! Which scope each call needs, as the contract declares it beside the call.

use rapport_kernel::Verb;

/// As [`Policy::service`]: the service that the name of the call's resource says, as `profiles` for
/// `profiles/operations/…`. No scope covers it as it stands: whoever reads the name must ask for that service's.
pub const BY_NAME: &str = "{service}";

/// What one call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The call's path, as `/rapport.profiles.v1.ProfileService/Identify`.
    pub path: &'static str,
    /// The scope's service, or [`BY_NAME`].
    pub service: &'static str,
    /// The scope's verb.
    pub verb: Verb,
    /// Whether either side streams.
    pub streaming: bool,
}

include!(concat!(env!("OUT_DIR"), "/policy.rs"));

/// Every call of the contract, in path order.
#[must_use]
pub fn all() -> &'static [Policy] {
    POLICIES
}

/// The policy of a call; `None` where the contract has no such call.
#[must_use]
pub fn find(path: &str) -> Option<&'static Policy> {
    POLICIES.binary_search_by(|policy| policy.path.cmp(path)).ok().map(|at| &POLICIES[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_its_path() {
        assert!(!all().is_empty());
        for policy in all() {
            assert_eq!(find(policy.path), Some(policy));
        }
        assert_eq!(find("/rapport.profiles.v1.ProfileService/Absent"), None);
    }
}
