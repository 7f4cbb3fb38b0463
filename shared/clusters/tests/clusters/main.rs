//! Groups of alike rows: against scikit-learn, and what must always hold.

mod groups;
mod properties;
mod sklearn;
