//! What a tenant's profiles are folded and linked by: one snapshot, so that a call sees one set of rules from its first
//! check to its last write.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::computed::Calendar;
use super::declared::Declared;
use super::definitions::Definitions;
use super::namespace::Namespaces;
use super::profile::Profile;

/// The rules of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The namespaces of identifiers.
    pub namespaces: Namespaces,
    /// The traits that are declared.
    pub declared: Declared,
    /// What interactions are made of.
    pub catalogue: Catalogue,
    /// What is derived of customers.
    pub definitions: Arc<Definitions>,
}

impl Rules {
    /// Where a customer's calendar is.
    #[must_use]
    pub fn calendar(&self, _: &Profile) -> Calendar {
        Calendar::default()
    }
}
