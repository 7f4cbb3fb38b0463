//! How a span's fields become text. It happens for every call, logged or not, so that a line can name its request:
//! what the library's own formatters do for it (escaping by `Debug`; JSON that is parsed again for each field that is
//! added later) cost more than all the rest of a span.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Words for people stand without quotes in these: names of calls and tasks, and ids.
const NAMES: [&str; 3] = ["otel.name", "request_id", "task"];
/// Said only to an exporter.
const UNSAID: &str = "otel.kind";

/// Whether a text is itself within quotes, in JSON as in a log. What the suite names itself is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

/// For people: `name=value`, as the library writes it.
pub(super) struct Words;

impl<'w> FormatFields<'w> for Words {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut words = WordsOf { writer, empty: true, result: Ok(()) };
        fields.record(&mut words);
        words.result
    }
}

struct WordsOf<'w> {
    writer: Writer<'w>,
    empty: bool,
    result: fmt::Result,
}

impl WordsOf<'_> {
    fn library(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        if self.result.is_ok() {
            let mut visitor = DefaultVisitor::new(self.writer.by_ref(), self.empty);
            record(&mut visitor);
            self.result = visitor.finish();
            self.empty = false;
        }
    }
}

impl Visit for WordsOf<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            UNSAID => {}
            name if NAMES.contains(&name) && is_plain(value) && !self.writer.has_ansi_escapes() => {
                let space = if self.empty { "" } else { " " };
                self.result = [space, name, "=", value].into_iter().try_for_each(|text| self.writer.write_str(text));
                self.empty = false;
            }
            _ => self.library(|visitor| visitor.record_str(field, value)),
        }
    }
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.library(|visitor| visitor.record_error(field, value));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.library(|visitor| visitor.record_debug(field, value));
    }
}

/// For machines: one JSON object, which grows by what is recorded later.
pub(super) struct Json;

impl<'w> FormatFields<'w> for Json {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut json = JsonOf { writer, next: '{', result: Ok(()) };
        fields.record(&mut json);
        json.finish()
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let next = match current.fields.pop() {
            None => '{',
            // What was popped is the brace at its end.
            Some(_) if current.fields.len() == 1 => {
                current.fields.clear();
                '{'
            }
            Some(_) => ',',
        };
        let mut json = JsonOf { writer: current.as_writer(), next, result: Ok(()) };
        fields.record(&mut json);
        json.finish()
    }
}

struct JsonOf<'w> {
    writer: Writer<'w>,
    /// What stands before the next field.
    next: char,
    result: fmt::Result,
}

impl JsonOf<'_> {
    fn finish(mut self) -> fmt::Result {
        self.result?;
        // Nothing was written: an empty object.
        if self.next == '{' {
            self.writer.write_char('{')?;
        }
        self.writer.write_char('}')
    }

    /// A field, whose value is JSON already.
    fn json(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            let name = field.name();
            self.result = write!(self.writer, "{}\"{}\":{value}", self.next, name.strip_prefix("r#").unwrap_or(name));
            self.next = ',';
        }
    }

    fn text(&mut self, field: &Field, value: &str) {
        if is_plain(value) {
            return self.json(field, format_args!("\"{value}\""));
        }
        match serde_json::to_string(value) {
            Ok(text) => self.json(field, format_args!("{text}")),
            Err(_) => self.result = Err(fmt::Error),
        }
    }
}

impl Visit for JsonOf<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != UNSAID {
            self.text(field, value);
        }
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.json(field, format_args!("{value}"));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.json(field, format_args!("{value}"));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.json(field, format_args!("{value}"));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::{Format, JsonFields};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() {
        let span = tracing::error_span!(
            "call",
            otel.name = "a.v1.B/C",
            otel.kind = "server",
            request_id = "r-1",
            tenant = tracing::field::Empty
        );
        span.record("tenant", tracing::field::display("t-1"));
        let other = tracing::error_span!(parent: &span, "other", text = "a \"b\"\n", count = 7, whole = true);
        other.in_scope(|| tracing::error!(reason = "INTERNAL", "it failed"));
        tracing::error_span!(parent: None, "late", tenant = tracing::field::Empty)
            .in_scope(|| tracing::error!("nothing is known"));
        let late = tracing::error_span!(parent: None, "late", otel.kind = "server", tenant = tracing::field::Empty);
        late.record("tenant", 3);
        late.in_scope(|| tracing::error!("something is known"));
    }

    #[test]
    fn a_line_for_people_names_what_its_spans_hold() {
        let page = Page::default();
        let writer = page.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(lines.without_time().fmt_fields(Words));
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(page.0.lock().expect("not poisoned").clone()).expect("text");
        let first = text.lines().next().expect("a line");
        let spans = r#"call{otel.name=a.v1.B/C request_id=r-1 tenant=t-1}:other{text="a \"b\"\n" count=7 whole=true}:"#;
        assert!(first.contains(spans), "{first}");
        assert!(first.ends_with(r#"it failed reason="INTERNAL""#), "{first}");
    }

    #[test]
    fn a_line_for_machines_is_what_the_library_writes_but_for_what_only_exporters_need() {
        let (ours, theirs) = (Page::default(), Page::default());
        let (writer, other) = (ours.clone(), theirs.clone());
        let format = || Format::default().json().without_time().flatten_event(true).with_span_list(true);
        let layer = tracing_subscriber::fmt::layer().event_format(format());
        let subscriber =
            tracing_subscriber::registry().with(layer.fmt_fields(Json).with_writer(move || writer.clone())).with(
                tracing_subscriber::fmt::layer()
                    .event_format(format())
                    .fmt_fields(JsonFields::new())
                    .with_writer(move || other.clone()),
            );
        tracing::subscriber::with_default(subscriber, log);
        let read = |page: &Page| -> Vec<serde_json::Value> {
            let text = String::from_utf8(page.0.lock().expect("not poisoned").clone()).expect("text");
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        };
        let (ours, mut theirs) = (read(&ours), read(&theirs));
        assert_eq!(ours.len(), 3);
        for line in &mut theirs {
            let spans = line["spans"].as_array_mut().expect("a list").iter_mut();
            for span in spans {
                span.as_object_mut().expect("an object").remove(UNSAID);
            }
            line["span"].as_object_mut().expect("an object").remove(UNSAID);
        }
        assert_eq!(ours, theirs);
    }
}
