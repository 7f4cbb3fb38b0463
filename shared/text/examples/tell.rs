//! Tells what the analyser makes of the lines of standard input: for people who edit the lexicons.

use std::io::BufRead;

use rapport_text::{Analyser, Taxonomy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let analyser = Analyser::new();
    let taxonomy = Taxonomy::compile(&Taxonomy::standard())?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let told = analyser.analyse(&line, None, &taxonomy);
        let code = told.detection.language.map_or("--", |language| language.code());
        let label = told.sentiment.polarity.name();
        println!("{code} {:.2} {label} {:+.2}\t{line}", told.detection.confidence, told.sentiment.value);
        for evidence in &told.sentiment.evidence {
            let mark = if evidence.negated { " negated" } else { "" };
            println!("    {:+.2} {}{mark}", evidence.weight, &line[evidence.start..evidence.end]);
        }
        let emotions: Vec<&str> = told.emotions.iter().map(|score| score.emotion.name()).collect();
        let efforts: Vec<&str> = told.efforts.iter().map(|cue| cue.kind.name()).collect();
        let topics: Vec<&str> = told.topics.iter().map(|topic| topic.topic.as_str()).collect();
        println!("    {emotions:?} {efforts:?} {topics:?}");
    }
    Ok(())
}
