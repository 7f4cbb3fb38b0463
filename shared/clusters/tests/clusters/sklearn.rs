//! The same data, by scikit-learn and by us: golden files that `golden/generate.py` writes.

use std::path::Path;

use rapport_clusters::{Cell, Discovery, Row, Settings, adjusted_rand, discover};

#[derive(serde::Deserialize)]
struct Golden {
    rows: Vec<Vec<f64>>,
    truth: Vec<usize>,
    found: Vec<Found>,
}

#[derive(serde::Deserialize)]
struct Found {
    clusters: usize,
    inertia: f64,
    silhouette: f64,
    calinski_harabasz: f64,
    labels: Vec<usize>,
}

fn golden(name: &str) -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clusters/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).expect("the file is there")).expect("as it is written")
}

fn found(golden: &Golden, least: usize, most: usize, seed: u64) -> Discovery {
    let rows: Vec<Row> = golden.rows.iter().map(|row| row.iter().copied().map(Cell::Number).collect()).collect();
    let traits = (0..golden.rows[0].len()).map(|at| format!("trait_{at}"));
    discover(&rows, &Settings { least, most, seed, ..Settings::of(traits) }).expect("there are groups")
}

fn labels(discovery: &Discovery) -> Vec<usize> {
    discovery.labels.iter().map(|label| label.expect("all is known")).collect()
}

#[track_caller]
fn as_good(name: &str) {
    let golden = golden(name);
    for theirs in &golden.found {
        for seed in 0..3 {
            let ours = found(&golden, theirs.clusters, theirs.clusters, seed);
            let trial = &ours.trials[0];
            let (ratio, agreement) = (trial.inertia / theirs.inertia, adjusted_rand(&labels(&ours), &theirs.labels));
            println!("{name}, {} groups, seed {seed}: inertia {ratio:.6}, agreement {agreement:.4}", theirs.clusters);
            assert!(ratio < 1.01, "{} groups, seed {seed}: {ratio}", theirs.clusters);
            // With more groups than there are, one is halved, and there are many ways as good.
            let natural = golden.truth.iter().max().map_or(0, |last| last + 1);
            assert!(
                agreement >= 0.95 || theirs.clusters > natural,
                "{} groups, seed {seed}: {agreement}",
                theirs.clusters
            );
            if agreement > 1.0 - 1e-9 {
                assert!((ratio - 1.0).abs() < 1e-9, "one grouping has one inertia");
                assert!((trial.silhouette - theirs.silhouette).abs() < 1e-9, "and one silhouette");
                let index = trial.calinski_harabasz / theirs.calinski_harabasz;
                assert!((index - 1.0).abs() < 1e-9, "and one index");
            }
        }
    }
}

#[test]
fn iris_is_grouped_as_well() {
    as_good("iris.json");
}

#[test]
fn blobs_in_units_of_their_own_are_grouped_as_well() {
    as_good("blobs.json");
}

#[test]
fn groups_of_uneven_size_are_grouped_as_well() {
    as_good("uneven.json");
}

#[test]
fn the_number_of_groups_is_the_one_whose_silhouette_is_theirs_best() {
    for name in ["iris.json", "blobs.json", "uneven.json"] {
        let golden = golden(name);
        let best = golden.found.iter().max_by(|a, b| a.silhouette.total_cmp(&b.silhouette)).expect("some");
        assert_eq!(found(&golden, 2, 8, 1).model.clusters(), best.clusters, "{name}");
    }
}

#[test]
fn planted_blobs_are_found_again() {
    let golden = golden("blobs.json");
    let ours = found(&golden, 2, 12, 1);
    assert!(adjusted_rand(&labels(&ours), &golden.truth) >= 0.95);
}
