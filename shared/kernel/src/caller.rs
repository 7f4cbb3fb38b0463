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
    /// The services a scope can name. The last two stand above tenants: `operator` is held by the operator's key,
    /// `internal` by the suite's own services; no `*` covers them, and no key of a tenant can hold them.
    pub const SERVICES: [&'static str; 7] =
        ["profiles", "feedback", "personalisation", "metrics", "admin", "operator", "internal"];
    /// Those that a key of a tenant can hold.
    const OF_TENANTS: &'static [&'static str] = Self::SERVICES.split_at(5).0;

    /// Whether holding `self` allows what needs `service` and `verb`.
    #[must_use]
    pub fn covers(&self, service: &str, verb: Verb) -> bool {
        let all = self.service == "*" && (service == "*" || Self::OF_TENANTS.contains(&service));
        self.verb >= verb && (self.service == service || all)
    }

    /// Whether a key of a tenant can hold it.
    #[must_use]
    pub fn is_of_tenants(&self) -> bool {
        self.service == "*" || Self::OF_TENANTS.contains(&self.service.as_str())
    }

    /// The service it names, or `*`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// What it lets one do there.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.verb
    }
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            format!(
                "a scope is a service ({}, or *) and a verb (read, write, admin), as profiles:write",
                Self::OF_TENANTS.join(", ")
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

    /// The operator of the suite, who stands above tenants and holds none of their data.
    #[must_use]
    pub fn operator() -> Self {
        let scope = Scope { service: "operator".to_owned(), verb: Verb::Admin };
        Self { tenant: TenantId::from_uuid(Uuid::nil()), key: Uuid::nil(), scopes: vec![scope] }
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
        for above in ["internal", "operator"] {
            assert!(!scope("*:admin").covers(above, Verb::Read), "no key a tenant holds reaches {above} calls");
            assert!(!scope(&format!("{above}:read")).is_of_tenants());
        }
        assert!(scope("*:write").covers("*", Verb::Read) && !scope("profiles:admin").covers("*", Verb::Read));
    }

    #[test]
    fn the_operator_stands_above_tenants_and_reads_none_of_their_data() {
        let operator = Caller::operator();
        assert!(operator.require("operator", Verb::Admin).is_ok());
        for service in ["profiles", "admin", "internal", "*"] {
            assert!(operator.require(service, Verb::Read).is_err(), "{service}");
        }
    }

    #[test]
    fn an_unknown_scope_is_refused() {
        for text in ["profiles", "profiles:delete", "billing:read", "", ":"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
