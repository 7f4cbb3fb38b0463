//! rapport-suite
