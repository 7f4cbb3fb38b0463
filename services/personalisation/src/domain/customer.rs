//! A customer as a caller names it.

use rapport_kernel::{CustomerId, Private};

/// Which customer is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Customer {
    /// The one to which the subject of this id belongs now.
    Id(CustomerId),
    /// The one that carries an identifier.
    Identifier {
        /// Its namespace, as `email`.
        namespace: String,
        /// Its value, as the caller has it.
        value: Private<String>,
    },
}
