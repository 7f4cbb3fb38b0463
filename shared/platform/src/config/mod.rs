//! Configuration: typed, in layers. Defaults < files (TOML) < environment (`RAPPORT_SECTION__KEY`) < flags.
//!
//! The type's `Default` is the documentation of what there is: a key that it does not have is refused, with the
//! nearest one that it has. Each value remembers where it came from, for `rapport config show`.

mod layers;
mod reference;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rapport_kernel::{Fault, Reason};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use reference::{About, Describe, reference};
pub use values::{Address, Period, REDACTED, Secret};

use layers::Tree;

/// What precedes the suite's variables in the environment.
pub const PREFIX: &str = "RAPPORT_";

/// Where the layers above the defaults come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// TOML files, a later one above an earlier one.
    pub files: Vec<PathBuf>,
    /// Variables of the environment; those without [`PREFIX`] are passed over.
    pub environment: Vec<(String, String)>,
    /// Keys (dotted) and values given by flags.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// Files, this process's environment, and flags.
    #[must_use]
    pub fn of_process(files: Vec<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { files, environment, flags }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag.
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// A loaded configuration and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The configuration.
    pub value: T,
    /// By dotted key; what is missing here is a default.
    pub origins: BTreeMap<String, Origin>,
}

impl<T: Serialize> Loaded<T> {
    /// Each key with its value and origin, in order, secrets redacted.
    ///
    /// # Errors
    /// INTERNAL where the configuration's type cannot be written.
    pub fn entries(&self) -> Result<Vec<(String, String, Origin)>, Fault> {
        let tree = Tree::of(&self.value)?;
        let entry = |(key, value): (String, String)| {
            let origin = self.origins.iter().rfind(|(of, _)| layers::is_at_or_below(&key, of));
            let origin = origin.map_or(Origin::Default, |(_, origin)| origin.clone());
            (key, value, origin)
        };
        Ok(tree.leaves().into_iter().map(entry).collect())
    }

    /// The effective configuration as text, a line per key: `key = value  # origin`. What `rapport config show`
    /// prints.
    ///
    /// # Errors
    /// As [`Loaded::entries`].
    pub fn show(&self) -> Result<String, Fault> {
        let lines = self.entries()?.into_iter().map(|(key, value, origin)| format!("{key} = {value}  # {origin}\n"));
        Ok(lines.collect())
    }
}

/// Loads a configuration from its layers.
///
/// # Errors
/// INVALID_ARGUMENT naming the key, where it came from and what would be right: an unknown key, a value of the
/// wrong type, a file that cannot be read.
pub fn load<T: Serialize + DeserializeOwned + Default>(sources: &Sources) -> Result<Loaded<T>, Fault> {
    let mut tree = Tree::of(&T::default())?;
    let mut origins = BTreeMap::new();
    for path in &sources.files {
        let text = std::fs::read_to_string(path).map_err(|why| refused(format!("{}: {why}", path.display())))?;
        let table: toml::Table =
            text.parse().map_err(|why: toml::de::Error| refused(format!("{}: {}", path.display(), why.message())))?;
        tree.merge(&table, &Origin::File(path.clone()), &mut origins)?;
    }
    for (name, value) in sources.environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let key = name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
        tree.set(&key, value, &Origin::Environment(name.clone()), &mut origins)?;
    }
    for (key, value) in &sources.flags {
        tree.set(key, value, &Origin::Flag, &mut origins)?;
    }
    let value = tree.into_value(&origins)?;
    Ok(Loaded { value, origins })
}

fn refused(text: String) -> Fault {
    Fault::new(Reason::InvalidField, text)
}
