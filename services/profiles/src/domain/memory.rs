//! What is remembered of how a customer feels, and of what stands open between it and the company: a pure function of
//! what feedback told, item by item, so that it is exact after every correction, deletion, merge and split.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rapport_kernel::{SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value::Number;

/// After so long a text weighs half.
const HALF_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A survey response.
    Survey,
    /// A ticket.
    Ticket,
    /// A mention.
    Mention,
    /// A chat.
    Chat,
    /// What has no text: a follow-up, a promise.
    Silent,
}

impl Source {
    const ALL: [Self; 5] = [Self::Survey, Self::Ticket, Self::Mention, Self::Chat, Self::Silent];

    /// Its name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Ticket => "ticket",
            Self::Mention => "mention",
            Self::Chat => "chat",
            Self::Silent => "silent",
        }
    }

    /// The source of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// How much texts weigh by where they come from; what is not set weighs what is usual.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weights {
    /// A survey response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survey: Option<Number>,
    /// A ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Number>,
    /// A mention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mention: Option<Number>,
    /// A chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<Number>,
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { survey, ticket, mention, chat } = self;
        f.debug_list().entries([survey, ticket, mention, chat].map(|weight| weight.map(Number::get))).finish()
    }
}

impl Weights {
    /// How much a text of a source weighs; 0: it is left out.
    #[must_use]
    pub fn of(&self, source: Source) -> f64 {
        let (set, usual) = match source {
            Source::Survey => (self.survey, 1.0),
            Source::Ticket => (self.ticket, 1.0),
            Source::Mention => (self.mention, 0.7),
            Source::Chat => (self.chat, 0.7),
            Source::Silent => (None, 0.0),
        };
        set.map_or(usual, Number::get)
    }

    /// Whether all texts weigh the same by both.
    #[must_use]
    pub fn are_those_of(&self, other: &Self) -> bool {
        Source::ALL.into_iter().all(|source| Number::new(self.of(source)) == Number::new(other.of(source)))
    }
}

/// What stands open, or was not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matter {
    /// Nothing.
    #[default]
    None,
    /// A ticket that is not solved.
    Ticket,
    /// A complaint, or a claim, that is not solved.
    Complaint,
    /// A follow-up that is not resolved.
    FollowUp,
    /// A promise that was broken, and not made good since.
    BrokenPromise,
}

impl Matter {
    const ALL: [Self; 5] = [Self::None, Self::Ticket, Self::Complaint, Self::FollowUp, Self::BrokenPromise];

    /// Its name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Ticket => "ticket",
            Self::Complaint => "complaint",
            Self::FollowUp => "follow_up",
            Self::BrokenPromise => "broken_promise",
        }
    }

    /// The matter of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|matter| matter.name() == name)
    }
}

/// One thing that feedback told of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub subject: SubjectId,
    /// As of which revision.
    pub revision: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Where it comes from.
    pub source: Source,
    /// How its text feels, from -1 to 1; none where nothing in it tells.
    pub sentiment: Option<f64>,
    /// What of it stands open.
    pub matter: Matter,
}

/// How a customer feels, over all its texts.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mood {
    /// From -1 to 1.
    #[serde(rename = "v")]
    pub value: Number,
    /// How much that is more than it was a half-life before the last text; none where there was none by then.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Number>,
    /// Over how many texts.
    #[serde(rename = "n")]
    pub texts: u32,
    /// When the last was written.
    #[serde(rename = "t")]
    pub last_at: Timestamp,
}

/// What is remembered of a customer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// How it feels; none where no text of it tells.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub mood: Option<Mood>,
    /// Its tickets that are not solved, complaints among them.
    #[serde(rename = "t")]
    pub open_tickets: u32,
    /// Its complaints and claims that are not solved.
    #[serde(rename = "c")]
    pub open_complaints: u32,
    /// Its follow-ups that are not resolved.
    #[serde(rename = "f")]
    pub open_follow_ups: u32,
    /// Promises to it that were broken and not made good since.
    #[serde(rename = "p")]
    pub broken_promises: u32,
}

/// The mean of sentiments, each by its weight, which is more than nothing, and by half for every half-life before the last; science.md, "accumulated
/// sentiment". All of them fade alike, so that it changes with a text and not with time.
fn mean(texts: &[(Timestamp, f64, f64)]) -> Option<f64> {
    let last = texts.iter().map(|(at, ..)| *at).max()?;
    // From the first on: where all feel the same, the mean is exactly that.
    let (_, _, first) = *texts.first()?;
    let (mut sum, mut weights) = (0.0, 0.0);
    for (at, weight, sentiment) in texts {
        let halves = last.since(*at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        let weight = weight * (-halves).exp2();
        sum += weight * (sentiment - first);
        weights += weight;
    }
    // The last text weighs what its source does.
    Some(first + sum / weights)
}

impl Memory {
    /// Of items, in whatever order they were told.
    #[must_use]
    pub fn of(items: &[Item], weights: &Weights) -> Self {
        let mut memory = Self::default();
        let mut texts: Vec<(Timestamp, Uuid, f64, f64)> = Vec::new();
        for item in items {
            match item.matter {
                Matter::None => {}
                Matter::Ticket => memory.open_tickets += 1,
                Matter::Complaint => {
                    memory.open_tickets += 1;
                    memory.open_complaints += 1;
                }
                Matter::FollowUp => memory.open_follow_ups += 1,
                Matter::BrokenPromise => memory.broken_promises += 1,
            }
            let weight = weights.of(item.source);
            let sentiment = item.sentiment.filter(|_| weight > 0.0);
            texts.extend(sentiment.map(|sentiment| (item.at, item.id, weight, sentiment)));
        }
        // Sums of numbers hang on their order.
        texts.sort_by_key(|(at, id, ..)| (*at, *id));
        let texts: Vec<_> = texts.into_iter().map(|(at, _, weight, sentiment)| (at, weight, sentiment)).collect();
        let Some((value, last_at)) = mean(&texts).and_then(Number::new).zip(texts.last().map(|(at, ..)| *at)) else {
            return memory;
        };
        let earlier = last_at.minus(HALF_LIFE);
        let before = texts.partition_point(|(at, ..)| *at <= earlier);
        // What sums of other texts leave of nothing is nothing.
        let trend = mean(&texts[..before]).map(|before| ((value.get() - before) * 1e12).round() / 1e12 + 0.0);
        let trend = trend.and_then(Number::new);
        let count = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        memory.mood = Some(Mood { value, trend, texts: count, last_at });
        memory
    }

    /// As conditions read it: what is not known is not there.
    #[must_use]
    pub fn numbers(&self) -> BTreeMap<String, f64> {
        let mood = self.mood.as_ref();
        let numbers = [
            ("sentiment", mood.map(|mood| mood.value.get())),
            ("sentiment_trend", mood.and_then(|mood| mood.trend).map(Number::get)),
            ("texts", Some(mood.map_or(0.0, |mood| f64::from(mood.texts)))),
            ("open_tickets", Some(f64::from(self.open_tickets))),
            ("open_complaints", Some(f64::from(self.open_complaints))),
            ("open_follow_ups", Some(f64::from(self.open_follow_ups))),
            ("broken_promises", Some(f64::from(self.broken_promises))),
        ];
        numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), number?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 3_600 * 1_000_000;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_column(1_800_000_000_000_000 + days * DAY)
    }

    fn text(days: i64, source: Source, sentiment: f64) -> Item {
        let (id, subject, matter) = (Uuid::new_v4(), SubjectId::new(), Matter::None);
        Item { id, subject, revision: 1, at: at(days), source, sentiment: Some(sentiment), matter }
    }

    fn value(items: &[Item]) -> Option<f64> {
        Memory::of(items, &Weights::default()).mood.map(|mood| mood.value.get())
    }

    #[test]
    fn a_text_of_thirty_days_ago_weighs_half_and_a_mention_seven_tenths() {
        let items = [text(0, Source::Survey, 1.0), text(30, Source::Ticket, -1.0)];
        assert!((value(&items).expect("told") - (0.5 - 1.0) / 1.5).abs() < 1e-12);
        let items = [text(0, Source::Mention, 1.0), text(0, Source::Ticket, 0.0)];
        assert!((value(&items).expect("told") - 0.7 / 1.7).abs() < 1e-12);
        assert_eq!(value(&[]), None);
        assert_eq!(value(&[text(-90_000, Source::Chat, 0.25)]), Some(0.25), "however long ago");
    }

    #[test]
    fn the_trend_is_against_what_it_was_thirty_days_before_the_last_text() {
        let items = [text(0, Source::Survey, 1.0), text(29, Source::Survey, -1.0), text(40, Source::Survey, -1.0)];
        let mood = Memory::of(&items, &Weights::default()).mood.expect("told");
        assert!((mood.trend.expect("there was one").get() - (mood.value.get() - 1.0)).abs() < 1e-12);
        assert!(Memory::of(&items[1..], &Weights::default()).mood.expect("told").trend.is_none());
    }

    #[test]
    fn where_nothing_changes_the_trend_is_nothing_at_all() {
        for hundredths in -100..=100 {
            let sentiment = f64::from(hundredths) / 100.0;
            let same =
                |day: i64| text(day * 7, [Source::Survey, Source::Mention][usize::from(day % 3 == 0)], sentiment);
            let items: Vec<Item> = (0..20).map(same).collect();
            let mood = Memory::of(&items, &Weights::default()).mood.expect("told");
            let trend = mood.trend.expect("there was one").get();
            assert_eq!((mood.value.get().to_bits(), trend.to_bits()), (sentiment.to_bits(), 0.0_f64.to_bits()));
        }
        // As good texts and bad ones take turns, for as long before as since.
        let turns: Vec<Item> =
            (0..40).map(|day| text(day * 30 / 2, Source::Survey, if day % 2 == 0 { 0.3 } else { -0.7 })).collect();
        let trend = Memory::of(&turns, &Weights::default()).mood.expect("told").trend.expect("there was one").get();
        assert!(trend == 0.0 || trend.abs() > 0.9e-12, "{trend}");
    }

    #[test]
    fn what_stands_open_is_counted_and_a_complaint_is_a_ticket() {
        let of = |matter| Item { matter, sentiment: None, ..text(0, Source::Silent, 0.0) };
        let items = [of(Matter::Complaint), of(Matter::Ticket), of(Matter::FollowUp), of(Matter::BrokenPromise)];
        let memory = Memory::of(&items, &Weights::default());
        let counts = (memory.open_tickets, memory.open_complaints, memory.open_follow_ups, memory.broken_promises);
        assert_eq!((counts, memory.mood.is_none()), ((2, 1, 1, 1), true));
        assert!(!memory.numbers().contains_key("sentiment"));
    }

    #[test]
    fn a_source_that_weighs_nothing_is_left_out_and_what_is_not_set_weighs_what_is_usual() {
        let weights = Weights { ticket: Number::new(0.0), chat: Number::new(2.0), ..Weights::default() };
        let items = [text(0, Source::Chat, 1.0), text(0, Source::Survey, -1.0), text(9, Source::Ticket, -1.0)];
        let mood = Memory::of(&items, &weights).mood.expect("told");
        assert!((mood.value.get() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((mood.texts, mood.last_at), (2, at(0)));
        assert!(Memory::of(&items[2..], &weights).mood.is_none(), "there is nothing else");
        let usual = Weights { survey: Number::new(1.0), mention: Number::new(0.7), ..Weights::default() };
        assert!(usual.are_those_of(&Weights::default()) && !weights.are_those_of(&usual));
    }

    proptest! {
        #[test]
        fn it_is_the_definition_at_any_instant_and_in_any_order(
            told in proptest::collection::vec((0_i64..400, 0_usize..4, -100_i32..=100), 1..30),
            later in 0_i64..4_000,
            turn in any::<usize>(),
            set in proptest::option::of([0.01_f64..10.0, 0.01_f64..10.0, 0.01_f64..10.0, 0.01_f64..10.0]),
        ) {
            let sources = [Source::Survey, Source::Ticket, Source::Mention, Source::Chat];
            let weights = set.unwrap_or([1.0, 1.0, 0.7, 0.7]);
            let number = |place: usize| set.and_then(|set| Number::new(set[place]));
            let own = Weights { survey: number(0), ticket: number(1), mention: number(2), chat: number(3) };
            let items: Vec<Item> =
                told.iter().map(|(days, of, s)| text(*days, sources[*of], f64::from(*s) / 100.0)).collect();
            let now = 400 + later % 400;
            let decay = |days: i64| f64::powf(2.0, -((now - days) as f64) / 30.0);
            let sum: f64 =
                told.iter().map(|(days, of, s)| weights[*of] * decay(*days) * f64::from(*s) / 100.0).sum();
            let all: f64 = told.iter().map(|(days, of, _)| weights[*of] * decay(*days)).sum();
            let found = Memory::of(&items, &own).mood.expect("there are texts").value.get();
            prop_assert!((found - sum / all).abs() < 1e-9, "{} is not {}", found, sum / all);
            let mut turned = items.clone();
            turned.rotate_left(turn % items.len());
            turned.reverse();
            prop_assert!(Memory::of(&turned, &own) == Memory::of(&items, &own));
        }
    }
}
