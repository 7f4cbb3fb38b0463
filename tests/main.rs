//! Tests of the suite as a whole: the real program in both shapes, and the house it lives in.

mod conformance;
mod faults;
mod journeys;
mod tidy;
