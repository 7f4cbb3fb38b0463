//! A random history, as profiles and feedback would tell it: facts, edits, deletions, links, merges, splits, erasures.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rapport_api::common::v1::Party;
use rapport_api::convert::{money, timestamp};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, InteractionChanged, ResponseChanged, SubjectErased, SubjectLinked};
use rapport_kernel::{EventId, Money, SubjectId, TenantId, Timestamp};
use uuid::Uuid;

use crate::house::at;

/// Tells a history, event by event.
pub struct Teller {
    pub random: StdRng,
    tenant: TenantId,
    pub subjects: Vec<SubjectId>,
    pub surveys: Vec<String>,
    revisions: BTreeMap<Uuid, u64>,
    interactions: Vec<(SubjectId, Uuid)>,
    responses: Vec<(SubjectId, Uuid)>,
    erased: BTreeSet<SubjectId>,
    /// Of profiles.
    pub profiles: Vec<Event>,
    /// Of feedback.
    pub feedback: Vec<Event>,
}

impl Teller {
    pub fn new(tenant: TenantId, seed: u64, subjects: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let subjects = (0..subjects).map(|_| SubjectId::from_uuid(Uuid::from_u128(random.random()))).collect();
        let surveys = (0..2).map(|_| Uuid::from_u128(random.random()).to_string()).collect();
        let mut teller = Self {
            random,
            tenant,
            subjects,
            surveys,
            revisions: BTreeMap::new(),
            interactions: Vec::new(),
            responses: Vec::new(),
            erased: BTreeSet::new(),
            profiles: Vec::new(),
            feedback: Vec::new(),
        };
        for subject in teller.subjects.clone() {
            teller.link(subject, subject);
        }
        teller
    }

    /// Anything that can happen.
    pub fn something(&mut self) {
        let subject = *self.subjects.choose(&mut self.random).expect("there are subjects");
        if self.erased.contains(&subject) {
            return;
        }
        match self.random.random_range(0..100) {
            0..40 => {
                let id = Uuid::from_u128(self.random.random());
                self.interactions.push((subject, id));
                let content = self.interaction();
                self.changed_interaction(subject, id, content);
            }
            40..65 => {
                let id = Uuid::from_u128(self.random.random());
                self.responses.push((subject, id));
                let content = self.response();
                self.changed_response(subject, id, content);
            }
            65..85 => self.again(),
            85..92 => {
                let customer = *self.subjects.choose(&mut self.random).expect("there are subjects");
                self.link(subject, customer);
            }
            92..97 => self.link(subject, subject),
            _ => self.erase(subject),
        }
    }

    /// An edit, a deletion, or something told again after it was deleted.
    fn again(&mut self) {
        let deleted = self.random.random_bool(0.4);
        let of_interactions = self.random.random_bool(0.6);
        let among = if of_interactions { &self.interactions } else { &self.responses };
        let Some(&(subject, id)) = among.choose(&mut self.random) else { return };
        if self.erased.contains(&subject) {
            return;
        }
        if of_interactions {
            let content = if deleted {
                InteractionChanged { deleted, ..InteractionChanged::default() }
            } else {
                self.interaction()
            };
            self.changed_interaction(subject, id, content);
        } else {
            let content =
                if deleted { ResponseChanged { deleted, ..ResponseChanged::default() } } else { self.response() };
            self.changed_response(subject, id, content);
        }
    }

    /// A subject that was not erased, and of whom something is told.
    pub fn living(&self) -> SubjectId {
        let mut told = self.interactions.iter().map(|(subject, _)| *subject);
        told.find(|subject| !self.erased.contains(subject)).expect("somebody lives")
    }

    pub fn link(&mut self, subject: SubjectId, customer: SubjectId) {
        let linked = SubjectLinked { from_customer_id: String::new(), to_customer_id: customer.to_string() };
        let event = self.event(subject, "link", subject.uuid(), Payload::SubjectLinked(linked));
        self.profiles.push(event);
    }

    pub fn erase(&mut self, subject: SubjectId) {
        self.erased.insert(subject);
        let erased = SubjectErased { erasure_id: Uuid::from_u128(self.random.random()).to_string() };
        let event = self.event(subject, "subject", subject.uuid(), Payload::SubjectErased(erased));
        self.profiles.push(event);
    }

    pub fn changed_interaction(&mut self, subject: SubjectId, id: Uuid, content: InteractionChanged) {
        let event = self.event(subject, "interaction", id, Payload::InteractionChanged(content));
        self.profiles.push(event);
    }

    pub fn changed_response(&mut self, subject: SubjectId, id: Uuid, content: ResponseChanged) {
        let event = self.event(subject, "response", id, Payload::ResponseChanged(content));
        self.feedback.push(event);
    }

    fn interaction(&mut self) -> InteractionChanged {
        let random = &mut self.random;
        let value = random.random_bool(0.7).then(|| {
            let currency = ["EUR", "RON"].choose(random).expect("two").parse().expect("a currency");
            money(Money { currency, micros: random.random_range(-50_000_000..900_000_000) })
        });
        let party = *[Party::Unspecified, Party::Customer, Party::Lead].choose(random).expect("three");
        InteractionChanged {
            r#type: pick(random, &["purchase", "purchase", "visit", "call"]),
            channel: pick(random, &["web", "shop", ""]),
            stage: pick(random, &["", "use"]),
            product: pick(random, &["tea", "Чай", "\"quoted\", and more"]),
            dimensions: city(random),
            party: party.into(),
            value,
            ..InteractionChanged::default()
        }
    }

    fn response(&mut self) -> ResponseChanged {
        let random = &mut self.random;
        let party = *[Party::Unspecified, Party::Customer, Party::Employee].choose(random).expect("three");
        ResponseChanged {
            survey_id: self.surveys.choose(random).expect("there are surveys").clone(),
            kind: "nps".to_owned(),
            score: Some(random.random_range(0..=10)),
            channel: pick(random, &["web", "email"]),
            dimensions: city(random),
            party: party.into(),
            complete: true,
            ..ResponseChanged::default()
        }
    }

    fn event(&mut self, subject: SubjectId, aggregate: &str, id: Uuid, payload: Payload) -> Event {
        let revision = self.revisions.entry(Uuid::from_u128(id.as_u128() ^ aggregate.len() as u128)).or_default();
        *revision += 1;
        let revision = *revision;
        Event {
            event_id: EventId::new().to_string(),
            tenant: self.tenant.to_string(),
            subject_id: subject.to_string(),
            aggregate_type: aggregate.to_owned(),
            aggregate_id: id.to_string(),
            revision,
            occurred_at: Some(timestamp(self.instant())),
            recorded_at: Some(timestamp(at("2024-06-01T00:00:00Z"))),
            traceparent: String::new(),
            schema_version: 1,
            payload: Some(payload),
        }
    }

    /// Some instant of the last weeks of 2023 and the first of 2024; some fall together, and on the edges of cuts.
    fn instant(&mut self) -> Timestamp {
        let start = at("2023-12-10T00:00:00Z").micros();
        let hours = self.random.random_range(0..60 * 24);
        let within = *[0, 1, 1_799_999_999, 3_599_999_999].choose(&mut self.random).expect("four");
        Timestamp::from_column(start + hours * 3_600_000_000 + within)
    }
}

/// Every event three times, in any order.
pub fn shuffled(events: &[Event], random: &mut StdRng) -> Vec<Event> {
    let mut thrice: Vec<Event> = (0..3).flat_map(|_| events.to_vec()).collect();
    thrice.shuffle(random);
    thrice
}

fn pick(random: &mut StdRng, among: &[&str]) -> String {
    (*among.choose(random).expect("some")).to_owned()
}

fn city(random: &mut StdRng) -> BTreeMap<String, String> {
    let city = ["Iași", "Cluj", ""].choose(random).expect("three");
    let mut traits = BTreeMap::new();
    if random.random_bool(0.8) {
        traits.insert("city".to_owned(), (*city).to_owned());
    }
    traits
}
