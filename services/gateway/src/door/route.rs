//! Which call a path names, and who answers it.

use rapport_api::policy::{self, BY_NAME, Policy};

/// Who answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The gateway itself.
    Own,
    /// The service of a role.
    Peer(&'static str),
    /// The service that the name in the request says.
    Named,
}

/// What each package of the contract belongs to. What is missing here is not reached from outside.
const PACKAGES: [(&str, Route); 5] = [
    ("/rapport.profiles.v1.", Route::Peer("profiles")),
    ("/rapport.feedback.v1.", Route::Peer("feedback")),
    ("/rapport.personalisation.v1.", Route::Peer("personalisation")),
    ("/rapport.metrics.v1.", Route::Peer("metrics")),
    ("/rapport.admin.v1.", Route::Own),
];

/// The role of a name, where it has calls for others.
pub(super) fn role(name: &str) -> Option<&'static str> {
    let roles = PACKAGES.iter().filter_map(|(_, route)| match route {
        Route::Peer(role) => Some(*role),
        Route::Own | Route::Named => None,
    });
    roles.into_iter().find(|role| *role == name)
}

/// What a call needs, and who answers it; `None` for a call that is not there for anybody outside.
pub(super) fn of(path: &str) -> Option<(&'static Policy, Route)> {
    let policy = policy::find(path).filter(|policy| policy.service != "internal")?;
    if policy.service == BY_NAME {
        return Some((policy, Route::Named));
    }
    let (_, route) = PACKAGES.iter().find(|(prefix, _)| path.starts_with(prefix))?;
    Some((policy, *route))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_for_others_has_a_route_and_no_internal_one_has() {
        for policy in policy::all() {
            assert_eq!(of(policy.path).is_some(), policy.service != "internal", "{}", policy.path);
        }
        assert_eq!(of("/rapport.profiles.v1.ProfileService/Absent"), None);
        for (role_, is_there) in [("profiles", true), ("metrics", true), ("gateway", false), ("", false)] {
            assert_eq!(role(role_).is_some(), is_there, "{role_}");
        }
        assert_eq!(of("/rapport.common.v1.ErasureService/EraseSubjects"), None);
        assert_eq!(of("/"), None);
    }
}
