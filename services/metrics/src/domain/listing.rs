//! The facts behind a figure, as they are listed: which record each is of, when it happened, and nothing of whom.

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::records::Kind;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The kind of its record.
    pub kind: Kind,
    /// Its record.
    pub id: Uuid,
    /// Its number in the record.
    pub line: i32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When our own services recorded the record's newest state.
    pub recorded_at: Timestamp,
    /// Its series.
    pub series: String,
}

/// Where a page ends: the last fact on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The number of its record's kind.
    pub kind: i16,
    /// Its record.
    pub id: Uuid,
    /// Its number in the record.
    pub line: i32,
}

impl Listed {
    /// The cursor of a page that ends with it.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { occurred_at: self.occurred_at, kind: self.kind.column(), id: self.id, line: self.line }
    }
}
