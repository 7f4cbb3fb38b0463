//! Service levels: the hours of the company, what it promises, and how a ticket stands to it.

pub mod calendar;
pub mod hours;
pub mod policy;
pub mod target;

pub use calendar::{Calendar, CalendarId, DayOfYear, Holiday, Shift, Span};
pub use hours::Hours;
pub use policy::{Policies, Policy, PolicyId};
pub use target::{Course, Standing, Target};
