//! Ids minted by the suite: UUIDv7, so that they sort by the time of their making, each with a type of its own.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// An id of one kind of thing, `T`. Two ids of different kinds cannot be mixed up.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

/// Marks the id of a tenant.
pub enum Tenant {}
/// Marks the id of a subject: one source record, or one anonymous visitor.
pub enum Subject {}
/// Marks the id of an event.
pub enum Event {}
/// Marks the id of an operation: long work that a call began.
pub enum Operation {}
/// Marks the id a caller gave a request, so that a retry is recognised.
pub enum Request {}

/// A company that uses the suite; nothing crosses from one tenant to another.
pub type TenantId = Id<Tenant>;
/// One source record. It never changes hands; facts hang on it.
pub type SubjectId = Id<Subject>;
/// A customer is named by the id of its home subject, so a customer id *is* a subject id: it resolves, for ever,
/// to whichever customer holds that subject now. That is why a merged-away id works, and why after a split it is
/// itself again. The alias is for the reader.
pub type CustomerId = SubjectId;
/// One event on the bus.
pub type EventId = Id<Event>;
/// Long work that a call began.
pub type OperationId = Id<Operation>;
/// A caller's id for one mutation.
pub type RequestId = Id<Request>;

impl<T> Id<T> {
    /// Mints a new id: later ones sort after earlier ones of the same process.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7(), PhantomData)
    }

    /// Takes an id that was stored or received.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare UUID, for columns and keys.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The partition of `of` that this id falls into: stable across processes, machines and versions.
    #[must_use]
    pub fn partition(self, of: u16) -> u16 {
        // The low 62 bits of a UUIDv7 are random; FNV-1a spreads ids of other versions as well.
        let hash = self.0.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        u16::try_from((hash >> 32) % u64::from(of.max(1))).expect("a remainder of a u16 fits a u16")
    }
}

impl<T> Default for Id<T> {
    fn default() -> Self {
        Self::new()
    }
}
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<T> FromStr for Id<T> {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self::from_uuid)
    }
}
impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = SubjectId::new();
        assert_eq!(id.to_string().parse::<SubjectId>(), Ok(id));
    }

    #[test]
    fn partitions_are_even_and_stable() {
        let fixed: SubjectId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a UUID");
        assert_eq!(fixed.partition(8), fixed.partition(8));
        let mut counts = [0_u32; 8];
        for _ in 0..8_000 {
            counts[usize::from(SubjectId::new().partition(8))] += 1;
        }
        assert!(counts.iter().all(|n| (800..1_200).contains(n)), "{counts:?}");
    }
}
