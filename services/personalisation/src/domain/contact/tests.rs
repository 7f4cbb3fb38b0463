//! The rules of restraint: caps exact at the instant and against brute force, hours through the changes of the clock.

use std::time::Duration;

use proptest::prelude::*;
use rapport_kernel::{CustomerId, Timestamp};

use super::*;
use crate::domain::profile::{Consents, LastScore, Party, Profile, Scale, Standing};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn at(text: &str) -> Timestamp {
    let time: chrono::DateTime<chrono::Utc> = text.parse().expect("an instant");
    Timestamp::from_micros(time.timestamp_micros()).expect("in range")
}

fn profile(standing: Standing, consents: &[(&str, &str, bool)]) -> Profile {
    Profile {
        customer: CustomerId::new(),
        revision: 1,
        party: Party::Customer,
        traits: Default::default(),
        consents: Consents::new(consents.iter().copied()),
        standing,
        subjects: Vec::new(),
        valid_until: Timestamp::MAX,
    }
}

fn wanted(channel: &str, purpose: &str) -> Wanted {
    Wanted {
        kind: ContactKind::Survey,
        channel: channel.to_owned(),
        purpose: purpose.to_owned(),
        topic: String::new(),
        open_complaint: None,
    }
}

fn made(channel: &str, when: Timestamp) -> Made {
    let Wanted { kind, channel, purpose, topic, .. } = wanted(channel, "surveys");
    Made { kind, channel, purpose, topic, at: when, until: None }
}

fn cap(times: u32, window: Window) -> ContactCap {
    let none = Vec::new;
    ContactCap {
        name: "cap".to_owned(),
        times,
        window,
        channels: none(),
        purposes: none(),
        topics: none(),
        kinds: Vec::new(),
    }
}

fn policy(cap: ContactCap) -> ContactPolicy {
    ContactPolicy { caps: vec![cap], ..ContactPolicy::default() }
}

fn reasons(judged: &Judged) -> Vec<Reason> {
    judged.blocks.iter().map(|block| block.reason).collect()
}

#[test]
fn a_rolling_cap_is_lifted_at_the_very_instant_and_not_a_microsecond_before() {
    let (policy, nobody) =
        (policy(cap(2, Window::Rolling(Duration::from_secs(7 * DAY)))), profile(Standing::default(), &[]));
    let (first, second) = (at("2026-03-01T10:00:00Z"), at("2026-03-03T10:00:00Z"));
    let ledger = [made("email", second), made("email", first)];
    let judge = |when| judge(&policy, Subject { profile: &nobody, made: &ledger }, &wanted("email", "surveys"), when);
    let free = first.plus(Duration::from_secs(7 * DAY));
    let refused = judge(free.minus(Duration::from_micros(1)));
    assert_eq!((reasons(&refused), refused.next), (vec![Reason::Cap], Some(free)));
    assert!(judge(free).blocks.is_empty());
}

#[test]
fn a_calendar_cap_is_counted_in_the_customers_zone() {
    let standing = Standing { zone: "Asia/Tehran".to_owned(), ..Standing::default() };
    let (policy, tehran) = (policy(cap(1, Window::Calendar(Calendar::Day))), profile(standing, &[]));
    // Midnight in Tehran is 20:30 UTC.
    let ledger = [made("web", at("2026-03-01T20:29:59Z"))];
    let judge = |when| judge(&policy, Subject { profile: &tehran, made: &ledger }, &wanted("web", "surveys"), when);
    let refused = judge(at("2026-03-01T20:29:59.5Z"));
    assert_eq!((reasons(&refused), refused.next), (vec![Reason::Cap], Some(at("2026-03-01T20:30:00Z"))));
    assert!(judge(at("2026-03-01T20:30:00Z")).blocks.is_empty());
    // Monday the 2nd begins a week; the last of a month its month.
    let edges = |calendar: Calendar| calendar.around(at("2026-03-01T20:30:00Z"), chrono_tz::Asia::Tehran);
    assert_eq!(edges(Calendar::Week).0, at("2026-03-01T20:30:00Z"));
    assert_eq!(edges(Calendar::Month), (at("2026-02-28T20:30:00Z"), at("2026-03-31T20:30:00Z")));
}

#[test]
fn quiet_hours_last_through_midnight_and_the_changes_of_the_clock() {
    let standing = Standing {
        zone: "Europe/Berlin".to_owned(),
        quiet_hours: Hours::parse("22:00", "07:30"),
        ..Standing::default()
    };
    let (policy, berlin) = (ContactPolicy::default(), profile(standing, &[]));
    let next = |channel: &str, when: &str| {
        judge(&policy, Subject { profile: &berlin, made: &[] }, &wanted(channel, "surveys"), at(when)).next
    };
    assert_eq!(next("email", "2026-01-10T21:00:00Z"), Some(at("2026-01-11T06:30:00Z")));
    assert_eq!(next("email", "2026-01-10T20:59:59Z"), None);
    assert_eq!(next("email", "2026-01-11T06:30:00Z"), None);
    // In the night of the 29th of March an hour is skipped, in that of the 25th of October one comes twice.
    assert_eq!(next("email", "2026-03-29T00:30:00Z"), Some(at("2026-03-29T05:30:00Z")));
    assert_eq!(next("email", "2026-10-25T00:30:00Z"), Some(at("2026-10-25T06:30:00Z")));
    assert_eq!(next("web", "2026-01-10T21:00:00Z"), None, "a page does not disturb");
}

#[test]
fn consent_is_needed_where_the_policy_says_so_and_a_refusal_holds_everywhere() {
    let policy = ContactPolicy::default();
    let judge = |consents: &[(&str, &str, bool)], purpose: &str| {
        let known = profile(Standing::default(), consents);
        reasons(&judge(
            &policy,
            Subject { profile: &known, made: &[] },
            &wanted("email", purpose),
            Timestamp::MIN.plus(Duration::from_secs(DAY)),
        ))
    };
    assert_eq!(judge(&[], "surveys"), []);
    assert_eq!(judge(&[], "marketing"), [Reason::NoConsent]);
    assert_eq!(judge(&[("marketing", "", true)], "marketing"), []);
    assert_eq!(judge(&[("surveys", "email", false)], "surveys"), [Reason::NoConsent]);
    assert_eq!(judge(&[("surveys", "sms", false)], "surveys"), []);
    assert_eq!(judge(&[("surveys", "", false), ("surveys", "email", true)], "surveys"), [Reason::NoConsent]);
}

#[test]
fn whoever_is_in_trouble_is_left_alone_until_it_is_over() {
    let (policy, now) = (ContactPolicy::default(), at("2026-03-01T10:00:00Z"));
    let ends = now.plus(Duration::from_secs(DAY));
    let standing = Standing { flag_ends: vec![("bereaved".to_owned(), Some(ends))], ..Standing::default() };
    let known = profile(standing, &[("marketing", "", true)]);
    let judged = judge(&policy, Subject { profile: &known, made: &[] }, &wanted("web", "surveys"), now);
    assert_eq!((reasons(&judged), judged.next), (vec![Reason::Flag], Some(ends)));
    let judged = judge(&policy, Subject { profile: &known, made: &[] }, &wanted("web", "service"), now);
    assert!(judged.blocks.is_empty(), "service goes on");
    let complaint = Wanted { open_complaint: Some(true), ..wanted("web", "surveys") };
    let judged = judge(&policy, Subject { profile: &known, made: &[] }, &complaint, ends);
    assert_eq!((reasons(&judged), judged.next), (vec![Reason::OpenComplaint], None));
    // Where the caller does not know, the profile says; where it knows better, it does not.
    let feedback = [("open_complaints".to_owned(), 1.0)].into();
    let complains = profile(Standing { feedback, ..Standing::default() }, &[]);
    let judge = |wanted: &Wanted| reasons(&judge(&policy, Subject { profile: &complains, made: &[] }, wanted, now));
    assert_eq!(judge(&wanted("web", "surveys")), [Reason::OpenComplaint]);
    assert_eq!(judge(&Wanted { open_complaint: Some(false), ..wanted("web", "surveys") }), []);
}

#[test]
fn a_low_score_counts_for_thirty_days_unless_a_good_one_lifts_it() {
    let (policy, given) = (ContactPolicy::default(), at("2026-03-01T10:00:00Z"));
    let later = given.plus(Duration::from_secs(HOUR));
    let judge = |scores: &[(&str, i32, Timestamp)], when| {
        let last = |(kind, score, at): &(&str, i32, Timestamp)| LastScore {
            kind: (*kind).to_owned(),
            score: *score,
            scale: None,
            at: *at,
        };
        let last_scores = scores.iter().map(last);
        let standing = Standing { last_scores: last_scores.collect(), ..Standing::default() };
        let known = profile(standing, &[("marketing", "", true)]);
        judge(&policy, Subject { profile: &known, made: &[] }, &wanted("web", "marketing"), when)
    };
    let free = given.plus(Duration::from_secs(30 * DAY));
    let low = judge(&[("tnps", 6, given)], later);
    assert_eq!((reasons(&low), low.next), (vec![Reason::LowScore], Some(free)));
    assert!(judge(&[("tnps", 6, given)], free).blocks.is_empty());
    assert!(judge(&[("tnps", 6, given), ("nps", 9, later)], later).blocks.is_empty(), "a wider kind lifts it");
    assert!(!judge(&[("nps", 6, given), ("tnps", 9, later)], later).blocks.is_empty(), "a narrower one does not");
    assert!(judge(&[("csat", 3, given)], later).blocks.is_empty());
}

#[test]
fn what_is_low_lies_on_the_scale_of_the_survey() {
    let scale = |min, max, reversed| Some(Scale { min, max, reversed });
    let cases: [(&str, Option<Scale>, &[i32]); 11] = [
        // What is not told is the usual scale.
        ("csat", None, &[1, 2]),
        ("ces", None, &[1, 2, 3]),
        ("csat", scale(1, 5, false), &[1, 2]),
        ("csat", scale(0, 10, false), &[0, 1, 2]),
        ("csat", scale(1, 4, false), &[1]),
        ("ces", scale(1, 7, false), &[1, 2, 3]),
        ("ces", scale(1, 5, false), &[1, 2]),
        // Effort: much of it is what is bad.
        ("ces", scale(1, 7, true), &[5, 6, 7]),
        ("ces", scale(1, 5, true), &[4, 5]),
        ("nps", scale(0, 10, false), &[0, 1, 2, 3, 4, 5, 6]),
        ("custom", scale(0, 10, false), &[]),
    ];
    for (kind, scale, low) in cases {
        let usual = Scale { min: 1, max: if kind == "ces" { 7 } else { 5 }, reversed: false };
        let Scale { min, max, .. } = scale.unwrap_or(usual);
        let last = |score| LastScore { kind: kind.to_owned(), score, scale, at: at("2026-03-01T10:00:00Z") };
        let found: Vec<i32> = (min..=max).filter(|score| last(*score).is_low()).collect();
        assert_eq!(found, low, "{kind} {scale:?}");
    }
}

proptest! {
    /// Told when a contact may be made, it may be made then and at no instant before.
    #[test]
    fn the_next_time_is_the_first_one(
        contacts in prop::collection::vec(0_u64..14 * 24, 0..8),
        times in 0_u32..4, hours in 1_u64..200, quiet in (0_u32..24, 0_u32..24), now in 0_u64..14 * 24,
    ) {
        let start = at("2026-03-20T00:00:00Z");
        let hour = |hours: u64| start.plus(Duration::from_secs(hours * HOUR));
        let standing = Standing {
            zone: "Europe/Berlin".to_owned(),
            quiet_hours: (quiet.0 != quiet.1).then_some(Hours { start: quiet.0 * 60, end: quiet.1 * 60 }),
            ..Standing::default()
        };
        let (policy, known) = (policy(cap(times, Window::Rolling(Duration::from_secs(hours * HOUR)))), profile(standing, &[]));
        let ledger: Vec<Made> = contacts.into_iter().filter(|one| *one <= now).map(|one| made("email", hour(one))).collect();
        let judge = |when| judge(&policy, Subject { profile: &known, made: &ledger }, &wanted("email", "surveys"), when);
        let judged = judge(hour(now));
        let brute = (0..400).map(|more| hour(now + more)).find(|when| judge(*when).blocks.is_empty());
        if judged.blocks.is_empty() {
            prop_assert_eq!((judged.next, brute), (None, Some(hour(now))));
        } else {
            prop_assert_eq!(judged.next, brute);
        }
    }

    /// However contacts are made, as long as each was judged first no window ever holds more than the cap.
    #[test]
    fn no_window_is_ever_overfull(tries in prop::collection::vec(0_u64..2_000, 1..120), times in 1_u32..5, length in 1_u64..500) {
        let (policy, known) = (policy(cap(times, Window::Rolling(Duration::from_secs(length * MINUTE)))), profile(Standing::default(), &[]));
        let mut tries = tries;
        tries.sort_unstable();
        let start = at("2026-03-20T00:00:00Z");
        let mut ledger: Vec<Made> = Vec::new();
        for minute in tries {
            let when = start.plus(Duration::from_secs(minute * MINUTE));
            if judge(&policy, Subject { profile: &known, made: &ledger }, &wanted("web", "surveys"), when).blocks.is_empty() {
                ledger.push(made("web", when));
            }
        }
        for one in &ledger {
            let window = Duration::from_secs(length * MINUTE);
            let within = ledger.iter().filter(|other| other.at <= one.at && other.at > one.at.minus(window)).count();
            prop_assert!(within <= times as usize);
        }
    }
}
