//! What a tenant's profiles are folded and linked by: one snapshot, so that a call sees one set of rules from its first
//! check to its last write.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::declared::Declared;
use super::namespace::Namespaces;
use super::persona::Assigner;

/// The rules of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The namespaces of identifiers.
    pub namespaces: Namespaces,
    /// The traits that are declared.
    pub declared: Declared,
    /// What gives customers their personas, where a set is in force.
    pub personas: Option<Arc<Assigner>>,
    /// What interactions are made of.
    pub catalogue: Catalogue,
}
