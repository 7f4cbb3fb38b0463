//! `rapport import`: customers, what they did and what they said, from files, through the public bulk calls. Files are CSV, NDJSON, or the
//! calls of a tracker by Segment's spec. An import that was cut off goes on where it was acknowledged; what is refused is
//! named by its line, never by its values.

mod feedback;
mod fields;
mod json;
mod lines;
mod report;
mod segment;
mod send;

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rapport_api::profiles::v1::trait_service_client::TraitServiceClient;
use rapport_api::profiles::v1::{ListTraitDefinitionsRequest, TraitType};
use rapport_kernel::{Fault, Reason};

use crate::cli::{Format, Import, Subject};
use crate::client::{Client, connect};
use fields::Mapping;
use lines::{Line, Lines};
use report::{Refused, Report};
use send::{Item, Sender};

/// Lines that are sent, acknowledged and noted together.
const TOGETHER: usize = 5_000;

/// What is wrong with a line: of each field what it must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrong(pub Vec<(String, String)>);

impl Wrong {
    /// One field that is wrong.
    #[must_use]
    pub fn one(field: &str, must: impl Into<String>) -> Self {
        Self(vec![(field.to_owned(), must.into())])
    }
}

/// Imports a file.
///
/// # Errors
/// What is wrong with the file or its header, or that lines were refused, and where they are named.
pub async fn import(arguments: &Import) -> Result<(), Fault> {
    let format = arguments.format.or_else(|| Format::of(&arguments.file)).ok_or_else(|| {
        refused("the file's name ends neither in .csv nor in .ndjson or .jsonl: say --format csv, ndjson or segment")
    })?;
    if format == Format::Segment && matches!(arguments.what, Subject::Responses | Subject::Tickets) {
        return Err(refused("a tracker's calls hold no responses and no tickets: say profiles or interactions"));
    }
    let mut lines = lines::open(&arguments.file, format)?;
    let mapping = Mapping::new(arguments, lines.header())?;
    let mut report = Report::open(arguments, format)?;
    let client =
        connect(&arguments.address, &arguments.key).await.map_err(|status| rapport_platform::fault(&status))?;
    let mapping = match arguments.what {
        Subject::Profiles | Subject::Interactions => mapping.knowing(declared(&client).await?),
        Subject::Responses | Subject::Tickets => mapping,
    };
    let mut job = Job { format, what: arguments.what, mapping, sender: Sender::new(client) };
    let bar = bar(lines.bytes());
    if !job.pass(&mut lines, &mut report).await? {
        eprintln!("the file changed since it was imported: all of it is read again, from its beginning");
        report.begin_anew();
        lines = lines::open(&arguments.file, format)?;
    }
    loop {
        let some: Vec<Line> = lines.by_ref().take(TOGETHER).collect();
        if some.is_empty() {
            break;
        }
        let errors = job.send(&some).await?;
        report.note(&some, errors)?;
        bar.set_position(lines.read());
        bar.set_message(report.words());
    }
    bar.finish_and_clear();
    report.end()
}

/// How lines are read and where they go.
struct Job {
    format: Format,
    what: Subject,
    mapping: Mapping,
    sender: Sender,
}

impl Job {
    /// Passes over the lines that are done, and tries those of them again that were refused: they may have been mended, or
    /// what stood in their way is gone. False where the file is no longer what was imported of it.
    async fn pass(&mut self, lines: &mut Lines, report: &mut Report) -> Result<bool, Fault> {
        let refused = report.refused();
        let (mut digest, mut tried) = (0, Vec::new());
        for _ in 0..report.done() {
            let Some(line) = lines.next() else { return Ok(false) };
            digest = line.digest(digest);
            if refused.contains(&line.number) {
                tried.push(line);
            }
        }
        if digest != report.digest() {
            return Ok(false);
        }
        let mut errors = Vec::new();
        for some in tried.chunks(TOGETHER) {
            errors.extend(self.send(some).await?);
        }
        if !tried.is_empty() {
            report.again(tried.len(), errors)?;
        }
        Ok(true)
    }

    /// Sends lines; answers those that were refused.
    async fn send(&mut self, lines: &[Line]) -> Result<Vec<Refused>, Fault> {
        let (mut items, mut errors) = (Vec::new(), Vec::new());
        for line in lines {
            match self.items(line) {
                Ok(found) => items.extend(found.into_iter().map(|item| (line.number, item))),
                Err(wrong) => errors.push((line.number, Reason::InvalidField.name().to_owned(), wrong)),
            }
        }
        errors.extend(self.sender.send(items).await?);
        Ok(errors)
    }

    /// What a line says, in the order in which it is sent.
    fn items(&self, line: &Line) -> Result<Vec<Item>, Wrong> {
        let content = line.content.as_ref().map_err(Clone::clone)?;
        match (self.format, self.what) {
            (Format::Segment, _) => segment::items(&json::object(content)?, self.mapping.source()),
            (_, Subject::Profiles) => Ok(vec![Item::Profile(self.mapping.profile(content)?)]),
            (_, Subject::Interactions) => Ok(vec![Item::Interaction(Box::new(self.mapping.interaction(content)?))]),
            (_, Subject::Responses) => Ok(vec![Item::Response(Box::new(self.mapping.response(content)?))]),
            (_, Subject::Tickets) => Ok(vec![Item::Ticket(Box::new(self.mapping.ticket(content)?))]),
        }
    }
}

/// The types of the declared traits: a column of a declared trait needs no type of its own.
async fn declared(client: &Client) -> Result<BTreeMap<String, TraitType>, Fault> {
    let (mut found, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let request = ListTraitDefinitionsRequest { page_size: 1_000, page_token };
        let page = TraitServiceClient::new(client.clone()).list_trait_definitions(request).await;
        let page = page.map_err(|status| rapport_platform::fault(&status))?.into_inner();
        found.extend(page.trait_definitions.into_iter().map(|it| (it.name.clone(), it.r#type())));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  {bar:32} {percent:>3} % {msg} {eta}") {
        bar.set_style(style);
    }
    bar
}

fn refused(text: impl Into<String>) -> Fault {
    Fault::new(Reason::InvalidField, text)
}
