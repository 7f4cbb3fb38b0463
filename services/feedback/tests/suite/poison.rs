//! Requests in which everything that can be written freely says the same; and what a database holds, as it lies there.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};
use rapport_data::Engine;
use rapport_harness::shared_postgres;

use crate::ground::Ground;

/// What is written, and in which fields it was.
pub struct Poison {
    /// As somebody writes it.
    pub spaced: String,
    /// As it passes for a key.
    pub bare: String,
    pool: DescriptorPool,
    /// The fields it was written in, by the names of their messages and their own.
    pub fields: BTreeSet<String>,
}

impl Poison {
    pub fn new(spaced: &str, bare: &str) -> Self {
        let pool = DescriptorPool::decode(rapport_api::DESCRIPTOR_SET).expect("the descriptor set");
        Self { spaced: spaced.to_owned(), bare: bare.to_owned(), pool, fields: BTreeSet::new() }
    }

    /// The same message, with it in every field that can be written freely, of the messages in it too.
    pub fn in_all<M: Message + Default>(&mut self, message: &M) -> M {
        let name = std::any::type_name::<M>().rsplit("::").next().expect("a name");
        let named = format!("rapport.feedback.v1.{name}");
        let descriptor = self.pool.get_message_by_name(&named).expect("a message of feedback");
        let bytes = message.encode_to_vec();
        let mut dynamic = DynamicMessage::decode(descriptor, bytes.as_slice()).expect("the same message");
        self.fill(&mut dynamic);
        M::decode(dynamic.encode_to_vec().as_slice()).expect("the same message")
    }

    fn fill(&mut self, message: &mut DynamicMessage) {
        for field in message.descriptor().fields() {
            match field.kind() {
                Kind::Message(of) if field.is_map() => {
                    let Value::Map(pairs) = message.get_field_mut(&field) else { panic!("a map") };
                    let is_text = matches!(of.map_entry_value_field().kind(), Kind::String);
                    if is_text && !pairs.is_empty() && !stays(&field) {
                        pairs.values_mut().for_each(|value| *value = Value::String(self.spaced.clone()));
                        self.fields.insert(field.full_name().to_owned());
                    }
                }
                Kind::Message(of) if is_ours(&of) && message.has_field(&field) => match message.get_field_mut(&field) {
                    Value::Message(inner) => self.fill(inner),
                    Value::List(all) => {
                        for one in all {
                            let Value::Message(inner) = one else { panic!("a message") };
                            self.fill(inner);
                        }
                    }
                    _ => panic!("a message"),
                },
                Kind::String if !stays(&field) && (!is_choice(&field) || message.has_field(&field)) => {
                    let said = Value::String(self.as_written(&field));
                    message.set_field(&field, if field.is_list() { Value::List(vec![said]) } else { said });
                    self.fields.insert(field.full_name().to_owned());
                }
                _ => {}
            }
        }
    }

    fn as_written(&self, field: &FieldDescriptor) -> String {
        match field.name() {
            "tags" | "add_tags" if !field.full_name().contains("Ticket") => self.bare.clone(),
            "url" => format!("https://files.example/{}.png", self.spaced),
            _ => self.spaced.clone(),
        }
    }
}

/// Whether it is one of several of which one is said.
fn is_choice(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic())
}

fn is_ours(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("rapport.")
}

/// All fields of all calls that write which can be written freely.
pub fn free_fields() -> BTreeSet<String> {
    const READ: [&str; 11] = [
        "Get",
        "List",
        "Watch",
        "Search",
        "Check",
        "Delete",
        "Preview",
        "Analyze",
        "BatchAnalyze",
        "Read",
        "MergeTickets",
    ];
    let pool = DescriptorPool::decode(rapport_api::DESCRIPTOR_SET).expect("the descriptor set");
    let services = pool.services().filter(|service| service.full_name().starts_with("rapport.feedback."));
    let calls = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for call in calls.filter(|call| !READ.iter().any(|read| call.name().starts_with(read))) {
        gather(&call.input(), &mut found, &mut seen);
    }
    found
}

fn gather(message: &MessageDescriptor, found: &mut BTreeSet<String>, seen: &mut BTreeSet<String>) {
    if !is_ours(message) || !seen.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        let text = match field.kind() {
            Kind::String => true,
            Kind::Message(of) if field.is_map() => matches!(of.map_entry_value_field().kind(), Kind::String),
            Kind::Message(of) => {
                gather(&of, found, seen);
                false
            }
            _ => false,
        };
        if text && !stays(&field) {
            found.insert(field.full_name().to_owned());
        }
    }
}

/// Whether a field is an id, a key, a condition, the wording of what the tenant publishes itself, or output.
fn stays(field: &FieldDescriptor) -> bool {
    const KEYS: [&str; 24] = [
        "choice",
        "choices",
        "code",
        "condition",
        "date",
        "default_language",
        "end",
        "etag",
        "external_id",
        "follow_up_of",
        "go_to",
        "issue",
        "namespace",
        "page_token",
        "remove_tags",
        "source",
        "start",
        "targeting",
        "token",
        "invitation_token",
        "unset_fields",
        "value",
        "zone",
        "languages",
    ];
    // The wording of questionnaires and of the taxonomy; what was read in texts; what answers tell.
    const WORDING: [&str; 13] = [
        "Question",
        "Choice",
        "Scale",
        "Topic",
        "TopicPhrases",
        "Asking",
        "TextAnalysis",
        "TextEvidence",
        "TextEmotion",
        "TextEffortCue",
        "TextTopic",
        "MentionReply",
        "Identifier",
    ];
    const FIELDS: [&str; 20] = [
        "Survey.question",
        "Survey.language",
        "Survey.welcome",
        "Survey.welcome_translations",
        "Survey.thanks",
        "Survey.thanks_translations",
        "HiddenField.name",
        "MatrixAnswer.choices",
        "SubmitResponseRequest.channel",
        "SubmitResponseRequest.touchpoint",
        "SubmitResponseRequest.stage",
        "SubmitResponseRequest.language",
        "UpdateResponseRequest.channel",
        "UpdateResponseRequest.touchpoint",
        "UpdateResponseRequest.stage",
        "UpdateResponseRequest.language",
        "InvitationContext.touchpoint",
        "InvitationContext.stage",
        "BatchInviteRequest.channel",
        "BatchInviteRequest.language",
    ];
    const CALLS: [&str; 3] =
        ["InviteCustomerRequest.channel", "InviteCustomerRequest.language", "SubmitInvitedResponseRequest.language"];
    let (name, of) = (field.name(), field.parent_message());
    let own = format!("{}.{name}", of.name());
    name.ends_with("_id")
        || name.ends_with("_ids")
        || KEYS.contains(&name)
        || WORDING.contains(&of.name())
        || FIELDS.contains(&own.as_str())
        || CALLS.contains(&own.as_str())
}

/// All that a ground's database holds, as it lies there: the files of SQLite; of Postgres each row of each table.
pub fn left_in(ground: &Ground, engine: Engine) -> Vec<u8> {
    match engine {
        Engine::Sqlite => {
            let files = std::fs::read_dir(ground.folder.path()).expect("a folder").flatten();
            let files = files.map(|file| file.path()).filter(|path| path.is_file());
            files.flat_map(|path| std::fs::read(path).expect("a file")).collect()
        }
        Engine::Postgres => rows_of(ground).concat().into_bytes(),
    }
}

/// Each row of each table of a ground's Postgres, as JSON, and behind it as text what bytes it holds.
pub fn rows_of(ground: &Ground) -> Vec<String> {
    let run = |sql: &str| shared_postgres().execute(&ground.url, sql);
    let tables = run("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'");
    let mut rows = Vec::new();
    for table in tables.lines() {
        let held = run(&format!("SELECT row_to_json(held)::text FROM \"{table}\" AS held"));
        rows.extend(held.lines().map(|row| String::from_utf8_lossy(&bytes_of(row)).into_owned()));
    }
    rows
}

/// A text, and behind it the bytes that it writes as hexadecimal digits.
fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for part in text.split("\\\\x").skip(1) {
        let digits: Vec<u8> = part.bytes().take_while(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
        bytes.extend(digits.chunks_exact(2).map(byte));
    }
    bytes
}
