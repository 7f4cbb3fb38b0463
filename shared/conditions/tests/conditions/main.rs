//! The conditions' suite: CEL's own conformance cases, a plain reference, an independent implementation, hostile input.

mod cel_python;
mod cel_spec;
mod ends;
mod events;
mod expression;
mod generate;
mod golden;
mod histories;
mod history;
mod hostile;
mod reference;
mod sieve;
mod validity;
mod worlds;
