//! The catalogue: what a tenant's interactions are made of, and where what is told deviates from it.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};

use super::interaction::Content;
use super::value::TraitType;

/// How much a source is believed that nobody said anything of.
pub const TRUST: u16 = 500;
/// The channels that every tenant has, and whether a person of the company takes part.
const CHANNELS: [(&str, bool); 12] = [
    ("app", false),
    ("call", true),
    ("chat", true),
    ("email", false),
    ("kiosk", false),
    ("messenger", false),
    ("post", false),
    ("push", false),
    ("shop", true),
    ("sms", false),
    ("social", false),
    ("web", false),
];

/// The kinds of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A system that tells of customers.
    Source,
    /// A way by which customers and the company meet.
    Channel,
    /// A place on the journey.
    Touchpoint,
    /// A stage of the journey.
    Stage,
    /// A type of interactions.
    EventType,
    /// Something that is sold.
    Product,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Source, Self::Channel, Self::Touchpoint, Self::Stage, Self::EventType, Self::Product];

    /// Its name, as events and counts have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Channel => "channel",
            Self::Touchpoint => "touchpoint",
            Self::Stage => "stage",
            Self::EventType => "event_type",
            Self::Product => "product",
        }
    }
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, unique in its kind.
    pub name: String,
    /// What is said of it.
    pub body: Body,
    /// Grows with every change; 0 for a built-in one that nobody changed.
    pub revision: u64,
    /// When it was added; `None` for a built-in one that nobody changed.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
}

/// What is said of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Its name for people; empty: its name.
    pub display_name: String,
    /// What it is, for people.
    pub description: String,
    /// What it is.
    pub details: Details,
}

/// What an entry is, by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Details {
    /// A source.
    Source {
        /// What it is.
        kind: SourceKind,
        /// How much it is believed, up to 1,000.
        trust: u16,
    },
    /// A channel.
    Channel {
        /// Whether a person of the company takes part.
        staffed: bool,
    },
    /// A touchpoint.
    Touchpoint {
        /// Its channel; empty: several.
        channel: String,
        /// Its stage; empty: several.
        stage: String,
    },
    /// A stage.
    Stage {
        /// Its place among the stages.
        position: i32,
    },
    /// A type of interactions.
    EventType(Schema),
    /// A product.
    Product {
        /// What it belongs to; empty: nothing.
        category: String,
        /// What it costs.
        price: Option<Money>,
    },
}

/// What a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Not said.
    #[default]
    Unsaid,
    /// A customer relationship system.
    Crm,
    /// A shop.
    Commerce,
    /// A web site or app.
    Digital,
    /// A contact centre or help desk.
    Service,
    /// A tool that sends messages.
    Messaging,
    /// A billing system.
    Billing,
    /// A file.
    File,
    /// Something else.
    Other,
}

/// What interactions of a type look like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Their attributes, by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Whether others are refused.
    pub strict: bool,
}

/// What an attribute is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The type its values must have.
    pub kind: TraitType,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, for people.
    pub description: String,
}

/// Whether names that the catalogue does not have are refused, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Sources.
    pub sources: bool,
    /// Channels.
    pub channels: bool,
    /// Touchpoints.
    pub touchpoints: bool,
    /// Stages.
    pub stages: bool,
    /// Types.
    pub event_types: bool,
    /// Grows with every change; it is kept beside them.
    #[serde(skip)]
    pub revision: u64,
}

impl Entry {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match &self.body.details {
            Details::Source { .. } => Kind::Source,
            Details::Channel { .. } => Kind::Channel,
            Details::Touchpoint { .. } => Kind::Touchpoint,
            Details::Stage { .. } => Kind::Stage,
            Details::EventType(_) => Kind::EventType,
            Details::Product { .. } => Kind::Product,
        }
    }

    /// Where it is listed: stages by their place, others by name.
    #[must_use]
    pub fn place(&self) -> (i32, String) {
        let position = if let Details::Stage { position } = self.body.details { position } else { 0 };
        (position, self.name.clone())
    }

    /// The entries of a kind that every tenant has.
    pub fn built_in(kind: Kind) -> impl Iterator<Item = Self> {
        let channels = CHANNELS.iter().filter(move |_| kind == Kind::Channel);
        channels.map(|(name, staffed)| {
            let details = Details::Channel { staffed: *staffed };
            let body = Body { display_name: String::new(), description: String::new(), details };
            Self { name: (*name).to_owned(), body, revision: 0, created_at: None, updated_at: None }
        })
    }

    /// Whether every tenant has it.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.kind() == Kind::Channel && CHANNELS.iter().any(|(name, _)| *name == self.name)
    }
}

/// What every call needs of a tenant's catalogue: all but its products.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    sources: BTreeMap<String, u16>,
    channels: BTreeSet<String>,
    touchpoints: BTreeSet<String>,
    stages: BTreeSet<String>,
    event_types: BTreeMap<String, Schema>,
    settings: Settings,
}

/// Something that is told and is not as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// What it is the name of, as counts have it.
    pub kind: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// The name.
    pub name: String,
    /// The field of the interaction where it stands.
    pub field: String,
    /// What would be right.
    pub text: &'static str,
    /// Whether it is refused.
    pub is_refused: bool,
}

impl Catalogue {
    /// From a tenant's entries.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = Entry>, settings: Settings) -> Self {
        let mut catalogue = Self { settings, ..Self::default() };
        for entry in Entry::built_in(Kind::Channel).chain(entries) {
            let name = entry.name;
            match entry.body.details {
                Details::Source { trust, .. } => drop(catalogue.sources.insert(name, trust)),
                Details::Channel { .. } => drop(catalogue.channels.insert(name)),
                Details::Touchpoint { .. } => drop(catalogue.touchpoints.insert(name)),
                Details::Stage { .. } => drop(catalogue.stages.insert(name)),
                Details::EventType(schema) => drop(catalogue.event_types.insert(name, schema)),
                Details::Product { .. } => {}
            }
        }
        catalogue
    }

    /// The same with other sources, each with how much it is believed.
    #[must_use]
    pub fn with_sources(self, sources: BTreeMap<String, u16>) -> Self {
        Self { sources, ..self }
    }

    /// How much a source is believed, from 0 to 1,000.
    #[must_use]
    pub fn trust(&self, source: &str) -> u16 {
        self.sources.get(source).copied().unwrap_or(TRUST)
    }

    /// Whether it has a source.
    #[must_use]
    pub fn has_source(&self, source: &str) -> bool {
        self.sources.contains_key(source)
    }

    /// Where a source deviates from it.
    #[must_use]
    pub fn source(&self, source: &str) -> Option<Deviation> {
        let is_known = source.is_empty() || self.sources.contains_key(source);
        (!is_known).then(|| named("source", "source", "catalogue.source", source, self.settings.sources))
    }

    /// Where an interaction deviates from it.
    #[must_use]
    pub fn deviations(&self, source: &str, content: &Content) -> Vec<Deviation> {
        let mut found: Vec<Deviation> = self.source(source).into_iter().collect();
        let settings = &self.settings;
        let names = [
            ("channel", "catalogue.channel", &content.channel, &self.channels, settings.channels),
            ("touchpoint", "catalogue.touchpoint", &content.touchpoint, &self.touchpoints, settings.touchpoints),
            ("stage", "catalogue.stage", &content.stage, &self.stages, settings.stages),
        ];
        for (kind, rule, name, known, strict) in names {
            if !name.is_empty() && !known.contains(name) {
                found.push(named(kind, kind, rule, name, strict));
            }
        }
        match self.event_types.get(&content.kind) {
            Some(schema) => schema.deviations(content, &mut found),
            None => {
                found.push(named("event_type", "type", "catalogue.event_type", &content.kind, settings.event_types));
            }
        }
        found
    }
}

fn named(kind: &'static str, field: &str, rule: &'static str, name: &str, is_refused: bool) -> Deviation {
    let text = "must be one that the catalogue has";
    Deviation { kind, rule, name: name.to_owned(), field: field.to_owned(), text, is_refused }
}

impl Schema {
    fn deviations(&self, content: &Content, found: &mut Vec<Deviation>) {
        let mut add = |name: &str, text: &'static str| {
            found.push(Deviation {
                kind: "attribute",
                rule: "catalogue.attribute",
                name: format!("{}/{name}", content.kind),
                field: format!("attributes[\"{name}\"]"),
                text,
                is_refused: self.strict,
            });
        };
        for (name, value) in &content.attributes {
            match self.attributes.get(name) {
                None => add(name, "must not be there: the schema of the type does not have it"),
                Some(attribute) if attribute.kind != value.kind() => add(
                    name,
                    match attribute.kind {
                        TraitType::Bool => "must be true or false: the schema of the type says so",
                        TraitType::Number => "must be a number: the schema of the type says so",
                        TraitType::Text => "must be a text: the schema of the type says so",
                        TraitType::Time => "must be an instant: the schema of the type says so",
                        TraitType::List => "must be a list of texts: the schema of the type says so",
                    },
                ),
                Some(_) => {}
            }
        }
        for (name, attribute) in &self.attributes {
            if attribute.required && !content.attributes.contains_key(name) {
                add(name, "must be there: the schema of the type requires it");
            }
        }
    }
}
