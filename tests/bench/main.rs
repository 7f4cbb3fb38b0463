//! The suite's benchmark: `cargo bench -p rapport-tests`, with `-- --engine sqlite|postgres`, `-- --quick` and
//! `-- --only asking|reads|decisions|growth|heard|identify|imports|matching|merges|search|segments|text|visibility`; `-- --full`
//! measures up to a million records.
//!
//! Every figure stands beside a baseline that was measured in the same round, on the same machine, with the same client:
//! a call beside a call of a bare tonic server, an import beside the bare insert of the same rows. What counts is the
//! ratio; the absolute figures say more about the machine. All roles run in this process, on a runtime of their own, each
//! behind its own TCP port; the client has another runtime. Both share the machine's cores.

mod asking;
mod decisions;
mod growth;
mod heard;
mod import;
mod limit;
mod load;
mod matching;
mod merges;
mod people;
mod raw;
mod reads;
mod report;
mod rounds;
mod scale;
mod search;
mod segments;
mod suite;
mod text;
mod visibility;

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use scale::{Options, Scale};
use suite::Suite;

/// What a measurement answers, or why it could not be made.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).map_err(Into::into).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<()> {
    let scale = Scale::of(options);
    let (house, client) = (runtime("suite")?, runtime("client")?);
    let telemetry = {
        let _within = house.enter();
        rapport_platform::telemetry::init(&rapport_platform::telemetry::TelemetryConfig::default(), "bench")?
    };
    let mut report = report::Report::default();
    for engine in &options.engines {
        eprintln!("bench: {}", engine.name());
        let suite = Suite::start(&house, *engine)?;
        if scale.has_rounds() {
            client.block_on(rounds::measure(&suite, &scale, &mut report))?;
        }
        if scale.has(scale::Part::Matching) {
            client.block_on(matching::measure(&suite, scale.matched, &mut report))?;
        }
        if scale.has(scale::Part::Growth) {
            client.block_on(growth::measure(&suite, &scale, &mut report))?;
        }
        if scale.has(scale::Part::Segments) {
            client.block_on(segments::measure(&suite, scale.matched, scale.window, &mut report))?;
        }
        if scale.has(scale::Part::Search) {
            client.block_on(search::measure(&suite, scale.matched, &mut report))?;
        }
        if scale.has(scale::Part::Text) {
            client.block_on(text::measure(&suite, scale.window, &mut report))?;
        }
        if scale.has(scale::Part::Asking) {
            client.block_on(asking::measure(&suite, &mut report))?;
        }
        suite.stop(&house);
    }
    house.block_on(telemetry.shutdown(std::time::Duration::from_secs(1)));
    print!("{}", report.markdown());
    Ok(())
}

/// As many threads as the machine has cores, as `rapport` itself runs; named, so that a profiler tells them apart.
fn runtime(name: &str) -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().thread_name(name).enable_all().build()?)
}
