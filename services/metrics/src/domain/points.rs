//! An answer's points: figures in order of their groups, then time; the small ones withheld; each against its baseline.

use std::collections::BTreeMap;

use rapport_kernel::{Fault, Timestamp};

use super::cells::Tally;
use super::figures::{Comparison, Figure};
use super::grouping::Grouping;
use super::question::Question;
use super::reckoning::{self, Part, Reckoning};
use super::statistics::Share;
use super::suppression::{Spot, suppressed};

/// Where facts were counted together: a group's place, and a cut's number (0 where time is not cut).
pub type Place = (usize, i64);

/// What is withheld or shown as one: a place, and a series of facts.
pub type Spotted = (Place, String);

/// A figure and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where.
    pub place: Place,
    /// What it is of, and the figure.
    pub part: Part,
    /// How many are too young to count.
    pub immature: i64,
    /// Which share of all texts was analysed; `None` where nothing is.
    pub coverage: Option<f64>,
}

impl Row {
    /// A figure.
    #[must_use]
    pub const fn new(place: Place, part: Part) -> Self {
        Self { place, part, immature: 0, coverage: None }
    }

    fn of(&self) -> Of<'_> {
        (&self.part.series, &self.part.of)
    }
}

/// What was counted over a period.
#[derive(Default)]
pub struct Counted {
    /// The figures.
    pub rows: Vec<Row>,
    /// How many customers they rest on; empty where nothing is withheld.
    pub people: BTreeMap<Spotted, i64>,
    /// What the filter left out: its values along the axes, its cut, its series, and how many customers it rests on.
    pub left_out: Vec<(Vec<String>, i64, String, i64)>,
}

/// One point of an answer. No `Debug`: a group may be named by a personal trait.
#[derive(Clone)]
pub struct Point {
    /// The group's values along the axes.
    pub group: Vec<String>,
    /// The cut's first instant.
    pub start: Option<Timestamp>,
    /// The series, and what of it.
    pub series: String,
    /// What of the series it is about; empty: all.
    pub of: String,
    /// How figures like it are computed.
    pub method: &'static str,
    /// What is told; `None` where it is suppressed.
    pub told: Option<Told>,
}

/// What a point tells.
#[derive(Clone)]
pub struct Told {
    /// The figure and what it rests on.
    pub row: Row,
    /// The comparison.
    pub comparison: Option<Comparison>,
}

/// The answer to a question.
pub struct Answer {
    /// Its points, in order of their groups, then time.
    pub points: Vec<Point>,
    /// How many records of the tenant were erased.
    pub erased_facts: i64,
}

/// The rows of what was tallied.
///
/// # Errors
/// Where a cell holds what nothing here wrote.
pub fn tallied(question: &Question, tallies: &BTreeMap<Place, Tally>) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for (place, tally) in tallies {
        let parts = reckoning::parts(question.metric.reckoning(), tally, question.declared())?;
        rows.extend(parts.into_iter().map(|part| Row::new(*place, part)));
    }
    Ok(rows)
}

/// The rows of shares of whole things.
#[must_use]
pub fn shares(shares: BTreeMap<Place, (i64, i64)>) -> Vec<Row> {
    let share = |(part, whole): (i64, i64)| Figure::Share(Share::counted(part, whole), whole);
    let rows = shares.into_iter().filter(|(_, (_, whole))| *whole > 0);
    rows.map(|(place, of)| Row::new(place, Part::new(String::new(), share(of)))).collect()
}

/// The rows of how many there are.
#[must_use]
pub fn counts(counts: BTreeMap<Place, i64>) -> Vec<Row> {
    let part = |count: i64| Part::new(String::new(), Figure::Count(count));
    counts.into_iter().map(|(place, count)| Row::new(place, part(count))).collect()
}

/// Each channel's share of all channels beside it: in the same cut, and of the same values along all other axes.
#[must_use]
pub fn of_channels(grouping: &Grouping, channel: usize, rows: Vec<Row>) -> Vec<Row> {
    let rest = |place: Place| {
        let mut values = grouping.values(place.0).to_vec();
        if channel < values.len() {
            values.remove(channel);
        }
        (values, place.1)
    };
    let mut wholes: BTreeMap<(Vec<String>, i64), i64> = BTreeMap::new();
    for row in &rows {
        *wholes.entry(rest(row.place)).or_default() += row.part.figure.n();
    }
    let counts = rows.iter().map(|row| {
        let whole = wholes.get(&rest(row.place)).copied().unwrap_or(0);
        (row.place, (row.part.figure.n(), whole))
    });
    shares(counts.collect())
}

/// The rows where no fact counts: of counts of everything, none is a number too.
#[must_use]
pub fn nothing(question: &Question) -> Vec<Row> {
    let counts = matches!(question.metric.reckoning(), Reckoning::Count | Reckoning::Customers);
    let whole = question.grain.is_none() && question.axes.is_empty() && question.filter.is_none();
    if counts && whole { self::counts(BTreeMap::from([((0, 0), 0)])) } else { Vec::new() }
}

/// Sets beside figures how many facts are too young to count. Where all are, there is a row without a value.
pub fn with_immature(rows: &mut Vec<Row>, immature: BTreeMap<Place, i64>) {
    for (place, count) in immature {
        match rows.iter_mut().find(|row| row.place == place) {
            Some(row) => row.immature = count,
            None => {
                let part = Part::new(String::new(), Figure::Share(Share::default(), 0));
                rows.push(Row { immature: count, ..Row::new(place, part) });
            }
        }
    }
    rows.sort_by_key(|row| row.place);
}

/// Sets beside figures of texts which share of all texts they are.
#[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
pub fn with_coverage(rows: &mut [Row], unread: &BTreeMap<Place, i64>) {
    for row in rows {
        let (read, unread) = (row.part.figure.n(), unread.get(&row.place).copied().unwrap_or(0));
        row.coverage = Some(read as f64 / (read + unread) as f64);
    }
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
    let other = match baseline {
        Some(baseline) => {
            let hidden = withheld(question, grouping, baseline, threshold);
            Baseline::of_period(baseline, &hidden)
        }
        None => Baseline::of_group(question, grouping, counted, &hidden),
    };
    let point = |(row, hidden): (&Row, bool)| {
        let values = grouping.values(row.place.0);
        let against = |figure: &Figure| {
            let other = other.against(values, row)?;
            figure.against(&other.part.figure, question.level, direction(question, row))
        };
        Point {
            group: values.to_vec(),
            start: question.grain.map(|grain| grain.start(row.place.1)),
            series: row.part.series.clone(),
            of: row.part.of.clone(),
            method: row.part.figure.method(),
            told: (!hidden).then(|| Told { row: row.clone(), comparison: against(&row.part.figure) }),
        }
    };
    counted.rows.iter().zip(hidden).map(point).collect()
}

/// Whether more is better: on a scale that stands on its head, less is.
fn direction(question: &Question, row: &Row) -> super::figures::Direction {
    use super::figures::Direction;
    let reversed = question.metric.reckoning() == Reckoning::Mean && row.part.series.ends_with('r');
    match question.metric.entry().direction {
        Direction::Higher if reversed => Direction::Lower,
        direction => direction,
    }
}

/// A series, and what of it.
type Of<'a> = (&'a str, &'a str);

/// What points are compared with.
enum Baseline<'a> {
    /// The same group over another period, or nothing.
    Period(BTreeMap<(usize, Of<'a>), &'a Row>),
    /// The group of these values along these axes, in the same cut.
    Group(Vec<(usize, &'a str)>, BTreeMap<(&'a [String], i64, Of<'a>), &'a Row>),
}

impl<'a> Baseline<'a> {
    fn of_period(counted: &'a Counted, hidden: &[bool]) -> Self {
        let shown = counted.rows.iter().zip(hidden).filter(|(_, hidden)| !**hidden);
        Self::Period(shown.map(|(row, _)| ((row.place.0, row.of()), row)).collect())
    }

    fn of_group(question: &'a Question, grouping: &'a Grouping, counted: &'a Counted, hidden: &[bool]) -> Self {
        if question.compare_to_group.is_empty() {
            return Self::Period(BTreeMap::new());
        }
        let axes = question.axes.iter().map(super::dimensions::Axis::name).enumerate();
        let values = axes.filter_map(|(at, name)| Some((at, question.compare_to_group.get(&name)?.as_str())));
        let shown = counted.rows.iter().zip(hidden).filter(|(_, hidden)| !**hidden);
        let named = |(row, _): (&'a Row, &bool)| ((grouping.values(row.place.0), row.place.1, row.of()), row);
        Self::Group(values.collect(), shown.map(named).collect())
    }

    /// What a row of some values is compared with; nothing with itself.
    fn against(&self, values: &[String], row: &Row) -> Option<&'a Row> {
        match self {
            Self::Period(rows) => rows.get(&(row.place.0, row.of())).copied(),
            Self::Group(axes, rows) => {
                let mut theirs = values.to_vec();
                for (at, value) in axes {
                    (*value).clone_into(theirs.get_mut(*at)?);
                }
                let other = rows.get(&(&*theirs, row.place.1, row.of())).copied();
                other.filter(|_| theirs != values)
            }
        }
    }
}

/// Which rows are withheld: those that rest on few customers, and those that would give such a one away. What a filter
/// leaves out stands beside what it admits, on a line of their own: who knows the whole knows the one by the other.
fn withheld(question: &Question, grouping: &Grouping, counted: &Counted, threshold: i64) -> Vec<bool> {
    let mut hidden = vec![false; counted.rows.len()];
    if !question.withholds(threshold) {
        return hidden;
    }
    let mut ranks = Ranks::default();
    // Different series cannot be subtracted from one another, nor emotions: each is an answer of its own.
    let mut apart: BTreeMap<Of<'_>, (Vec<usize>, Vec<Spot>)> = BTreeMap::new();
    for (index, row) in counted.rows.iter().enumerate() {
        let size = counted.people.get(&(row.place, row.part.series.clone())).copied().unwrap_or(0);
        let place = ranks.place(grouping.values(row.place.0), row.place.1, ADMITTED);
        let (indexes, spots) = apart.entry(row.of()).or_default();
        indexes.push(index);
        spots.push(Spot { place, size });
    }
    for (values, cut, series, people) in &counted.left_out {
        let beside = apart.iter_mut().filter(|((of, _), _)| *of == series);
        for (_, (_, spots)) in beside {
            spots.push(Spot { place: ranks.place(values, *cut, LEFT_OUT), size: *people });
        }
    }
    for (indexes, spots) in apart.into_values() {
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
