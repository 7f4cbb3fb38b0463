//! The matcher as a whole: what must always hold, and how well it does.

mod febrl;
mod people;
mod properties;
mod quality;
mod worlds;
