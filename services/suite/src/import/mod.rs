//! `rapport import`: customers, what they did and what they said, from files, through the public bulk calls. Files are CSV, NDJSON, or the
//! calls of a tracker by Segment's spec. An import that was cut off goes on after the last acknowledgement; what is refused is
//! named by its line, never by its values.

mod feedback;
mod fields;
mod json;
mod lines;
mod progress;
mod report;
mod segment;
mod send;
mod together;

use std::collections::BTreeMap;

use rapport_api::profiles::v1::trait_service_client::TraitServiceClient;
use rapport_api::profiles::v1::{ListTraitDefinitionsRequest, TraitType};
use rapport_kernel::{Fault, Reason};

use crate::assembly::asked_to_stop;
use crate::cli::{Format, Import, Subject};
use crate::client::{Client, connect};
use fields::Mapping;
use lines::{Line, Lines};
use progress::Progress;
use report::{Refused, Report};
use send::{Item, Place, Sender};
use together::Together;

/// Lines that are sent in one stream at most.
const TOGETHER: usize = 5_000;
/// Bytes of the lines of one stream, but for one line more: a line may hold many calls.
const BYTES: u64 = 8 * 1024 * 1024;

/// What is wrong with a line: of each field what it must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrong(pub Vec<(String, String)>);

impl Wrong {
    /// One field that is wrong.
    #[must_use]
    pub fn one(field: &str, must: impl Into<String>) -> Self {
        Self(vec![(field.to_owned(), must.into())])
    }

    /// The same, of a call in a batch of them: named by its place there.
    #[must_use]
    fn within(self, at: usize) -> Self {
        let named = |field: String| match field.as_str() {
            "line" => format!("batch[{at}]"),
            _ => format!("batch[{at}].{field}"),
        };
        Self(self.0.into_iter().map(|(field, must)| (named(field), must)).collect())
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
    let mut progress = Progress::new(lines.bytes());
    let ended = tokio::select! {
        biased;
        ended = job.run(arguments, &mut lines, &mut report, &mut progress) => ended,
        () = asked_to_stop() => Err(Fault::new(Reason::Cancelled, "it was stopped")),
    };
    progress.end();
    report.flush()?;
    match ended {
        Ok(()) => report.end(),
        Err(fault) => Err(report.cut_off(fault)),
    }
}

/// How lines are read and where they go.
struct Job {
    format: Format,
    what: Subject,
    mapping: Mapping,
    sender: Sender,
}

impl Job {
    /// Goes on where the import stands, to the end of the file.
    async fn run(
        &mut self,
        arguments: &Import,
        lines: &mut Lines,
        report: &mut Report,
        progress: &mut Progress,
    ) -> Result<(), Fault> {
        if !self.pass(lines, report).await? {
            eprintln!("the file changed since it was imported: all of it is read again, from its beginning");
            report.begin_anew();
            *lines = lines::open(&arguments.file, self.format)?;
        }
        loop {
            let before = lines.read();
            let mut some: Vec<Line> = Vec::new();
            while some.len() < TOGETHER && lines.read() - before < BYTES {
                let Some(line) = lines.next() else { break };
                some.push(line);
            }
            if some.is_empty() {
                return Ok(());
            }
            let (bytes, all, mut done) = (lines.read() - before, some.len() as u64, 0);
            let mut note = |passed: &[Line], refusals| {
                done += passed.len() as u64;
                report.note(passed, refusals)?;
                progress.show(before + bytes * done / all, &report.words());
                Ok(())
            };
            self.send(&some, &mut note).await?;
        }
    }

    /// Passes over the lines that are done, and tries those of them again that were refused: they may have been mended, or
    /// what stood in their way is gone. False where the file is no longer what was imported of it.
    async fn pass(&mut self, lines: &mut Lines, report: &mut Report) -> Result<bool, Fault> {
        let refused = report.refused();
        let (mut digest, mut tried, mut last) = (0, Vec::new(), 0);
        for _ in 0..report.done() {
            let Some(line) = lines.next() else { return Ok(false) };
            (digest, last) = (line.digest(digest), line.number);
            if refused.contains(&line.number) {
                tried.push(line);
            }
        }
        if digest != report.digest() {
            return Ok(false);
        }
        report.forget_after(last)?;
        let mut errors = Vec::new();
        for some in tried.chunks(TOGETHER) {
            let mut note = |_: &[Line], refusals| {
                errors.extend::<Vec<Refused>>(refusals);
                Ok(())
            };
            self.send(some, &mut note).await?;
        }
        if !tried.is_empty() {
            report.again(tried.len(), errors)?;
        }
        Ok(true)
    }

    /// Sends lines. As they are acknowledged `note` is told of them in their order, and of those that were refused.
    async fn send(&mut self, lines: &[Line], note: Note<'_>) -> Result<(), Fault> {
        let (mut items, mut together) = (Vec::new(), Together::new(lines));
        for (at, line) in lines.iter().enumerate() {
            let (found, wrong) = self.items(line);
            together.wait(at, found.len());
            if !wrong.0.is_empty() {
                together.refuse(at, Reason::InvalidField.name(), wrong);
            }
            items.extend(found.into_iter().map(|(within, item)| (Place { at, within }, item)));
        }
        let (passed, refusals) = together.passed();
        note(passed, refusals)?;
        let mut heard = |places: &[Place], refused: Vec<_>| {
            let (passed, refusals) = together.settle(places, refused);
            note(passed, refusals)
        };
        self.sender.send(items, &mut heard).await
    }

    /// What a line says, in the order in which it is sent, of a batch each with its place there; and what is wrong with it.
    fn items(&self, line: &Line) -> (Vec<(Option<usize>, Item)>, Wrong) {
        if self.format == Format::Segment {
            let read = line.content.as_ref().map_err(Clone::clone).and_then(json::object);
            return match read {
                Ok(call) => segment::line(call, self.mapping.source()),
                Err(wrong) => (Vec::new(), wrong),
            };
        }
        match self.item(line) {
            Ok(item) => (vec![(None, item)], Wrong::default()),
            Err(wrong) => (Vec::new(), wrong),
        }
    }

    fn item(&self, line: &Line) -> Result<Item, Wrong> {
        let content = line.content.as_ref().map_err(Clone::clone)?;
        match self.what {
            Subject::Profiles => Ok(Item::Profile(self.mapping.profile(content)?)),
            Subject::Interactions => Ok(Item::Interaction(Box::new(self.mapping.interaction(content)?))),
            Subject::Responses => Ok(Item::Response(Box::new(self.mapping.response(content)?))),
            Subject::Tickets => Ok(Item::Ticket(Box::new(self.mapping.ticket(content)?))),
        }
    }
}

/// Who is told of lines that are done, and of those of them that were refused.
type Note<'a> = &'a mut dyn FnMut(&[Line], Vec<Refused>) -> Result<(), Fault>;

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

fn refused(text: impl Into<String>) -> Fault {
    Fault::new(Reason::InvalidField, text)
}
