//! Planted groups of mixed traits: they are found, named and described.

use rapport_clusters::{Cell, Discovery, Row, Settings, Unfit, Unused, adjusted_rand, discover};

/// Noise in [-1, 1], the same in every run.
fn noise(at: usize) -> f64 {
    let word = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(word >> 32).expect("half a word")) / f64::from(u32::MAX) * 2.0 - 1.0
}

const TRAITS: [&str; 5] = ["revenue", "visits", "newsletter", "city", "serial"];

/// Three groups, one after another: the thrifty of Riga, the regulars of Berlin, the few who spend most.
fn population() -> (Vec<Row>, Vec<usize>) {
    let groups = [(60, 50.0, 2.0, "Riga", true), (60, 400.0, 20.0, "Berlin", true), (30, 9_000.0, 5.0, "Oslo", false)];
    let (mut rows, mut truth) = (Vec::new(), Vec::new());
    for (group, (size, revenue, visits, city, newsletter)) in groups.into_iter().enumerate() {
        for _ in 0..size {
            let at = rows.len();
            rows.push(vec![
                Cell::Number(revenue * (1.0 + 0.6 * noise(at))),
                Cell::Number(visits * (1.0 + 0.6 * noise(at + 1_000))),
                Cell::Flag(newsletter),
                Cell::Text(if at % 29 == 0 { "Paris" } else { city }.to_owned()),
                Cell::Text(format!("number {at}")),
            ]);
            truth.push(group);
        }
    }
    (rows, truth)
}

fn found(rows: &[Row]) -> Discovery {
    discover(rows, &Settings::of(TRAITS)).expect("there are groups")
}

#[test]
fn planted_groups_of_numbers_flags_and_texts_are_found_and_named_by_what_sets_them_apart() {
    let (rows, truth) = population();
    let discovery = found(&rows);
    let labels: Vec<usize> = discovery.labels.iter().map(|label| label.expect("known")).collect();
    assert!((adjusted_rand(&labels, &truth) - 1.0).abs() < 1e-12);
    assert_eq!(discovery.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [60, 60, 30]);
    let name = |planted: usize| discovery.clusters[labels[planted]].name.as_str();
    assert!(name(120).contains("mostly city=Oslo") || name(120).contains("high revenue"), "{}", name(120));
    assert!(name(60).contains("high visits"), "{}", name(60));
    assert!(name(0).contains("mostly city=Riga") || name(0).contains("low revenue"), "{}", name(0));
    assert_eq!(discovery.model.unused().collect::<Vec<_>>(), [("serial", Unused::Alike)]);
}

#[test]
fn centres_are_told_in_the_units_of_the_traits() {
    let (rows, _) = population();
    let discovery = found(&rows);
    let rich = discovery.labels[149].expect("known");
    let feature = |name: &str, category: Option<&str>| {
        let mut features = discovery.clusters[rich].features.iter();
        features.find(|feature| feature.name == name && feature.category.as_deref() == category).expect("told").clone()
    };
    let revenues: Vec<f64> =
        rows[120..].iter().map(|row| if let Cell::Number(value) = row[0] { value } else { f64::NAN }).collect();
    let mean = revenues.iter().sum::<f64>() / 30.0;
    assert!((feature("revenue", None).value.expect("known") - mean).abs() < 1e-6);
    let visits = feature("visits", None);
    assert!((visits.overall - (60.0 * 2.0 + 60.0 * 20.0 + 30.0 * 5.0) / 150.0).abs() < 2.0);
    assert_eq!(feature("newsletter", None).value, Some(0.0));
    let oslo = (120..150).filter(|at| at % 29 != 0).count() as f64 / 30.0;
    assert!((feature("city", Some("Oslo")).value.expect("known") - oslo).abs() < 1e-12);
}

#[test]
fn a_newcomer_belongs_where_the_discovery_would_have_put_it_and_one_of_whom_nothing_is_known_nowhere() {
    let (rows, _) = population();
    let discovery = found(&rows);
    for (row, label) in rows.iter().zip(&discovery.labels) {
        assert_eq!(discovery.model.assign(row).map(|assigned| assigned.cluster), *label);
    }
    let newcomer = vec![Cell::Number(8_000.0), Cell::Missing, Cell::Missing, Cell::Text("Oslo".to_owned())];
    assert_eq!(discovery.model.assign(&newcomer).map(|assigned| assigned.cluster), discovery.labels[149]);
    let unknown = vec![Cell::Missing, Cell::Number(f64::NAN), Cell::Text("a flag".to_owned()), Cell::Missing];
    assert!(discovery.model.assign(&unknown).is_none());
    let only_serial = vec![Cell::Missing, Cell::Missing, Cell::Missing, Cell::Missing, Cell::Text("7".to_owned())];
    assert!(discovery.model.assign(&only_serial).is_none(), "a trait that tells nothing places nobody");
}

#[test]
fn missing_values_neither_make_a_group_nor_break_one() {
    let (mut rows, truth) = population();
    let count = rows.len();
    for at in 0..count / 5 {
        rows[at * 5][at % 4] = Cell::Missing;
    }
    rows.push(vec![Cell::Missing; 5]);
    let discovery = found(&rows);
    assert_eq!(discovery.labels[count], None);
    let labels: Vec<usize> = discovery.labels[..count].iter().map(|label| label.expect("known")).collect();
    assert!(adjusted_rand(&labels, &truth) >= 0.95);
    assert_eq!(discovery.model.clusters(), 3);
}

#[test]
fn a_few_outliers_are_no_group() {
    let mut rows: Vec<Row> = (0..400)
        .map(|at| {
            vec![Cell::Number(f64::from(u8::from(at % 2 == 0)) * 10.0 + noise(at)), Cell::Number(noise(at + 5_000))]
        })
        .collect();
    rows.push(vec![Cell::Number(0.0), Cell::Number(300.0)]);
    let discovery = discover(&rows, &Settings::of(["a", "b"])).expect("there are groups");
    let chosen = discovery.trials.iter().find(|trial| trial.clusters == discovery.model.clusters()).expect("tried");
    assert!(chosen.smallest_share >= 0.01);
    let best = discovery.trials.iter().max_by(|a, b| a.silhouette.total_cmp(&b.silhouette)).expect("tried");
    assert!(best.smallest_share < 0.01, "else this test would show nothing");
}

#[test]
fn where_nothing_differs_there_are_no_groups() {
    let alike = vec![vec![Cell::Number(1.0)]; 20];
    assert_eq!(discover(&alike, &Settings::of(["a"])).err(), Some(Unfit::NothingDiffers));
    assert_eq!(discover(&[], &Settings::of(["a"])).err(), Some(Unfit::NothingDiffers));
    let two: Vec<Row> = (0..20).map(|at| vec![Cell::Flag(at % 2 == 0)]).collect();
    let settings = Settings { least: 3, ..Settings::of(["a"]) };
    assert_eq!(discover(&two, &settings).err(), Some(Unfit::TooFew { distinct: 2 }));
    assert_eq!(discover(&two, &Settings::of(["a"])).expect("two groups").model.clusters(), 2);
}

#[test]
fn names_tell_groups_apart() {
    let rows: Vec<Row> = (0..120)
        .map(|at| vec![Cell::Number(f64::from(u32::try_from(at / 20).expect("small")) * 10.0 + 0.1 * noise(at))])
        .collect();
    let settings = Settings { least: 6, most: 6, ..Settings::of(["age"]) };
    let discovery = discover(&rows, &settings).expect("there are groups");
    let mut names: Vec<&str> = discovery.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 6);
}

#[test]
fn what_is_learnt_from_many_is_as_good_as_from_few() {
    let planted = |at: usize| (at * 7) % 5;
    let rows: Vec<Row> = (0..5_000)
        .map(|at| {
            let centre = [[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [6.0, 6.0], [3.0, 14.0]][planted(at)];
            vec![Cell::Number(centre[0] + noise(at)), Cell::Number(centre[1] + noise(at + 9_000))]
        })
        .collect();
    let discovery = discover(&rows, &Settings { restarts: 5, ..Settings::of(["a", "b"]) }).expect("there are groups");
    let labels: Vec<usize> = discovery.labels.iter().map(|label| label.expect("known")).collect();
    let truth: Vec<usize> = (0..5_000).map(planted).collect();
    assert!((adjusted_rand(&labels, &truth) - 1.0).abs() < 1e-12);
}
