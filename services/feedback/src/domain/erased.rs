//! What an erasure did here.

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// How many rows went this time.
    pub deleted_rows: u64,
    /// Whether the bus holds nothing of ours that is older than the erasure.
    pub bus_clear: bool,
}
