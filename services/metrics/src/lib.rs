//! rapport-metrics
