//! Reckoning: each figure as a pure function of what was counted. A tally holds, by series, how often each thing was
//! said; a part of an answer is what one series, or one emotion in it, comes to.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::Fault;

use super::cells::{Amount, Tally};
use super::figures::Figure;
use super::slots::{self, Answer, Answered, Feeling, NotASlot, Pattern, Read, Scale, Solution};
use super::statistics::index::Index;
use super::statistics::means::Mean;
use super::statistics::times::Times;
use super::statistics::{Recommendation, Share, effective};

/// How a figure is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reckoning {
    /// How many facts there are.
    Count,
    /// The sums of their amounts, by currency.
    Sums,
    /// How many customers there are.
    Customers,
    /// Which share of the buyers bought again.
    Repeats,
    /// Contacts for each hundred active customers.
    Contacts,
    /// Which share of all comes by a channel.
    Channels,
    /// Which share of contacts was followed by no other on the issue.
    LastContacts,
    /// Promoters minus detractors.
    Recommendation,
    /// Better than expected minus worse.
    Expectation,
    /// Good feelings minus bad ones.
    Sentiment,
    /// The mean of what was answered.
    Mean,
    /// The share in the top boxes.
    TopBoxes,
    /// The share for whom it was easy.
    Ease,
    /// The share that agrees, or with a negative statement disagrees.
    Agreement,
    /// The share of ones among ones and zeros.
    Yes,
    /// The share of those asked who answered.
    Answering,
    /// The share of a kind.
    Kind(&'static str),
    /// The share in which each emotion is heard.
    Emotions,
    /// The share that hurt.
    Hurt,
    /// An index of satisfaction.
    Index,
    /// Times until something.
    Times,
    /// The share of tickets solved with one contact and not opened again.
    FirstContact,
    /// The share of solved tickets that were opened again.
    Reopened,
    /// The share of what was asked that was answered.
    Answered,
    /// The share of tickets in which nothing of what was asked was answered.
    Unanswered,
}

/// What the caller declares of contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Within how many microseconds things must stay quiet.
    pub window: i64,
    /// What becomes of those that went from one to another.
    pub transfers: Transfers,
}

/// What becomes of contacts that went from one agent or team to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfers {
    /// They were not resolved on first contact.
    Fail,
    /// They are like any other.
    Allow,
    /// They do not count at all: the first line cannot resolve them.
    LeaveOut,
}

/// What a series comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The series as facts have it.
    pub series: String,
    /// What of the series it is about, as an emotion; empty: all.
    pub of: String,
    /// The figure.
    pub figure: Figure,
    /// How many gave each answer, from the least of the scale up, which stands with it.
    pub distribution: Option<(i32, Vec<i64>)>,
    /// The answers that are in the top boxes of their surveys.
    pub top_boxes: BTreeSet<i32>,
}

impl Part {
    /// A figure without more to it.
    #[must_use]
    pub const fn new(series: String, figure: Figure) -> Self {
        Self { series, of: String::new(), figure, distribution: None, top_boxes: BTreeSet::new() }
    }
}

impl Reckoning {
    /// Whether it keeps series apart, so that an answer has a point for each.
    #[must_use]
    pub const fn by_series(self) -> bool {
        matches!(
            self,
            Self::Sums
                | Self::Recommendation
                | Self::Mean
                | Self::TopBoxes
                | Self::Ease
                | Self::Agreement
                | Self::Index
        )
    }

    /// Whether things must stay quiet for a while before it can be told.
    #[must_use]
    pub const fn matures(self) -> bool {
        matches!(self, Self::LastContacts | Self::FirstContact | Self::Reopened)
    }

    /// Whether it counts contacts of which it matters that they went from one to another.
    #[must_use]
    pub const fn sees_transfers(self) -> bool {
        matches!(self, Self::LastContacts | Self::FirstContact)
    }
}

type Slots = BTreeMap<String, Amount>;

/// What a tally comes to, by series. Nothing where there is nothing to reckon from.
///
/// # Errors
/// Where a cell holds what nothing here wrote.
pub fn parts(reckoning: Reckoning, tally: &Tally, declared: Declared) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    if matches!(reckoning, Reckoning::Count | Reckoning::Channels) {
        return Ok(vec![Part::new(String::new(), Figure::Count(tally.count()))]);
    }
    for (series, slots) in tally.series() {
        let found = of_series(reckoning, series, slots, declared);
        parts.extend(found.map_err(|NotASlot| Fault::internal("a cell does not hold what was expected"))?);
    }
    parts.retain(|part| part.figure.n() > 0);
    Ok(parts)
}

fn of_series(reckoning: Reckoning, series: &str, slots: &Slots, declared: Declared) -> Result<Vec<Part>, NotASlot> {
    let one = |figure: Figure| Ok(vec![Part::new(series.to_owned(), figure)]);
    match reckoning {
        Reckoning::Sums => sums(series, slots),
        Reckoning::Recommendation | Reckoning::Mean | Reckoning::TopBoxes | Reckoning::Ease | Reckoning::Agreement => {
            answered(reckoning, series, slots)
        }
        Reckoning::Expectation => {
            let answers = Answers::read(slots)?;
            let balance = answers.balance(|answer| answer.value >= 3, |answer| answer.value <= 1);
            one(Figure::Score(balance, answers.count()))
        }
        Reckoning::Yes => {
            let answers = Answers::read(slots)?;
            one(Figure::Share(answers.share(|answer| answer.value == 1), answers.count()))
        }
        Reckoning::Sentiment => {
            let read = sum_up(slots, |slot| Ok(slots::read::<Read>(slot)?.feeling))?;
            let of = |feeling: Feeling| read.get(&feeling).copied().unwrap_or(0);
            let n: i64 = read.values().sum();
            let balance = Answers::counted(of(Feeling::Good), of(Feeling::Bad), n);
            one(Figure::Score(balance, n))
        }
        Reckoning::Emotions => emotions(series, slots),
        Reckoning::Hurt => one(share(slots, |slot| Ok(Some(slots::read::<Feeling>(slot)? == Feeling::Bad)))?),
        Reckoning::Kind(kind) => one(share(slots, |slot| Ok(Some(slot == kind)))?),
        Reckoning::FirstContact => one(share(slots, |slot| Ok(first_contact(&slots::read(slot)?, declared)))?),
        Reckoning::Reopened => one(share(slots, |slot| {
            let solution: Solution = slots::read(slot)?;
            Ok(Some(solution.reopen_after.is_some_and(|after| after <= declared.window)))
        })?),
        Reckoning::Unanswered => one(share(slots, |slot| Ok(Some(slots::read::<Answered>(slot)?.answered == 0)))?),
        Reckoning::Answered => {
            let (mut asked, mut answered) = (0, 0);
            for (slot, amount) in slots {
                let of: Answered = slots::read(slot)?;
                asked += of.asked * amount.count;
                answered += of.answered * amount.count;
            }
            one(Figure::Share(Share::counted(answered, asked), asked))
        }
        Reckoning::Index => {
            let mut patterns = Vec::new();
            for (slot, amount) in slots {
                patterns.push((slots::read::<Pattern>(slot)?, amount.count));
            }
            one(Figure::Index(Index::of(&patterns)))
        }
        Reckoning::Times => {
            let mut times = Times::default();
            for (slot, amount) in slots {
                times.add(slot.parse().map_err(|_| NotASlot)?, amount.count);
            }
            one(Figure::Times(times))
        }
        // Those are reckoned from facts, by customer, by issue or by what is known beside them.
        Reckoning::Count
        | Reckoning::Customers
        | Reckoning::Repeats
        | Reckoning::Contacts
        | Reckoning::Channels
        | Reckoning::LastContacts
        | Reckoning::Answering => Ok(Vec::new()),
    }
}

/// What is worth money, by currency. What has no currency has no sum.
fn sums(series: &str, slots: &Slots) -> Result<Vec<Part>, NotASlot> {
    if series.is_empty() {
        return Ok(Vec::new());
    }
    let mut sum = Amount::default();
    slots.values().for_each(|amount| sum.add(*amount, 1));
    let currency = series.parse().map_err(|_| NotASlot)?;
    Ok(vec![Part::new(series.to_owned(), Figure::Sum(currency, sum))])
}

fn answered(reckoning: Reckoning, series: &str, slots: &Slots) -> Result<Vec<Part>, NotASlot> {
    // The scale is the last of a series' words.
    let scale: Scale = series.rsplit(' ').next().unwrap_or_default().parse()?;
    let answers = Answers::read(slots)?;
    let n = answers.count();
    let high = |value: i32, part: i64, of: i64| {
        let (height, length) = scale.height(value);
        height * of >= length * part
    };
    let figure = match reckoning {
        Reckoning::Mean => Figure::Mean(answers.mean(), n),
        Reckoning::TopBoxes => Figure::Share(answers.share(|answer| answer.top), n),
        // 5 to 7 of 1 to 7; 1 and 2 of 1 to 5 where a low one is good.
        Reckoning::Ease => Figure::Share(answers.share(|answer| high(answer.value, 2, 3)), n),
        // 4 and 5 of 1 to 5; 1 and 2 where a low one is good.
        Reckoning::Agreement => Figure::Share(answers.share(|answer| high(answer.value, 3, 4)), n),
        _ if scale.recommendation(scale.min).is_none() => Figure::Score(Answers::counted(0, 0, 0), n),
        _ => {
            let is =
                |meant: fn(i32) -> bool| move |answer: &Answer| scale.recommendation(answer.value).is_some_and(meant);
            Figure::Score(answers.balance(is(|value| value >= 9), is(|value| value <= 6)), n)
        }
    };
    let top_boxes = answers.0.iter().filter(|(answer, _)| answer.top && reckoning == Reckoning::TopBoxes);
    Ok(vec![Part {
        distribution: Some((scale.min, answers.histogram(scale))),
        top_boxes: top_boxes.map(|(answer, _)| answer.value).collect(),
        ..Part::new(series.to_owned(), figure)
    }])
}

/// The emotions that are always told of, be it that nobody was heard with them: Ekman's six, which the analysis tells.
const EMOTIONS: [&str; 6] = ["anger", "disgust", "fear", "joy", "sadness", "surprise"];

/// Each emotion that any of the texts was heard with, among all texts.
fn emotions(series: &str, slots: &Slots) -> Result<Vec<Part>, NotASlot> {
    let (mut heard, mut n): (BTreeMap<String, i64>, i64) =
        (EMOTIONS.into_iter().map(|emotion| (emotion.to_owned(), 0)).collect(), 0);
    for (slot, amount) in slots {
        n += amount.count;
        for emotion in slots::read::<Read>(slot)?.emotions {
            *heard.entry(emotion).or_default() += amount.count;
        }
    }
    let part = |(of, count): (String, i64)| Part {
        of,
        ..Part::new(series.to_owned(), Figure::Share(Share::counted(count, n), n))
    };
    Ok(heard.into_iter().map(part).collect())
}

/// Whether a solution was one on first contact; `None` where it does not count.
fn first_contact(solution: &Solution, declared: Declared) -> Option<bool> {
    let quiet = |after: Option<i64>| after.is_none_or(|after| after > declared.window);
    let resolved = quiet(solution.contact_after) && quiet(solution.reopen_after);
    match declared.transfers {
        Transfers::LeaveOut if solution.transferred => None,
        Transfers::Fail if solution.transferred => Some(false),
        Transfers::Fail | Transfers::Allow | Transfers::LeaveOut => Some(resolved),
    }
}

/// The share of those for which a slot says yes; where it says nothing they do not count.
fn share(slots: &Slots, says: impl Fn(&str) -> Result<Option<bool>, NotASlot>) -> Result<Figure, NotASlot> {
    let told = sum_up(slots, |slot| says(slot))?;
    let of = |said: bool| told.get(&Some(said)).copied().unwrap_or(0);
    let n = of(true) + of(false);
    Ok(Figure::Share(Share::counted(of(true), n), n))
}

fn sum_up<K: Ord>(slots: &Slots, key: impl Fn(&str) -> Result<K, NotASlot>) -> Result<BTreeMap<K, i64>, NotASlot> {
    let mut counts = BTreeMap::new();
    for (slot, amount) in slots {
        *counts.entry(key(slot)?).or_default() += amount.count;
    }
    Ok(counts)
}

/// Answers on one scale, each with how many gave it.
struct Answers(Vec<(Answer, i64)>);

impl Answers {
    fn read(slots: &Slots) -> Result<Self, NotASlot> {
        slots.iter().map(|(slot, amount)| Ok((slot.parse()?, amount.count))).collect::<Result<_, _>>().map(Self)
    }

    fn count(&self) -> i64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The weights' sum, in millionths, of those that are meant; exact, so that all and none are exactly that.
    fn weights(&self, meant: impl Fn(&Answer) -> bool) -> i128 {
        let meant = self.0.iter().filter(|(answer, _)| meant(answer));
        meant.map(|(answer, count)| i128::from(answer.weight) * i128::from(*count)).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    fn effective(&self) -> f64 {
        if self.even() {
            return self.count() as f64;
        }
        let square = |(answer, count): &(Answer, i64)| i128::from(answer.weight).pow(2) * i128::from(*count);
        let squares: i128 = self.0.iter().map(square).sum();
        effective(self.weights(|_| true) as f64, squares as f64)
    }

    /// Whether all weigh the same: then each counts as one, and nothing is rounded.
    fn even(&self) -> bool {
        self.0.windows(2).all(|pair| pair[0].0.weight == pair[1].0.weight)
    }

    /// As many of the effective answers as those that are meant have of the weights.
    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    fn part(&self, meant: impl Fn(&Answer) -> bool) -> f64 {
        if self.even() {
            let meant = self.0.iter().filter(|(answer, _)| meant(answer));
            return meant.map(|(_, count)| count).sum::<i64>() as f64;
        }
        let (part, whole) = (self.weights(meant), self.weights(|_| true));
        if whole == 0 { 0.0 } else { self.effective() * (part as f64 / whole as f64) }
    }

    fn share(&self, meant: impl Fn(&Answer) -> bool) -> Share {
        Share { part: self.part(meant), whole: self.effective() }
    }

    fn balance(&self, good: impl Fn(&Answer) -> bool, bad: impl Fn(&Answer) -> bool) -> Recommendation {
        Recommendation { promoters: self.part(good), detractors: self.part(bad), answers: self.effective() }
    }

    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    const fn counted(good: i64, bad: i64, all: i64) -> Recommendation {
        Recommendation { promoters: good as f64, detractors: bad as f64, answers: all as f64 }
    }

    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    fn mean(&self) -> Mean {
        let value =
            |(answer, count): &(Answer, i64)| (f64::from(answer.value), *count as f64, answer.weight as f64 / 1e6);
        Mean::of(self.0.iter().map(value))
    }

    fn histogram(&self, scale: Scale) -> Vec<i64> {
        let length = usize::try_from(scale.max - scale.min + 1).unwrap_or(0);
        let mut bars = vec![0; length];
        for (answer, count) in &self.0 {
            let bar = usize::try_from(answer.value - scale.min).ok().and_then(|place| bars.get_mut(place));
            if let Some(bar) = bar {
                *bar += count;
            }
        }
        bars
    }
}
