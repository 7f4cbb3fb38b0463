//! The judgement itself: rule by rule, and the first instant at which none forbids.

use std::time::Duration;

use chrono_tz::Tz;
use rapport_kernel::Timestamp;

use super::calendar::{Hours, zone};
use super::policy::{ContactCap, ContactPolicy, Signal, Window};
use super::{Block, Made, Reason, Wanted};
use crate::domain::profile::{LastScore, Profile, Standing};

/// How long a low score counts (the definitions of the suite: 30 days).
const LOW_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How many rules in turn may put a contact off before nobody can tell when it may be made.
const TURNS: usize = 64;

/// What is known of the customer.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its profile.
    pub profile: &'a Profile,
    /// What it was contacted with, as far back as the policy counts.
    pub made: &'a [Made],
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Every rule that forbids the contact; none: it may be made.
    pub blocks: Vec<Block>,
    /// From when on it may be; `None`: now, or nobody can tell.
    pub next: Option<Timestamp>,
}

/// Judges a contact as of an instant.
#[must_use]
pub fn judge(policy: &ContactPolicy, subject: Subject<'_>, wanted: &Wanted, at: Timestamp) -> Judged {
    let blocks = blocks(policy, subject, wanted, at);
    let next = next(policy, subject, wanted, &blocks);
    Judged { blocks, next }
}

/// The first instant at which no rule forbids it: from the last end of those that do, over again.
fn next(policy: &ContactPolicy, subject: Subject<'_>, wanted: &Wanted, now: &[Block]) -> Option<Timestamp> {
    let mut standing = now.to_vec();
    let mut at = None;
    for _ in 0..TURNS {
        if standing.is_empty() {
            return at;
        }
        let ends: Option<Vec<Timestamp>> = standing.iter().map(|block| block.until).collect();
        at = ends?.into_iter().max();
        standing = blocks(policy, subject, wanted, at?);
    }
    None
}

fn blocks(policy: &ContactPolicy, subject: Subject<'_>, wanted: &Wanted, at: Timestamp) -> Vec<Block> {
    let standing = &subject.profile.standing;
    let home = zone(&standing.zone).unwrap_or_else(|| policy.zone());
    let mut out = Vec::new();
    let mut add = |reason, rule: &str, until| out.push(Block { reason, rule: rule.to_owned(), until });
    let needed = policy.consents.iter().any(|rule| rule.purpose == wanted.purpose && rule.must_be_given);
    if !subject.profile.consents.granted(&wanted.purpose, &wanted.channel).unwrap_or(!needed) {
        add(Reason::NoConsent, &wanted.purpose, None);
    }
    if wanted.purpose == "marketing" && standing.restrictions.iter().any(|kind| kind == "marketing") {
        add(Reason::Restricted, "marketing", None);
    }
    for rule in policy.empathy.iter().filter(|rule| rule.concerns(&wanted.purpose)) {
        match &rule.signal {
            Signal::OpenComplaint if complains(standing, wanted) => add(Reason::OpenComplaint, "", None),
            Signal::LowScore => {
                if let Some(until) = low_until(&standing.last_scores, at) {
                    add(Reason::LowScore, "", Some(until));
                }
            }
            Signal::Flag(name) => {
                let held = standing.flag_ends.iter().find(|(flag, end)| flag == name && end.is_none_or(|end| end > at));
                if let Some((_, end)) = held {
                    add(Reason::Flag, name, *end);
                }
            }
            Signal::OpenComplaint => {}
        }
    }
    for cap in &policy.caps {
        if cap.counts(wanted.kind, &wanted.channel, &wanted.purpose, &wanted.topic)
            && let Some(until) = capped(cap, subject.made, at, home)
        {
            add(Reason::Cap, &cap.name, until);
        }
    }
    if policy.quiet.concerns(&wanted.channel, &wanted.purpose) {
        let hours = standing.quiet_hours.or(policy.quiet.hours);
        if let Some(until) = hours.and_then(|hours: Hours| hours.ends(at, home)) {
            add(Reason::QuietHours, "", until);
        }
    }
    out
}

/// Whether a complaint is open: whoever asks may know it better than the profile, which learns of it a moment later.
fn complains(standing: &Standing, wanted: &Wanted) -> bool {
    let told = standing.feedback.get("open_complaints").is_some_and(|count| *count > 0.0);
    wanted.open_complaint.unwrap_or(told)
}

/// Where a cap is reached: from when on it is not. What lies after the instant counts as well: another machine's clock
/// may be ahead.
fn capped(cap: &ContactCap, made: &[Made], at: Timestamp, zone: Tz) -> Option<Option<Timestamp>> {
    let stretch = match cap.window {
        Window::Rolling(length) => (at.minus(length), None),
        Window::Calendar(calendar) => {
            let (from, until) = calendar.around(at, zone);
            // From its first instant on: what lies just before it does not count.
            (from.minus(Duration::from_micros(1)), Some(until))
        }
    };
    let counts = |one: &&Made| {
        one.at > stretch.0
            && one.until.is_none_or(|until| until > at)
            && cap.counts(one.kind, &one.channel, &one.purpose, &one.topic)
    };
    // When each stops to count.
    let mut ends: Vec<Timestamp> = made
        .iter()
        .filter(counts)
        .map(|one| {
            let end = match cap.window {
                Window::Rolling(length) => one.at.plus(length),
                Window::Calendar(_) => stretch.1.unwrap_or(Timestamp::MAX),
            };
            one.until.map_or(end, |until| until.min(end))
        })
        .collect();
    let times = cap.times as usize;
    if ends.len() < times {
        return None;
    }
    ends.sort_unstable();
    // So many must have stopped that one more fits. A cap of none is never lifted.
    Some((times > 0).then(|| ends[ends.len() - times]))
}

/// Until when a low score counts: the latest low one within 30 days that no good one of the same or a wider kind came
/// after. NPS, about the whole relation, is the widest.
fn low_until(scores: &[LastScore], at: Timestamp) -> Option<Timestamp> {
    let within = |score: &&LastScore| score.at <= at && at < score.at.plus(LOW_FOR);
    let lifted = |low: &LastScore| {
        scores.iter().any(|good| {
            !good.is_low() && good.at > low.at && good.at <= at && (good.kind == low.kind || good.kind == "nps")
        })
    };
    let low = scores.iter().filter(within).filter(|score| score.is_low() && !lifted(score));
    low.map(|score| score.at.plus(LOW_FOR)).max()
}
