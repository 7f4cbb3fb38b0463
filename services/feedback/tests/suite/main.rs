//! What feedback promises, through its calls, on both engines.

mod abuse;
mod erasure;
mod ground;
mod lists;
mod responses;
mod surveys;
