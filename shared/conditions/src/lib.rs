//! Conditions: the ONE language of the suite for filters, segments, eligibility, triggers and targeting.
//!
//! CEL syntax over declared, typed variables. A condition is checked when it is saved: every error has its place and
//! its reason, and what could cost too much is refused. It is compiled to a small program of our own, which
//! - runs within a budget (fuel): no condition and no data can hold a thread;
//! - borrows what it reads: evaluating a simple condition allocates nothing;
//! - says until when its answer holds. `now` may stand only where the instant at which the answer flips can be
//!   computed, so that a timer can look again at exactly that instant;
//! - asks of past events: windows that slide, what followed what and what did not, exact at every instant.
//!
//! # The language
//! - Types: bool, int, double, string, timestamp, duration, `list(T)`, `map(string, T)`, declared records, `dyn` for what
//!   is known only when evaluated (traits), and `events(R)` for what happened (below). Left out: unsigned ints, bytes,
//!   messages, types as values, maps with other keys than strings.
//! - Operators: `== != < <= > >= && || ! ?: + - * / % in`, indexes, selections, lists and maps. Ints, doubles compare
//!   with one another; overflow is an error; `&&` and `||` forget an error on one side where the other decides.
//! - Macros: `has`, `all`, `exists`, `exists_one`, `filter`, `map`.
//! - Functions: `size`, `contains`, `startsWith`, `endsWith`, `matches` (RE2's syntax, a literal), `lowerAscii`,
//!   `upperAscii`, `bool`, `int`, `double`, `string`, `timestamp`, `duration`, `dyn`; `getFullYear`, `getMonth`,
//!   `getDate`, `getDayOfMonth`, `getDayOfWeek`, `getDayOfYear`, `getHours`, `getMinutes`, `getSeconds`,
//!   `getMilliseconds`, on instants with or without a time zone, the last four also on durations.
//! - Functions of lists: `sum()` and `avg()` of numbers or durations; `min()` and `max()` of numbers, strings, instants
//!   or durations; `first()` and `last()` of anything. The sum of nothing is 0; the others of nothing are an evaluation
//!   error. Sums of doubles are exact and rounded once (ten times 0.1 is 1.0, in whichever order), an int beside doubles
//!   counts as one, the average of ints is a double, and where NaN is among the numbers it is their least and greatest.
//!   Elements of unknown type are checked when evaluated.
//! - `now`: on one side of a comparison, or as a bound of a window, with instants and durations added to it or taken from
//!   it. There it is exact without bounds: `now + duration('80000000h')` is no overflow but an instant after all others.
//! - Instants and durations are exact to the microsecond: finer instants are cut, finer durations refused.
//! - An evaluation error (a field that is not set, a key that is not there, an overflow, no fuel left) is no match.
//!
//! # Past events
//! A variable (or field, or entry of a map) of type [`Type::Events`] is a list of records with a field `at`, an instant,
//! in order of it: `timeline`, `events.purchase`, `events['web.visit']`. A host that declares `Type::map(Type::events(…))`
//! has the types of events for keys. A type that never happened is an empty list; `has(events.purchase)` and
//! `'purchase' in events` ask whether there is any; the map as a whole gives nothing else, so that [`Program::keys`]
//! tells which types a condition reads.
//!
//! No condition sees an event after `now`; its answer holds at most until the first of those.
//!
//! | function | gives |
//! | --- | --- |
//! | `e.within(d)` | the events less long ago than `d`: `now - at < d` |
//! | `e.since(t)` | those at `t` or after it |
//! | `e.before(t)` | those before `t` |
//! | `e.between(t, u)` | those at `t` or after it, and before `u` |
//! | `e.followedBy(f, d)` | the events of `f` that come after one of `e`, at most `d` after it |
//! | `e.notFollowedBy(f, d)` | the events of `e` more than `d` ago that none of `f` came after within `d` |
//!
//! A length `d` that the condition says itself must be above zero: nothing is within no time at all, and it is refused.
//! `t` and `u` may move with `now`: `e.between(now - duration('48h'), now - duration('24h'))`. After means later: events
//! at one instant do not follow one another. What these give, and what `filter` keeps, are events again, so they chain;
//! lists that are made otherwise (by `map`, `+`, a literal) are plain lists.
//!
//! ```text
//! events.visit.followedBy(events.cart, duration('1h')).followedBy(events.purchase, duration('24h')).size() > 0
//! events.cart.notFollowedBy(events.purchase, duration('24h')).within(duration('72h')).size() > 0
//! events['call'].within(duration('720h')).size() >= 3
//! events.purchase.within(duration('720h')).exists(e, e.channel == 'web')
//! events.purchase.filter(e, e.channel == 'web').map(e, has(e.money.EUR), e.money.EUR).sum() > 100.0
//! now - events.purchase.last().at > duration('2160h')
//! has(events.purchase) && events.purchase.within(duration('720h')).size() == 0
//! ```
//!
//! An answer holds until an event leaves (or enters) a window in a way that can change it. Where the window slides
//! (`within(d)`, `since(now - d)`), a filter of it changes when one that was kept leaves, `exists` and `all` when the one
//! that decided does, `last()` when it leaves itself, and a comparison of `size()` when so many have left that it comes
//! out otherwise. A window copies nothing and costs a few steps whatever the length of the list; `filter`, `map` and
//! `followedBy` cost a step or more for each event, so a window stands before them where it can. Lists of events
//! count for [`Limits::events`] elements in the estimate by which dear conditions are refused.
//!
//! # Rows
//! [`Program::sieve`] says, as far as a store can ask it of its columns, which rows a condition can match: a filter that
//! lets through too much, never too little, so that only what it lets through need be evaluated.
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
mod ends;
mod environment;
mod error;
mod eval;
mod format;
mod inputs;
mod lex;
mod number;
mod parse;
mod program;
mod sieve;
mod types;
mod value;

pub use ast::Comparison;
pub use environment::{Environment, EnvironmentBuilder, Limits};
pub use error::{CompileError, CompileErrors, EvalError, EvalErrorKind};
pub use inputs::{Input, Keys};
pub use program::{Match, Outcome, Program};
pub use rapport_kernel::Timestamp;
pub use sieve::{Constant, Kind, Sieve, SieveSchema};
pub use types::{ObjectType, Type};
pub use value::{Activation, AsValue, List, Map, Object, Owned, Slice, Value};
