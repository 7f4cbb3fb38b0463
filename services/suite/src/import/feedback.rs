//! What customers said, from files: past answers to surveys, and tickets. Columns and the fields of JSON have the same names;
//! what has parts of its own (answers with types, messages, a history) is read from JSON as the contract has it.
//!
//! Responses: `survey_id` (or --survey), `source`, `external_id`, `version`, `answered_at`, `started_at`, `customer_id` or
//! `customer.<namespace>`, `score`, `comment`, `answer.<question>`, `hidden.<name>`, `partial`, `is_test`, `weight`, `tags`,
//! `language`, `channel`, `touchpoint`, `stage`, `product`, `campaign`, `agent`, `team`, and for a score on another scale
//! `scale_min`, `scale_max` and, where it is above 10, `source_score`. An answer may say its type: `answer.reason:choice`
//! (number, text, choice, choices, date); else a whole number is a number, anything else text.
//!
//! Tickets: `source`, `external_id`, `version`, `customer_id` or `customer.<namespace>`, `kind`, `status`, `priority`,
//! `create_time`, `update_time`, `solved_time`, `closed_time`, `first_response_time`, `contact_times`, `title`,
//! `description` (the customer's first message), `topic`, `tags`, `issue`, `follow_up_of`, `contained`, `language`, `channel`,
//! `touchpoint`, `stage`, `product`, `agent`, `team`; in JSON also `status_history` and `messages`.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use rapport_api::common::v1::value::Kind;
use rapport_api::common::v1::{CustomerRef, Identifier, customer_ref::Ref};
use rapport_api::feedback::v1::{
    Answer, ChoiceList, ImportResponsesRequest, PushTicketRequest, Scale, SubmitResponseRequest, Ticket, TicketAuthor,
    TicketDirection, TicketKind, TicketMessage, TicketPriority, TicketStatus, TicketStatusChange, answer,
};
use rapport_api::profiles::v1::TraitType;
use rapport_kernel::Fault;
use serde_json::Value as Json;

use super::fields::{INSTANT, Mapping, TEXT, UNKNOWN};
use super::lines::Content;
use super::{Wrong, json};

/// The fields of a response, but for those with a dot.
pub const RESPONSES: &[&str] = &[
    "survey_id",
    "source",
    "external_id",
    "version",
    "answered_at",
    "started_at",
    "customer_id",
    "score",
    "comment",
    "partial",
    "is_test",
    "weight",
    "tags",
    "language",
    "channel",
    "touchpoint",
    "stage",
    "product",
    "campaign",
    "agent",
    "team",
    "scale_min",
    "scale_max",
    "source_score",
];
/// What stands before the dot in the other fields of a response.
pub const OF_RESPONSES: &[&str] = &["customer", "answer", "hidden"];
/// The fields of a ticket, but for those with a dot.
pub const TICKETS: &[&str] = &[
    "source",
    "external_id",
    "version",
    "customer_id",
    "kind",
    "status",
    "priority",
    "create_time",
    "update_time",
    "solved_time",
    "closed_time",
    "first_response_time",
    "contact_times",
    "title",
    "description",
    "topic",
    "tags",
    "issue",
    "follow_up_of",
    "contained",
    "language",
    "channel",
    "touchpoint",
    "stage",
    "product",
    "agent",
    "team",
];
/// What stands before the dot in the other fields of a ticket.
pub const OF_TICKETS: &[&str] = &["customer"];

const WHOLE: &str = "must be a whole number";
const TRUTH: &str = "must be true or false";
const AS_CONTRACT: &str = "must be as the contract's JSON has it";

/// Reads JSON as the contract has it.
pub struct Contract(DescriptorPool);

impl Contract {
    /// Of this program.
    ///
    /// # Errors
    /// Never, where it was built whole.
    pub fn new() -> Result<Self, Fault> {
        DescriptorPool::decode(rapport_api::DESCRIPTOR_SET).map(Self).map_err(Fault::internal)
    }

    fn read<M: Message + Default>(&self, name: &str, json: &Json) -> Result<M, &'static str> {
        // What is wrong with it is not told in its own words: they may quote it.
        let of = self.0.get_message_by_name(&format!("rapport.feedback.v1.{name}")).ok_or(AS_CONTRACT)?;
        let message = DynamicMessage::deserialize(of, json).map_err(|_| AS_CONTRACT)?;
        message.transcode_to().map_err(|_| AS_CONTRACT)
    }

    fn all<M: Message + Default>(&self, name: &str, json: &Json) -> Result<Vec<M>, &'static str> {
        json.as_array().ok_or(AS_CONTRACT)?.iter().map(|one| self.read(name, one)).collect()
    }
}

impl Mapping {
    /// A line of responses.
    pub fn response(&self, content: &Content) -> Result<ImportResponsesRequest, Wrong> {
        let mut wrong = Wrong::default();
        let (source, survey_id) = (self.source().to_owned(), self.survey().to_owned());
        let mut response = SubmitResponseRequest { source, survey_id, ..SubmitResponseRequest::default() };
        let mut request = ImportResponsesRequest::default();
        for (field, json) in self.cells(content)? {
            if let Err(must) = self.set_response(&mut request, &mut response, &field, &json) {
                wrong.0.push((field, must.to_owned()));
            }
        }
        must_be_there("survey_id", response.survey_id.is_empty(), "must be there, or --survey must say it", &mut wrong);
        must_be_there("source", response.source.is_empty(), "must be there, or --source must say it", &mut wrong);
        must_be_there("external_id", response.external_id.is_empty(), "must be there", &mut wrong);
        must_be_there("answered_at", response.answered_at.is_none(), "must be there", &mut wrong);
        request.response = Some(response);
        if wrong.0.is_empty() { Ok(request) } else { Err(wrong) }
    }

    fn set_response(
        &self,
        request: &mut ImportResponsesRequest,
        response: &mut SubmitResponseRequest,
        field: &str,
        json: &Json,
    ) -> Result<(), &'static str> {
        let text = || json::text(json).ok_or(TEXT);
        let instant = || json::instant(json).ok_or(INSTANT).map(Some);
        let truth = || json::truth(json).ok_or(TRUTH);
        match field {
            "survey_id" => response.survey_id = text()?,
            "source" => response.source = text()?,
            "external_id" => response.external_id = text()?,
            "version" => request.version = whole(json)?,
            "answered_at" => response.answered_at = instant()?,
            "started_at" => response.started_at = instant()?,
            "customer_id" => response.customer = Some(by_id(text()?)),
            "score" => response.score = Some(whole(json)?),
            "comment" => response.comment = text()?,
            "partial" => request.partial = truth()?,
            "is_test" => response.is_test = truth()?,
            "weight" => response.weight = Some(text()?.trim().parse().map_err(|_| "must be a number")?),
            "tags" => response.tags = texts(json)?,
            "language" => response.language = text()?,
            "channel" => response.channel = text()?,
            "touchpoint" => response.touchpoint = text()?,
            "stage" => response.stage = text()?,
            "product" => response.product = text()?,
            "campaign" => response.campaign = text()?,
            "agent" => response.agent = text()?,
            "team" => response.team = text()?,
            "scale_min" => request.source_scale.get_or_insert_with(Scale::default).min = whole(json)?,
            "scale_max" => request.source_scale.get_or_insert_with(Scale::default).max = whole(json)?,
            "source_scale" => request.source_scale = Some(self.contract.read("Scale", json)?),
            "source_score" => request.source_score = Some(whole(json)?),
            "answers" => match json {
                Json::Object(answers) => {
                    for (question, json) in answers {
                        response.answers.push(self.answer(question, json)?);
                    }
                }
                json => response.answers.extend(self.contract.all("Answer", json)?),
            },
            "hidden" => {
                for (name, json) in json.as_object().ok_or("must be an object")? {
                    response.hidden.insert(name.clone(), json::text(json).ok_or(TEXT)?);
                }
            }
            _ => match field.split_once('.').ok_or(UNKNOWN)? {
                ("customer", namespace) => response.customer = Some(customer(namespace, text()?)),
                ("answer", question) => response.answers.push(self.answer(question, json)?),
                ("hidden", name) => {
                    response.hidden.insert(name.to_owned(), text()?);
                }
                _ => return Err(UNKNOWN),
            },
        }
        Ok(())
    }

    fn answer(&self, question: &str, json: &Json) -> Result<Answer, &'static str> {
        if let Json::Object(object) = json {
            let mut object = object.clone();
            object.insert("questionId".to_owned(), Json::String(question.to_owned()));
            return self.contract.read("Answer", &Json::Object(object));
        }
        let (question, kind) = question.split_once(':').map_or((question, None), |(name, kind)| (name, Some(kind)));
        let text = || json::text(json).ok_or(TEXT);
        let value = match (kind, json) {
            (Some("number"), _) => answer::Value::Number(whole(json)?),
            (Some("text"), _) => answer::Value::Text(text()?),
            (Some("choice"), _) => answer::Value::Choice(text()?),
            (Some("choices"), _) | (None, Json::Array(_)) => {
                answer::Value::Choices(ChoiceList { choices: texts(json)? })
            }
            (Some("date"), _) => answer::Value::Date(text()?),
            (Some(_), _) => return Err("says a type that there is not: number, text, choice, choices or date"),
            (None, _) => match whole(json) {
                Ok(figure) => answer::Value::Number(figure),
                Err(_) => answer::Value::Text(text()?),
            },
        };
        Ok(Answer { question_id: question.to_owned(), value: Some(value), ..Answer::default() })
    }

    /// A line of tickets.
    pub fn ticket(&self, content: &Content) -> Result<PushTicketRequest, Wrong> {
        let mut wrong = Wrong::default();
        let ticket = Ticket { source: self.source().to_owned(), ..Ticket::default() };
        let mut line = TicketLine { ticket, ..TicketLine::default() };
        for (field, json) in self.cells(content)? {
            if let Err(must) = line.set(&self.contract, &field, &json) {
                wrong.0.push((field, must.to_owned()));
            }
        }
        must_be_there("source", line.ticket.source.is_empty(), "must be there, or --source must say it", &mut wrong);
        must_be_there("external_id", line.ticket.external_id.is_empty(), "must be there", &mut wrong);
        must_be_there("create_time", line.ticket.create_time.is_none(), "must be there", &mut wrong);
        if wrong.0.is_empty() { Ok(line.push()) } else { Err(wrong) }
    }
}

/// What a line says of a ticket.
#[derive(Default)]
struct TicketLine {
    ticket: Ticket,
    messages: Vec<TicketMessage>,
    description: String,
    solved: Option<prost_types::Timestamp>,
    closed: Option<prost_types::Timestamp>,
}

impl TicketLine {
    fn set(&mut self, contract: &Contract, field: &str, json: &Json) -> Result<(), &'static str> {
        let text = || json::text(json).ok_or(TEXT);
        let instant = || json::instant(json).ok_or(INSTANT).map(Some);
        let ticket = &mut self.ticket;
        match field {
            "source" => ticket.source = text()?,
            "external_id" => ticket.external_id = text()?,
            "version" => ticket.version = whole(json)?,
            "customer_id" => ticket.customer = Some(by_id(text()?)),
            "kind" => {
                let kind = TicketKind::from_str_name(&word("TICKET_KIND_", json)?);
                ticket.kind = kind.ok_or("must be question, complaint, claim or request")?.into();
            }
            "status" => {
                let status = TicketStatus::from_str_name(&word("TICKET_STATUS_", json)?);
                ticket.status = status.ok_or("must be new, open, pending, on_hold, solved or closed")?.into();
            }
            "priority" => {
                let priority = TicketPriority::from_str_name(&word("TICKET_PRIORITY_", json)?);
                ticket.priority = priority.ok_or("must be low, normal, high or urgent")?.into();
            }
            "create_time" => ticket.create_time = instant()?,
            "update_time" => ticket.update_time = instant()?,
            "solved_time" => self.solved = instant()?,
            "closed_time" => self.closed = instant()?,
            "first_response_time" => ticket.first_response_time = instant()?,
            "contact_times" => {
                let times = texts(json)?.into_iter().map(|it| json::instant(&Json::String(it)).ok_or(INSTANT));
                ticket.contact_times = times.collect::<Result<_, _>>()?;
            }
            "title" => ticket.title = text()?,
            "description" => self.description = text()?,
            "topic" => ticket.topic = text()?,
            "tags" => ticket.tags = texts(json)?,
            "issue" => ticket.issue = text()?,
            "follow_up_of" => ticket.follow_up_of = text()?,
            "contained" => ticket.contained = Some(json::truth(json).ok_or(TRUTH)?),
            "language" => ticket.language = text()?,
            "channel" => ticket.channel = text()?,
            "touchpoint" => ticket.touchpoint = text()?,
            "stage" => ticket.stage = text()?,
            "product" => ticket.product = text()?,
            "agent" => ticket.agent = text()?,
            "team" => ticket.team = text()?,
            "status_history" => ticket.status_history = contract.all("TicketStatusChange", json)?,
            "messages" => self.messages = contract.all("TicketMessage", json)?,
            _ => match field.split_once('.').ok_or(UNKNOWN)? {
                ("customer", namespace) => ticket.customer = Some(customer(namespace, text()?)),
                _ => return Err(UNKNOWN),
            },
        }
        Ok(())
    }

    /// What is pushed. A history that only times tell is made of them.
    fn push(mut self) -> PushTicketRequest {
        let ticket = &mut self.ticket;
        let ends = [(TicketStatus::Solved, self.solved), (TicketStatus::Closed, self.closed)];
        let ends: Vec<_> = ends.into_iter().filter_map(|(status, at)| Some((status, at?))).collect();
        if ticket.status_history.is_empty() && !ends.is_empty() {
            let told = |(status, time): (TicketStatus, prost_types::Timestamp)| TicketStatusChange {
                status: status.into(),
                time: Some(time),
                ..TicketStatusChange::default()
            };
            let opened = ticket.create_time.map(|at| (TicketStatus::New, at));
            ticket.status_history = opened.into_iter().chain(ends.iter().copied()).map(told).collect();
        }
        if ticket.status == i32::from(TicketStatus::Unspecified) {
            let last = ticket.status_history.last().map(|change| change.status);
            ticket.status = last.unwrap_or(TicketStatus::New.into());
        }
        if ticket.update_time.is_none() {
            // The file speaks of what was, not of now.
            let times = ticket.status_history.iter().filter_map(|change| change.time);
            let times = times.chain(ticket.create_time).chain(ticket.contact_times.iter().copied());
            let times = times.chain(self.messages.iter().filter_map(|message| message.time));
            ticket.update_time = times.max_by_key(|at| (at.seconds, at.nanos));
        }
        if !self.description.is_empty() {
            self.messages.push(TicketMessage {
                external_id: "description".to_owned(),
                time: ticket.create_time,
                author: TicketAuthor::Customer.into(),
                direction: TicketDirection::Inbound.into(),
                text: self.description,
                ..TicketMessage::default()
            });
        }
        PushTicketRequest { ticket: Some(self.ticket), messages: self.messages, ..PushTicketRequest::default() }
    }
}

fn by_id(id: String) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::CustomerId(id)) }
}

fn customer(namespace: &str, value: String) -> CustomerRef {
    if namespace == "customer_id" {
        return by_id(value);
    }
    CustomerRef { r#ref: Some(Ref::Identifier(Identifier { namespace: namespace.to_owned(), value })) }
}

fn whole<N: std::str::FromStr>(json: &Json) -> Result<N, &'static str> {
    let text = json::text(json).ok_or(WHOLE)?;
    let text = text.trim();
    // As spreadsheets write it.
    text.strip_suffix(".0").unwrap_or(text).parse().map_err(|_| WHOLE)
}

fn texts(json: &Json) -> Result<Vec<String>, &'static str> {
    match json::value(json, Some(TraitType::List))?.kind {
        Some(Kind::ListValue(list)) => Ok(list.values),
        _ => Ok(Vec::new()),
    }
}

/// A word of an enumeration as the contract names it.
fn word(prefix: &str, json: &Json) -> Result<String, &'static str> {
    let text = json::text(json).ok_or(TEXT)?.trim().to_ascii_uppercase().replace([' ', '-'], "_");
    Ok(if text.starts_with(prefix) { text } else { format!("{prefix}{text}") })
}

fn must_be_there(field: &str, is_missing: bool, must: &str, wrong: &mut Wrong) {
    if is_missing && !wrong.0.iter().any(|(known, _)| known == field) {
        wrong.0.push((field.to_owned(), must.to_owned()));
    }
}

#[cfg(test)]
mod tests;
