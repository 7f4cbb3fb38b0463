//! Gathers what the rounds measured and prints it: one table, medians, each figure beside its baseline and its target.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::scale::Engine;

/// In what a figure is counted.
#[derive(Clone, Copy)]
pub enum Unit {
    /// So many of these in a second.
    PerSecond(&'static str),
    /// How long one takes, in microseconds.
    Micros,
    /// How long it takes, in milliseconds.
    Millis,
    /// How much it takes up, in mebibytes.
    Mebibytes,
}

/// What a figure is to reach.
#[derive(Clone, Copy)]
pub enum Target {
    /// It is shown, and promised nothing.
    None,
    /// So much of its baseline.
    Ratio(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// A figure of the table.
pub struct Figure {
    /// What is measured.
    pub name: &'static str,
    /// In what.
    pub unit: Unit,
    /// What it is to reach.
    pub target: Target,
}

/// What one round measured of a figure.
#[derive(Clone, Copy)]
struct Sample {
    measured: f64,
    baseline: Option<f64>,
}

/// Everything measured so far, in the order in which it was first noted.
#[derive(Default)]
pub struct Report {
    lines: Vec<(&'static str, &'static Figure)>,
    samples: BTreeMap<(&'static str, &'static str), Vec<Sample>>,
}

impl Report {
    /// Notes a round's figure, with what its baseline was in the same round.
    pub fn note(&mut self, engine: Engine, figure: &'static Figure, measured: f64, baseline: Option<f64>) {
        let samples = self.samples.entry((engine.name(), figure.name)).or_default();
        if samples.is_empty() {
            self.lines.push((engine.name(), figure));
        }
        samples.push(Sample { measured, baseline });
    }

    /// All of it, in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("\n{}\n\n", machine());
        text.push_str("| engine | figure | measured | baseline | ratio | target | met |\n");
        text.push_str("| --- | --- | ---: | ---: | ---: | ---: | --- |\n");
        for (engine, figure) in &self.lines {
            let samples = &self.samples[&(*engine, figure.name)];
            let line = self.line(figure, samples);
            // Writing to a string does not fail.
            let _written = writeln!(text, "| {engine} | {} | {line} |", figure.name);
        }
        text.push_str(
            "\nMedians of the rounds; a ratio is the median of the rounds' ratios, 1 being as good as the baseline.\n",
        );
        text
    }

    fn line(&self, figure: &Figure, samples: &[Sample]) -> String {
        let measured = median(samples.iter().map(|sample| sample.measured));
        let baseline = median(samples.iter().filter_map(|sample| sample.baseline));
        let ratio = median(samples.iter().filter_map(|sample| {
            let baseline = sample.baseline?;
            Some(match figure.unit {
                Unit::PerSecond(_) => sample.measured / baseline,
                Unit::Micros | Unit::Millis | Unit::Mebibytes => baseline / sample.measured,
            })
        }));
        let (target, met) = match figure.target {
            Target::None => (String::new(), None),
            Target::Ratio(least) => (format!("≥ {least}"), ratio.map(|ratio| ratio >= least)),
            Target::AtMost(most) => {
                (format!("≤ {}", figure.unit.show(most)), measured.map(|measured| measured <= most))
            }
            Target::AtLeast(least) => {
                (format!("≥ {}", figure.unit.show(least)), measured.map(|measured| measured >= least))
            }
        };
        let show = |value: Option<f64>| value.map(|value| figure.unit.show(value)).unwrap_or_default();
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let met = met.map_or("", |met| if met { "yes" } else { "**no**" });
        format!("{} | {} | {ratio} | {target} | {met}", show(measured), show(baseline))
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond(what) => format!("{} {what}/s", thousands(value)),
            Self::Micros => format!("{} µs", thousands(value)),
            Self::Millis => format!("{value:.1} ms"),
            Self::Mebibytes => format!("{} MiB", thousands(value)),
        }
    }
}

/// A number as people read it.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[count / 2]),
        count => Some((values[count / 2 - 1] + values[count / 2]) / 2.0),
    }
}

/// What all of it ran on, and how busy that was.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let processor = processor.unwrap_or("an unnamed processor");
    format!(
        "{cores} cores ({processor}), shared by client, suite and databases; load average at the end: {load}; rapport {}",
        env!("CARGO_PKG_VERSION")
    )
}
