//! What is known of one member of a population. Values may be personal: they do not print themselves.

use std::cmp::Ordering;
use std::fmt;

/// One value of a row.
#[derive(Clone, PartialEq)]
pub enum Cell {
    /// Not known.
    Missing,
    /// A number; one that is not finite counts as missing.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A text.
    Text(String),
}

/// One member: a value for each trait, in the traits' order. What is beyond its end is missing.
pub type Row = Vec<Cell>;

impl Cell {
    /// A total order, so that rows can be brought into one that does not depend on how they came.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let rank = |cell: &Self| match cell {
            Self::Missing => 0,
            Self::Number(_) => 1,
            Self::Flag(_) => 2,
            Self::Text(_) => 3,
        };
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Flag(a), Self::Flag(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Number(_) => "‹private number›",
            Self::Flag(_) => "‹private flag›",
            Self::Text(_) => "‹private text›",
        })
    }
}

/// Orders rows by what they hold.
pub(crate) fn order(a: &Row, b: &Row) -> Ordering {
    let cells = a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne());
    cells.unwrap_or_else(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_does_not_print_itself() {
        let row: Row = vec![Cell::Text("Anna".to_owned()), Cell::Number(4711.0)];
        let printed = format!("{row:?}");
        assert!(!printed.contains("Anna") && !printed.contains("4711"));
    }
}
