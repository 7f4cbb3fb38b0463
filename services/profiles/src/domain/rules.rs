//! What a tenant's profiles are folded and linked by: one snapshot, so that a call sees one set of rules from its first
//! check to its last write.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::declared::Declared;
use super::identity::IdentitySettings;
use super::matching::Matcher;
use super::namespace::Namespaces;

/// The rules of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The namespaces of identifiers.
    pub namespaces: Namespaces,
    /// The traits that are declared.
    pub declared: Declared,
    /// How it links as a whole.
    pub identity: IdentitySettings,
    /// What weighs pairs of records; none before the first training.
    pub matcher: Option<Arc<Matcher>>,
    /// What interactions are made of.
    pub catalogue: Catalogue,
}
