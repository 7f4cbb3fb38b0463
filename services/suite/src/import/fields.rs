//! What the columns of a file mean, and a line as the contract's message. Lines of JSON are read by the same names: objects
//! in them are columns with a dot.
//!
//! Profiles: `source`, `external_id`, `party`, `observed_at`, `unset_traits`, `identifier.<namespace>`, `trait.<name>`,
//! `consent.<purpose>` and `consent.<purpose>.<channel>`. Interactions: `source`, `external_id`, `version`, `type`, `channel`,
//! `touchpoint`, `stage`, `product`, `occurred_at`, `customer_id` or `customer.<namespace>`, `value`, `currency`,
//! `attribute.<name>`. What customers said has fields of its own (see `feedback`). A trait or attribute may say its type: `trait.age:number` (bool, number, text, time, list). A column
//! of identifiers or consents may come several times, any other once. An empty cell says nothing.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::common::v1::{CustomerRef, Identifier, Party, customer_ref::Ref};
use rapport_api::profiles::v1::{Consent, ConsentState, IdentifyRequest, Interaction, TraitType};
use rapport_kernel::Fault;
use serde_json::{Map, Value as Json};

use super::feedback::{Contract, OF_RESPONSES, OF_TICKETS, RESPONSES, TICKETS};
use super::lines::Content;
use super::{Wrong, json, refused};
use crate::cli::{Format, Import, Subject};

const PROFILES: &[&str] = &["source", "external_id", "party", "observed_at", "unset_traits"];
const INTERACTIONS: &[&str] = &[
    "source",
    "external_id",
    "version",
    "type",
    "channel",
    "touchpoint",
    "stage",
    "product",
    "occurred_at",
    "customer_id",
    "value",
    "currency",
];
const OF_PROFILES: &[&str] = &["identifier", "trait", "consent"];
const OF_INTERACTIONS: &[&str] = &["customer", "attribute"];

/// How lines are read.
pub struct Mapping {
    /// The fields of the columns; `None`: a column that is passed over.
    columns: Vec<Option<String>>,
    renamed: BTreeMap<String, String>,
    source: String,
    survey: String,
    declared: BTreeMap<String, TraitType>,
    /// Reads what the contract's JSON says.
    pub(super) contract: Contract,
}

impl Mapping {
    /// As the command line and the header say.
    ///
    /// # Errors
    /// Where a column is no field: with those that there are.
    pub fn new(arguments: &Import, header: &[String]) -> Result<Self, Fault> {
        let renamed: BTreeMap<String, String> = arguments.map.iter().cloned().collect();
        if let Some(unused) = renamed.keys().find(|name| !header.is_empty() && !header.contains(name)) {
            return Err(refused(format!("--map {unused}=…: the header has no column of that name")));
        }
        let (plain, dotted) = match arguments.what {
            Subject::Profiles => (PROFILES, OF_PROFILES),
            Subject::Interactions => (INTERACTIONS, OF_INTERACTIONS),
            Subject::Responses => (RESPONSES, OF_RESPONSES),
            Subject::Tickets => (TICKETS, OF_TICKETS),
        };
        let (mut columns, mut unknown) = (Vec::new(), Vec::new());
        for name in header {
            let field = renamed.get(name).unwrap_or(name);
            let known = plain.contains(&field.as_str())
                || field.split_once('.').is_some_and(|(of, rest)| dotted.contains(&of) && !rest.is_empty());
            match field.as_str() {
                "-" => columns.push(None),
                _ if known => columns.push(Some(field.clone())),
                _ => unknown.push(name.as_str()),
            }
        }
        if !unknown.is_empty() {
            let dotted: Vec<String> = dotted.iter().map(|of| format!("{of}.<name>")).collect();
            let known = [plain.join(", "), dotted.join(", ")].join(", ");
            // What a file holds beside the fields is most often a trait, or an attribute of what happened.
            let example = match arguments.what {
                Subject::Profiles => format!(", as --map {0}=trait.{0}", unknown[0]),
                Subject::Interactions => format!(", as --map {0}=attribute.{0}", unknown[0]),
                Subject::Responses | Subject::Tickets => String::new(),
            };
            return Err(refused(format!(
                "the header (line 1) has columns that are no fields: {}. There are {known}. Name the right field by --map \
                 COLUMN=FIELD{example}, or pass a column over by --map COLUMN=-",
                unknown.join(", ")
            )));
        }
        if let Some(twice) = named_twice(&columns) {
            return Err(refused(format!(
                "the header (line 1) has several columns for {twice}, and one line can say it once: leave one of them"
            )));
        }
        if arguments.source.is_none() && !header.is_empty() && !columns.iter().flatten().any(|field| field == "source")
        {
            return Err(refused(
                "nothing says which source tells this: name it by --source, as --source crm, or by a column `source`",
            ));
        }
        if arguments.source.is_none() && arguments.format == Some(Format::Segment) {
            return Err(refused("a tracker's calls name no source: say --source, as --source web"));
        }
        let source = arguments.source.clone().unwrap_or_default();
        let survey = arguments.survey.clone().unwrap_or_default();
        Ok(Self { columns, renamed, source, survey, declared: BTreeMap::new(), contract: Contract::new()? })
    }

    /// The same, knowing the types of declared traits.
    pub fn knowing(mut self, declared: BTreeMap<String, TraitType>) -> Self {
        self.declared = declared;
        self
    }

    /// The source of lines that name none.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The survey of lines that name none.
    pub fn survey(&self) -> &str {
        &self.survey
    }

    /// The fields of a line that say something.
    pub(super) fn cells(&self, content: &Content) -> Result<Vec<(String, Json)>, Wrong> {
        match content {
            Content::Cells(cells) => {
                let cells = self.columns.iter().zip(cells).filter(|(_, cell)| !cell.trim().is_empty());
                let cells = cells.filter_map(|(field, cell)| Some((field.clone()?, Json::String(cell.clone()))));
                Ok(cells.collect())
            }
            Content::Json(_) => {
                let mut found = Vec::new();
                for (name, json) in json::object(content)? {
                    let name = self.renamed.get(&name).cloned().or_else(|| json::name(&name)).unwrap_or(name);
                    if name != "-" {
                        flatten(&name, json, &mut found);
                    }
                }
                differing(&found).map_or(Ok(()), |field| Err(Wrong::one(field, "is there twice: say it once")))?;
                Ok(found)
            }
        }
    }

    /// A line of profiles.
    pub fn profile(&self, content: &Content) -> Result<IdentifyRequest, Wrong> {
        let mut wrong = Wrong::default();
        let mut request = IdentifyRequest { source: self.source.clone(), ..IdentifyRequest::default() };
        for (field, json) in self.cells(content)? {
            if let Err(must) = self.set_profile(&mut request, &field, &json) {
                wrong.0.push((field, must.to_owned()));
            }
        }
        missing(&[("source", &request.source), ("external_id", &request.external_id)], &mut wrong);
        if wrong.0.is_empty() { Ok(request) } else { Err(wrong) }
    }

    fn set_profile(&self, request: &mut IdentifyRequest, field: &str, json: &Json) -> Result<(), &'static str> {
        match field.split_once('.') {
            Some(("identifier", namespace)) => {
                let value = json::text(json).ok_or(TEXT)?;
                request.identifiers.push(Identifier { namespace: namespace.to_owned(), value });
            }
            Some(("trait", name)) => {
                let (name, kind) = typed(name)?;
                let value = json::value(json, kind.or_else(|| self.declared.get(name).copied()))?;
                request.traits.insert(name.to_owned(), value);
            }
            Some(("consent", of)) => request.consents.push(consent(of, json)?),
            Some(_) => return Err(UNKNOWN),
            None => match field {
                "source" => request.source = json::text(json).ok_or(TEXT)?,
                "external_id" => request.external_id = json::text(json).ok_or(TEXT)?,
                "party" => request.party = party(json)?.into(),
                "observed_at" => request.observed_at = Some(json::instant(json).ok_or(INSTANT)?),
                "unset_traits" => {
                    let names = json::value(json, Some(TraitType::List))?.kind;
                    if let Some(rapport_api::common::v1::value::Kind::ListValue(names)) = names {
                        request.unset_traits.extend(names.values);
                    }
                }
                _ => return Err(UNKNOWN),
            },
        }
        Ok(())
    }

    /// A line of interactions.
    pub fn interaction(&self, content: &Content) -> Result<Interaction, Wrong> {
        let mut wrong = Wrong::default();
        let mut interaction = Interaction { source: self.source.clone(), ..Interaction::default() };
        let cells = self.cells(content)?;
        let currency = cells.iter().find(|(field, _)| field == "currency").and_then(|(_, json)| json::text(json));
        for (field, json) in &cells {
            if let Err(must) = set_interaction(&mut interaction, field, json, currency.as_deref()) {
                wrong.0.push((field.clone(), must.to_owned()));
            }
        }
        let required = [("source", &interaction.source), ("external_id", &interaction.external_id)];
        missing(&[required[0], required[1], ("type", &interaction.r#type)], &mut wrong);
        if interaction.occurred_at.is_none() && !wrong.0.iter().any(|(field, _)| field == "occurred_at") {
            wrong.0.push(("occurred_at".to_owned(), "must be there".to_owned()));
        }
        if interaction.customer.is_none() && !wrong.0.iter().any(|(field, _)| field.starts_with("customer")) {
            wrong.0.push(("customer".to_owned(), "must be there, as customer.email or customer_id".to_owned()));
        }
        if wrong.0.is_empty() { Ok(interaction) } else { Err(wrong) }
    }
}

/// What a text must be.
pub(super) const TEXT: &str = "must be a text";
/// What an instant must be.
pub(super) const INSTANT: &str = "must be an instant, as 2024-05-01T12:00:00Z";
/// What a field is that there is not.
pub(super) const UNKNOWN: &str = "is no field";

fn set_interaction(
    interaction: &mut Interaction,
    field: &str,
    json: &Json,
    currency: Option<&str>,
) -> Result<(), &'static str> {
    let text = || json::text(json).ok_or(TEXT);
    let customer = |named: Ref| Some(CustomerRef { r#ref: Some(named) });
    match field.split_once('.') {
        Some(("customer", "customer_id")) => interaction.customer = customer(Ref::CustomerId(text()?)),
        Some(("customer", namespace)) => {
            let identifier = Identifier { namespace: namespace.to_owned(), value: text()? };
            interaction.customer = customer(Ref::Identifier(identifier));
        }
        Some(("attribute", name)) => {
            let (name, kind) = typed(name)?;
            interaction.attributes.insert(name.to_owned(), json::value(json, kind)?);
        }
        Some(_) => return Err(UNKNOWN),
        None => match field {
            "source" => interaction.source = text()?,
            "external_id" => interaction.external_id = text()?,
            "version" => interaction.version = text()?.trim().parse().map_err(|_| "must be a whole number")?,
            "type" => interaction.r#type = text()?,
            "channel" => interaction.channel = text()?,
            "touchpoint" => interaction.touchpoint = text()?,
            "stage" => interaction.stage = text()?,
            "product" => interaction.product = text()?,
            "occurred_at" => interaction.occurred_at = Some(json::instant(json).ok_or(INSTANT)?),
            "customer_id" => interaction.customer = customer(Ref::CustomerId(text()?)),
            "value" => {
                let currency = currency.ok_or("needs a currency beside it, as EUR")?;
                interaction.value = Some(json::money(json, currency).ok_or("must be an amount, as 19.99")?);
            }
            "currency" => {}
            _ => return Err(UNKNOWN),
        },
    }
    Ok(())
}

/// An object within a line as columns with a dot. Lists of objects are read as the contract's JSON has them.
fn flatten(name: &str, json: Json, out: &mut Vec<(String, Json)>) {
    let single = match name {
        "identifiers" => "identifier",
        "traits" => "trait",
        "consents" => "consent",
        "attributes" => "attribute",
        other => other,
    };
    match (single, json) {
        (_, Json::Null) => {}
        ("identifier" | "consent", Json::Array(items)) => {
            for item in items {
                let part = |name: &str| item.get(name).and_then(json::text).unwrap_or_default();
                let (path, of) = if single == "identifier" {
                    (format!("identifier.{}", part("namespace")), item.get("value"))
                } else {
                    let channel = Some(part("channel")).filter(|channel| !channel.is_empty());
                    let dot = channel.map(|channel| format!(".{channel}")).unwrap_or_default();
                    (format!("consent.{}{dot}", part("purpose")), item.get("state"))
                };
                out.push((path, of.cloned().unwrap_or(Json::Null)));
            }
        }
        ("customer", Json::Object(object)) => match object.get("identifier") {
            Some(identifier) => flatten("customer", named(identifier), out),
            None => {
                for (key, json) in object {
                    out.push((format!("customer.{}", json::name(&key).unwrap_or(key)), json));
                }
            }
        },
        ("value", Json::Object(object)) => {
            let of = |names: [&str; 2]| names.iter().find_map(|name| object.get(*name)).cloned();
            out.extend(of(["currency", "currencyCode"]).map(|json| ("currency".to_owned(), json)));
            let units = of(["amount", "units"]).and_then(|json| json::text(&json)).unwrap_or_default();
            let nanos = object.get("nanos").and_then(Json::as_i64).unwrap_or(0);
            let sign = if nanos < 0 && !units.starts_with('-') { "-" } else { "" };
            let amount = if nanos == 0 { units } else { format!("{sign}{units}.{:09}", nanos.unsigned_abs()) };
            out.push(("value".to_owned(), Json::String(amount)));
        }
        ("identifier" | "trait" | "consent" | "attribute", Json::Object(object)) => {
            let some = object.into_iter().filter(|(_, json)| !json.is_null());
            out.extend(some.map(|(key, json)| (format!("{single}.{key}"), json)));
        }
        (_, json) => out.push((single.to_owned(), json)),
    }
}

/// An identifier as the contract's JSON has it, as one by its namespace.
fn named(identifier: &Json) -> Json {
    let part = |name: &str| identifier.get(name).cloned().unwrap_or(Json::Null);
    let namespace = json::text(&part("namespace")).unwrap_or_default();
    Json::Object(Map::from_iter([(namespace, part("value"))]))
}

/// The name of a trait and the type it says.
fn typed(name: &str) -> Result<(&str, Option<TraitType>), &'static str> {
    let Some((name, kind)) = name.split_once(':') else { return Ok((name, None)) };
    let kind = match kind {
        "bool" => TraitType::Bool,
        "number" => TraitType::Number,
        "text" => TraitType::Text,
        "time" => TraitType::Time,
        "list" => TraitType::List,
        _ => return Err("says a type that there is not: bool, number, text, time or list"),
    };
    Ok((name, Some(kind)))
}

fn consent(of: &str, json: &Json) -> Result<Consent, &'static str> {
    let (purpose, channel) = of.split_once('.').unwrap_or((of, ""));
    let granted = json::truth(json).ok_or("must be granted or denied, yes or no")?;
    let state = if granted { ConsentState::Granted } else { ConsentState::Denied };
    let (purpose, channel) = (purpose.to_owned(), channel.to_owned());
    Ok(Consent { purpose, channel, state: state.into(), ..Consent::default() })
}

fn party(json: &Json) -> Result<Party, &'static str> {
    let text = json::text(json).unwrap_or_default().trim().to_ascii_uppercase();
    let name = if text.starts_with("PARTY_") { text } else { format!("PARTY_{text}") };
    Party::from_str_name(&name).ok_or("must be customer, lead, partner or employee")
}

/// A field that several columns name, where a line can say it once.
fn named_twice(columns: &[Option<String>]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    columns.iter().flatten().filter_map(|field| single(field)).find(|field| !seen.insert(*field))
}

/// A field of JSON that is said in several ways, as by `trait.age` and by `traits`, with values that differ.
fn differing(cells: &[(String, Json)]) -> Option<&str> {
    let mut seen: BTreeMap<&str, &Json> = BTreeMap::new();
    let mut single = cells.iter().filter_map(|(field, json)| Some((single(field)?, json)));
    single.find(|(field, json)| seen.insert(field, json).is_some_and(|before| before != *json)).map(|(field, _)| field)
}

/// A field without its type, where a line can say it once.
fn single(field: &str) -> Option<&str> {
    let field = field.split_once(':').map_or(field, |(field, _)| field);
    let of = field.split_once('.').map_or("", |(of, _)| of);
    (!["identifier", "consent", "customer"].contains(&of) && field != "unset_traits").then_some(field)
}

fn missing(required: &[(&str, &String)], wrong: &mut Wrong) {
    for (field, value) in required {
        if value.is_empty() && !wrong.0.iter().any(|(known, _)| known == field) {
            let text = if *field == "source" { "must be there, or --source must say it" } else { "must be there" };
            wrong.0.push(((*field).to_owned(), text.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests;
