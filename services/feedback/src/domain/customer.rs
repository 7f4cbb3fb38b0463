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

impl Customer {
    /// Tells customers apart, for what must be bound to one (a page token). Not for printing.
    #[must_use]
    pub fn key(&self) -> Private<String> {
        Private::new(match self {
            Self::Id(id) => id.to_string(),
            Self::Identifier { namespace, value } => format!("{namespace}:{}", value.expose()),
        })
    }
}
