//! rapport-gateway
