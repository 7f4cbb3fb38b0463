//! What can be wrong with a condition: when it is saved, and when it is evaluated. No text here holds a value.

use std::fmt;

use rapport_kernel::{Fault, Reason, Timestamp, Violations};

/// One thing that is wrong with a condition's source, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Bytes before it.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// What is wrong with a condition: at least one error, in order of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileErrors(Vec<CompileError>);

/// Why an evaluation gave no value. For a condition this means: no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// What went wrong.
    pub kind: EvalErrorKind,
    /// Where in the source: bytes before it.
    pub offset: usize,
    /// Until when the same evaluation over the same inputs fails in the same way.
    pub valid_until: Timestamp,
}

/// What went wrong in an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// A variable or field that has no value.
    Absent,
    /// A map has no such key.
    NoSuchKey,
    /// A list has no such index, or is empty where an element is asked for.
    NoSuchIndex,
    /// A value of a kind that the operation does not take.
    WrongType,
    /// A number, instant or duration out of range.
    Overflow,
    /// A division by zero.
    DivisionByZero,
    /// A text that is no number, instant, duration or time zone; a number that is no int.
    Conversion,
    /// A key twice in one map literal.
    DuplicateKey,
    /// Values nested too deeply to be compared.
    TooDeep,
    /// The fuel ran out.
    TooDear,
}

impl CompileErrors {
    /// From what was found, which must not be empty.
    pub(crate) fn new(mut errors: Vec<CompileError>) -> Self {
        errors.sort_by_key(|error| error.offset);
        Self(errors)
    }

    pub(crate) fn one(source: &str, offset: usize, reason: impl Into<String>) -> Self {
        Self(vec![CompileError::at(source, offset, reason)])
    }

    /// The errors, in order of the source.
    #[must_use]
    pub fn as_slice(&self) -> &[CompileError] {
        &self.0
    }

    /// Notes each as a violation of the field that held the condition.
    pub fn note(&self, field: &str, violations: &mut Violations) {
        for error in &self.0 {
            violations.add(field, "condition", error.to_string());
        }
    }

    /// INVALID_ARGUMENT with reason INVALID_CONDITION, a violation of `field` for each error.
    #[must_use]
    pub fn fault(&self, field: &str) -> Fault {
        let mut violations = Violations::new();
        self.note(field, &mut violations);
        let mut fault = Fault::invalid(violations);
        fault.reason = Reason::InvalidCondition;
        fault
    }
}

impl CompileError {
    pub(crate) fn at(source: &str, offset: usize, reason: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            offset,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}
impl std::error::Error for CompileError {}

impl fmt::Display for CompileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}
impl std::error::Error for CompileErrors {}

impl fmt::Display for EvalErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "a variable or field that has no value (ask has() first)",
            Self::NoSuchKey => "a map has no such key (ask `in` or has() first)",
            Self::NoSuchIndex => "a list has no such element (ask size() first)",
            Self::WrongType => "a value of a kind that the operation does not take",
            Self::Overflow => "a number, instant or duration out of range",
            Self::DivisionByZero => "a division by zero",
            Self::Conversion => "a value that cannot be converted",
            Self::DuplicateKey => "a key twice in one map",
            Self::TooDeep => "values nested too deeply to be compared",
            Self::TooDear => "the condition used up its fuel",
        })
    }
}
impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}
impl std::error::Error for EvalError {}
