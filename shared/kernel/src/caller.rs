//! Who calls: the tenant, the key and what it may do. Made by the gateway, checked by every service.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fault::{Fault, Reason};
use crate::id::TenantId;

/// What a call does: each includes those before it (who may write may read; who may administer may both).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Looks, changes nothing.
    Read,
    /// Changes data.
    Write,
    /// Changes settings, keys, tenants; erases.
    Admin,
}

impl Verb {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A permission: a service (or `*` for all) and a verb, written `profiles:write`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    service: String,
    verb: Verb,
}

impl Scope {
    /// The services a scope can name. `internal` is held by the suite's own services only, and no `*` covers it.
    pub const SERVICES: [&'static str; 6] = ["profiles", "feedback", "personalisation", "metrics", "admin", "internal"];

    /// Whether holding `self` allows what needs `service` and `verb`.
    #[must_use]
    pub fn covers(&self, service: &str, verb: Verb) -> bool {
        self.verb >= verb && (self.service == service || (self.service == "*" && service != "internal"))
    }
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            format!(
                "a scope is a service ({}, or *) and a verb (read, write, admin), as profiles:write",
                Self::SERVICES[..5].join(", ")
            )
        };
        let (service, verb) = text.split_once(':').ok_or_else(unknown)?;
        let verb = match verb {
            "read" => Verb::Read,
            "write" => Verb::Write,
            "admin" => Verb::Admin,
            _ => return Err(unknown()),
        };
        if service != "*" && !Self::SERVICES.contains(&service) {
            return Err(unknown());
        }
        Ok(Self { service: service.to_owned(), verb })
    }
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.verb.name())
    }
}
impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The caller of a request, proved by the internal token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose data the call is about.
    pub tenant: TenantId,
    /// The API key's id (never its secret), or the nil UUID for the suite's own work.
    pub key: Uuid,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// The suite itself, acting for a tenant (a service that calls another).
    #[must_use]
    pub fn internal(tenant: TenantId) -> Self {
        let scopes = ["*", "internal"].map(|service| Scope { service: service.to_owned(), verb: Verb::Admin }).to_vec();
        Self { tenant, key: Uuid::nil(), scopes }
    }

    /// Lets the call go on only with the scope it needs.
    ///
    /// # Errors
    /// PERMISSION_DENIED, naming the missing scope.
    pub fn require(&self, service: &str, verb: Verb) -> Result<(), Fault> {
        if self.scopes.iter().any(|scope| scope.covers(service, verb)) {
            return Ok(());
        }
        let scope = format!("{service}:{}", verb.name());
        Err(Fault::new(Reason::MissingScope, format!("this API key lacks the scope {scope}")).with("scope", scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().expect("a scope")
    }

    #[test]
    fn a_scope_covers_its_service_and_lesser_verbs() {
        assert!(scope("profiles:write").covers("profiles", Verb::Read));
        assert!(!scope("profiles:read").covers("profiles", Verb::Write));
        assert!(!scope("profiles:admin").covers("metrics", Verb::Read));
        assert!(scope("*:read").covers("metrics", Verb::Read));
        assert!(!scope("*:admin").covers("internal", Verb::Read), "no key a tenant holds reaches internal calls");
    }

    #[test]
    fn an_unknown_scope_is_refused() {
        for text in ["profiles", "profiles:delete", "billing:read", "", ":"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
