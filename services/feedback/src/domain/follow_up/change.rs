//! What becomes of a follow-up. Each change answers the new state and what its history notes.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_kernel::{Fault, Private, Reason, Timestamp};

use super::cause::{Cause, CauseKey, Place, is_timeless};
use super::rule::{RuleId, Step};
use super::state::{Assigning, Entry, EntryKind, FollowUp, FollowUpId, Opening, Resolving, Rung, Scored, Touched};
use super::words::{Cancellation, Help, Status};
use crate::domain::response::kept;
use crate::domain::sla::Hours;

/// What is kept of the time of an answer to an anonymous survey.
const HOUR: Duration = Duration::from_secs(3_600);

fn after(hours: &Hours, from: Timestamp, seconds: u64) -> Timestamp {
    let length = Duration::from_secs(seconds);
    // Hours that never come count as if around the clock.
    hours.after(from, length).unwrap_or_else(|| from.plus(length))
}

fn ladder(hours: &Hours, due_at: Timestamp, steps: impl IntoIterator<Item = Step>) -> Vec<Rung> {
    let mut last = due_at;
    let rung = |step: Step| {
        last = last.max(after(hours, due_at, step.after));
        Rung { at: last, step }
    };
    steps.into_iter().map(rung).collect()
}

impl FollowUp {
    /// Opens one. Of a timeless one the time runs from the end of the hour in which it is opened: nobody has less of it than
    /// was meant.
    #[must_use]
    pub fn open(opening: Opening, hours: &Hours, now: Timestamp) -> Touched {
        let timeless = is_timeless(opening.id.uuid());
        let now = kept(now, timeless);
        let due_at = after(hours, if timeless { now.plus(HOUR) } else { now }, opening.window);
        let follow_up = Self {
            id: opening.id,
            subject: opening.subject,
            customer: opening.customer,
            rule: opening.rule,
            kind: opening.kind,
            status: Status::Open,
            joined: None,
            priority: opening.priority,
            owner: opening.owner,
            team: opening.team,
            title: opening.title,
            opened_at: now,
            due_at,
            overdue_at: None,
            window: opening.window,
            calendar: opening.calendar,
            rungs: ladder(hours, due_at, opening.steps),
            taken: 0,
            escalations: 0,
            causes: opening.cause.into_iter().collect(),
            place: opening.place,
            outcome: None,
            root_cause: String::new(),
            note: Private::default(),
            resolved_at: None,
            cancellation: None,
            cancelled_at: None,
            next_score: None,
            party: opening.party,
            dimensions: opening.dimensions,
            comments: 0,
            reopens: 0,
            revision: 1,
            created_at: now,
            changed_at: now,
        };
        let cause = follow_up.causes.first().map(|cause| cause.key);
        let entry = Entry { cause, ..follow_up.entry(EntryKind::Opened, now) };
        Touched { follow_up, entries: vec![entry] }
    }

    fn entry(&self, kind: EntryKind, at: Timestamp) -> Entry {
        let (owner, team) = (self.owner.clone(), self.team.clone());
        Entry { kind, at, author: Private::default(), text: Private::default(), owner, team, cause: None }
    }

    fn said(&self, kind: EntryKind, at: Timestamp, author: &Private<String>, text: &Private<String>) -> Entry {
        Entry { author: author.clone(), text: text.clone(), ..self.entry(kind, at) }
    }

    fn touched(mut self, entry: Entry) -> Touched {
        self.revision += 1;
        self.changed_at = entry.at;
        Touched { follow_up: self, entries: vec![entry] }
    }

    /// Where and about what it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        self.causes.first().map_or(&self.place, |cause| &cause.place)
    }

    /// The score that caused it.
    #[must_use]
    pub fn score_before(&self) -> Option<&Scored> {
        self.causes.iter().find_map(|cause| cause.score.as_ref())
    }

    /// Whether it was due and not resolved.
    #[must_use]
    pub const fn is_overdue(&self) -> bool {
        self.overdue_at.is_some()
    }

    /// Whether following up helped, where that can be told.
    #[must_use]
    pub fn help(&self) -> Option<Help> {
        let (before, after) = (self.score_before()?, self.next_score.as_ref()?);
        let scale = |score: &Scored| (score.min, score.max, score.reversed);
        if before.kind != after.kind || scale(before) != scale(after) {
            return None;
        }
        let gain = if before.reversed { before.value - after.value } else { after.value - before.value };
        Some(match gain {
            0 => Help::Same,
            1.. => Help::Better,
            _ => Help::Worse,
        })
    }

    /// When something happens to it by itself.
    #[must_use]
    pub fn wakes(&self) -> Option<Timestamp> {
        if !self.status.is_open() || self.joined.is_some() {
            return None;
        }
        let due = self.overdue_at.is_none().then_some(self.due_at);
        due.into_iter().chain(self.rungs.get(self.taken).map(|rung| rung.at)).min()
    }

    /// What the clock did to it by an instant; none: nothing.
    #[must_use]
    pub fn tick(&self, now: Timestamp) -> Option<Touched> {
        let (mut next, mut entries) = (self.clone(), Vec::new());
        while let Some(at) = next.wakes().filter(|at| *at <= now) {
            if next.overdue_at.is_none() && next.due_at <= at {
                next.overdue_at = Some(next.due_at);
                entries.push(next.entry(EntryKind::Overdue, at));
            } else if let Some(rung) = next.rungs.get(next.taken).cloned() {
                next.taken += 1;
                next.escalations += 1;
                let step = rung.step;
                if !step.owner.expose().is_empty() {
                    next.owner = step.owner;
                }
                if !step.team.is_empty() {
                    next.team = step.team;
                }
                next.priority = step.priority.unwrap_or(next.priority);
                entries.push(next.entry(EntryKind::Escalated, at));
            }
        }
        if entries.is_empty() {
            return None;
        }
        next.revision += 1;
        next.changed_at = now;
        Some(Touched { follow_up: next, entries })
    }

    /// Takes a further cause, or what is told anew of one it has; none: nothing changed.
    #[must_use]
    pub fn take(&self, cause: Cause, now: Timestamp) -> Option<Touched> {
        let (key, mut next) = (cause.key, self.clone());
        let held = next.causes.iter().position(|held| held.key == key);
        match held {
            Some(place) if next.causes[place] == cause => return None,
            Some(place) => next.causes[place] = cause,
            None => next.causes.push(cause),
        }
        next.causes.sort_by_key(|cause| (cause.at, cause.key));
        let entry = Entry { cause: Some(key), ..next.entry(EntryKind::CauseAdded, now) };
        let mut touched = next.touched(entry);
        if held.is_some() {
            touched.entries.clear();
        }
        Some(touched)
    }

    /// Lets go of a cause; without any left it is cancelled. None: it does not have it.
    #[must_use]
    pub fn withdraw(&self, key: CauseKey, now: Timestamp) -> Option<Touched> {
        let mut next = self.clone();
        next.causes.retain(|cause| cause.key != key);
        if next.causes.len() == self.causes.len() {
            return None;
        }
        if next.causes.is_empty()
            && let Some(last) = self.causes.first()
        {
            next.place = last.place.clone();
        }
        let entry = Entry { cause: Some(key), ..next.entry(EntryKind::CauseWithdrawn, now) };
        let mut touched = next.touched(entry);
        let follow_up = &mut touched.follow_up;
        if follow_up.causes.is_empty() && follow_up.status.is_open() {
            follow_up.status = Status::Cancelled;
            follow_up.cancellation = Some(Cancellation::CauseWithdrawn);
            follow_up.cancelled_at = Some(now);
            touched.entries.push(follow_up.entry(EntryKind::Cancelled, now));
        }
        Some(touched)
    }

    fn must_be_open(&self) -> Result<(), Fault> {
        if let Some(lead) = self.joined {
            let text = "the follow-up was joined to another one of its customer: act on that one";
            return Err(Fault::new(Reason::InvalidState, text).precondition("FOLLOW_UP_NOT_JOINED", lead.to_string()));
        }
        if self.status.is_open() {
            return Ok(());
        }
        Err(Fault::new(Reason::InvalidState, "the follow-up is over: open it again first")
            .precondition("FOLLOW_UP_OPEN", self.id.to_string()))
    }

    /// Gives it to somebody, or another time.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is over; INVALID_ARGUMENT for a due time that has passed.
    pub fn assign(
        &self,
        wanted: Assigning,
        hours: &Hours,
        author: &Private<String>,
        now: Timestamp,
    ) -> Result<Touched, Fault> {
        self.must_be_open()?;
        let mut next = self.clone();
        next.owner = wanted.owner.unwrap_or(next.owner);
        next.team = wanted.team.unwrap_or(next.team);
        next.priority = wanted.priority.unwrap_or(next.priority);
        if let Some(due_at) = wanted.due_at {
            if due_at <= now {
                return Err(Fault::invalid_field("due_time", "follow_up.due_time", "must be later than now"));
            }
            next.reschedule(due_at, hours);
        }
        let entry = next.said(EntryKind::Assigned, now, author, &Private::default());
        Ok(next.touched(entry))
    }

    /// Makes it due at another instant; the steps that were not taken move with it.
    fn reschedule(&mut self, due_at: Timestamp, hours: &Hours) {
        self.due_at = due_at;
        self.overdue_at = None;
        let left = self.rungs.split_off(self.taken.min(self.rungs.len()));
        self.rungs.extend(ladder(hours, due_at, left.into_iter().map(|rung| rung.step)));
    }

    /// Begins to work on it; one that is begun stays so.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is over.
    pub fn start(&self, author: &Private<String>, now: Timestamp) -> Result<Option<Touched>, Fault> {
        self.must_be_open()?;
        if self.status == Status::InProgress {
            return Ok(None);
        }
        let next = Self { status: Status::InProgress, ..self.clone() };
        let entry = next.said(EntryKind::Started, now, author, &Private::default());
        Ok(Some(next.touched(entry)))
    }

    /// Comments on it, also when it is over.
    #[must_use]
    pub fn comment(&self, text: &Private<String>, author: &Private<String>, now: Timestamp) -> Touched {
        let next = Self { comments: self.comments.saturating_add(1), ..self.clone() };
        let entry = next.said(EntryKind::Commented, now, author, text);
        next.touched(entry)
    }

    /// Resolves it.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is over.
    pub fn resolve(&self, how: Resolving, author: &Private<String>, now: Timestamp) -> Result<Touched, Fault> {
        self.must_be_open()?;
        let mut next = self.tick(now).map_or_else(|| self.clone(), |touched| touched.follow_up);
        next.revision = self.revision;
        next.status = Status::Resolved;
        next.outcome = Some(how.outcome);
        next.root_cause = how.root_cause;
        next.note = how.note.clone();
        next.resolved_at = Some(now);
        let entry = next.said(EntryKind::Resolved, now, author, &how.note);
        Ok(next.touched(entry))
    }

    /// Cancels it.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is over.
    pub fn cancel(&self, note: &Private<String>, author: &Private<String>, now: Timestamp) -> Result<Touched, Fault> {
        self.must_be_open()?;
        let next = Self {
            status: Status::Cancelled,
            cancellation: Some(Cancellation::ByHand),
            cancelled_at: Some(now),
            note: note.clone(),
            ..self.clone()
        };
        let entry = next.said(EntryKind::Cancelled, now, author, note);
        Ok(next.touched(entry))
    }

    /// Joins it to another one that is open, or has it stand by itself again. None: that is so already, or it is over.
    #[must_use]
    pub fn join(&self, lead: Option<FollowUpId>, now: Timestamp) -> Option<Touched> {
        if !self.status.is_open() || self.joined == lead {
            return None;
        }
        let next = Self { joined: lead, ..self.clone() };
        let entry = next.entry(if lead.is_some() { EntryKind::Joined } else { EntryKind::Parted }, now);
        Some(next.touched(entry))
    }

    /// Ends it as the one that it was joined to did. None: it is over, or that one is not.
    #[must_use]
    pub fn end_with(&self, lead: &Self, author: &Private<String>, now: Timestamp) -> Option<Touched> {
        if !self.status.is_open() || lead.status.is_open() {
            return None;
        }
        let next = Self {
            status: lead.status,
            outcome: lead.outcome,
            root_cause: lead.root_cause.clone(),
            note: lead.note.clone(),
            resolved_at: lead.resolved_at,
            cancellation: lead.cancellation,
            cancelled_at: lead.cancelled_at,
            ..self.clone()
        };
        let kind = if next.status == Status::Resolved { EntryKind::Resolved } else { EntryKind::Cancelled };
        let entry = next.said(kind, now, author, &lead.note);
        Some(next.touched(entry))
    }

    /// Opens it again.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is open; INVALID_ARGUMENT for a due time that has passed.
    pub fn reopen(
        &self,
        due_at: Option<Timestamp>,
        (note, author): (&Private<String>, &Private<String>),
        hours: &Hours,
        now: Timestamp,
    ) -> Result<Touched, Fault> {
        if self.status.is_open() {
            return Err(Fault::new(Reason::InvalidState, "the follow-up is open")
                .precondition("FOLLOW_UP_OVER", self.id.to_string()));
        }
        if due_at.is_some_and(|due_at| due_at <= now) {
            return Err(Fault::invalid_field("due_time", "follow_up.due_time", "must be later than now"));
        }
        let mut next = Self {
            status: Status::Open,
            joined: None,
            outcome: None,
            root_cause: String::new(),
            note: Private::default(),
            resolved_at: None,
            cancellation: None,
            cancelled_at: None,
            next_score: None,
            taken: 0,
            reopens: self.reopens.saturating_add(1),
            ..self.clone()
        };
        next.reschedule(due_at.unwrap_or_else(|| after(hours, now, self.window)), hours);
        let entry = next.said(EntryKind::Reopened, now, author, note);
        Ok(next.touched(entry))
    }

    /// Links the first score after it was resolved, or none; none: that is so already.
    #[must_use]
    pub fn link_score(&self, score: Option<Scored>, now: Timestamp) -> Option<Touched> {
        if self.next_score == score {
            return None;
        }
        let next = Self { next_score: score, ..self.clone() };
        let entry = next.entry(EntryKind::Scored, now);
        Some(next.touched(entry))
    }

    /// About how many bytes it is on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        800 + self.title.expose().len() + self.note.expose().len() + self.causes.len() * 200
    }
}

/// Which of a customer's open follow-ups stand by themselves, and to which the others are joined: of one rule that which was
/// opened first. A function of what is open, so that a split undoes what a merge did.
#[must_use]
pub fn joined(open: &[FollowUp], now: Timestamp) -> Vec<Touched> {
    let mut leads: BTreeMap<RuleId, &FollowUp> = BTreeMap::new();
    for one in open {
        if let Some(rule) = one.rule {
            let lead = leads.entry(rule).or_insert(one);
            if (one.opened_at, one.id) < (lead.opened_at, lead.id) {
                *lead = one;
            }
        }
    }
    let lead = |one: &FollowUp| one.rule.and_then(|rule| leads.get(&rule)).map(|lead| lead.id);
    open.iter().filter_map(|one| one.join(lead(one).filter(|lead| *lead != one.id), now)).collect()
}
