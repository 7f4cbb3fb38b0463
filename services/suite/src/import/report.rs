//! What became of an import: how far it was acknowledged, beside the file, so that a second run goes on; and each refused
//! line with its reasons, never its values.

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use rapport_kernel::Fault;
use serde::{Deserialize, Serialize};

use super::{Wrong, refused};
use crate::cli::{Format, Import};

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
}

/// The notes of an import.
pub struct Report {
    path: PathBuf,
    errors_path: PathBuf,
    errors: Option<File>,
    state: State,
    began: u64,
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
        let began = state.lines;
        Ok(Self { path, errors_path, errors: None, state, began })
    }

    /// How many lines are done.
    pub const fn done(&self) -> u64 {
        self.state.lines
    }

    /// Notes that lines are done, and which of them were refused.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn note(&mut self, lines: usize, mut refusals: Vec<Refused>) -> Result<(), Fault> {
        let cannot = |why: std::io::Error| refused(format!("the notes beside the file cannot be written: {why}"));
        refusals.sort_by_key(|(line, ..)| *line);
        for (line, reason, wrong) in &refusals {
            if self.errors.is_none() {
                let file = OpenOptions::new().create(true).append(true).open(&self.errors_path);
                self.errors = Some(file.map_err(cannot)?);
            }
            let field = |(field, must): &(String, String)| serde_json::json!({ "field": field, "description": must });
            let fields: Vec<_> = wrong.0.iter().map(field).collect();
            let text = serde_json::json!({ "line": line, "reason": reason, "fields": fields }).to_string();
            if let Some(file) = &mut self.errors {
                writeln!(file, "{text}").map_err(cannot)?;
            }
        }
        self.state.lines += lines as u64;
        let mut refused_lines: Vec<u64> = refusals.iter().map(|(line, ..)| *line).collect();
        refused_lines.dedup();
        self.state.refused += refused_lines.len() as u64;
        let text = serde_json::to_vec(&self.state).map_err(Fault::internal)?;
        let new = self.path.with_extension("json.new");
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.path)).map_err(cannot)
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
        println!(
            "{} lines were imported, {} of them now",
            self.state.lines - self.state.refused,
            self.state.lines - self.began
        );
        if self.state.refused == 0 {
            return Ok(());
        }
        let (refused_lines, path) = (self.state.refused, self.errors_path.display());
        Err(refused(format!("{refused_lines} lines were refused: {path} names each with its reasons")))
    }
}

/// What is imported, and how. A file that grew is the same.
fn fingerprint(arguments: &Import, format: Format) -> Result<u64, Fault> {
    let cannot = |why: std::io::Error| refused(format!("{} cannot be read: {why}", arguments.file.display()));
    let mut start = Vec::new();
    File::open(&arguments.file).map_err(cannot)?.take(256).read_to_end(&mut start).map_err(cannot)?;
    let mut hasher = DefaultHasher::new();
    // The first line alone: of a short file more may be added to the rest.
    start.split(|byte| *byte == b'\n').next().unwrap_or_default().hash(&mut hasher);
    (format as u8, arguments.what as u8, &arguments.source, &arguments.map).hash(&mut hasher);
    Ok(hasher.finish())
}
