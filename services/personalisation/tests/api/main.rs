//! Personalisation through its API, in process, on SQLite and on Postgres.

mod actions;
mod caps;
mod contacts;
mod decisions;
mod erasure;
mod world;
