//! What became of an import: how far it was acknowledged, beside the file, so that a second run goes on; and each refused
//! line with its reasons, never its values. A second run tries what was refused again, and knows by a digest whether the
//! lines it passes over are still those that were imported.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rapport_kernel::Fault;
use serde::{Deserialize, Serialize};

use super::lines::Line;
use super::{Wrong, refused};
use crate::cli::{Format, Import};

/// How long what was acknowledged waits at most until it is noted, while there is more to come.
const NOTED: Duration = Duration::from_millis(500);

/// A refused line: its number, the reason, and the fields.
pub type Refused = (u64, String, Wrong);

/// How far an import is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// What is imported, and how: another file or another mapping is another import.
    of: u64,
    /// Lines that are done: stored, or refused and named.
    lines: u64,
    /// Of them, those that were refused.
    refused: u64,
    /// The digest of what they said.
    digest: u64,
}

/// The notes of an import.
pub struct Report {
    path: PathBuf,
    errors_path: PathBuf,
    errors: Option<File>,
    /// Refusals that are not written yet.
    waiting: Vec<Refused>,
    /// When the notes were last written.
    noted: Option<Instant>,
    state: State,
    /// Lines that this run sent or refused.
    now: u64,
}

impl Report {
    /// Opens the notes beside the file.
    ///
    /// # Errors
    /// Where they cannot be read, or are of another import.
    pub fn open(arguments: &Import, format: Format) -> Result<Self, Fault> {
        let beside = |end: &str| {
            let mut name = arguments.file.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let (path, errors_path) = (beside(".import.json"), beside(".errors.ndjson"));
        let of = fingerprint(arguments, format)?;
        let state = match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice::<State>(&bytes).ok().filter(|state| state.of == of).ok_or_else(|| {
                    let path = path.display();
                    refused(format!("{path} is of another file or another mapping: delete it to begin anew"))
                })?
            }
            Err(_) => State { of, ..State::default() },
        };
        if state.lines == 0 {
            // Those of an import before. That there were none is as well.
            std::fs::remove_file(&errors_path).unwrap_or_default();
        }
        Ok(Self { path, errors_path, errors: None, waiting: Vec::new(), noted: None, state, now: 0 })
    }

    /// Forgets what was done: the file is not what it was.
    pub fn begin_anew(&mut self) {
        std::fs::remove_file(&self.errors_path).unwrap_or_default();
        self.state = State { of: self.state.of, ..State::default() };
        self.now = 0;
    }

    /// How many lines are done.
    pub const fn done(&self) -> u64 {
        self.state.lines
    }

    /// The digest of what the lines said that are done.
    pub const fn digest(&self) -> u64 {
        self.state.digest
    }

    /// The numbers of the lines that were refused.
    pub fn refused(&self) -> BTreeSet<u64> {
        let named = std::fs::read_to_string(&self.errors_path).unwrap_or_default();
        named.lines().filter_map(number).collect()
    }

    /// Forgets the refusals of lines after this one: a run that died between naming them and noting that they are done
    /// left them, and they are sent again.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn forget_after(&mut self, last: u64) -> Result<(), Fault> {
        let named = std::fs::read_to_string(&self.errors_path).unwrap_or_default();
        let kept: Vec<&str> = named.lines().filter(|text| number(text).is_some_and(|line| line <= last)).collect();
        if kept.len() == named.lines().count() {
            return Ok(());
        }
        self.replace_errors(kept.iter().map(|text| format!("{text}\n")).collect())
    }

    /// Notes which of the lines that had been refused, and were tried again, still are.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn again(&mut self, tried: usize, refusals: Vec<Refused>) -> Result<(), Fault> {
        self.now += tried as u64;
        self.state.refused = refusals.len() as u64;
        self.replace_errors(refusals.iter().map(text).collect())?;
        self.flush()
    }

    /// Notes that lines are done, and which of them were refused, each named once: soon, not at each acknowledgement.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn note(&mut self, lines: &[Line], refusals: Vec<Refused>) -> Result<(), Fault> {
        if lines.is_empty() {
            return Ok(());
        }
        self.state.lines += lines.len() as u64;
        self.state.digest = lines.iter().fold(self.state.digest, |digest, line| line.digest(digest));
        self.state.refused += refusals.len() as u64;
        self.now += lines.len() as u64;
        self.waiting.extend(refusals);
        match self.noted {
            Some(noted) if noted.elapsed() < NOTED => Ok(()),
            _ => self.flush(),
        }
    }

    /// Writes what is not written yet: the refusals before the note that passes over their lines.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn flush(&mut self) -> Result<(), Fault> {
        if !self.waiting.is_empty() {
            let file = match &mut self.errors {
                Some(file) => file,
                None => {
                    let file = OpenOptions::new().create(true).append(true).open(&self.errors_path);
                    self.errors.insert(file.map_err(cannot)?)
                }
            };
            let named: String = self.waiting.iter().map(text).collect();
            file.write_all(named.as_bytes()).map_err(cannot)?;
            self.waiting.clear();
        }
        let state = serde_json::to_vec(&self.state).map_err(Fault::internal)?;
        let new = self.path.with_extension("json.new");
        std::fs::write(&new, state).and_then(|()| std::fs::rename(&new, &self.path)).map_err(cannot)?;
        self.noted = Some(Instant::now());
        Ok(())
    }

    /// Puts other refusals in the place of those that are named.
    fn replace_errors(&mut self, named: String) -> Result<(), Fault> {
        self.errors = None;
        if named.is_empty() {
            std::fs::remove_file(&self.errors_path).unwrap_or_default();
            return Ok(());
        }
        let new = self.errors_path.with_extension("ndjson.new");
        std::fs::write(&new, named).and_then(|()| std::fs::rename(&new, &self.errors_path)).map_err(cannot)
    }

    /// What ended an import before its end, with how far it came and what to do.
    pub fn cut_off(&self, mut fault: Fault) -> Fault {
        let State { lines, refused, .. } = self.state;
        let how_far = match (lines, refused) {
            (0, _) => "No line was acknowledged before: run the same again".to_owned(),
            (1, 0) => format!("1 line is imported and noted: {GO_ON} it"),
            (_, 0) => format!("{lines} lines are imported and noted: {GO_ON} them"),
            _ => format!(
                "{lines} lines are done, {} imported and {refused} refused, and noted: {GO_ON} them",
                lines - refused
            ),
        };
        fault.message = format!("{}. {how_far}", fault.message);
        fault
    }

    /// How it goes, in words.
    pub fn words(&self) -> String {
        format!("{} lines, {} refused", self.state.lines, self.state.refused)
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// That lines were refused, and where they are named.
    pub fn end(&self) -> Result<(), Fault> {
        println!("{}", self.summary());
        let path = self.errors_path.display();
        match self.state.refused {
            0 => Ok(()),
            1 => Err(refused(format!("1 line was refused: {path} names it with its reasons. {MEND}"))),
            many => Err(refused(format!("{many} lines were refused: {path} names each with its reasons. {MEND}"))),
        }
    }

    fn summary(&self) -> String {
        let State { lines, refused, .. } = self.state;
        let (s, imported) = (if lines == 1 { "" } else { "s" }, lines - refused);
        let earlier = match self.now {
            now if now == lines => String::new(),
            now => format!(" (this run read {now} of them, earlier ones the rest)"),
        };
        format!("{lines} line{s}: {imported} imported, {refused} refused{earlier}")
    }
}

const GO_ON: &str = "run the same again, and it goes on after";
const MEND: &str = "Mend them in the file and run the same again: what is imported already changes nothing";

/// A refused line as it is named.
fn text((line, reason, wrong): &Refused) -> String {
    let field = |(field, must): &(String, String)| serde_json::json!({ "field": field, "description": must });
    let fields: Vec<_> = wrong.0.iter().map(field).collect();
    format!("{}\n", serde_json::json!({ "line": line, "reason": reason, "fields": fields }))
}

/// The number of a line as it is named.
fn number(text: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(text).ok()?.get("line")?.as_u64()
}

fn cannot(why: std::io::Error) -> Fault {
    refused(format!("the notes beside the file cannot be written: {why}"))
}

/// What is imported, and how: of the file the columns alone, as its lines may grow and be mended.
fn fingerprint(arguments: &Import, format: Format) -> Result<u64, Fault> {
    let cannot = |why: std::io::Error| refused(format!("{} cannot be read: {why}", arguments.file.display()));
    let mut start = Vec::new();
    File::open(&arguments.file).map_err(cannot)?.take(65_536).read_to_end(&mut start).map_err(cannot)?;
    let mut hasher = DefaultHasher::new();
    if format == Format::Csv {
        start.split(|byte| *byte == b'\n').next().unwrap_or_default().hash(&mut hasher);
    }
    (format as u8, arguments.what as u8, &arguments.source, &arguments.survey, &arguments.map).hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: u64, refused: u64, now: u64) -> Report {
        let state = State { lines, refused, ..State::default() };
        Report {
            path: PathBuf::new(),
            errors_path: PathBuf::new(),
            errors: None,
            waiting: Vec::new(),
            noted: None,
            state,
            now,
        }
    }

    #[test]
    fn the_summary_adds_up() {
        assert_eq!(report(5, 4, 5).summary(), "5 lines: 1 imported, 4 refused");
        assert_eq!(report(1, 0, 1).summary(), "1 line: 1 imported, 0 refused");
        let resumed = "9 lines: 9 imported, 0 refused (this run read 2 of them, earlier ones the rest)";
        assert_eq!(report(9, 0, 2).summary(), resumed);
    }
}
