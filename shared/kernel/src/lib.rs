//! The words every other crate speaks: ids, the tenant, time, money, page tokens, faults, the caller.
//!
//! Pure: no async, no I/O, no randomness but the minting of ids. What is here depends on nothing else in the
//! suite; everything else may depend on it. A value of one of these types is valid by construction.

pub mod caller;
pub mod fault;
pub mod id;
pub mod money;
pub mod page;
pub mod private;
pub mod time;

pub use caller::{Caller, Scope, Verb};
pub use fault::{Fault, Kind, Reason, Violation, Violations};
pub use id::{CustomerId, EventId, Id, OperationId, RequestId, SubjectId, TenantId};
pub use money::{Currency, Money};
pub use page::{PageKey, page_size};
pub use private::Private;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
