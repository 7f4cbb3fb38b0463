//! The one binary: command line, configuration, and the assembly of roles into processes. `rapport up` runs every role
//! in one process, `rapport serve ROLE` one of them; which roles are there is a list, never a question.
//!
//! The suite knows every service; no service knows the suite, nor another service.

pub mod assembly;
pub mod call;
pub mod cli;
pub mod client;
pub mod demo;
pub mod import;
pub mod secrets;
pub mod settings;
pub mod up;

/// A call makes about a hundred small allocations, many of them freed by another thread than the one that made them:
/// glibc's allocator takes locks for those, and a seventh of a hot call's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
