//! Conditions: the ONE language of the suite for filters, segments, eligibility, triggers and targeting.
//!
//! CEL syntax over declared, typed variables. A condition is checked when it is saved: every error has its place and
//! its reason, and what could cost too much is refused. It is compiled to a small program of our own, which
//! - runs within a budget (fuel): no condition and no data can hold a thread;
//! - borrows what it reads: evaluating a simple condition allocates nothing;
//! - says until when its answer holds. `now` may stand only where the instant at which the answer flips can be
//!   computed, so that a timer can look again at exactly that instant.
//!
//! ```
//! use rapport_conditions::{Environment, Owned, Timestamp, Type};
//!
//! let environment = Environment::builder()
//!     .variable("plan", Type::String)
//!     .variable("last_seen", Type::Timestamp)
//!     .build();
//! let program = environment.compile("plan == 'gold' && now - last_seen < duration('720h')", Type::Bool)?;
//!
//! let seen = Timestamp::from_parts(1_700_000_000, 0).expect("in range");
//! let inputs = [Owned::from("gold"), Owned::from(seen)];
//! let answer = program.matches(&inputs, seen);
//! assert!(answer.value);
//! assert_eq!(answer.valid_until, seen.plus(std::time::Duration::from_secs(720 * 3600)));
//! # Ok::<(), rapport_conditions::CompileErrors>(())
//! ```

mod ast;
mod check;
mod environment;
mod error;
mod eval;
mod format;
mod lex;
mod number;
mod parse;
mod program;
mod types;
mod value;

pub use environment::{Environment, EnvironmentBuilder, Limits};
pub use error::{CompileError, CompileErrors, EvalError, EvalErrorKind};
pub use program::{Input, Match, Outcome, Program};
pub use rapport_kernel::Timestamp;
pub use types::{ObjectType, Type};
pub use value::{Activation, AsValue, List, Map, Object, Owned, Value};
