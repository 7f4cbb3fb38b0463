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

/// A figure and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where.
    pub place: Place,
    /// The figure.
    pub figure: Figure,
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

/// The points of a question: `rows` of its period, `baseline` of the period to compare with.
#[must_use]
pub fn points(
    question: &Question,
    grouping: &Grouping,
    rows: &[Row],
    baseline: Option<&[Row]>,
    threshold: i64,
) -> Vec<Point> {
    let hidden = withheld(question, grouping, rows, threshold);
    let baseline = baseline.map(|rows| {
        let hidden = withheld(question, grouping, rows, threshold);
        let shown = rows.iter().zip(hidden).filter(|(_, hidden)| !hidden);
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
    rows.iter().zip(hidden).map(point).collect()
}

/// Which rows are withheld. Scores and shares of customers always where they are small; counts and sums of everything only
/// where the groups or the filter tell people apart.
fn withheld(question: &Question, grouping: &Grouping, rows: &[Row], threshold: i64) -> Vec<bool> {
    let estimates = matches!(question.metric, Metric::Nps | Metric::RepeatCustomerShare);
    if !estimates && !question.reads_traits() {
        return vec![false; rows.len()];
    }
    let mut hidden = vec![false; rows.len()];
    // Sums of different currencies cannot be subtracted from one another: each currency is an answer of its own.
    let mut by_currency: BTreeMap<Option<Currency>, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_currency.entry(row.figure.currency()).or_default().push(index);
    }
    let ranks = Ranks::of(grouping, rows);
    for indexes in by_currency.into_values() {
        let spots: Vec<_> = indexes
            .iter()
            .map(|&index| Spot { place: ranks.place(grouping, rows[index].place), size: rows[index].figure.n() })
            .collect();
        for (&index, gone) in indexes.iter().zip(suppressed(&spots, threshold)) {
            hidden[index] = gone;
        }
    }
    hidden
}

/// Numbers for the values along each axis, so that places are compared as numbers.
struct Ranks<'a>(Vec<BTreeMap<&'a str, i64>>);

impl<'a> Ranks<'a> {
    fn of(grouping: &'a Grouping, rows: &[Row]) -> Self {
        let mut ranks: Vec<BTreeMap<&str, i64>> = Vec::new();
        for row in rows {
            for (axis, value) in grouping.values(row.place.0).iter().enumerate() {
                if ranks.len() <= axis {
                    ranks.push(BTreeMap::new());
                }
                let next = i64::try_from(ranks[axis].len()).unwrap_or(i64::MAX);
                ranks[axis].entry(value).or_insert(next);
            }
        }
        Self(ranks)
    }

    fn place(&self, grouping: &Grouping, (group, cut): Place) -> Vec<i64> {
        let values = grouping.values(group).iter().zip(&self.0);
        let along = values.map(|(value, ranks)| ranks.get(value.as_str()).copied().unwrap_or(-1));
        along.chain([cut]).collect()
    }
}
