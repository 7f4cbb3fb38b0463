//! The figures of feedback, counted from what events say.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, Measure, ResponseChanged, TextReading, TicketChanged};
use rapport_api::metrics::v1::{QueryMetricRequest, Transfers};

use super::{Fact, Point, Said, fact, instant, party, point};

/// All that are made from feedback.
pub const METRICS: [&str; 29] = [
    "answer_completeness",
    "ces_mean",
    "ces_share",
    "complaint_rate",
    "contact_rate",
    "containment_rate",
    "csat_mean",
    "csat_top_box",
    "csi",
    "emotion_share",
    "expectation_gap",
    "fcr_asked",
    "fcr_operational",
    "fcr_ticket",
    "first_response_time",
    "loop_closed_rate",
    "mention_reply_time",
    "negative_feedback_share",
    "nps",
    "promise_kept_rate",
    "reopen_rate",
    "resolution_time",
    "response_rate",
    "sentiment_index",
    "sla_met",
    "statement_agreement",
    "time_to_close",
    "tnps",
    "unanswered_share",
];

/// What an event contributes to a metric.
pub fn facts(metric: &str, event: &Event, by_topic: bool) -> Vec<Fact> {
    match &event.payload {
        Some(Payload::ResponseChanged(changed)) if !changed.deleted && !changed.is_test => {
            let named = [
                ("survey", changed.survey_id.as_str()),
                ("channel", &changed.channel),
                ("stage", &changed.stage),
                ("party", party(changed.party)),
                ("agent", &changed.agent),
                ("team", &changed.team),
                ("language", &changed.language),
                ("campaign", &changed.campaign),
            ];
            let whole = fact(event, &named, &changed.dimensions, Said::Happened(0));
            if WORDS.contains(&metric) {
                return words(metric, "response", score_feels(changed), changed.reading.as_ref(), &whole, by_topic);
            }
            response(metric, changed, &whole)
        }
        Some(Payload::TicketChanged(changed)) if !changed.deleted => {
            let named = [
                ("type", changed.kind.as_str()),
                ("channel", &changed.channel),
                ("stage", &changed.stage),
                ("party", party(changed.party)),
                ("agent", &changed.agent),
                ("team", &changed.team),
                ("language", &changed.language),
                ("topic", &changed.topic),
                ("priority", &changed.priority),
            ];
            let whole = fact(event, &named, &changed.dimensions, Said::Happened(0));
            if WORDS.contains(&metric) {
                let hurts = ["complaint", "claim"].contains(&changed.kind.as_str()).then_some(-1);
                return words(metric, "ticket", hurts, changed.reading.as_ref(), &whole, by_topic);
            }
            ticket(metric, changed, &whole)
        }
        Some(Payload::MentionChanged(changed)) if !changed.deleted => {
            let named = [("type", changed.kind.as_str()), ("channel", &changed.channel), ("party", "customer")];
            let whole = fact(event, &named, &changed.dimensions, Said::Happened(0));
            if WORDS.contains(&metric) {
                let feels = changed.rating.map(|rating| {
                    if rating >= 4.0 {
                        1
                    } else if rating <= 2.0 {
                        -1
                    } else {
                        0
                    }
                });
                return words(metric, "mention", feels, changed.reading.as_ref(), &whole, by_topic);
            }
            let replied = changed.reply_time.as_ref().filter(|_| metric == "mention_reply_time");
            let took = replied.map(|at| (instant(at) - whole.at).num_seconds());
            took.map(|took| Fact { said: Said::Seconds(took), ..whole }).into_iter().collect()
        }
        Some(Payload::FollowUpChanged(changed)) if !changed.deleted && changed.status != "cancelled" => {
            let named = [
                ("type", changed.kind.as_str()),
                ("channel", &changed.channel),
                ("party", "customer"),
                ("agent", &changed.owner),
            ];
            let whole = fact(event, &named, &changed.dimensions, Said::Happened(0));
            let resolved = changed.resolve_time.as_ref().map(instant);
            let in_time = resolved.is_some_and(|at| changed.due_time.as_ref().is_none_or(|due| at <= instant(due)));
            match metric {
                "loop_closed_rate" => vec![Fact { said: Said::Yes(in_time), ..whole }],
                "time_to_close" => {
                    let took = resolved.map(|at| Said::Seconds((at - whole.at).num_seconds()));
                    took.map(|said| Fact { said, ..whole }).into_iter().collect()
                }
                _ => Vec::new(),
            }
        }
        Some(Payload::InvitationChanged(changed)) if !changed.deleted && metric == "response_rate" => {
            let named = [
                ("type", changed.kind.as_str()),
                ("channel", &changed.channel),
                ("party", party(changed.party)),
                ("survey", &changed.survey_id),
            ];
            let status = changed.status.as_str();
            let said = Said::Invited {
                told: changed.deliver_time.is_some() || status == "delivered",
                reached: status != "invited",
                answered: status == "completed",
            };
            let whole = Fact { series: changed.channel.clone(), ..fact(event, &named, &changed.dimensions, said) };
            (!["cancelled", "failed"].contains(&status) && !changed.anonymous).then_some(whole).into_iter().collect()
        }
        Some(Payload::PromiseChanged(changed)) if !changed.deleted && metric == "promise_kept_rate" => {
            let named = [("channel", changed.channel.as_str()), ("party", "customer"), ("team", &changed.team)];
            let whole = fact(event, &named, &changed.dimensions, Said::Yes(changed.status == "kept"));
            ["kept", "broken"].contains(&changed.status.as_str()).then_some(whole).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

const WORDS: [&str; 3] = ["sentiment_index", "emotion_share", "negative_feedback_share"];

fn response(metric: &str, changed: &ResponseChanged, whole: &Fact) -> Vec<Fact> {
    let weight = if changed.weight == 0.0 { 1.0 } else { changed.weight };
    if metric == "csi" {
        let items = changed.measures.iter().filter(|measure| measure.kind == "csi");
        let items: Vec<_> = items.map(|item| (item.question.clone(), item.value, item.weight)).collect();
        let said = Said::Items(items.clone(), weight);
        let fact = Fact { series: changed.survey_id.clone(), said, ..whole.clone() };
        return if items.is_empty() { Vec::new() } else { vec![fact] };
    }
    let kind = match metric {
        "csat_mean" | "csat_top_box" => "csat",
        "ces_mean" | "ces_share" => "ces",
        "statement_agreement" => "statement",
        "fcr_asked" => "fcr",
        "expectation_gap" => "expectation",
        other => other,
    };
    let measured = changed.measures.iter().filter(|measure| measure.kind == kind);
    let answer = |measure: &Measure| {
        let scale = format!("{}..{}{}", measure.scale_min, measure.scale_max, if measure.reversed { "r" } else { "" });
        let top = measure.top_box > 0 && measure.value >= measure.top_box;
        let mut fact = Fact { said: Said::Answer(measure.value, top, weight), ..whole.clone() };
        fact.series = match kind {
            "fcr" | "expectation" => String::new(),
            "statement" => format!("{} {scale}", measure.statement),
            _ => scale,
        };
        if !measure.stage.is_empty() {
            fact.dimensions.insert("stage".to_owned(), measure.stage.clone());
        }
        fact.dimensions.insert("statement".to_owned(), measure.statement.clone());
        fact
    };
    measured.map(answer).collect()
}

/// Whether the score of its kind pleases (1), hurts (−1) or neither.
fn score_feels(changed: &ResponseChanged) -> Option<i32> {
    let of_kind: Vec<&Measure> = changed.measures.iter().filter(|measure| measure.kind == changed.kind).collect();
    let first = of_kind.first()?;
    let feels = |good: bool, bad: bool| {
        if good {
            1
        } else if bad {
            -1
        } else {
            0
        }
    };
    Some(match (changed.kind.as_str(), first.scale_max) {
        ("nps" | "tnps", 10) if first.scale_min < 2 => {
            let value = if first.reversed { 10 + first.scale_min - first.value } else { first.value };
            feels(value >= 9, value <= 6)
        }
        ("csat", most) => feels(first.value >= first.top_box, first.value <= if most >= 5 { 2 } else { 1 }),
        ("ces", 7) => feels(first.value >= 5, first.value <= 3),
        ("ces", _) => feels(first.value <= 2, first.value >= 4),
        ("csi", _) => {
            let mean = of_kind.iter().map(|item| f64::from(item.value - 1) / 9.0).sum::<f64>() / of_kind.len() as f64;
            feels(mean >= 0.75 - 1e-12, mean <= 0.25 + 1e-12)
        }
        _ => return None,
    })
}

fn words(
    metric: &str,
    of: &str,
    feels: Option<i32>,
    reading: Option<&TextReading>,
    whole: &Fact,
    by_topic: bool,
) -> Vec<Fact> {
    let mut whole = whole.clone();
    whole.dimensions.insert("type".to_owned(), of.to_owned());
    whole.dimensions.remove("topic");
    let negative = metric == "negative_feedback_share";
    let Some(reading) = reading else {
        let said = feels.filter(|_| negative && !by_topic).map(|feels| Said::Yes(feels < 0));
        return said.map(|said| Fact { said, ..whole }).into_iter().collect();
    };
    let language = whole.dimensions.entry("language".to_owned()).or_default();
    if language.is_empty() {
        language.clone_from(&reading.language);
    }
    let say = |sentiment: Option<f64>| {
        if !negative {
            let heard = reading.emotions.iter().filter(|(_, strength)| **strength >= 0.2);
            return Some(Said::Text(sentiment, heard.map(|(name, _)| name.clone()).collect()));
        }
        feels.map(|feels| feels < 0).or(sentiment.map(|sentiment| sentiment <= -0.05)).map(Said::Yes)
    };
    let topics: Vec<(Option<&String>, Option<f64>)> = if by_topic {
        reading.topics.iter().map(|(topic, of)| (Some(topic), reading.sentiment.map(|_| *of))).collect()
    } else {
        vec![(None, reading.sentiment)]
    };
    let mut facts = Vec::new();
    for (topic, sentiment) in topics {
        if let Some(said) = say(sentiment) {
            let mut fact = Fact { said, ..whole.clone() };
            fact.dimensions.insert("topic".to_owned(), topic.cloned().unwrap_or_default());
            facts.push(fact);
        }
    }
    facts
}

fn ticket(metric: &str, changed: &TicketChanged, whole: &Fact) -> Vec<Fact> {
    let say = |said: Said| vec![Fact { said, ..whole.clone() }];
    let times = |all: &[prost_types::Timestamp]| {
        let mut times: Vec<DateTime<Utc>> = all.iter().map(instant).collect();
        times.sort();
        times
    };
    let (contacts, solutions) = (times(&changed.contact_times), times(&changed.solve_times));
    match metric {
        "complaint_rate" => say(Said::Yes(changed.kind == "complaint")),
        "answer_completeness" | "unanswered_share" if changed.asked > 0 => {
            say(Said::Asked(changed.asked.into(), changed.answered.into()))
        }
        "containment_rate" if changed.contained || changed.self_service => say(Said::Yes(changed.contained)),
        "contact_rate" | "fcr_operational" => {
            let issue = if changed.issue_id.is_empty() { &whole.id } else { &changed.issue_id };
            let contact = |at: DateTime<Utc>| Fact {
                at,
                said: Said::Contact(issue.clone(), changed.transfers > 0),
                ..whole.clone()
            };
            contacts.into_iter().map(contact).collect()
        }
        "first_response_time" => {
            changed.first_response_seconds.map(|took| say(Said::Seconds(took))).unwrap_or_default()
        }
        "resolution_time" => match (changed.resolution_seconds, solutions.last()) {
            (Some(took), Some(at)) => vec![Fact { at: *at, said: Said::Seconds(took), ..whole.clone() }],
            _ => Vec::new(),
        },
        "fcr_ticket" | "reopen_rate" => {
            let Some(first) = solutions.first() else { return Vec::new() };
            let openings = times(&changed.reopen_times).into_iter().filter(|at| at >= first).collect();
            let said = Said::Solved(contacts[1..].to_vec(), openings, changed.transfers > 0);
            vec![Fact { at: *first, said, ..whole.clone() }]
        }
        "sla_met" => {
            let targets =
                [("first_response", &changed.first_response_target), ("resolution", &changed.resolution_target)];
            let mut facts = Vec::new();
            for (name, target) in targets {
                let Some(target) = target else { continue };
                if target.breach_time.is_some() || target.settle_time.is_some() {
                    let mut fact = Fact { said: Said::Yes(target.breach_time.is_none()), ..whole.clone() };
                    fact.dimensions.insert("target".to_owned(), name.to_owned());
                    facts.push(fact);
                }
            }
            facts
        }
        _ => Vec::new(),
    }
}

/// The figures of facts of one place; `everything` is all facts of the metric, wherever.
pub fn figures(query: &QueryMetricRequest, facts: &[&Fact], everything: &[Fact]) -> Vec<Point> {
    let metric = query.metric.as_str();
    match metric {
        "contact_rate" => {
            let customers: BTreeSet<&str> = facts.iter().map(|fact| fact.customer.as_str()).collect();
            let contacts = facts.iter().filter(|fact| matches!(fact.said, Said::Contact(..))).count();
            return vec![point(Some(100.0 * contacts as f64 / customers.len() as f64), customers.len())];
        }
        "fcr_operational" | "fcr_ticket" | "reopen_rate" => return matured(query, facts, everything),
        "sentiment_index" | "emotion_share" => return read(metric, facts),
        "response_rate" => return asked(facts),
        _ => {}
    }
    let mut by_series: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        by_series.entry(&fact.series).or_default().push(fact);
    }
    if query.latest_per_customer {
        for facts in by_series.values_mut() {
            let mut latest: BTreeMap<&str, &Fact> = BTreeMap::new();
            for &fact in facts.iter() {
                let held = latest.entry(&fact.customer).or_insert(fact);
                if (fact.at, &fact.id, fact.line) > (held.at, &held.id, held.line) {
                    *held = fact;
                }
            }
            *facts = latest.into_values().collect();
        }
    }
    let named =
        |(series, facts): (&str, Vec<&Fact>)| Point { series: series.to_owned(), ..of_series(metric, series, &facts) };
    by_series.into_iter().map(named).collect()
}

/// Who answered of those whom it reached; of a channel on which nobody tells of deliveries, of those whom it was sent to.
fn asked(facts: &[&Fact]) -> Vec<Point> {
    let is_told = |channel: &str| {
        facts.iter().any(|fact| fact.series == channel && matches!(fact.said, Said::Invited { told: true, .. }))
    };
    let counts = |fact: &&&Fact| matches!(fact.said, Said::Invited { reached: true, .. }) || !is_told(&fact.series);
    let counted: Vec<_> = facts.iter().filter(counts).collect();
    let answered = counted.iter().filter(|fact| matches!(fact.said, Said::Invited { answered: true, .. })).count();
    let share = (!counted.is_empty()).then(|| answered as f64 / counted.len() as f64);
    share.map(|share| point(Some(share), counted.len())).into_iter().collect()
}

fn of_series(metric: &str, series: &str, facts: &[&Fact]) -> Point {
    let share = |yes: &dyn Fn(&Said) -> bool| {
        let part = facts.iter().filter(|fact| yes(&fact.said)).count();
        point(Some(part as f64 / facts.len() as f64), facts.len())
    };
    match metric {
        "complaint_rate"
        | "containment_rate"
        | "sla_met"
        | "loop_closed_rate"
        | "promise_kept_rate"
        | "negative_feedback_share" => share(&|said| matches!(said, Said::Yes(true))),
        "unanswered_share" => share(&|said| matches!(said, Said::Asked(_, 0))),
        "answer_completeness" => {
            let sum = facts.iter().fold((0, 0), |sum, fact| match fact.said {
                Said::Asked(asked, answered) => (sum.0 + asked, sum.1 + answered),
                _ => panic!("asked"),
            });
            point(Some(sum.1 as f64 / sum.0 as f64), sum.0 as usize)
        }
        "first_response_time" | "resolution_time" | "time_to_close" | "mention_reply_time" => {
            let mut times: Vec<i64> = facts
                .iter()
                .map(|fact| match fact.said {
                    Said::Seconds(took) => took,
                    _ => panic!("a time"),
                })
                .collect();
            times.sort_unstable();
            let middle = (times[(times.len() - 1) / 2] + times[times.len() / 2]) as f64 / 2.0;
            point(Some(middle), times.len())
        }
        "csi" => index(facts),
        _ => answered(metric, series, facts),
    }
}

fn answered(metric: &str, series: &str, facts: &[&Fact]) -> Point {
    let answers: Vec<(i32, bool, f64)> = facts
        .iter()
        .map(|fact| match fact.said {
            Said::Answer(value, top, weight) => (value, top, weight),
            _ => panic!("an answer"),
        })
        .collect();
    let whole: f64 = answers.iter().map(|(_, _, weight)| weight).sum();
    let share = |meant: &dyn Fn(i32, bool) -> bool| {
        answers.iter().filter(|(value, top, _)| meant(*value, *top)).map(|(_, _, weight)| weight).sum::<f64>() / whole
    };
    let scale = series.rsplit(' ').next().expect("a word");
    let value = match (metric, scale) {
        ("nps" | "tnps", "0..10" | "1..10") => 100.0 * (share(&|value, _| value >= 9) - share(&|value, _| value <= 6)),
        ("nps" | "tnps", "0..10r") => 100.0 * (share(&|value, _| value <= 1) - share(&|value, _| value >= 4)),
        // Nobody says who would be a promoter.
        ("nps" | "tnps", _) => f64::NAN,
        ("expectation_gap", _) => 100.0 * (share(&|value, _| value == 3) - share(&|value, _| value == 1)),
        ("fcr_asked", _) => share(&|value, _| value == 1),
        ("csat_top_box", _) => share(&|_, top| top),
        ("ces_share", "1..7") => share(&|value, _| value >= 5),
        ("ces_share", "1..5r") | ("statement_agreement", "1..5r") => share(&|value, _| value <= 2),
        ("statement_agreement", "1..5") => share(&|value, _| value >= 4),
        ("csat_mean" | "ces_mean", _) => {
            answers.iter().map(|(value, _, weight)| f64::from(*value) * weight).sum::<f64>() / whole
        }
        other => panic!("no such figure: {other:?}"),
    };
    let mut distribution = Vec::new();
    if let Some((min, max)) = scale.trim_end_matches('r').split_once("..") {
        let (min, max): (i32, i32) = (min.parse().expect("a number"), max.parse().expect("a number"));
        let count = |bar: i32| answers.iter().filter(|(value, _, _)| *value == bar).count() as i64;
        distribution = (min..=max).map(count).collect();
    }
    Point { distribution, ..point(Some(value).filter(|value| !value.is_nan()), answers.len()) }
}

fn index(facts: &[&Fact]) -> Point {
    let mut items: BTreeMap<&str, Vec<(f64, f64, f64)>> = BTreeMap::new();
    for fact in facts {
        let Said::Items(answers, respondent) = &fact.said else { panic!("items") };
        for (question, value, weight) in answers {
            items.entry(question).or_default().push((f64::from(*value), *weight, *respondent));
        }
    }
    let of_item = |answers: &Vec<(f64, f64, f64)>| {
        let weights: f64 = answers.iter().map(|(_, _, respondent)| respondent).sum();
        let mean = answers.iter().map(|(value, _, respondent)| value * respondent).sum::<f64>() / weights;
        (answers[0].1, 100.0 * (mean - 1.0) / 9.0)
    };
    let found: Vec<(f64, f64)> = items.values().map(of_item).collect();
    let whole: f64 = found.iter().map(|(weight, _)| weight).sum();
    point(Some(found.iter().map(|(weight, value)| weight * value).sum::<f64>() / whole), facts.len())
}

/// Figures of texts: those in which something could be read, and which share of all these are.
fn read(metric: &str, facts: &[&Fact]) -> Vec<Point> {
    let texts = facts.iter().map(|fact| match &fact.said {
        Said::Text(sentiment, emotions) => (*sentiment, emotions),
        _ => panic!("a text"),
    });
    let told: Vec<(f64, &BTreeSet<String>)> =
        texts.filter_map(|(sentiment, emotions)| Some((sentiment?, emotions))).collect();
    let n = told.len() as f64;
    let coverage = Some(n / facts.len() as f64);
    if told.is_empty() {
        return Vec::new();
    }
    if metric == "sentiment_index" {
        let good = told.iter().filter(|(sentiment, _)| *sentiment >= 0.05).count() as f64;
        let bad = told.iter().filter(|(sentiment, _)| *sentiment <= -0.05).count() as f64;
        return vec![Point { coverage, ..point(Some(100.0 * (good - bad) / n), told.len()) }];
    }
    let heard = |emotion: &str| told.iter().filter(|(_, emotions)| emotions.contains(emotion)).count() as f64;
    let of =
        |emotion: &str| Point { series: emotion.to_owned(), coverage, ..point(Some(heard(emotion) / n), told.len()) };
    ["anger", "disgust", "fear", "joy", "sadness", "surprise"].map(of).into()
}

/// Figures of what must stay quiet for a while.
fn matured(query: &QueryMetricRequest, facts: &[&Fact], everything: &[Fact]) -> Vec<Point> {
    let window = query.window.as_ref().map_or(TimeDelta::days(7), |window| TimeDelta::seconds(window.seconds));
    let now = instant(query.at.as_ref().expect("the questions say as of when"));
    let (mature, immature): (Vec<&Fact>, Vec<&Fact>) = facts.iter().copied().partition(|fact| fact.at + window <= now);
    let outcome = |fact: &Fact| {
        let (quiet, transferred) = match &fact.said {
            Said::Solved(contacts, openings, transferred) => {
                let limit = fact.at + window;
                let contacted = query.metric == "fcr_ticket" && contacts.iter().any(|at| *at <= limit);
                (!contacted && openings.iter().all(|at| *at > limit), *transferred)
            }
            Said::Contact(issue, transferred) => {
                let on_issue = || {
                    everything.iter().filter(|other| matches!(&other.said, Said::Contact(theirs, _) if theirs == issue))
                };
                if on_issue().any(|other| other.at < fact.at && other.at >= fact.at - window) {
                    return None;
                }
                (!on_issue().any(|other| other.at > fact.at && other.at <= fact.at + window), *transferred)
            }
            _ => panic!("a contact or a solution"),
        };
        match query.transfers() {
            _ if query.metric == "reopen_rate" => Some(!quiet),
            Transfers::LeaveOut if transferred => None,
            Transfers::Fail | Transfers::Unspecified if transferred => Some(false),
            _ => Some(quiet),
        }
    };
    // Contacts of one customer on one issue at one instant are one, which fails if any of them does.
    let mut once: BTreeMap<(String, String, DateTime<Utc>), bool> = BTreeMap::new();
    for fact in mature {
        if let Some(good) = outcome(fact) {
            let of = match &fact.said {
                Said::Contact(issue, _) => (issue.clone(), fact.customer.clone(), fact.at),
                _ => (fact.id.clone(), String::new(), fact.at),
            };
            let held = once.entry(of).or_insert(good);
            *held = *held && good;
        }
    }
    let left_out = |fact: &&&Fact| {
        let transferred = matches!(fact.said, Said::Contact(_, true) | Said::Solved(_, _, true));
        !(transferred && query.transfers() == Transfers::LeaveOut)
    };
    let young = immature.iter().filter(left_out).count();
    if once.is_empty() && young == 0 {
        return Vec::new();
    }
    let good = once.values().filter(|good| **good).count();
    let value = (!once.is_empty()).then(|| good as f64 / once.len() as f64);
    vec![Point { immature: young as i64, ..point(value, once.len()) }]
}
