//! Personalisation through its API, in process, on SQLite and on Postgres.

mod actions;
mod caps;
mod decisions;
mod erasure;
mod world;
