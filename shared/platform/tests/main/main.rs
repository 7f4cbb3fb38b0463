//! The platform, proved from outside: over its own host and TCP, and in process.

mod configuration;
mod faults;
mod hosting;
mod limits;
mod peers;
mod stack;
mod support;
mod tasks;
mod telemetry;
