//! rapport-feedback
