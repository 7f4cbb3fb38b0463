//! Measures labelled texts (`label<TAB>text` a line): accuracy, what is left neutral, languages, texts a second.
//! `measure [--language en] [--time] [--wrong] file…`

use std::time::Instant;

use rapport_text::{Analyser, Language, Taxonomy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let language = arguments.iter().position(|argument| argument == "--language");
    let language = language.and_then(|at| arguments.get(at + 1)).and_then(|code| Language::from_code(code));
    let analyser = Analyser::new();
    let taxonomy = Taxonomy::compile(&Taxonomy::standard())?;
    for path in arguments.iter().filter(|argument| argument.ends_with(".tsv")) {
        let file = std::fs::read_to_string(path)?;
        let rows: Vec<(&str, &str)> = file.lines().filter_map(|line| line.split_once('\t')).collect();
        let expected = path.rsplit('/').next().and_then(|name| name.get(..2)).and_then(Language::from_code);
        let (mut right, mut neutral, mut found, mut opposite) = (0, 0, 0, 0);
        for (label, text) in &rows {
            let told = analyser.analyse(text, language, &taxonomy);
            let said = told.sentiment.polarity.name();
            right += usize::from(said == *label);
            neutral += usize::from(said == "neutral");
            opposite += usize::from(said != *label && said != "neutral" && *label != "neutral");
            found += usize::from(told.detection.language == expected);
            if given("--wrong") && (said != *label || (expected.is_some() && told.detection.language != expected)) {
                let words: Vec<String> = told
                    .sentiment
                    .evidence
                    .iter()
                    .map(|evidence| format!("{}{:+.1}", &text[evidence.start..evidence.end], evidence.weight))
                    .collect();
                let code = told.detection.language.map_or("--", |language| language.code());
                println!("  {code} {label} as {said} {:+.2}: {text}  [{}]", told.sentiment.value, words.join(", "));
            }
        }
        let all = rows.len();
        let share = |count: usize| count as f64 / all.max(1) as f64;
        println!(
            "{path}: {all} texts, accuracy {:.3}, neutral {:.3}, opposite {:.3}, language {:.3}",
            share(right),
            share(neutral),
            share(opposite),
            share(found)
        );
        if given("--time") {
            time(&analyser, &taxonomy, &rows);
        }
    }
    Ok(())
}

fn time(analyser: &Analyser, taxonomy: &Taxonomy, rows: &[(&str, &str)]) {
    let rounds = 40_000 / rows.len().max(1) + 1;
    let begun = Instant::now();
    let mut sum = 0.0;
    for (_, text) in std::iter::repeat_n(rows, rounds).flatten() {
        sum += analyser.analyse(text, None, taxonomy).sentiment.value;
    }
    let took = begun.elapsed().as_secs_f64();
    let texts = (rounds * rows.len()) as f64;
    let letters = rows.iter().map(|(_, text)| text.chars().count()).sum::<usize>() as f64 / rows.len().max(1) as f64;
    println!("  {:.0} texts a second, {letters:.0} characters each on average ({sum:.0})", texts / took);
}
