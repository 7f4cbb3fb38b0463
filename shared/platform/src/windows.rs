//! HTTP/2's flow-control windows, the same wherever the suite takes DATA frames: of clients and of peers.
//!
//! h2 (0.4.20) ends a connection with ENHANCE_YOUR_CALM (`too_many_data_frames`) once its unread DATA frames of less
//! than 256 B together cost more than half of the connection's window, each costing 256 less its length. A stream may
//! hold a window of unread frames, so the two windows must fit each other: a stock client sends each small message of
//! a stream in a frame of its own. A frame of n bytes (5 of them gRPC's) costs (256 - n) / n for each byte of its
//! stream's window:
//!
//! * n = 55, an item of 50 B: 262,144 / 55 × 201 = 0.96 MB: eight such streams, all stalled, cost 7.7 MB of 8.4 MB;
//! * n = 8, as small as an item can be: 262,144 / 8 × 248 = 8.1 MB: one stream alone never spends the budget.
//!
//! A window of 256 KiB for each stream still carries 5 MB/s over a way of 50 ms; what a connection may hold unread is
//! 16 MiB, and only for callers whose key was good: the streams of others are refused, which lets go of their data.

/// What a peer may send on one stream before it is read.
pub(crate) const STREAM: u32 = 256 * 1024;

/// What a peer may send on a connection before it is read.
pub(crate) const CONNECTION: u32 = 16 * 1024 * 1024;
