//! The conditions' suite: CEL's own conformance cases, a plain reference, an independent implementation, hostile input.

mod cel_python;
mod cel_spec;
mod events;
mod expression;
mod generate;
mod golden;
mod history;
mod hostile;
mod reference;
mod validity;
mod worlds;
