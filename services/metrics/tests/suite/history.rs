//! A random history, as profiles and feedback would tell it: records of every kind, edits, deletions, links, merges,
//! splits, erasures.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rapport_api::common::v1::Party;
use rapport_api::convert::{money, timestamp};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{
    Event, FollowUpChanged, InteractionChanged, InvitationChanged, Measure, MentionChanged, PromiseChanged,
    ResponseChanged, SubjectErased, SubjectLinked, Target, TextReading, TicketChanged,
};
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
    issues: Vec<Uuid>,
    told: Vec<(&'static str, SubjectId, Uuid)>,
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
        let issues = (0..8).map(|_| Uuid::from_u128(random.random())).collect();
        let mut teller = Self {
            random,
            tenant,
            subjects,
            surveys,
            revisions: BTreeMap::new(),
            issues,
            told: Vec::new(),
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
        let kind = match self.random.random_range(0..100) {
            0..22 => "interaction",
            22..42 => "response",
            42..58 => "ticket",
            58..63 => "mention",
            63..67 => "follow_up",
            67..71 => "invitation",
            71..74 => "promise",
            74..88 => return self.again(),
            88..93 => {
                let customer = *self.subjects.choose(&mut self.random).expect("there are subjects");
                return self.link(subject, customer);
            }
            93..98 => return self.link(subject, subject),
            _ => return self.erase(subject),
        };
        let id = Uuid::from_u128(self.random.random());
        self.told.push((kind, subject, id));
        self.tell(kind, subject, id, false);
    }

    /// An edit, a deletion, or something told again after it was deleted.
    fn again(&mut self) {
        let deleted = self.random.random_bool(0.4);
        let Some(&(kind, subject, id)) = self.told.choose(&mut self.random) else { return };
        if !self.erased.contains(&subject) {
            self.tell(kind, subject, id, deleted);
        }
    }

    fn tell(&mut self, kind: &'static str, subject: SubjectId, id: Uuid, deleted: bool) {
        let at = self.instant();
        let payload = match kind {
            "interaction" if deleted => {
                Payload::InteractionChanged(InteractionChanged { deleted, ..InteractionChanged::default() })
            }
            "interaction" => Payload::InteractionChanged(self.interaction()),
            "response" if deleted => {
                Payload::ResponseChanged(ResponseChanged { deleted, ..ResponseChanged::default() })
            }
            "response" => Payload::ResponseChanged(self.response()),
            "ticket" if deleted => {
                Payload::TicketChanged(Box::new(TicketChanged { deleted, ..TicketChanged::default() }))
            }
            "ticket" => Payload::TicketChanged(Box::new(self.ticket(at))),
            "mention" if deleted => Payload::MentionChanged(MentionChanged { deleted, ..MentionChanged::default() }),
            "mention" => Payload::MentionChanged(self.mention(at)),
            "follow_up" if deleted => {
                Payload::FollowUpChanged(FollowUpChanged { deleted, ..FollowUpChanged::default() })
            }
            "follow_up" => Payload::FollowUpChanged(self.follow_up(at)),
            "invitation" if deleted => {
                Payload::InvitationChanged(InvitationChanged { deleted, ..InvitationChanged::default() })
            }
            "invitation" => Payload::InvitationChanged(self.invitation(at)),
            "promise" if deleted => Payload::PromiseChanged(PromiseChanged { deleted, ..PromiseChanged::default() }),
            "promise" => Payload::PromiseChanged(self.promise()),
            other => panic!("no such record: {other}"),
        };
        let event = Event { occurred_at: Some(timestamp(at)), ..self.event(subject, kind, id, payload) };
        if kind == "interaction" { &mut self.profiles } else { &mut self.feedback }.push(event);
    }

    /// A subject that was not erased, and of whom something is told.
    pub fn living(&self) -> SubjectId {
        let mut told = self.told.iter().map(|(_, subject, _)| *subject);
        told.find(|subject| !self.erased.contains(subject)).expect("somebody lives")
    }

    pub fn link(&mut self, subject: SubjectId, customer: SubjectId) {
        let linked = SubjectLinked { to_customer_id: customer.to_string(), ..SubjectLinked::default() };
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
        let kind = pick(&mut self.random, &["nps", "nps", "tnps", "csat", "ces", "csi", "custom"]);
        let measures = self.measures(&kind);
        let reading = self.reading();
        let random = &mut self.random;
        let party = *[Party::Unspecified, Party::Customer, Party::Employee].choose(random).expect("three");
        ResponseChanged {
            survey_id: self.surveys.choose(random).expect("there are surveys").clone(),
            score: measures.iter().find(|measure| measure.kind == kind).map(|measure| measure.value),
            kind,
            measures,
            channel: pick(random, &["web", "email"]),
            stage: pick(random, &["", "use"]),
            agent: pick(random, &["", "ann", "bob"]),
            team: pick(random, &["", "first"]),
            language: pick(random, &["en", "fa", ""]),
            campaign: pick(random, &["", "spring"]),
            dimensions: city(random),
            party: party.into(),
            complete: random.random_bool(0.8),
            weight: *[0.0, 1.0, 1.0, 1.0, 0.25, 2.5].choose(random).expect("some"),
            is_test: random.random_bool(0.07),
            anonymous: random.random_bool(0.1),
            reading,
            ..ResponseChanged::default()
        }
    }

    /// What a response of a kind measures, and some things besides.
    fn measures(&mut self, kind: &str) -> Vec<Measure> {
        let random = &mut self.random;
        let mut measures = Vec::new();
        let mut add = |random: &mut StdRng, kind: &str, (min, max, reversed): (i32, i32, bool), more: Measure| {
            let (kind, value) = (kind.to_owned(), random.random_range(min..=max));
            let question = if more.question.is_empty() { format!("q_{kind}") } else { more.question.clone() };
            measures.push(Measure { kind, question, value, scale_min: min, scale_max: max, reversed, ..more });
        };
        match kind {
            "nps" | "tnps" => {
                let others = [(1, 10, false), (0, 10, true), (0, 5, false)];
                let scale =
                    if random.random_bool(0.8) { (0, 10, false) } else { *others.choose(random).expect("some") };
                add(random, kind, scale, Measure::default());
            }
            "csat" => {
                let (max, top_box) = *[(5, 4), (5, 5), (7, 6), (3, 3)].choose(random).expect("some");
                add(random, kind, (1, max, false), Measure { top_box, ..Measure::default() });
            }
            "ces" => {
                let scale = if random.random_bool(0.6) { (1, 7, false) } else { (1, 5, true) };
                add(random, kind, scale, Measure::default());
            }
            "csi" => {
                for (question, weight) in [("satisfaction", 0.5), ("expectations", 0.3), ("ideal", 0.2)] {
                    if random.random_bool(0.85) {
                        let item = Measure { question: question.to_owned(), weight, ..Measure::default() };
                        add(random, kind, (1, 10, false), item);
                    }
                }
            }
            _ => {}
        }
        if random.random_bool(0.4) {
            let (name, reversed) = *[("easily_found", false), ("slow_to_react", true)].choose(random).expect("two");
            let stage = pick(random, &["", "service"]);
            let statement = Measure { statement: name.to_owned(), stage, ..Measure::default() };
            add(random, "statement", (1, 5, reversed), statement);
        }
        for (kind, min, max) in [("fcr", 0, 1), ("expectation", 1, 3), ("scale", 1, 4)] {
            if random.random_bool(0.25) {
                add(random, kind, (min, max, false), Measure::default());
            }
        }
        measures
    }

    fn reading(&mut self) -> Option<TextReading> {
        let random = &mut self.random;
        let sentiments = [None, Some(-0.8), Some(-0.05), Some(0.0), Some(0.049), Some(0.05), Some(0.9)];
        let emotions = [("joy", 0.6), ("anger", 0.5), ("fear", 0.1)];
        let topics = [("delivery", -0.4), ("price", 0.3), ("staff", 0.0)];
        random.random_bool(0.6).then(|| TextReading {
            language: pick(random, &["en", "ru", ""]),
            sentiment: *sentiments.choose(random).expect("some"),
            emotions: some_of(random, &emotions),
            topics: some_of(random, &topics),
            ..TextReading::default()
        })
    }

    fn ticket(&mut self, at: Timestamp) -> TicketChanged {
        let reading = self.reading();
        let random = &mut self.random;
        let later = |random: &mut StdRng, hours: std::ops::Range<i64>| {
            timestamp(Timestamp::from_column(at.micros() + random.random_range(hours) * 3_600_000_000))
        };
        let mut contact_times = vec![timestamp(at)];
        for _ in 0..random.random_range(0..3) {
            contact_times.push(later(random, 1..400));
        }
        let solve_times: Vec<_> = (0..random.random_range(0..3)).map(|_| later(random, 1..300)).collect();
        let reopened = !solve_times.is_empty() && random.random_bool(0.4);
        let reopen_times = if reopened { vec![later(random, 1..500)] } else { Vec::new() };
        let target = |random: &mut StdRng| {
            random.random_bool(0.6).then(|| Target {
                due_time: Some(later(random, 1..50)),
                breach_time: random.random_bool(0.3).then(|| later(random, 50..60)),
                settle_time: random.random_bool(0.6).then(|| later(random, 1..90)),
            })
        };
        let (first_response_target, resolution_target) = (target(random), target(random));
        let asked = random.random_range(0..4);
        TicketChanged {
            kind: pick(random, &["question", "complaint", "claim", "request"]),
            issue_id: self
                .issues
                .choose(random)
                .map(ToString::to_string)
                .filter(|_| random.random_bool(0.9))
                .unwrap_or_default(),
            channel: pick(random, &["web", "phone", ""]),
            topic: pick(random, &["", "delivery"]),
            agent: pick(random, &["", "ann", "bob"]),
            team: pick(random, &["", "first"]),
            priority: pick(random, &["normal", "high"]),
            dimensions: city(random),
            resolution_seconds: solve_times.first().map(|_| random.random_range(0..5_000)),
            contact_times,
            solve_times,
            reopen_times,
            transfers: random.random_range(0..5_u32).saturating_sub(3),
            first_response_seconds: random.random_bool(0.7).then(|| random.random_range(0..900)),
            first_response_target,
            resolution_target,
            reading,
            contained: random.random_bool(0.2),
            self_service: random.random_bool(0.3),
            asked,
            answered: random.random_range(0..=asked),
            ..TicketChanged::default()
        }
    }

    fn mention(&mut self, at: Timestamp) -> MentionChanged {
        let reading = self.reading();
        let random = &mut self.random;
        let replied = Timestamp::from_column(at.micros() + random.random_range(0..90_000) * 1_000_000);
        MentionChanged {
            kind: pick(random, &["review", "social_post"]),
            channel: pick(random, &["web", "app_store"]),
            rating: random.random_bool(0.6).then(|| f64::from(random.random_range(1..=5))),
            rating_min: 1.0,
            rating_max: 5.0,
            reading,
            dimensions: city(random),
            reply_time: random.random_bool(0.5).then(|| timestamp(replied)),
            ..MentionChanged::default()
        }
    }

    fn follow_up(&mut self, at: Timestamp) -> FollowUpChanged {
        let random = &mut self.random;
        let later = |random: &mut StdRng| {
            timestamp(Timestamp::from_column(at.micros() + random.random_range(0..200) * 3_600_000_000))
        };
        let status = pick(random, &["open", "in_progress", "resolved", "resolved", "cancelled"]);
        FollowUpChanged {
            kind: pick(random, &["recovery", "praise"]),
            open_time: Some(timestamp(at)),
            due_time: random.random_bool(0.8).then(|| later(random)),
            resolve_time: (status == "resolved").then(|| later(random)),
            status,
            owner: pick(random, &["", "ann"]),
            channel: pick(random, &["web", "email"]),
            dimensions: city(random),
            ..FollowUpChanged::default()
        }
    }

    fn invitation(&mut self, at: Timestamp) -> InvitationChanged {
        let random = &mut self.random;
        let statuses = ["invited", "delivered", "started", "completed", "completed", "expired", "cancelled", "failed"];
        let status = pick(random, &statuses);
        // What was delivered is no longer merely sent.
        let is_told = status != "invited" && random.random_bool(0.1);
        InvitationChanged {
            survey_id: self.surveys.choose(random).expect("there are surveys").clone(),
            kind: pick(random, &["nps", "csat"]),
            status,
            channel: pick(random, &["web", "email", "sms"]),
            anonymous: pick(random, &["named", "named", "named", "anonymous"]) == "anonymous",
            invite_time: Some(timestamp(at)),
            dimensions: city(random),
            deliver_time: is_told.then(|| timestamp(at)),
            party: if random.random_bool(0.2) { Party::Employee } else { Party::Customer }.into(),
            ..InvitationChanged::default()
        }
    }

    fn promise(&mut self) -> PromiseChanged {
        let random = &mut self.random;
        PromiseChanged {
            status: pick(random, &["open", "kept", "kept", "broken", "withdrawn"]),
            channel: pick(random, &["web", "email"]),
            team: pick(random, &["", "first"]),
            dimensions: city(random),
            ..PromiseChanged::default()
        }
    }

    pub fn event(&mut self, subject: SubjectId, aggregate: &str, id: Uuid, payload: Payload) -> Event {
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

fn some_of(random: &mut StdRng, among: &[(&str, f64)]) -> BTreeMap<String, f64> {
    among.iter().filter(|_| random.random_bool(0.4)).map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn city(random: &mut StdRng) -> BTreeMap<String, String> {
    let city = ["Iași", "Cluj", ""].choose(random).expect("three");
    let mut traits = BTreeMap::new();
    if random.random_bool(0.8) {
        traits.insert("city".to_owned(), (*city).to_owned());
    }
    traits
}

/// An answer to a question on a scale.
pub fn answer(kind: &str, value: i32, (min, max, reversed): (i32, i32, bool)) -> Measure {
    let (kind, question) = (kind.to_owned(), format!("q_{kind}"));
    Measure { kind, question, value, scale_min: min, scale_max: max, reversed, ..Measure::default() }
}
