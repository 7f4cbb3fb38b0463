//! A compiled condition: flat operations in an arena, names resolved to indexes, constants computed beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rapport_kernel::Timestamp;
use regex::Regex;

use crate::ast::{Arithmetic, Comparison};
use crate::error::{EvalError, EvalErrorKind};
use crate::eval::{Evaluator, Trouble};
use crate::format::Zone;
use crate::inputs::Input;
use crate::types::Type;
use crate::value::{Activation, Owned, Value};

/// A compiled condition. Cheap to clone, evaluated from any thread.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) source: String,
    pub(crate) code: Code,
    pub(crate) cost: u64,
    pub(crate) fuel: u64,
    pub(crate) inputs: Vec<Input>,
    /// See [`Program::reads_between`].
    pub(crate) between: BTreeSet<Vec<String>>,
    pub(crate) has_now: bool,
    pub(crate) reads_now: bool,
    /// What the value must be, where the checker could not know it.
    pub(crate) expected: Option<Type>,
}

/// What an evaluation gave.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// The value.
    pub value: Value<'a>,
    /// The first instant at which the value could be another over the same inputs; `Timestamp::MAX`: never.
    pub valid_until: Timestamp,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Whether it holds. An evaluation error is no match.
    pub value: bool,
    /// The first instant at which this could change over the same inputs; `Timestamp::MAX`: never.
    pub valid_until: Timestamp,
}

impl Program {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Evaluates over inputs, as of an instant. The inputs are those of the environment that compiled this.
    ///
    /// # Errors
    /// Why there is no value. The error holds as long as its `valid_until` says.
    pub fn evaluate<'a>(&'a self, inputs: &'a dyn Activation, now: Timestamp) -> Result<Outcome<'a>, EvalError> {
        let mut evaluator = self.evaluator(inputs, now);
        let result = evaluator.evaluate(self.0.code.root);
        let valid_until = evaluator.valid_until();
        match result {
            Ok(value) if self.0.expected.as_ref().is_some_and(|expected| !expected.admits(&value)) => {
                let trouble = Trouble { kind: EvalErrorKind::WrongType, at: self.0.code.root };
                Err(self.error(trouble, valid_until))
            }
            Ok(value) => Ok(Outcome { value, valid_until }),
            Err(trouble) => Err(self.error(trouble, valid_until)),
        }
    }

    /// Whether the condition holds: an evaluation error, or a value other than `true`, is no match.
    #[must_use]
    pub fn matches(&self, inputs: &dyn Activation, now: Timestamp) -> Match {
        let mut evaluator = self.evaluator(inputs, now);
        let value = matches!(evaluator.evaluate(self.0.code.root), Ok(Value::Bool(true)));
        Match { value, valid_until: evaluator.valid_until() }
    }

    /// The source it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The estimated cost of one evaluation, in units of fuel.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.0.cost
    }

    /// What it reads, sorted, each once.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.0.inputs
    }

    /// Whether its answer may depend on when it is asked.
    #[must_use]
    pub fn reads_now(&self) -> bool {
        self.0.reads_now
    }

    pub(crate) fn between(&self) -> &BTreeSet<Vec<String>> {
        &self.0.between
    }

    pub(crate) fn code(&self) -> &Code {
        &self.0.code
    }

    fn evaluator<'a>(&'a self, inputs: &'a dyn Activation, now: Timestamp) -> Evaluator<'a> {
        // Where there is no now, no event is to come.
        let now = if self.0.has_now { now } else { Timestamp::MAX };
        Evaluator::new(&self.0.code, inputs, now, self.0.fuel)
    }

    fn error(&self, trouble: Trouble, valid_until: Timestamp) -> EvalError {
        let offset = self.0.code.offsets.get(trouble.at as usize).map_or(0, |offset| *offset as usize);
        EvalError { kind: trouble.kind, offset, valid_until }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the source: a literal in it may be personal.
        f.debug_struct("Program").field("bytes", &self.0.source.len()).field("cost", &self.0.cost).finish()
    }
}

/// The arena. An operation names its operands by their place, which is always before its own.
#[derive(Default)]
pub(crate) struct Code {
    pub(crate) ops: Vec<Op>,
    /// Where each operation stands in the source.
    pub(crate) offsets: Vec<u32>,
    /// The operands of operations that take any number.
    pub(crate) operands: Vec<Node>,
    pub(crate) steps: Vec<Step>,
    pub(crate) constants: Vec<Owned>,
    pub(crate) patterns: Vec<Regex>,
    pub(crate) zones: Vec<Zone>,
    /// The paths that operations read, as far as they are fixed.
    pub(crate) reads: BTreeMap<Node, Vec<String>>,
    pub(crate) windows: Vec<Window>,
    pub(crate) follows: Vec<Follow>,
    pub(crate) root: Node,
}

/// The place of an operation.
pub(crate) type Node = u32;

/// A run of [`Code::operands`] or [`Code::steps`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) start: u32,
    pub(crate) count: u32,
}

impl Run {
    pub(crate) const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.count) as usize
    }
}

/// How many macros may stand inside one another: the evaluator keeps their variables without allocating.
pub(crate) const LOCALS: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Constant(u32),
    Variable(u32),
    /// A field of a variable: the commonest read, in one step.
    VariableField {
        variable: u16,
        field: u16,
    },
    Local(u8),
    Field {
        of: Node,
        field: u16,
    },
    /// A key known when compiled, of a map.
    Key {
        of: Node,
        key: u32,
    },
    Index {
        of: Node,
        key: Node,
    },
    HasVariableField {
        variable: u16,
        field: u16,
    },
    HasField {
        of: Node,
        field: u16,
    },
    HasKey {
        of: Node,
        key: u32,
    },
    Not(Node),
    Negate(Node),
    And(Run),
    Or(Run),
    If {
        condition: Node,
        yes: Node,
        no: Node,
    },
    Compare {
        how: Comparison,
        left: Node,
        right: Node,
    },
    /// A comparison of an expression of `now` with one that is not.
    Clock {
        how: Comparison,
        steps: Run,
        other: Node,
    },
    /// A comparison of how many events there are; the list is an [`Op::Window`] or a filter of one.
    CompareCount {
        how: Comparison,
        list: Node,
        other: Node,
    },
    Arithmetic {
        how: Arithmetic,
        left: Node,
        right: Node,
    },
    In {
        item: Node,
        of: Node,
    },
    List(Run),
    /// Keys and values in turn.
    Map(Run),
    Convert {
        to: Conversion,
        of: Node,
    },
    Size(Node),
    Case {
        upper: bool,
        of: Node,
    },
    Text {
        test: TextTest,
        text: Node,
        part: Node,
    },
    Matches {
        text: Node,
        pattern: u32,
    },
    Part {
        part: Part,
        of: Node,
        zone: ZoneFrom,
    },
    Fold {
        how: Fold,
        over: Node,
        local: u8,
        predicate: Node,
        transform: Node,
    },
    /// Events that were read, without those to come; `at` is the field of their instant.
    Past {
        of: Node,
        at: u16,
    },
    /// Of [`Code::windows`].
    Window(u32),
    /// Of [`Code::follows`].
    Followed(u32),
    Total {
        how: Total,
        of: Node,
    },
}

/// The events whose instant is from one bound on and before the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) of: Node,
    pub(crate) at: u16,
    pub(crate) from: Option<Bound>,
    pub(crate) before: Option<Bound>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// An instant.
    Fixed(Node),
    /// An instant that moves with `now`: the steps from it.
    Moving(Run),
    /// The instant after the one that is a duration ago.
    Within(Node),
}

/// Which events follow which within a duration, or are not followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follow {
    pub(crate) earlier: Node,
    pub(crate) earlier_at: u16,
    pub(crate) later: Node,
    pub(crate) later_at: u16,
    pub(crate) within: Node,
    /// Gives those of the later that follow, or those of the earlier that nothing followed.
    pub(crate) gives: Gives,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    Followers,
    Unfollowed,
}

/// What is made of all elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Total {
    Sum(Zero),
    Average,
    Least,
    Greatest,
    First,
    Last,
}

/// The sum of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    Int,
    Double,
    Duration,
}

/// One step from `now` to the side of a comparison that moves with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// `… + x`
    Plus(Node),
    /// `… - x`
    Minus(Node),
    /// `x - …`
    From(Node),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    Bool,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

/// A part of an instant in a time zone; the last four also of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ZoneFrom {
    Utc,
    /// Of [`Code::zones`].
    Constant(u32),
    Computed(Node),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    All,
    Exists,
    ExistsOne,
    Filter,
    /// Map, with or without a predicate (which is then constant true).
    Map,
}
