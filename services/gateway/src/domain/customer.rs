//! How a call names a customer.

use rapport_kernel::{CustomerId, Private};

/// Names one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Customer {
    /// By its id.
    Id(CustomerId),
    /// By an identifier it carries.
    Identifier {
        /// The identifier's namespace.
        namespace: String,
        /// Its value, as the source has it.
        value: Private<String>,
    },
}
