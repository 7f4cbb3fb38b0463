//! Topics and competitors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost_types::FieldMask;
use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, RequestId, Violations};

use super::ticket::refuse;
use super::{id, note, operation, request_id, time};
use crate::domain::etag;
use crate::domain::topic::{self, Topic, TopicId};
use crate::service::topics::{Change, Changed};
use crate::store::topic::Kept;

/// The fields of a topic that can be changed.
const FIELDS: [&str; 5] = ["name", "display_names", "phrases", "condition", "is_competitor"];

/// A topic to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(message: &proto::CreateTopicRequest) -> Result<(Option<RequestId>, Topic), Fault> {
    let mut out = check(message);
    let topic = message.topic.as_ref().map(|topic| read(topic, &FIELDS.into(), &mut out));
    if let Some(topic) = &topic {
        speaks(topic, &mut out);
    }
    refuse(out)?;
    Ok((request_id(&message.request_id)?, topic.ok_or_else(unchecked)?))
}

fn unchecked() -> Fault {
    Fault::internal("a topic was not checked")
}

/// Notes that nothing would speak of a topic. A competitor's name does.
fn speaks(topic: &Topic, out: &mut Violations) {
    let named = topic.competitor && topic::is_phrase(&topic.name);
    if topic.phrases.is_empty() && topic.condition.is_empty() && !named && out.is_empty() {
        note(out, "topic.phrases", "topic.phrases", "must not be empty where there is no condition");
    }
}

/// A topic of which what is named is judged.
fn read(message: &proto::Topic, named: &BTreeSet<&str>, out: &mut Violations) -> Topic {
    let name = message.name.trim().to_owned();
    if named.contains("name") && name.is_empty() {
        note(out, "topic.name", "string.min_len", "must not be empty");
    }
    let mut phrases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, of) in message.phrases.iter().enumerate().filter(|_| named.contains("phrases")) {
        let field = format!("topic.phrases[{index}]");
        let mut said: Vec<String> = Vec::new();
        for (at, phrase) in of.phrases.iter().enumerate() {
            if !topic::is_phrase(phrase) {
                let text = "must have 1 to 8 words, of which one at least is a word or a number";
                note(out, &format!("{field}.phrases[{at}]"), "topic.phrase", text);
            } else if !said.contains(phrase) {
                said.push(phrase.clone());
            }
        }
        if phrases.insert(of.language.clone(), said).is_some() {
            note(out, &format!("{field}.language"), "topic.language", "must not be named twice");
        }
    }
    let said: usize = phrases.values().map(Vec::len).sum();
    if said > rapport_text::Taxonomy::MOST_RULES - 1 {
        let text = format!("must hold at most {} phrases in all", rapport_text::Taxonomy::MOST_RULES - 1);
        note(out, "topic.phrases", "topic.phrases", text);
    }
    let condition = message.condition.trim().to_owned();
    if named.contains("condition")
        && !condition.is_empty()
        && let Err(errors) = topic::compile(&condition)
    {
        errors.note("topic.condition", out);
    }
    let display_names = message.display_names.iter().map(|(language, name)| (language.clone(), name.clone())).collect();
    Topic { name, display_names, phrases, condition, competitor: message.is_competitor }
}

/// A topic to change.
///
/// # Errors
/// As [`create`].
pub fn update(message: &proto::UpdateTopicRequest) -> Result<(Option<RequestId>, Change), Fault> {
    let mut out = Violations::new();
    let fields = masked(message.update_mask.as_ref(), &mut out);
    let mut wanted = message.clone();
    if let Some(topic) = &mut wanted.topic {
        spare(topic, &fields);
    }
    let rules = check(&wanted);
    rules.as_slice().iter().for_each(|broken| note(&mut out, &broken.field, broken.rule, broken.description.clone()));
    let given = message.topic.clone().unwrap_or_default();
    let topic = message.topic.as_ref().map(|topic| read(topic, &fields, &mut out));
    let which: Option<TopicId> = given.topic_id.parse().ok();
    if message.topic.is_some() && which.is_none() {
        note(&mut out, "topic.topic_id", "string.uuid", "must be a UUID");
    }
    refuse(out)?;
    let (topic, id) = topic.zip(which).ok_or_else(unchecked)?;
    let becomes = move |held: Topic| {
        let topic = topic.clone();
        let is = |field: &str| fields.contains(field);
        let after = Topic {
            name: if is("name") { topic.name } else { held.name },
            display_names: if is("display_names") { topic.display_names } else { held.display_names },
            phrases: if is("phrases") { topic.phrases } else { held.phrases },
            condition: if is("condition") { topic.condition } else { held.condition },
            competitor: if is("is_competitor") { topic.competitor } else { held.competitor },
        };
        let mut out = Violations::new();
        speaks(&after, &mut out);
        out.check().map(|()| after)
    };
    let change = Change { id, etag: given.etag, becomes: Arc::new(becomes) };
    Ok((request_id(&message.request_id)?, change))
}

/// What a mask names; all of it where it names nothing.
fn masked(mask: Option<&FieldMask>, out: &mut Violations) -> BTreeSet<&'static str> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        return FIELDS.into();
    }
    let mut named = BTreeSet::new();
    for (index, path) in paths.iter().enumerate() {
        match FIELDS.into_iter().find(|field| field == path) {
            Some(field) => drop(named.insert(field)),
            None => {
                let text = format!("must be one of: {}", FIELDS.join(", "));
                note(out, &format!("update_mask.paths[{index}]"), "field_mask", text);
            }
        }
    }
    named
}

/// What a change does not name is not judged.
fn spare(topic: &mut proto::Topic, fields: &BTreeSet<&str>) {
    if !fields.contains("name") {
        "-".clone_into(&mut topic.name);
    }
    if !fields.contains("display_names") {
        topic.display_names.clear();
    }
    if !fields.contains("phrases") {
        topic.phrases.clear();
    }
    if !fields.contains("condition") {
        topic.condition.clear();
    }
}

/// Which topic to return.
///
/// # Errors
/// As [`create`].
pub fn get(message: &proto::GetTopicRequest) -> Result<TopicId, Fault> {
    check(message).check()?;
    id(&message.topic_id)
}

/// How many topics to list.
///
/// # Errors
/// As [`create`].
pub fn list(message: &proto::ListTopicsRequest) -> Result<usize, Fault> {
    check(message).check()?;
    rapport_kernel::page_size(message.page_size)
}

/// Which topic to delete.
///
/// # Errors
/// As [`create`].
pub fn delete(message: &proto::DeleteTopicRequest) -> Result<(Option<RequestId>, TopicId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.topic_id)?))
}

/// A topic as the contract has it.
#[must_use]
pub fn render(kept: &Kept) -> proto::Topic {
    let Topic { name, display_names, phrases, condition, competitor } = &kept.topic;
    let phrases = phrases
        .iter()
        .map(|(language, phrases)| proto::TopicPhrases { language: language.clone(), phrases: phrases.clone() });
    proto::Topic {
        topic_id: kept.id.to_string(),
        name: name.clone(),
        display_names: display_names.clone().into_iter().collect(),
        phrases: phrases.collect(),
        condition: condition.clone(),
        is_competitor: *competitor,
        is_standard: kept.revision == 0,
        revision: kept.revision,
        etag: etag::of(kept.revision),
        create_time: kept.created_at.and_then(time),
        update_time: kept.updated_at.and_then(time),
        operation: String::new(),
    }
}

/// A topic after a change.
#[must_use]
pub fn changed(changed: &Changed) -> proto::Topic {
    proto::Topic { operation: operation(changed.operation), ..render(&changed.kept) }
}

/// That a topic is deleted.
#[must_use]
pub fn deleted(by: &rapport_kernel::OperationId) -> proto::DeleteTopicResponse {
    proto::DeleteTopicResponse { operation: operation(*by) }
}
