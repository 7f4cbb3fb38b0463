//! How much is measured: what the command line asks for, and what that means in seconds and rows.

use std::time::Duration;

/// The databases that the suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file for each role, with the bus and the cache in memory.
    Sqlite,
    /// A database for each role, on a Postgres that waits for the disk, with Redis as bus and cache.
    Postgres,
}

impl Engine {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// What the command line asks for.
pub struct Options {
    /// On which engines.
    pub engines: Vec<Engine>,
    /// A minute at most, and rougher.
    pub quick: bool,
    /// Hours: what is measured by size is measured up to a million.
    pub full: bool,
    /// Only these parts; all where none is named. To look at one part with a profiler.
    pub parts: Vec<Part>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Checking who may be asked.
    Asking,
    /// Reading profiles.
    Reads,
    /// Deciding.
    Decisions,
    /// Telling of customers.
    Identify,
    /// Calls as a tenant grows.
    Growth,
    /// Matching records that look alike.
    Matching,
    /// Taking in what customers say: responses and tickets.
    Heard,
    /// Importing.
    Imports,
    /// Merging and splitting.
    Merges,
    /// Searching what customers said.
    Search,
    /// Following membership of segments, and finding a new one's members.
    Segments,
    /// Reading texts.
    Text,
    /// From acknowledged to visible.
    Visibility,
}

impl Part {
    const ALL: [(&str, Self); 13] = [
        ("asking", Self::Asking),
        ("reads", Self::Reads),
        ("decisions", Self::Decisions),
        ("growth", Self::Growth),
        ("heard", Self::Heard),
        ("identify", Self::Identify),
        ("imports", Self::Imports),
        ("matching", Self::Matching),
        ("merges", Self::Merges),
        ("search", Self::Search),
        ("segments", Self::Segments),
        ("text", Self::Text),
        ("visibility", Self::Visibility),
    ];
}

impl Options {
    /// Reads the command line.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let engines = vec![Engine::Sqlite, Engine::Postgres];
        let mut options = Self { engines, quick: false, full: false, parts: Vec::new() };
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--full" => options.full = true,
                "--engine" => match words.next().as_deref() {
                    Some("sqlite") => options.engines = vec![Engine::Sqlite],
                    Some("postgres") => options.engines = vec![Engine::Postgres],
                    _ => return Err("--engine takes sqlite or postgres".to_owned()),
                },
                "--only" => {
                    let word = words.next().unwrap_or_default();
                    let part = Part::ALL.iter().find(|(name, _)| *name == word);
                    let (_, part) = part
                        .ok_or_else(|| format!("--only takes one of {}", Part::ALL.map(|(name, _)| name).join(", ")))?;
                    options.parts.push(*part);
                }
                other => {
                    let known = "--engine sqlite|postgres, --only PART, --quick and --full";
                    return Err(format!("{other:?} is not known; there are {known}"));
                }
            }
        }
        Ok(options)
    }
}

/// How much is measured on each engine.
pub struct Scale {
    /// Only these parts; all where none is named.
    pub parts: Vec<Part>,
    /// Rounds that count; one more goes before them to warm up.
    pub rounds: u32,
    /// No round is begun after this.
    pub budget: Duration,
    /// How long one load with many calls in flight lasts.
    pub window: Duration,
    /// How long one load with one call at a time lasts.
    pub single: Duration,
    /// Rows of one import.
    pub rows: u32,
    /// Customers that are read once in a round.
    pub cold: u32,
    /// Customers that decisions are made for.
    pub deciding: u32,
    /// Pairs of customers that are merged, and split.
    pub merges: u32,
    /// The most records that one is matched against, and the most responses that are searched.
    pub matched: u32,
    /// From how many customers to how many a tenant grows.
    pub grown: (u32, u32),
    /// How long writes come at a steady pace.
    pub steady: Duration,
}

impl Scale {
    /// As asked for.
    pub fn of(options: &Options) -> Self {
        let (millis, secs) = (Duration::from_millis, Duration::from_secs);
        if options.quick {
            Self {
                parts: options.parts.clone(),
                rounds: 3,
                budget: secs(22),
                window: millis(300),
                single: millis(150),
                rows: 5_000,
                cold: 1_000,
                deciding: 500,
                merges: 100,
                matched: 1_000,
                grown: (1_000, 10_000),
                steady: millis(1_500),
            }
        } else {
            Self {
                parts: options.parts.clone(),
                rounds: 5,
                budget: secs(95),
                window: secs(1),
                single: millis(400),
                rows: 20_000,
                cold: 4_000,
                deciding: 1_000,
                merges: 300,
                matched: if options.full { 1_000_000 } else { 10_000 },
                grown: (10_000, if options.full { 1_000_000 } else { 100_000 }),
                steady: secs(3),
            }
        }
    }

    /// Whether anything is measured in rounds.
    pub fn has_rounds(&self) -> bool {
        let others =
            |part: &Part| matches!(part, Part::Asking | Part::Growth | Part::Matching | Part::Search | Part::Text);
        Part::ALL.iter().any(|(_, part)| !others(part) && self.has(*part))
    }

    /// Whether a part is measured.
    pub fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// The round that warms up.
    pub fn warm_up(&self) -> Self {
        Self {
            parts: self.parts.clone(),
            rounds: 1,
            budget: self.budget,
            window: self.window / 2,
            single: self.single / 2,
            rows: self.rows / 4,
            cold: self.cold,
            deciding: self.deciding,
            merges: 10,
            matched: 0,
            grown: (0, 0),
            steady: Duration::from_millis(500),
        }
    }
}
