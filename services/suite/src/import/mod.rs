//! `rapport import`: customers and what they did, from files, through the public bulk calls. Files are CSV, NDJSON, or the
//! calls of a tracker by Segment's spec. An import that was cut off goes on where it was acknowledged; what is refused is
//! named by its line, never by its values.

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
use lines::Line;
use report::Report;
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
    let mut lines = lines::open(&arguments.file, format)?;
    let mapping = Mapping::new(arguments, lines.header())?;
    let mut report = Report::open(arguments, format)?;
    let client =
        connect(&arguments.address, &arguments.key).await.map_err(|status| rapport_platform::fault(&status))?;
    let mapping = mapping.knowing(declared(&client).await?);
    let mut sender = Sender::new(client);
    let bar = bar(lines.bytes());
    for _ in 0..report.done() {
        if lines.next().is_none() {
            return Err(refused(
                "the file is shorter than what was imported of it: delete its .import.json to begin anew",
            ));
        }
    }
    loop {
        let some: Vec<Line> = lines.by_ref().take(TOGETHER).collect();
        if some.is_empty() {
            break;
        }
        let (mut items, mut errors) = (Vec::new(), Vec::new());
        for line in &some {
            match item(line, format, arguments.what, &mapping) {
                Ok(found) => items.extend(found.into_iter().map(|item| (line.number, item))),
                Err(wrong) => errors.push((line.number, Reason::InvalidField.name().to_owned(), wrong)),
            }
        }
        errors.extend(sender.send(items).await?);
        report.note(some.len(), errors)?;
        bar.set_position(lines.read());
        bar.set_message(report.words());
    }
    bar.finish_and_clear();
    report.end()
}

/// What a line says, in the order in which it is sent.
fn item(line: &Line, format: Format, what: Subject, mapping: &Mapping) -> Result<Vec<Item>, Wrong> {
    let content = line.content.as_ref().map_err(Clone::clone)?;
    match (format, what) {
        (Format::Segment, _) => segment::items(&json::object(content)?, mapping.source()),
        (_, Subject::Profiles) => Ok(vec![Item::Profile(mapping.profile(content)?)]),
        (_, Subject::Interactions) => Ok(vec![Item::Interaction(Box::new(mapping.interaction(content)?))]),
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
