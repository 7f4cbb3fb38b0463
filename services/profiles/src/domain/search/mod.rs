//! Which profiles a search finds, and in which order: pure, so that every row is decided on here, whatever the database
//! let through.

mod facts;
mod query;

use rapport_conditions::Program;
use rapport_kernel::{CustomerId, Timestamp};

use super::profile::Profile;
use super::rules::Rules;

pub use facts::{Facts, compile};
pub use query::{Query, is_searchable, terms};

/// Which profiles, by condition and by text.
#[derive(Clone, Default)]
pub struct Search {
    /// The condition; none: all.
    pub filter: Option<Program>,
    /// The text; none: all.
    pub query: Option<Query>,
}

impl Search {
    /// Whether a profile is found.
    #[must_use]
    pub fn finds(&self, profile: &Profile, rules: &Rules, now: Timestamp) -> bool {
        self.query.as_ref().is_none_or(|query| query.finds(profile, rules))
            && self.filter.as_ref().is_none_or(|filter| filter.matches(&Facts::new(profile, now), now).value)
    }
}

/// By what profiles are ordered; of one instant, by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The customer's id.
    Id,
    /// When the first of its records was recorded.
    Created,
    /// When it last changed.
    Updated,
}

/// The order of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: By,
    /// The last first.
    pub descending: bool,
}

impl Order {
    /// From `create_time`, `update_time desc` and the like; empty: by id. `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let by = match words.next() {
            None | Some("customer_id") => By::Id,
            Some("create_time") => By::Created,
            Some("update_time") => By::Updated,
            Some(_) => return None,
        };
        let descending = match words.next() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self { by, descending })
    }

    /// Where a profile stands in it.
    #[must_use]
    pub fn place(self, profile: &Profile) -> (Timestamp, CustomerId) {
        let at = match self.by {
            By::Id => Timestamp::MIN,
            By::Created => profile.created_at,
            By::Updated => profile.updated_at,
        };
        (at, profile.customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_field_and_a_direction() {
        assert_eq!(Order::parse(" update_time  desc "), Some(Order { by: By::Updated, descending: true }));
        assert_eq!(Order::parse(""), Some(Order { by: By::Id, descending: false }));
        for wrong in ["revision", "create_time up", "create_time desc desc", "create_time, update_time"] {
            assert_eq!(Order::parse(wrong), None, "{wrong}");
        }
    }
}
