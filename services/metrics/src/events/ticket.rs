//! What a ticket contributes: itself, its contacts, its solution, how long things took, its targets, what was asked in it
//! and what it says in words.

use rapport_api::events::v1::{Target, TicketChanged};
use rapport_kernel::{Fault, Timestamp};
use uuid::Uuid;

use super::voice::{self, Said};
use super::{Facts, broken, party, perhaps, times};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::{self, Answer, Answered, Feeling, Solution, TRANSFERRED};

pub(super) fn facts(at: Timestamp, id: Uuid, changed: TicketChanged) -> Result<Facts, Fault> {
    if changed.deleted {
        return Ok(Vec::new());
    }
    let dimensions = dimensions(&changed);
    let fact = |family: Family, at: Timestamp| Fact::new(family, at, dimensions.clone());
    let mut facts = vec![fact(Family::Tickets, at).saying(&changed.kind)];
    if changed.asked > 0 {
        let answered = Answered { asked: changed.asked.into(), answered: changed.answered.min(changed.asked).into() };
        facts.push(fact(Family::Questions, at).saying(slots::text(&answered)));
    }
    if changed.contained || changed.self_service {
        facts.push(fact(Family::SelfServices, at).saying(Answer::yes(changed.contained)));
    }
    let contacts = times(&changed.contact_times, "contact_times")?;
    // One that is about no issue is one of its own.
    let issue: Uuid = match changed.issue_id.as_str() {
        "" => id,
        issue => issue.parse().map_err(|_| broken("issue_id"))?,
    };
    for contact in &contacts {
        let slot = if changed.transfers > 0 { TRANSFERRED } else { "" };
        facts.push(Fact { thread: Some(issue), ..fact(Family::Contacts, *contact).saying(slot) });
    }
    facts.extend(changed.first_response_seconds.map(|seconds| fact(Family::FirstResponses, at).saying(seconds.max(0))));
    facts.extend(solved(&changed, &contacts, &fact)?);
    for (name, target) in
        [("first_response", &changed.first_response_target), ("resolution", &changed.resolution_target)]
    {
        if let Some(met) = target.as_ref().map(met).transpose()?.flatten() {
            let fact = fact(Family::Targets, at).saying(Answer::yes(met));
            facts.push(fact.along(|dimensions| dimensions.clone().with(Dimension::Target, name)));
        }
    }
    // What hurt is said by what it is: the words of a complaint may be as friendly as they are.
    let feeling = matches!(changed.kind.as_str(), "complaint" | "claim").then_some(Feeling::Bad);
    let said = Said { of: "ticket", at, reading: changed.reading.as_ref(), feeling };
    facts.extend(voice::facts(&said, &dimensions)?);
    Ok(facts)
}

fn dimensions(changed: &TicketChanged) -> Dimensions {
    Dimensions::default()
        .with(Dimension::Type, &changed.kind)
        .with(Dimension::Party, party(changed.party()))
        .with(Dimension::Channel, &changed.channel)
        .with(Dimension::Touchpoint, &changed.touchpoint)
        .with(Dimension::Stage, &changed.stage)
        .with(Dimension::Product, &changed.product)
        .with(Dimension::Topic, &changed.topic)
        .with(Dimension::Agent, &changed.agent)
        .with(Dimension::Team, &changed.team)
        .with(Dimension::Language, &changed.language)
        .with(Dimension::Priority, &changed.priority)
        .with_traits(changed.dimensions.clone())
}

/// How it was first solved, and how long the last solution took.
fn solved(
    changed: &TicketChanged,
    contacts: &[Timestamp],
    fact: &dyn Fn(Family, Timestamp) -> Fact<Dimensions>,
) -> Result<Facts, Fault> {
    let mut facts = Vec::new();
    let solutions = times(&changed.solve_times, "solve_times")?;
    let reopenings = times(&changed.reopen_times, "reopen_times")?;
    if let Some(first) = solutions.first() {
        let after = |at: &Timestamp| at.micros() - first.micros();
        let solution = Solution {
            contact_after: contacts.get(1).map(after),
            reopen_after: reopenings.iter().find(|at| *at >= first).map(after),
            transferred: changed.transfers > 0,
        };
        facts.push(fact(Family::Solutions, *first).saying(slots::text(&solution)));
    }
    if let (Some(seconds), Some(last)) = (changed.resolution_seconds, solutions.last()) {
        facts.push(fact(Family::Resolutions, *last).saying(seconds.max(0)));
    }
    Ok(facts)
}

/// Whether a target was met; `None` while that is open.
fn met(target: &Target) -> Result<Option<bool>, Fault> {
    let breached = perhaps(target.breach_time.as_ref(), "breach_time")?.is_some();
    let settled = perhaps(target.settle_time.as_ref(), "settle_time")?.is_some();
    Ok(if breached { Some(false) } else { settled.then_some(true) })
}
