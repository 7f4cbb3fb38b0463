//! The taxonomy: topics and competitors that a tenant edits, and reading texts by them.
//!
//! What a topic's condition reads of a text:
//!
//! | variable | type | what it is |
//! | --- | --- | --- |
//! | `text` | string | the text, in lower case |
//! | `language` | string | `"en"`, `"ru"`, `"fa"`, `"ro"`; empty: unknown |
//! | `polarity` | string | `"positive"`, `"negative"` or `"neutral"` |
//! | `source` | string | `"response"`, `"ticket"`, `"mention"`; empty: it is not stored |
//! | `sentiment` | double | from -1 to 1 |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use rapport_conditions::{Activation, CompileErrors, Environment, Program, Type, Value};
use rapport_kernel::{Id, TenantId, Timestamp};
use rapport_text::{Analyser, Analysis, Language, Taxonomy};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::reading::{Effort, Evidence, Named, Polarity, Reading, Span};

/// A topic's id.
pub type TopicId = Id<Topic>;

/// How many topics and competitors a tenant has at most.
pub const MOST: usize = Taxonomy::MOST_TOPICS;

/// A topic, or a competitor.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// What it is called for people, by language.
    pub display_names: BTreeMap<String, String>,
    /// What speaks of it, by language; of an empty one in all.
    pub phrases: BTreeMap<String, Vec<String>>,
    /// Where it holds; empty: wherever a phrase is found.
    pub condition: String,
    /// Whether it is a competitor.
    pub competitor: bool,
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A condition may name personal data.
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Topic {
    /// The name as names are compared.
    #[must_use]
    pub fn key(&self) -> String {
        self.name.to_lowercase()
    }

    /// The taxonomy that ships, with the ids that its topics have for a tenant.
    #[must_use]
    pub fn standard(tenant: TenantId) -> Vec<(TopicId, Self)> {
        let of = |topic: rapport_text::Topic| {
            let mut phrases: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (language, rule) in topic.rules {
                phrases.entry(language.map_or("", Language::code).to_owned()).or_default().push(rule);
            }
            let names = NAMES.iter().find(|(name, ..)| *name == topic.id).map(|(_, names)| *names).unwrap_or_default();
            let display_names = Language::ALL.into_iter().zip(names);
            let display_names = display_names.filter(|(_, name)| !name.is_empty());
            let display_names =
                display_names.map(|(language, name)| (language.code().to_owned(), name.to_owned())).collect();
            let made = Self { name: topic.id, display_names, phrases, condition: String::new(), competitor: false };
            (made.standard_id(tenant), made)
        };
        Taxonomy::standard().into_iter().map(of).collect()
    }

    fn standard_id(&self, tenant: TenantId) -> TopicId {
        let hash =
            Sha256::new().chain_update(tenant.uuid().as_bytes()).chain_update("topic\0").chain_update(&self.name);
        TopicId::from_uuid(Uuid::from_slice(&hash.finalize()[..16]).expect("sixteen bytes are a UUID"))
    }

    fn rules(&self) -> Vec<(Option<Language>, String)> {
        let said = self.phrases.iter().flat_map(|(language, phrases)| {
            phrases.iter().map(|phrase| (Language::from_code(language), phrase.clone()))
        });
        let own = (self.competitor && is_phrase(&self.name)).then(|| (None, self.name.clone()));
        said.chain(own).collect()
    }
}

/// What the topics that ship are called, in English, Russian, Persian and Romanian.
const NAMES: [(&str, [&str; 4]); 10] = [
    ("delivery", ["Delivery", "Доставка", "ارسال و تحویل", "Livrare"]),
    ("price", ["Price", "Цена", "قیمت", "Preț"]),
    ("quality", ["Quality", "Качество", "کیفیت", "Calitate"]),
    ("staff", ["Staff", "Персонал", "کارکنان", "Personal"]),
    ("app", ["App and website", "Приложение и сайт", "برنامه و وب‌سایت", "Aplicație și site"]),
    ("billing", ["Billing", "Счета и оплата", "صورتحساب و پرداخت", "Facturare"]),
    ("refund", ["Refund", "Возврат", "بازپرداخت و مرجوعی", "Rambursare"]),
    ("connection", ["Connection", "Связь", "اتصال", "Conexiune"]),
    ("information", ["Information", "Информация", "اطلاعات", "Informații"]),
    ("waiting", ["Waiting", "Ожидание", "انتظار", "Așteptare"]),
];

/// Whether words can be looked for.
#[must_use]
pub fn is_phrase(phrase: &str) -> bool {
    let rules = vec![(None, phrase.to_owned())];
    Taxonomy::compile(&[rapport_text::Topic { id: String::new(), rules }]).is_ok()
}

const TEXTS: [&str; 4] = ["text", "language", "polarity", "source"];

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let texts = TEXTS.iter().fold(Environment::builder(), |builder, name| builder.variable(name, Type::String));
    texts.variable("sentiment", Type::Double).without_now().build()
});

/// Checks a topic's condition and compiles it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    ENVIRONMENT.compile(source, Type::Bool)
}

struct Facts<'a> {
    texts: [&'a str; TEXTS.len()],
    sentiment: f64,
}

impl Activation for Facts<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        match self.texts.get(index) {
            Some(text) => Some(Value::String(text)),
            None => (index == TEXTS.len()).then_some(Value::Double(self.sentiment)),
        }
    }
}

/// What a topic is to whoever reads.
struct Rule {
    competitor: bool,
    /// Whether phrases speak of it.
    spoken: bool,
    condition: Option<Program>,
}

/// A tenant's taxonomy, ready to read by.
#[derive(Default)]
pub struct Lexicon {
    /// The version of the taxonomy.
    pub version: i64,
    taxonomy: Taxonomy,
    rules: BTreeMap<String, Rule>,
}

impl fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lexicon").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Lexicon {
    /// Compiles a taxonomy. A topic that this instance cannot read (another version wrote it) names nothing.
    #[must_use]
    pub fn new(version: i64, topics: &[Topic]) -> Self {
        let (mut compiled, mut rules, mut names) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        for topic in topics {
            let condition = match topic.condition.trim() {
                "" => None,
                source => match compile(source) {
                    Ok(program) => Some(program),
                    Err(_) => continue,
                },
            };
            let said = topic.rules();
            let rule = Rule { competitor: topic.competitor, spoken: !said.is_empty(), condition };
            let one = rapport_text::Topic { id: topic.name.clone(), rules: said };
            if Taxonomy::compile(std::slice::from_ref(&one)).is_ok() && names.insert(topic.name.clone()) {
                rules.insert(topic.name.clone(), rule);
                compiled.push(one);
            }
        }
        Self { version, taxonomy: Taxonomy::compile(&compiled).unwrap_or_default(), rules }
    }

    /// Reads a text; nothing where there is none. `language` is what its author or the source says of it, and may be empty.
    #[must_use]
    pub fn read(&self, analyser: &Analyser, text: &str, language: &str, source: &str) -> Option<Reading> {
        if text.trim().is_empty() {
            return None;
        }
        let read = analyser.analyse(text, Language::from_code(language), &self.taxonomy);
        let places = Places::of(text);
        let sentiment = thousandths(read.sentiment.value);
        let polarity = match read.sentiment.polarity {
            rapport_text::Polarity::Positive => Polarity::Positive,
            rapport_text::Polarity::Negative => Polarity::Negative,
            rapport_text::Polarity::Neutral => Polarity::Neutral,
        };
        let evidence = read.sentiment.evidence.iter().map(|one| Evidence {
            span: places.span(one.start, one.end),
            weight: thousandths(one.weight),
            negated: one.negated,
        });
        let efforts = read
            .efforts
            .iter()
            .map(|cue| Effort { kind: cue.kind.name().to_owned(), span: places.span(cue.start, cue.end) });
        let emotions = read.emotions.iter().map(|one| (one.emotion.name().to_owned(), thousandths(one.strength)));
        let mut reading = Reading {
            language: read.detection.language.map_or("", Language::code).to_owned(),
            language_confidence: thousandths(read.detection.confidence),
            transliterated: read.detection.transliterated,
            sentiment: (sentiment != 0 || !read.sentiment.evidence.is_empty()).then_some(sentiment),
            polarity,
            confidence: thousandths(read.sentiment.confidence),
            evidence: evidence.collect(),
            emotions: emotions.collect(),
            effort_cues: u32::try_from(read.efforts.len()).unwrap_or(u32::MAX),
            efforts: efforts.collect(),
            topics: Vec::new(),
            competitors: Vec::new(),
            model: analyser.model_name().to_owned(),
            truncated: read.truncated,
        };
        self.name(&mut reading, &read, &places, text, source);
        Some(reading)
    }

    /// The topics and competitors that a text speaks of: those that phrases name, then those that a condition alone does.
    fn name(&self, reading: &mut Reading, read: &Analysis, places: &Places, text: &str, source: &str) {
        let asked = self.rules.values().any(|rule| rule.condition.is_some());
        let lowered = if asked { text.to_lowercase() } else { String::new() };
        let language = reading.language.clone();
        let texts = [lowered.as_str(), &language, reading.polarity.name(), source];
        let facts = Facts { texts, sentiment: f64::from(read.sentiment.value) };
        // There is no now in these conditions: any instant will do.
        let holds =
            |rule: &Rule| rule.condition.as_ref().is_none_or(|program| program.matches(&facts, Timestamp::MAX).value);
        let spoken = read.topics.iter().filter_map(|hit| {
            let rule = self.rules.get(&hit.topic).filter(|rule| holds(rule))?;
            let spans = hit.spans.iter().map(|(start, end)| places.span(*start, *end)).collect();
            Some((rule.competitor, Named { name: hit.topic.clone(), sentiment: thousandths(hit.sentiment), spans }))
        });
        let silent = self.rules.iter().filter(|(_, rule)| !rule.spoken && rule.condition.is_some() && holds(rule));
        let whole = thousandths(read.sentiment.value);
        let silent = silent
            .map(|(name, rule)| (rule.competitor, Named { name: name.clone(), sentiment: whole, spans: Vec::new() }));
        for (competitor, named) in spoken.chain(silent) {
            if competitor { &mut reading.competitors } else { &mut reading.topics }.push(named);
        }
    }
}

/// A share, or a sum, in thousandths.
fn thousandths(value: f32) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a figure of a text is a few thousand thousandths")]
    let rounded = (f64::from(value) * 1_000.0).round() as i32;
    rounded
}

/// The places of a text's characters, by its bytes.
struct Places(Option<Vec<usize>>);

impl Places {
    fn of(text: &str) -> Self {
        // Where every character is a byte there is nothing to count.
        Self((!text.is_ascii()).then(|| text.char_indices().map(|(byte, _)| byte).collect()))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let place = |byte: usize| match &self.0 {
            None => byte,
            Some(starts) => starts.partition_point(|start| *start < byte),
        };
        let whole = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        Span { part: String::new(), start: whole(place(start)), end: whole(place(end)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, phrases: &[&str], condition: &str) -> Topic {
        let phrases = phrases.iter().map(|phrase| (*phrase).to_owned()).collect::<Vec<_>>();
        let phrases = if phrases.is_empty() { BTreeMap::new() } else { [(String::new(), phrases)].into() };
        Topic { name: name.to_owned(), phrases, condition: condition.to_owned(), ..Topic::default() }
    }

    #[test]
    fn the_taxonomy_that_ships_has_ten_topics_each_with_a_name_in_four_languages() {
        let tenant = TenantId::new();
        let standard = Topic::standard(tenant);
        assert_eq!(standard.len(), 10);
        assert!(standard.iter().all(|(_, topic)| topic.display_names.len() == 4 && topic.phrases.len() == 4));
        assert_eq!(standard, Topic::standard(tenant), "ids are the same whenever it is asked");
        assert!(standard[0].0 != Topic::standard(TenantId::new())[0].0);
    }

    #[test]
    fn phrases_and_conditions_name_topics_and_competitors() {
        let rival = Topic { competitor: true, ..topic("Orange", &[], "") };
        let topics = [
            topic("parking", &["parking lot", "парковка"], ""),
            topic("angry parking", &["parking"], "polarity == 'negative'"),
            topic("long", &[], "size(text) > 60 && source == 'mention'"),
            rival,
        ];
        let (analyser, lexicon) = (Analyser::new(), Lexicon::new(3, &topics));
        let read = |text: &str, source: &str| lexicon.read(&analyser, text, "", source).expect("there is a text");
        let names = |all: &[Named]| all.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let good = read("The parking lots were lovely, better than at Orange.", "response");
        assert_eq!(
            (names(&good.topics), names(&good.competitors)),
            (vec!["parking".to_owned()], vec!["Orange".to_owned()])
        );
        let bad = read("Ужасная парковка!", "ticket");
        assert_eq!((names(&bad.topics), bad.language.as_str()), (vec!["parking".to_owned()], "ru"));
        let span = &bad.topics[0].spans[0];
        assert_eq!("Ужасная парковка!".chars().skip(8).take(8).collect::<String>(), "парковка");
        assert_eq!((span.start, span.end), (8, 16), "places are characters, not bytes");
        let bad = read("Terrible parking, I had to wait for an hour and nobody came to help me at all.", "mention");
        assert_eq!(names(&bad.topics), ["angry parking", "long"]);
        assert!(lexicon.read(&analyser, " \n", "", "").is_none());
    }
}
