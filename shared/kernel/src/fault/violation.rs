//! The rules that a request breaks, gathered so that one answer names them all.

use std::fmt;

use super::Fault;

/// One broken rule: which field, which rule, and what would be right. Never the value: it may be personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field in the request, as `traits["age"].number_value`.
    pub field: String,
    /// The rule's stable name, as `string.min_len`.
    pub rule: &'static str,
    /// What the field must be.
    pub description: String,
}

/// Gathers every violation of a request, so that one answer names them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    noted: Vec<Violation>,
    unnoted: usize,
}

impl Violations {
    /// How many one answer names; a hostile request cannot make the answer grow without bound.
    pub const MOST: usize = 100;

    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { noted: Vec::new(), unnoted: 0 }
    }
    /// Notes one; beyond [`Violations::MOST`] it is only counted.
    pub fn add(&mut self, field: impl Into<String>, rule: &'static str, description: impl Into<String>) {
        if self.noted.len() < Self::MOST {
            self.noted.push(Violation { field: field.into(), rule, description: description.into() });
        } else {
            self.unnoted += 1;
        }
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }
    /// Those noted.
    #[must_use]
    pub fn as_slice(&self) -> &[Violation] {
        &self.noted
    }
    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.noted.len() + self.unnoted
    }
    /// Takes a parsed value where there is one, else notes why there is none.
    pub fn take<T, E: fmt::Display>(
        &mut self,
        field: impl Into<String>,
        rule: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                self.add(field, rule, why.to_string());
                None
            }
        }
    }
    /// Fails with all of them, or goes on where there are none.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every violation noted.
    pub fn check(self) -> Result<(), Fault> {
        if self.is_empty() { Ok(()) } else { Err(Fault::invalid(self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Kind;

    #[test]
    fn every_violation_is_kept_up_to_the_bound() {
        let mut violations = Violations::new();
        for n in 0..150 {
            violations.add(format!("f{n}"), "rule", "must be so");
        }
        let fault = violations.check().expect_err("there are violations");
        assert_eq!(fault.kind(), Kind::Invalid);
        assert_eq!(fault.details.violations.as_slice().len(), Violations::MOST);
        assert!(fault.message.starts_with("150 fields"), "{}", fault.message);
    }
}
