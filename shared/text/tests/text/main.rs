//! The analyser as a whole: what it understands, how often it is right, and what hostile texts cost.

mod accuracy;
mod effort;
mod hostile;
mod understanding;
