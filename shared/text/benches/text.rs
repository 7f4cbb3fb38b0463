//! What reading a text costs: the labelled sentences of each language, and building the analyser.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rapport_text::{Analyser, Taxonomy};

fn text(criterion: &mut Criterion) {
    let taxonomy = Taxonomy::compile(&Taxonomy::standard()).expect("the taxonomy that ships compiles");
    let analyser = Analyser::new();
    let mut group = criterion.benchmark_group("text");
    group.sample_size(20);
    group.bench_function("an analyser built", |bencher| bencher.iter(Analyser::new));
    for (language, file) in [
        ("English", include_str!("../tests/text/labelled/en.tsv")),
        ("Russian", include_str!("../tests/text/labelled/ru.tsv")),
        ("Persian", include_str!("../tests/text/labelled/fa.tsv")),
        ("Romanian", include_str!("../tests/text/labelled/ro.tsv")),
    ] {
        let sentences: Vec<&str> = file.lines().filter_map(|line| Some(line.split_once('\t')?.1)).collect();
        group.throughput(Throughput::Elements(sentences.len() as u64));
        group.bench_function(language, |bencher| {
            bencher.iter(|| {
                for sentence in &sentences {
                    black_box(analyser.analyse(sentence, None, &taxonomy));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, text);
criterion_main!(benches);
