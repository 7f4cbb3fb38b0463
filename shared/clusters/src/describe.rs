//! What sets a group apart, in the traits' own units, and a name that says it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Row};
use crate::encode::{Encoding, deviation, flag, number, ratio, text};
use crate::kmeans::Grouping;
use crate::model::Model;

/// From which difference on a trait is worth a word in a name, in standard deviations.
const TELLING: f64 = 0.3;
/// How many words a name has, where that tells it from the others.
const WORDS: usize = 2;

/// A group.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// By what sets it apart, as "high revenue, mostly city=Berlin". No two groups have the same.
    pub name: String,
    /// How many members it has among the rows it was learnt from.
    pub size: usize,
    /// Its centre, trait by trait and category by category, what differs most first.
    pub features: Vec<Feature>,
}

/// A number's mean, or the share of a flag or of a text's value.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The trait.
    pub name: String,
    /// Of a text: the value; empty: all others. Else `None`.
    pub category: Option<String>,
    /// Whether it is a flag.
    pub flag: bool,
    /// The mean of a number in its own unit; the share of a flag that is true, or of a text that is the category. Over
    /// those members of the group that have the trait; `None` where none has.
    pub value: Option<f64>,
    /// The same over the whole population.
    pub overall: f64,
    /// How far the group's centre lies from the population's mean, in standard deviations (of the logarithm, where
    /// the number is taken by it).
    pub difference: f64,
    /// The share of the group's members that have the trait.
    pub known: f64,
}

impl std::fmt::Debug for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feature")
            .field("name", &self.name)
            .field("difference", &self.difference)
            .finish_non_exhaustive()
    }
}

/// The groups of a grouping of `members` among `rows`.
pub(crate) fn clusters(model: &Model, rows: &[Row], members: &[usize], grouping: &Grouping) -> Vec<Cluster> {
    let all: Vec<&Row> = members.iter().map(|member| &rows[*member]).collect();
    let mut clusters = Vec::with_capacity(model.clusters());
    for cluster in 0..model.clusters() {
        let own = all.iter().zip(&grouping.labels).filter(|(_, label)| **label == cluster).map(|(row, _)| *row);
        let own: Vec<&Row> = own.collect();
        let mut features = Vec::new();
        let mut dimension = 0;
        for (at, (name, encoding)) in model.traits.iter().zip(&model.encodings).enumerate() {
            let centre = &model.centres[cluster][dimension..dimension + encoding.width()];
            dimension += encoding.width();
            let centre: Vec<f64> = centre.iter().map(|real| real.0).collect();
            features.extend(features_of(name, encoding, &centre, &Column { at, own: &own, all: &all }));
        }
        features.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
        clusters.push(Cluster { name: String::new(), size: own.len(), features });
    }
    name(&mut clusters);
    clusters
}

/// A trait's values.
struct Column<'a> {
    at: usize,
    own: &'a [&'a Row],
    all: &'a [&'a Row],
}

impl Column<'_> {
    /// The mean over rows of what is known, and the share of rows of which it is known.
    fn mean(&self, rows: &[&Row], of: impl Fn(&Cell) -> Option<f64>) -> (Option<f64>, f64) {
        let known: Vec<f64> = rows.iter().filter_map(|row| of(row.get(self.at)?)).collect();
        let count = ratio(known.len(), 1);
        let sum: f64 = known.iter().sum();
        // A sum of ones and noughts is exact; one of numbers near the largest there is overflows, its parts do not.
        let mean = if sum.is_finite() { sum / count } else { known.iter().map(|value| value / count).sum() };
        ((!known.is_empty()).then_some(mean), ratio(known.len(), rows.len().max(1)))
    }

    fn feature(&self, name: &str, difference: f64, of: impl Fn(&Cell) -> Option<f64>) -> Feature {
        let (value, known) = self.mean(self.own, &of);
        let overall = self.mean(self.all, &of).0.unwrap_or(0.0);
        Feature { name: name.to_owned(), category: None, flag: false, value, overall, difference, known }
    }
}

fn features_of(name: &str, encoding: &Encoding, centre: &[f64], column: &Column<'_>) -> Vec<Feature> {
    let one = |holds: bool| f64::from(u8::from(holds));
    match encoding {
        Encoding::Number { .. } => vec![column.feature(name, centre[0], number)],
        Encoding::Flag { share, spread } => {
            let difference = centre[0] * spread.0 / deviation(share.0);
            let feature = column.feature(name, difference, |cell| flag(cell).map(one));
            vec![Feature { flag: true, ..feature }]
        }
        Encoding::Text { categories, other, spread } => {
            // In standard deviations of the category's own share, as a flag's are.
            let difference = |at: usize, share: f64| {
                if share > 0.0 { centre[at] * spread.0 / deviation(share) } else { 0.0 }
            };
            let of_category = |(at, (category, share)): (usize, (&String, &crate::model::Real))| Feature {
                category: Some(category.clone()),
                ..column.feature(name, difference(at, share.0), |cell| text(cell).map(|held| one(held == category)))
            };
            let mut features: Vec<Feature> = categories.iter().enumerate().map(of_category).collect();
            if other.0 > 0.0 {
                let rare = |cell: &Cell| text(cell).map(|held| one(!categories.contains_key(held)));
                let of_rest = column.feature(name, difference(categories.len(), other.0), rare);
                features.push(Feature { category: Some(String::new()), ..of_rest });
            }
            features
        }
        Encoding::Unused(_) => Vec::new(),
    }
}

/// Names the groups: the telling differences of each, as many as tell it from the others.
fn name(clusters: &mut [Cluster]) {
    let words: Vec<Vec<String>> = clusters.iter().map(|cluster| words(&cluster.features)).collect();
    let mut lengths = vec![WORDS; clusters.len()];
    loop {
        let names: Vec<String> = words.iter().zip(&lengths).map(|(words, length)| joined(words, *length)).collect();
        let twins: Vec<usize> =
            (0..names.len()).filter(|at| names.iter().filter(|name| **name == names[*at]).count() > 1).collect();
        let mut longer = false;
        for at in twins {
            if lengths[at] < words[at].len() {
                lengths[at] += 1;
                longer = true;
            }
        }
        if !longer {
            return number_twins(clusters, names);
        }
    }
}

fn number_twins(clusters: &mut [Cluster], names: Vec<String>) {
    let mut seen = BTreeMap::<String, usize>::new();
    for (cluster, name) in clusters.iter_mut().zip(names) {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        cluster.name = if *times == 1 { name } else { format!("{name} ({times})") };
    }
}

fn joined(words: &[String], length: usize) -> String {
    if words.is_empty() { "average".to_owned() } else { words[..words.len().min(length)].join(", ") }
}

/// What is worth saying of a group, the most telling first; of a trait once.
fn words(features: &[Feature]) -> Vec<String> {
    let mut said: Vec<&str> = Vec::new();
    let mut words = Vec::new();
    for feature in features.iter().filter(|feature| feature.difference.abs() >= TELLING) {
        if said.contains(&feature.name.as_str()) {
            continue;
        }
        if let Some(word) = word(feature) {
            said.push(&feature.name);
            words.push(word);
        }
    }
    words
}

fn word(feature: &Feature) -> Option<String> {
    let (above, most) = (feature.difference > 0.0, feature.value? >= 0.5);
    let name = feature.name.replace('_', " ");
    Some(match (&feature.category, feature.flag) {
        (None, false) => format!("{} {name}", if above { "high" } else { "low" }),
        (None, true) => match (above, most) {
            (true, true) => format!("mostly {name}"),
            (true, false) => format!("more often {name}"),
            (false, true) => format!("less often {name}"),
            (false, false) => format!("mostly not {name}"),
        },
        // That a value is rarer says little where another is commoner; and what "others" are cannot be said.
        (Some(category), _) if !category.is_empty() && above => {
            format!("{} {name}={category}", if most { "mostly" } else { "more often" })
        }
        (Some(_), _) => return None,
    })
}
