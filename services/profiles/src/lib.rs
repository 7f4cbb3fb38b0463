//! rapport-profiles
