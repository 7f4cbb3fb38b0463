//! Telemetry: what the process says of itself while it runs. Logs go to standard error, spans to an OpenTelemetry
//! collector where one is configured; figures are in [`metrics`](crate::metrics).

pub mod context;
mod fields;

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use rapport_kernel::{Fault, Reason};
use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

pub use context::{traceparent, within};

use crate::config::{About, Describe};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Console,
    /// One JSON object per line.
    Json,
}

/// What is logged and traced, and where to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// How log lines look.
    pub format: Format,
    /// What is logged, as `info,rapport_data=debug`.
    pub filter: String,
    /// Where spans go (OTLP over gRPC), as `http://collector:4317`; nowhere where it is not set.
    pub otlp: Option<String>,
    /// The share of traces that begin here and are exported. A caller's choice is followed.
    pub sample: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: Format::Console, filter: "info".to_owned(), otlp: None, sample: 1.0 }
    }
}

impl Describe for TelemetryConfig {
    fn describe(about: &mut About) {
        about
            .key("format", "how log lines look: console or json")
            .key("filter", "what is logged, as info,rapport_data=debug")
            .key("otlp", "where spans go (OTLP over gRPC), as http://collector:4317; nowhere if not set")
            .key("sample", "share of the traces begun here that are exported; a caller's choice is followed");
    }
}

/// What must be flushed before the process ends.
#[must_use = "spans not yet exported are lost without `shutdown`"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Sets up logs and spans for this process, under the name of its role. To be called once, within the runtime.
///
/// # Errors
/// INVALID_ARGUMENT for a filter or an endpoint that is not valid; INTERNAL where it was set up before.
pub fn init(config: &TelemetryConfig, role: &str) -> Result<Telemetry, Fault> {
    let refused = |key: &str, why: String| Fault::new(Reason::InvalidField, format!("telemetry.{key}: {why}"));
    let filter = filter(&config.filter).map_err(|why| refused("filter", why))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        Format::Console => lines.with_ansi(std::io::stderr().is_terminal()).fmt_fields(fields::Words).boxed(),
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            lines.fmt_fields(fields::Json).boxed()
        }
    };
    let provider = match &config.otlp {
        None => None,
        Some(endpoint) => {
            let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
            let exporter = exporter.map_err(|why| refused("otlp", why.to_string()))?;
            let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample)));
            let resource = Resource::builder().with_service_name(format!("rapport-{role}")).build();
            let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
            Some(provider.with_sampler(sampler).with_resource(resource).build())
        }
    };
    let spans =
        provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("rapport")));
    tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init().map_err(Fault::internal)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Telemetry { provider })
}

/// The filter of a text. By targets and levels alone where it names nothing else: the one that knows spans as well asks
/// its list of them, behind a lock, whenever a call's span is entered or left.
fn filter<S>(text: &str) -> Result<Box<dyn Layer<S> + Send + Sync>, String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let known = |letter: char| letter.is_ascii_alphanumeric() || "_:-=,".contains(letter);
    let plain = text.chars().all(known) && text.split(',').all(|part| !part.is_empty());
    if let Some(targets) = plain.then(|| text.parse::<Targets>().ok()).flatten() {
        return Ok(targets.boxed());
    }
    EnvFilter::try_new(text).map(Layer::boxed).map_err(|why| why.to_string())
}

impl Telemetry {
    /// Exports what is left. On a thread of its own: the exporter needs the runtime's, and would wait for itself.
    pub async fn shutdown(self, within: Duration) {
        let Some(provider) = self.provider else { return };
        let done = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        if !matches!(tokio::time::timeout(within, done).await, Ok(Ok(Ok(())))) {
            tracing::warn!("not all spans were exported");
        }
    }
}

/// Says where a panic was. Its text only where it is a literal: a formatted one may hold a customer's data.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let text = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(formatted text: not shown)");
    tracing::error!(place, text, "a panic: a mistake of ours");
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Registry;

    use super::*;

    #[test]
    fn a_filter_names_targets_and_levels_and_may_name_spans() {
        for good in ["info", "info,rapport_data=debug", "", "off", "info,[call]=debug"] {
            assert!(filter::<Registry>(good).is_ok(), "{good}");
        }
        for wrong in ["info,rapport_data=loud", "warn, rapport_bus = trace"] {
            assert!(filter::<Registry>(wrong).is_err(), "{wrong}");
        }
    }
}
