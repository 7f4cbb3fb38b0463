//! What was told of a ticket comes to its story: statuses, contacts, answers, solutions.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_kernel::{Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::message::Said;
use super::told::{Field, Step, Told};
use super::windows::Windows;
use super::words::{Author, Fcr, Status};
use crate::domain::sla::Course;

/// How long nobody says anything before a live conversation is over.
const SILENCE: Duration = Duration::from_secs(30 * 60);
/// Channels on which both are there at once: what the customer says next is no further contact.
const LIVE: [&str; 9] = ["chat", "live_chat", "webchat", "phone", "call", "voice", "video", "in_person", "store"];

/// That a ticket came to a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The status.
    pub status: Status,
    /// Since when.
    pub at: Timestamp,
    /// Who had it then; empty: nobody, or nobody knows.
    pub agent: Private<String>,
    /// Which team had it then.
    pub team: Private<String>,
}

/// A ticket's story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Each status it has had: never none.
    pub history: Vec<Passage>,
    /// Who has it; empty: nobody.
    pub agent: Private<String>,
    /// Which team has it; empty: none.
    pub team: Private<String>,
    /// How often it went from one agent or team to another.
    pub transfers: u32,
    /// Each time it was solved.
    pub solve_times: Vec<Timestamp>,
    /// Each time it was opened again.
    pub reopen_times: Vec<Timestamp>,
    /// Each contact of the customer.
    pub contact_times: Vec<Timestamp>,
    /// When a person first answered.
    pub answered_at: Option<Timestamp>,
    /// Whether it was solved without a person.
    pub contained: bool,
    /// Whether it began with self-service.
    pub self_service: bool,
    /// How many messages of the customer want an answer.
    pub asked: u32,
    /// How many of them got one.
    pub answered: u32,
    /// How many messages there are.
    pub messages: u32,
    /// Within how many seconds after its solution it must stay quiet to have been solved on first contact.
    pub window: u64,
}

impl Story {
    /// What was told of a ticket, and of those merged into it, comes to; `recorded_at`: when it was first heard of.
    #[must_use]
    pub fn of(told: &Told, merged: &[(Timestamp, &Told)], recorded_at: Timestamp) -> Self {
        let course = told.course();
        let mut said: Vec<&Said> = told.messages().chain(merged.iter().flat_map(|(_, told)| told.messages())).collect();
        // What the customer says at the instant of an answer comes before it.
        said.sort_by_key(|said| (said.at, said.author, said.digest));
        let opened_at = opened_at(told, &course, recorded_at);
        let mut story = Self::begun(opened_at);
        story.messages = u32::try_from(said.len()).unwrap_or(u32::MAX);
        story.walk(&course);
        story.name(told);
        let openings = merged.iter().map(|(opened_at, _)| *opened_at);
        let elsewhere = told.contacts().chain(merged.iter().flat_map(|(_, told)| told.contacts()));
        let written = contacts(&said, told.text(Field::Channel));
        let contacts: BTreeSet<Timestamp> = openings.chain(elsewhere).chain(written).chain([opened_at]).collect();
        story.contact_times = contacts.into_iter().collect();
        let person = |said: &&&Said| said.author == Author::Agent && said.is_answer() && said.at >= opened_at;
        let first = said.iter().find(person).map(|said| said.at);
        story.answered_at = told.time(Field::FirstResponseTime).or(first);
        story.count(&said);
        story.contained = told.flag(Field::Contained).unwrap_or_else(|| {
            let by_machine = said.iter().any(|said| said.author == Author::Automation && said.is_answer());
            let a_person_wrote = said.iter().any(|said| said.author == Author::Agent);
            let a_person_had_it =
                course.iter().any(|step| step.agent.as_ref().is_some_and(|it| !it.expose().is_empty()));
            story.status().is_solved() && by_machine && !a_person_wrote && !a_person_had_it
        });
        let first_answer = said.iter().find(|said| said.is_answer());
        story.self_service = story.contained || first_answer.is_some_and(|said| said.author == Author::Automation);
        story
    }

    fn begun(opened_at: Timestamp) -> Self {
        Self {
            opened_at,
            history: Vec::new(),
            agent: Private::default(),
            team: Private::default(),
            transfers: 0,
            solve_times: Vec::new(),
            reopen_times: Vec::new(),
            contact_times: Vec::new(),
            answered_at: None,
            contained: false,
            self_service: false,
            asked: 0,
            answered: 0,
            messages: 0,
            window: Windows::default().first_contact,
        }
    }

    /// Statuses and assignments.
    fn walk(&mut self, course: &[Step]) {
        // Whom it went to last, be it that nobody has it now.
        let (mut last_agent, mut last_team) = (Private::default(), Private::default());
        for step in course {
            let moved = goes(&mut last_agent, &mut self.agent, step.agent.as_ref());
            let moved = goes(&mut last_team, &mut self.team, step.team.as_ref()) || moved;
            self.transfers += u32::from(moved);
            let Some(status) = step.status else { continue };
            let before = self.history.last().map(|passage| passage.status);
            if before == Some(status) {
                continue;
            }
            match (before.is_some_and(Status::is_solved), status.is_solved()) {
                (false, true) => self.solve_times.push(step.at),
                (true, false) => self.reopen_times.push(step.at),
                (true, true) | (false, false) => {}
            }
            let (agent, team) = (self.agent.clone(), self.team.clone());
            self.history.push(Passage { status, at: step.at, agent, team });
        }
        if self.history.is_empty() {
            let (agent, team) = (self.agent.clone(), self.team.clone());
            self.history.push(Passage { status: Status::New, at: self.opened_at, agent, team });
        }
    }

    /// Who has it, by the highest word, where one was said beside the history.
    fn name(&mut self, told: &Told) {
        if told.speaks_of(Field::Agent) {
            self.agent = Private::new(told.text(Field::Agent).to_owned());
        }
        if told.speaks_of(Field::Team) {
            self.team = Private::new(told.text(Field::Team).to_owned());
        }
    }

    fn count(&mut self, said: &[&Said]) {
        let last_answer = said.iter().filter(|said| said.is_answer()).map(|said| said.at).max();
        let count = |times: &mut dyn Iterator<Item = Timestamp>| {
            times.fold((0_u32, 0_u32), |(asked, answered), at| {
                (asked + 1, answered + u32::from(last_answer.is_some_and(|last| last >= at)))
            })
        };
        (self.asked, self.answered) = count(&mut said.iter().filter(|said| said.is_asked()).map(|said| said.at));
        if self.asked == 0 {
            (self.asked, self.answered) = count(&mut std::iter::once(self.opened_at));
            self.answered = self.answered.max(u32::from(self.answered_at.is_some()));
        }
    }

    /// Where it stands now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.history.last().map_or(Status::New, |passage| passage.status)
    }

    /// Until when it was about something: its last contact or solution; `None` while it is not solved.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        let last = self.contact_times.last().max(self.solve_times.last()).copied();
        last.filter(|_| self.status().is_solved())
    }

    /// What its clocks see.
    #[must_use]
    pub fn course(&self) -> Course {
        let pauses = |held: bool| {
            let stands =
                |status: Status| status == Status::Pending || status.is_solved() || (held && status == Status::OnHold);
            let mut pauses: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
            for passage in &self.history {
                match (stands(passage.status), pauses.last_mut()) {
                    (true, Some((_, None))) => {}
                    (true, _) => pauses.push((passage.at, None)),
                    (false, Some((_, end @ None))) => *end = Some(passage.at),
                    (false, _) => {}
                }
            }
            pauses
        };
        let solved_at = self.solve_times.last().copied().filter(|_| self.status().is_solved());
        let ended = |mut pauses: Vec<(Timestamp, Option<Timestamp>)>| {
            // That it is solved now is its end and no pause; what it waited for before is.
            if let (Some(solved_at), Some((start, end @ None))) = (solved_at, pauses.last_mut()) {
                if *start == solved_at {
                    pauses.pop();
                } else {
                    *end = Some(solved_at);
                }
            }
            pauses
        };
        Course {
            opened_at: Some(self.opened_at),
            answered_at: self.answered_at,
            pauses: ended(pauses(false)),
            pauses_and_holds: ended(pauses(true)),
            solved_at,
        }
    }

    /// Whether one contact sufficed, as of an instant.
    #[must_use]
    pub fn fcr(&self, now: Timestamp) -> Fcr {
        let Some(solved_at) = self.solve_times.first().copied() else {
            return if self.contact_times.len() > 1 { Fcr::Not } else { Fcr::Immature };
        };
        let end = solved_at.plus(Duration::from_secs(self.window));
        let contacts = self.contact_times.iter().filter(|at| **at <= end).count();
        let reopened = self.reopen_times.first().is_some_and(|at| *at <= end);
        if contacts > 1 || reopened {
            Fcr::Not
        } else if now < end {
            Fcr::Immature
        } else {
            Fcr::FirstContact
        }
    }
}

/// Notes who has it next; answers whether it went from one to another.
fn goes(last: &mut Private<String>, now: &mut Private<String>, next: Option<&Private<String>>) -> bool {
    let Some(next) = next else { return false };
    now.clone_from(next);
    if next.expose().is_empty() {
        return false;
    }
    let moved = !last.expose().is_empty() && last != next;
    last.clone_from(next);
    moved
}

fn opened_at(told: &Told, course: &[Step], recorded_at: Timestamp) -> Timestamp {
    if let Some(said) = told.time(Field::CreateTime) {
        return said;
    }
    let first = course.first().map(|step| step.at);
    let written = told.messages().map(|said| said.at).min();
    let earliest = [first, told.contacts().next(), written].into_iter().flatten().min();
    earliest.or(told.updated_at).unwrap_or(recorded_at)
}

/// The messages by which the customer made contact again.
fn contacts(said: &[&Said], channel: &str) -> Vec<Timestamp> {
    let (mut contacts, mut answered, mut last) = (Vec::new(), false, None::<Timestamp>);
    for said in said.iter().filter(|said| !said.internal) {
        if said.is_asked() {
            let channel = if said.channel.is_empty() { channel } else { &said.channel };
            let goes_on = LIVE.contains(&channel) && last.is_some_and(|last| said.at.since(last) < SILENCE);
            if answered && !goes_on {
                contacts.push(said.at);
            }
            answered = false;
        } else if said.is_answer() && said.author == Author::Agent {
            answered = true;
        }
        last = Some(said.at);
    }
    contacts
}

#[cfg(test)]
mod tests;
