//! Accounts: households, companies and other groups, and what a subject says of belonging to one.

use std::collections::BTreeMap;
use std::fmt;

use rapport_kernel::{Id, Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::value::Value;

/// Marks the id of an account.
pub enum AccountMark {}
/// The id of an account.
pub type AccountId = Id<AccountMark>;

/// How many bytes the traits of an account may take.
pub const MOST_BYTES: usize = 64 * 1024;
/// How many traits an account may have.
pub const MOST_TRAITS: usize = 100;
/// How many keys.
pub const MOST_KEYS: usize = 20;

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// People who live together.
    Household,
    /// A company, or a part of one.
    Company,
    /// People who work on something together.
    Team,
    /// Anything else.
    Other,
}

impl AccountKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Household, Self::Company, Self::Team, Self::Other];

    /// Its name, in rows and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Household => "household",
            Self::Company => "company",
            Self::Team => "team",
            Self::Other => "other",
        }
    }
}

/// By which a source knows an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// The source.
    pub source: String,
    /// The account's id there.
    pub external_id: Private<String>,
}

/// How a call names an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountNamed {
    /// By its id.
    Id(AccountId),
    /// By how a source knows it.
    Key(AccountKey),
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What it is.
    pub kind: AccountKind,
    /// Its name; empty where unknown.
    pub name: String,
    /// What is known of it.
    pub traits: BTreeMap<String, Value>,
    /// By which the sources know it, with the version each told last.
    pub keys: BTreeMap<AccountKey, i64>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of a household is a person's: it prints its id only.
        f.debug_struct("Account").field("id", &self.id).field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Account {
    /// About how many bytes it takes in an answer.
    #[must_use]
    pub fn weight(&self) -> usize {
        let keys: usize = self.keys.keys().map(|key| key.source.len() + key.external_id.expose().len() + 32).sum();
        200 + self.name.len() + weight(&self.traits) + keys
    }
}

/// About how many bytes traits take in an answer.
#[must_use]
pub fn weight(traits: &BTreeMap<String, Value>) -> usize {
    traits.iter().map(|(name, value)| name.len() + value.weight() + 16).sum()
}

/// What is said of a subject and an account. The order of the fields is the order of precedence: of two the greater holds,
/// so at one instant that it ended holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// When the source knew it.
    pub observed_at: Timestamp,
    /// Until when it belonged to it; `None`: it does.
    pub until: Option<Timestamp>,
    /// Since when.
    pub since: Timestamp,
    /// The account.
    pub account: AccountId,
    /// What the account is.
    pub kind: AccountKind,
    /// In which role; empty where unknown.
    pub role: String,
    /// Who says so.
    pub source: String,
}
