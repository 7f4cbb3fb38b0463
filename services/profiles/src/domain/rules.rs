//! What a tenant's profiles are folded and linked by: one snapshot, so that a call sees one set of rules from its first
//! check to its last write.

use std::sync::Arc;

use chrono::Weekday;

use super::catalogue::Catalogue;
use super::computed::Calendar;
use super::declared::Declared;
use super::definitions::Definitions;
use super::identity::IdentitySettings;
use super::matching::Matcher;
use super::namespace::Namespaces;
use super::persona::Assigner;
use super::profile::Profile;
use super::settings::Settings;
use super::standing::{Choice, Preference};
use super::value::Value;

/// The rules of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The namespaces of identifiers.
    pub namespaces: Namespaces,
    /// The traits that are declared.
    pub declared: Declared,
    /// What gives customers their personas, where a set is in force.
    pub personas: Option<Arc<Assigner>>,
    /// How it links as a whole.
    pub identity: IdentitySettings,
    /// What weighs pairs of records; none before the first training.
    pub matcher: Option<Arc<Matcher>>,
    /// What interactions are made of.
    pub catalogue: Catalogue,
    /// What is derived of customers.
    pub definitions: Arc<Definitions>,
    /// What the tenant set for itself.
    pub settings: Settings,
    /// Their place among all that were read.
    pub reading: Reading,
}

/// The place of the rules by which something was made, among this process's readings and changes of rules: after a
/// change, what was made by rules that were read before it is made anew. It is no part of what it says: whatever else is
/// equal is equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading(pub u64);

impl Reading {
    /// Whether it came before another.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.0 < other.0
    }
}

impl PartialEq for Reading {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reading {}

impl Rules {
    /// Where a customer's calendar is: in the zone that it prefers, else in the tenant's, else in UTC.
    #[must_use]
    pub fn calendar(&self, profile: &Profile) -> Calendar {
        let preferred = profile.preferences.get(&Preference::Zone).and_then(|(said, _)| match &said.choice {
            Some(Choice::Text(zone)) => zone.parse().ok(),
            _ => None,
        });
        let zone = preferred.or_else(|| self.settings.zone.parse().ok()).unwrap_or(chrono_tz::Tz::UTC);
        let week_start = Weekday::try_from(self.settings.week_start.saturating_sub(1)).unwrap_or(Weekday::Mon);
        Calendar { zone, week_start }
    }

    /// What a value of a trait must be, where it is not that.
    #[must_use]
    pub fn refusal(&self, name: &str, value: &Value) -> Option<String> {
        if self.settings.strict_traits && self.declared.find(name).is_none() {
            return Some("must be a declared trait: this tenant's settings say so".to_owned());
        }
        self.declared.refusal(name, value)
    }

    /// How far a source is trusted: the greater the more.
    #[must_use]
    pub fn trust(&self, source: &str) -> u32 {
        self.catalogue.trust(source).into()
    }
}
