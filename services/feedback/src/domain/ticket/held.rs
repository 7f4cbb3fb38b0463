//! Tickets as they are held.

use std::collections::BTreeMap;

use rapport_kernel::{CustomerId, Id, Private, SubjectId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::issue::Link;
use super::story::Story;
use super::told::{Field, Stamp, Told};
use super::words::{Kind, Priority, Status};
use crate::domain::reading::Reading;
use crate::domain::response::Party;
use crate::domain::sla::policy::Subject;
use crate::domain::sla::{CalendarId, Policies, PolicyId, Standing};

/// A ticket's id.
pub type TicketId = Id<Ticket>;

/// How its source names a ticket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TicketKey {
    /// The source.
    pub source: String,
    /// Its id there.
    pub external_id: Private<String>,
}

impl TicketKey {
    /// The hash under which it is held: of a ticket that is gone nothing else is kept.
    #[must_use]
    pub fn hash(&self, tenant: TenantId) -> Uuid {
        let hash = Sha256::new().chain_update(tenant.uuid().as_bytes()).chain_update(&self.source).chain_update([0]);
        let hash = hash.chain_update(self.external_id.expose()).finalize();
        Uuid::from_slice(&hash[..16]).expect("sixteen bytes are a UUID")
    }
}

/// How a call names a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its id.
    Id(TicketId),
    /// By its source's id.
    Key(TicketKey),
}

/// Whose a ticket is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// By which word; none: nobody has said.
    pub stamp: Option<Stamp>,
    /// The subject it hangs on; where nobody is known one of its own, which nothing ties to a person.
    pub subject: SubjectId,
    /// The customer that was, when it was last said.
    pub customer: Option<CustomerId>,
    /// As of which revision of that customer.
    #[serde(default)]
    pub customer_revision: u64,
    /// What the party was then: its name.
    pub party: String,
    /// The customer's traits that are metric dimensions, as they were when it was first said.
    pub dimensions: BTreeMap<String, String>,
}

impl Owner {
    /// Nobody who is known.
    #[must_use]
    pub fn nobody(subject: SubjectId) -> Self {
        let party = Party::Customer.name().to_owned();
        Self { stamp: None, subject, customer: None, customer_revision: 0, party, dimensions: BTreeMap::new() }
    }

    /// Hears which customer holds the subject, as of a revision of it; what is known as of a later one stays.
    pub fn hold(&mut self, customer: CustomerId, revision: u64) {
        if self.customer.is_some_and(|held| held != customer) && self.customer_revision <= revision {
            (self.customer, self.customer_revision) = (Some(customer), revision);
        }
    }

    /// Hears whose it is: the highest word holds. Of one subject what it was first said to be stays.
    pub fn hear(&mut self, other: Self) {
        let same = other.subject == self.subject;
        if (self.stamp, self.subject) < (other.stamp, other.subject) || (same && self.stamp < other.stamp) {
            let before = std::mem::replace(self, other);
            if same && before.stamp.is_some() {
                (self.party, self.dimensions) = (before.party, before.dimensions);
            }
        } else if let Some(customer) = other.customer.filter(|_| same) {
            // The customer that holds the subject may have changed since.
            self.hold(customer, other.customer_revision);
        }
    }
}

/// What a ticket comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// Its story.
    pub story: Story,
    /// The policy that applies.
    pub policy: Option<PolicyId>,
    /// The calendar by which time is measured.
    pub calendar: Option<CalendarId>,
    /// How it stands to its targets.
    pub standing: Standing,
    /// The tickets merged into it.
    pub merged: Vec<TicketId>,
    /// What was read in its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Reading>,
    /// What was read in its title and in what the customer wrote, in those merged into it too, without places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// How its source names it.
    pub key: TicketKey,
    /// Whose it is.
    pub owner: Owner,
    /// All that was told of it.
    pub told: Told,
    /// The ticket that it was merged into.
    pub merged_into: Option<TicketId>,
    /// The issue that it is about.
    pub issue: Uuid,
    /// Grows with every change.
    pub revision: u64,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// What it comes to.
    pub derived: Derived,
}

impl Ticket {
    /// One of which nothing was told yet.
    #[must_use]
    pub fn new(id: TicketId, key: TicketKey, stand_in: SubjectId, now: Timestamp) -> Self {
        let story = Story::of(&Told::default(), &[], now);
        let standing = Standing::default();
        let derived =
            Derived { story, policy: None, calendar: None, standing, merged: Vec::new(), title: None, reading: None };
        Self {
            id,
            key,
            owner: Owner::nobody(stand_in),
            told: Told::default(),
            merged_into: None,
            issue: id.uuid(),
            revision: 0,
            created_at: now,
            changed_at: now,
            derived,
        }
    }

    /// What it comes to, with what was told of those merged into it; `title` is what was read in its own.
    #[must_use]
    pub fn derive(&self, merged: &[&Self], policies: &Policies, title: Option<Reading>, now: Timestamp) -> Derived {
        let told: Vec<(Timestamp, &Told)> =
            merged.iter().map(|ticket| (ticket.derived.story.opened_at, &ticket.told)).collect();
        let mut story = Story::of(&self.told, &told, self.created_at);
        story.window = policies.windows().first_contact;
        let promise = policies.promise(&self.subject_of(&story));
        let standing = Standing::of(&story.course(), promise.as_ref(), now);
        let (policy, calendar) = promise.map_or((None, None), |promise| (Some(promise.policy), promise.calendar));
        let mut ids: Vec<TicketId> = merged.iter().map(|ticket| ticket.id).collect();
        ids.sort_unstable();
        let titles = title.iter().chain(merged.iter().filter_map(|ticket| ticket.derived.title.as_ref()));
        let told = std::iter::once(&self.told).chain(merged.iter().map(|ticket| &ticket.told));
        let written = told.flat_map(|told| told.messages().filter_map(|said| said.reading.as_deref()));
        let brief: Vec<Reading> = titles.chain(written).map(Reading::brief).collect();
        let reading = Reading::of(brief.iter().map(|reading| ("", reading)));
        Derived { story, policy, calendar, standing, merged: ids, title, reading }
    }

    /// What conditions read of it.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        self.subject_of(&self.derived.story)
    }

    fn subject_of<'a>(&'a self, story: &'a Story) -> Subject<'a> {
        let told = &self.told;
        Subject {
            texts: [
                told.text(Field::Kind),
                self.priority().name(),
                told.text(Field::Channel),
                told.text(Field::Touchpoint),
                told.text(Field::Stage),
                told.text(Field::Product),
                told.text(Field::Topic),
                story.team.expose(),
                story.agent.expose(),
                told.text(Field::Language),
                &self.key.source,
            ],
            tags: told.tags().iter().map(String::as_str).collect(),
            party: &self.owner.party,
            dimensions: Some(&self.owner.dimensions),
        }
    }

    /// What links it to others of its customer.
    #[must_use]
    pub fn link(&self, tenant: TenantId) -> Link {
        let text = |field| self.told.text(field).to_owned();
        let follows = Some(text(Field::FollowUpOf)).filter(|id| !id.is_empty()).map(|external_id| {
            let key = TicketKey { source: self.key.source.clone(), external_id: Private::new(external_id) };
            key.hash(tenant)
        });
        Link {
            id: self.id,
            key: self.key.hash(tenant),
            source: self.key.source.clone(),
            issue: text(Field::Issue),
            follows,
            about: (text(Field::Topic), text(Field::Product)),
            opened_at: self.derived.story.opened_at,
            until: self.derived.story.until(),
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(self.told.text(Field::Kind))
    }

    /// How urgent it is.
    #[must_use]
    pub fn priority(&self) -> Priority {
        Priority::of(self.told.text(Field::Priority)).unwrap_or(Priority::Normal)
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.derived.story.status()
    }

    /// The party whose it is.
    #[must_use]
    pub fn party(&self) -> Party {
        Party::of(&self.owner.party).unwrap_or_default()
    }

    /// When it is to be looked at again though nothing is told of it.
    #[must_use]
    pub fn wakes(&self) -> Option<Timestamp> {
        self.derived.standing.looms().filter(|_| self.merged_into.is_none())
    }

    /// About how many bytes it is on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Ids, times, numbers and what precedes each field; a status or an instant of a list.
        const FRAME: usize = 900;
        const ENTRY: usize = 40;
        let story = &self.derived.story;
        let lists = story.history.len() * 4 + story.contact_times.len() + story.solve_times.len() * 2;
        let texts = Field::NAMED.iter().map(|(_, field)| self.told.text(*field).len()).sum::<usize>();
        let read = self.derived.reading.as_ref().map_or(0, Reading::weight);
        FRAME + read + texts + (lists + self.told.tags().len() + self.derived.merged.len()) * ENTRY
    }
}

/// Why a ticket was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionReason {
    /// It is spam.
    Spam,
    /// The source deleted it.
    DeletedAtSource,
    /// It was erased at the source.
    ErasedAtSource,
    /// It should never have been pushed.
    Mistake,
    /// Its customer was erased here.
    Erased,
}

impl DeletionReason {
    /// Its name in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::DeletedAtSource => "deleted_at_source",
            Self::ErasedAtSource => "erased_at_source",
            Self::Mistake => "mistake",
            Self::Erased => "erased",
        }
    }
}

/// What is kept of a ticket that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The hash of how its source named it.
    pub key: Uuid,
    /// Its id; of one that was deleted before it came, one of its own.
    pub id: TicketId,
    /// The subject it hung on; `None` where nothing was told of it, or the subject was erased.
    pub subject: Option<SubjectId>,
    /// The revision of its deletion.
    pub revision: u64,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// What is held under a source's name of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A ticket.
    Live(Box<Ticket>),
    /// One that is gone.
    Gone(Deletion),
}
