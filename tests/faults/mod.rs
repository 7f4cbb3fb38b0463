//! What breaks, and what must hold all the same.

mod kill;
mod redis;
