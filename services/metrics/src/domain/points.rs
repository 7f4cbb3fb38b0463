//! An answer's points: figures in order of their groups, then time; the small ones withheld; each against its baseline.

use std::collections::BTreeMap;

use rapport_kernel::{Currency, Timestamp};

use super::catalogue::Metric;
use super::cells::Tally;
use super::figures::{Comparison, Figure};
use super::grouping::Grouping;
use super::question::Question;
use super::statistics::Share;
use super::suppression::{Spot, suppressed};

/// Where facts were counted together: a group's place, and a cut's number (0 where time is not cut).
pub type Place = (usize, i64);

/// A part of an answer that is withheld or shown as one: a place, and the currency of its sum.
pub type Part = (Place, Option<Currency>);

/// A figure and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where.
    pub place: Place,
    /// The figure.
    pub figure: Figure,
}

/// What was counted over a period.
#[derive(Default)]
pub struct Counted {
    /// The figures.
    pub rows: Vec<Row>,
    /// How many customers they rest on; empty where nothing is withheld.
    pub people: BTreeMap<Part, i64>,
    /// What the filter left out: its values along the axes, its cut, its currency, and how many customers it rests on.
    pub left_out: Vec<(Vec<String>, i64, Option<Currency>, i64)>,
}

/// One point of an answer. No `Debug`: a group may be named by a personal trait.
#[derive(Clone)]
pub struct Point {
    /// The group's values along the axes.
    pub group: Vec<String>,
    /// The cut's first instant.
    pub start: Option<Timestamp>,
    /// The figure; `None` where it is suppressed.
    pub figure: Option<Figure>,
    /// How figures like it are computed.
    pub method: &'static str,
    /// The currency of a sum.
    pub currency: Option<Currency>,
    /// The comparison.
    pub comparison: Option<Comparison>,
}

/// The answer to a question.
pub struct Answer {
    /// Its points, in order of their groups, then time.
    pub points: Vec<Point>,
    /// How many facts of the tenant were erased.
    pub erased_facts: i64,
}

/// The rows of what was tallied by slots.
#[must_use]
pub fn tallied(metric: Metric, tallies: BTreeMap<Place, Tally>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, tally) in tallies {
        match metric {
            Metric::Interactions | Metric::Customers => rows.push(Row { place, figure: Figure::Count(tally.count()) }),
            Metric::Revenue => {
                rows.extend(tally.sums().map(|(currency, sum)| Row { place, figure: Figure::Sum(currency, sum) }));
            }
            Metric::Nps => rows.push(Row { place, figure: Figure::Score(tally.histogram()) }),
            Metric::RepeatCustomerShare => {}
        }
    }
    rows
}

/// The rows of what was counted by customers: how many there are, and how many of them came back.
#[must_use]
pub fn counted(metric: Metric, shares: BTreeMap<Place, Share>) -> Vec<Row> {
    let figure = |share: Share| match metric {
        Metric::RepeatCustomerShare => Figure::Share(share),
        Metric::Interactions | Metric::Customers | Metric::Revenue | Metric::Nps => Figure::Count(share.whole),
    };
    shares.into_iter().map(|(place, share)| Row { place, figure: figure(share) }).collect()
}

/// The rows where no fact counts: of counts of everything, none is a number too.
#[must_use]
pub fn nothing(question: &Question) -> Vec<Row> {
    let counts = matches!(question.metric, Metric::Interactions | Metric::Customers);
    let whole = question.grain.is_none() && question.axes.is_empty() && question.filter.is_none();
    if counts && whole { vec![Row { place: (0, 0), figure: Figure::Count(0) }] } else { Vec::new() }
}

/// The points of a question: what was counted in its period, and in the period to compare with.
#[must_use]
pub fn points(
    question: &Question,
    grouping: &Grouping,
    counted: &Counted,
    baseline: Option<&Counted>,
    threshold: i64,
) -> Vec<Point> {
    let hidden = withheld(question, grouping, counted, threshold);
    let baseline = baseline.map(|counted| {
        let hidden = withheld(question, grouping, counted, threshold);
        let shown = counted.rows.iter().zip(hidden).filter(|(_, hidden)| !hidden);
        shown.map(|(row, _)| ((row.place, row.figure.currency()), row.figure)).collect::<BTreeMap<_, _>>()
    });
    let point = |(row, hidden): (&Row, bool)| {
        let currency = row.figure.currency();
        let figure = (!hidden).then_some(row.figure);
        let other = baseline.as_ref().and_then(|baseline| baseline.get(&(row.place, currency)));
        Point {
            group: grouping.values(row.place.0).to_vec(),
            start: question.grain.map(|grain| grain.start(row.place.1)),
            comparison: figure.zip(other).and_then(|(figure, other)| figure.against(other, question.level)),
            figure,
            method: row.figure.method(),
            currency,
        }
    };
    counted.rows.iter().zip(hidden).map(point).collect()
}

/// Which rows are withheld: those that rest on few customers, and those that would give such a one away. What a filter
/// leaves out stands beside what it admits, on a line of their own: who knows the whole knows the one by the other.
fn withheld(question: &Question, grouping: &Grouping, counted: &Counted, threshold: i64) -> Vec<bool> {
    let mut hidden = vec![false; counted.rows.len()];
    if !question.withholds(threshold) {
        return hidden;
    }
    let mut ranks = Ranks::default();
    // Sums of different currencies cannot be subtracted from one another: each currency is an answer of its own.
    let mut by_currency: BTreeMap<Option<Currency>, (Vec<usize>, Vec<Spot>)> = BTreeMap::new();
    for (index, row) in counted.rows.iter().enumerate() {
        let currency = row.figure.currency();
        // Figures of customers rest on those they count.
        let size = match row.figure {
            Figure::Share(share) => share.whole,
            Figure::Count(_) | Figure::Sum(..) | Figure::Score(_) => {
                counted.people.get(&(row.place, currency)).copied().unwrap_or(0)
            }
        };
        let place = ranks.place(grouping.values(row.place.0), row.place.1, ADMITTED);
        let (indexes, spots) = by_currency.entry(currency).or_default();
        indexes.push(index);
        spots.push(Spot { place, size });
    }
    for (values, cut, currency, people) in &counted.left_out {
        if let Some((_, spots)) = by_currency.get_mut(currency) {
            spots.push(Spot { place: ranks.place(values, *cut, LEFT_OUT), size: *people });
        }
    }
    for (indexes, spots) in by_currency.into_values() {
        // The rows come first among the spots.
        for (index, gone) in indexes.into_iter().zip(suppressed(&spots, threshold)) {
            hidden[index] = gone;
        }
    }
    hidden
}

/// On which side of the filter.
const ADMITTED: i64 = 0;
const LEFT_OUT: i64 = 1;

/// Numbers for the values along each axis, so that places are compared as numbers.
#[derive(Default)]
struct Ranks<'a>(BTreeMap<(usize, &'a str), i64>);

impl<'a> Ranks<'a> {
    fn place(&mut self, values: &'a [String], cut: i64, side: i64) -> Vec<i64> {
        let mut place = Vec::with_capacity(values.len() + 2);
        for (axis, value) in values.iter().enumerate() {
            let next = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
            place.push(*self.0.entry((axis, value)).or_insert(next));
        }
        place.extend([cut, side]);
        place
    }
}
