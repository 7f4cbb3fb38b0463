//! Conditions: the ONE language of the suite for filters, segments, eligibility, triggers and targeting.
//!
//! CEL syntax over declared, typed variables. A condition is checked when it is saved: every error has its place and
//! its reason, and what could cost too much is refused. It is compiled to a small program of our own, which
//! - runs within a budget (fuel): no condition and no data can hold a thread;
//! - borrows what it reads: evaluating a simple condition allocates nothing;
//! - says until when its answer holds. `now` may stand only where the instant at which the answer flips can be
//!   computed, so that a timer can look again at exactly that instant.
//!
//! # The language
//! - Types: bool, int, double, string, timestamp, duration, `list(T)`, `map(string, T)`, declared records, and `dyn` for
//!   what is known only when evaluated (traits). Left out: unsigned ints, bytes, messages, types as values, maps with
//!   other keys than strings.
//! - Operators: `== != < <= > >= && || ! ?: + - * / % in`, indexes, selections, lists and maps. Ints, doubles compare
//!   with one another; overflow is an error; `&&` and `||` forget an error on one side where the other decides.
//! - Macros: `has`, `all`, `exists`, `exists_one`, `filter`, `map`.
//! - Functions: `size`, `contains`, `startsWith`, `endsWith`, `matches` (RE2's syntax, a literal), `lowerAscii`,
//!   `upperAscii`, `bool`, `int`, `double`, `string`, `timestamp`, `duration`, `dyn`; `getFullYear`, `getMonth`, `getDate`,
//!   `getDayOfMonth`, `getDayOfWeek`, `getDayOfYear`, `getHours`, `getMinutes`, `getSeconds`, `getMilliseconds`, on
//!   instants with or without a time zone, the last four also on durations.
//! - `now`: on one side of a comparison, with instants and durations added to it or taken from it. There it is exact
//!   without bounds: `now + duration('80000000h')` is no overflow but an instant after all others.
//! - Instants and durations are exact to the microsecond: finer instants are cut, finer durations refused.
//! - An evaluation error (a field that is not set, a key that is not there, an overflow, no fuel left) is no match.
//!
//! CEL's own conformance tests are under `tests/conditions/golden`, with what is left out and why.
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
