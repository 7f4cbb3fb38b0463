//! Reading texts: what one core reads in a second, beside the least that anybody does with a text (cutting it into words in
//! lower case and looking each up), and what comes of it through the call. The texts are the labelled sentences of the four
//! languages, again and again.

use std::collections::HashSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rapport_api::feedback::v1::text_service_client::TextServiceClient;
use rapport_api::feedback::v1::{AnalyzeTextRequest, BatchAnalyzeTextsRequest};
use rapport_suite::settings::Role;
use rapport_text::{Analyser, Taxonomy, mask};

use crate::Outcome;
use crate::report::{Figure, Report, Target, Unit};
use crate::suite::Suite;

const LABELLED: [&str; 4] = [
    include_str!("../../shared/text/tests/text/labelled/en.tsv"),
    include_str!("../../shared/text/tests/text/labelled/ru.tsv"),
    include_str!("../../shared/text/tests/text/labelled/fa.tsv"),
    include_str!("../../shared/text/tests/text/labelled/ro.tsv"),
];

const fn texts(name: &'static str, target: Target) -> Figure {
    Figure { name, unit: Unit::PerSecond("texts"), target }
}

static ONE_CORE: Figure = texts("reading texts on one core", Target::AtLeast(20_000.0));
static MASKED: Figure = texts("masking texts on one core", Target::None);
static CALLED: Figure = texts("BatchAnalyzeTexts, one call at a time", Target::None);

/// How many texts one call reads.
const BATCH: usize = 240;

/// Measures reading for as long as a window, and as long again for what it stands beside.
pub async fn measure(suite: &Suite, window: Duration, report: &mut Report) -> Outcome<()> {
    let sentences: Vec<&str> =
        LABELLED.iter().flat_map(|file| file.lines()).filter_map(|line| Some(line.split_once('\t')?.1)).collect();
    let (analyser, taxonomy) = (Analyser::new(), Taxonomy::compile(&Taxonomy::standard())?);
    let known: HashSet<String> = sentences.iter().flat_map(|text| words(text)).collect();
    let least = rate(window, &sentences, |text| {
        black_box(words(text).filter(|word| known.contains(word)).count());
    });
    let read = rate(window, &sentences, |text| {
        black_box(analyser.analyse(text, None, &taxonomy));
    });
    let masked = rate(window, &sentences, |text| {
        black_box(mask(text));
    });
    report.note(suite.engine, &ONE_CORE, read, Some(least));
    report.note(suite.engine, &MASKED, masked, Some(least));

    let tenant = suite.tenant("text").await?;
    let clients = suite.direct(Role::Feedback, &tenant).await?;
    let mut service = TextServiceClient::new(clients[0].clone());
    let text = |text: &&str| AnalyzeTextRequest { text: (*text).to_owned(), ..AnalyzeTextRequest::default() };
    let batch = BatchAnalyzeTextsRequest { texts: sentences.iter().cycle().take(BATCH).map(text).collect() };
    service.batch_analyze_texts(batch.clone()).await?;
    let (began, mut calls) = (Instant::now(), 0_u32);
    while began.elapsed() < window {
        let answer = service.batch_analyze_texts(batch.clone()).await?.into_inner();
        if answer.analyses.len() != BATCH {
            return Err(format!("{} of {BATCH} texts were read", answer.analyses.len()).into());
        }
        calls += 1;
    }
    let called = f64::from(calls) * BATCH as f64 / began.elapsed().as_secs_f64();
    report.note(suite.engine, &CALLED, called, Some(read));
    Ok(())
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// How many texts a second something is done with.
fn rate(window: Duration, texts: &[&str], mut act: impl FnMut(&str)) -> f64 {
    texts.iter().for_each(|text| act(text));
    let (began, mut rounds) = (Instant::now(), 0_u32);
    while began.elapsed() < window {
        texts.iter().for_each(|text| act(text));
        rounds += 1;
    }
    f64::from(rounds) * texts.len() as f64 / began.elapsed().as_secs_f64()
}
