//! The generated reference: every key with its default, its variable and what it is for. A golden file holds it.

use std::fmt::Write as _;

use rapport_kernel::Fault;
use serde::Serialize;

use super::layers::Tree;
use super::{PREFIX, refused};

/// A part of the configuration that says what its keys are for.
pub trait Describe {
    /// Notes a line for each key.
    fn describe(about: &mut About);
}

/// What keys are for, gathered section by section.
#[derive(Debug, Default)]
pub struct About {
    section: String,
    lines: Vec<(String, &'static str)>,
}

impl About {
    /// Says what a key of this section is for.
    pub fn key(&mut self, key: &str, text: &'static str) -> &mut Self {
        let key = if self.section.is_empty() { key.to_owned() } else { format!("{}.{key}", self.section) };
        self.lines.push((key, text));
        self
    }

    /// Gathers what a section says of its own keys.
    pub fn section<T: Describe>(&mut self, name: &str) -> &mut Self {
        let outer = self.section.clone();
        self.section = if outer.is_empty() { name.to_owned() } else { format!("{outer}.{name}") };
        T::describe(self);
        self.section = outer;
        self
    }
}

/// The reference of a configuration, as a Markdown table.
///
/// # Errors
/// Where a key says nothing of itself, or something is said of a key that does not exist.
pub fn reference<T: Default + Serialize + Describe>() -> Result<String, Fault> {
    let mut about = About::default();
    T::describe(&mut about);
    let mut text = "| key | default | environment | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    let leaves = Tree::of(&T::default())?.leaves();
    for (key, default) in &leaves {
        let says = about.lines.iter().find(|(of, _)| of == key).map(|(_, says)| says);
        let says = says.ok_or_else(|| refused(format!("the key {key} says nothing of itself")))?;
        let variable = format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"));
        writeln!(text, "| `{key}` | `{default}` | `{variable}` | {says} |").map_err(Fault::internal)?;
    }
    match about.lines.iter().find(|(of, _)| leaves.iter().all(|(key, _)| key != of)) {
        Some((stale, _)) => Err(refused(format!("there is no key {stale}, of which something is said"))),
        None => Ok(text),
    }
}
