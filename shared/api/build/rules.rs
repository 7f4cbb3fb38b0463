//! The contract's `buf.validate` rules as plain Rust checks: no reflection at run time, and a rule that is not
//! understood here breaks the build instead of being passed over. (prost-protovalidate does it by reflection, at several
//! times the cost of decoding, has one author, and brings the `cel` crate whose expressions have no cost bound.)

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};

use crate::names;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The checks of every message of ours that a request can hold, and a Debug for every message that prints no content.
pub fn generate(pool: &DescriptorPool) -> Result<String> {
    let options = Options {
        field: pool.get_extension_by_name("buf.validate.field").ok_or("buf.validate is missing")?,
        oneof: pool.get_extension_by_name("buf.validate.oneof").ok_or("buf.validate is missing")?,
    };
    let mut reachable = BTreeMap::new();
    for service in pool.services().filter(|service| service.full_name().starts_with("rapport.")) {
        for method in service.methods() {
            reach(&method.input(), &mut reachable);
        }
    }
    let mut code = String::new();
    for message in reachable.values() {
        code.push_str(&check_of(message, &options)?);
    }
    for message in pool.all_messages() {
        let file = message.parent_file();
        if !message.is_map_entry() && is_included(file.package_name()) {
            writeln!(
                code,
                "impl std::fmt::Debug for {} {{\n    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ \
                 f.write_str(\"{} {{ .. }}\") }}\n}}",
                names::message(&message),
                message.name()
            )?;
            for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
                let any = oneof.fields().next().ok_or("a oneof has fields")?;
                let path = names::variant(&oneof, &any);
                let path = path.rsplit_once("::").ok_or("a variant has a parent")?.0.to_owned();
                writeln!(
                    code,
                    "impl std::fmt::Debug for {path} {{\n    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> \
                     std::fmt::Result {{ f.write_str(\"{}::{} {{ .. }}\") }}\n}}",
                    message.name(),
                    oneof.name()
                )?;
            }
        }
    }
    for of in pool.all_enums().filter(|of| of.parent_file().package_name().starts_with("rapport.")) {
        // An enum's value is no personal data: it prints its name.
        writeln!(
            code,
            "impl std::fmt::Debug for {} {{\n    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ \
             f.write_str(self.as_str_name()) }}\n}}",
            names::enumeration(&of)
        )?;
    }
    Ok(code)
}

/// Whether the crate includes the code of a package.
fn is_included(package: &str) -> bool {
    package.starts_with("rapport.") || ["google.type", "google.rpc", "google.longrunning"].contains(&package)
}

struct Options {
    field: ExtensionDescriptor,
    oneof: ExtensionDescriptor,
}

fn reach(message: &MessageDescriptor, found: &mut BTreeMap<String, MessageDescriptor>) {
    if !message.full_name().starts_with("rapport.") && message.full_name() != "google.type.Money" {
        return;
    }
    if !message.is_map_entry() && found.insert(message.full_name().to_owned(), message.clone()).is_some() {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, found);
        }
    }
}

fn check_of(message: &MessageDescriptor, options: &Options) -> Result<String> {
    let mut body = String::new();
    for field in message.fields().filter(|field| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic())) {
        let rules = field_rules(&field, &options.field);
        body.push_str(&field_check(&field, &rules, &format!("&self.{}", names::identifier(field.name())))?);
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        writeln!(body, "        match &self.{} {{", names::identifier(oneof.name()))?;
        for field in oneof.fields() {
            let rules = field_rules(&field, &options.field);
            let check = value_check(&field.kind(), &rules, &format!("\"{}\"", field.name()), "value")?;
            writeln!(
                body,
                "            Some({}(value)) => {{ let _ = value;\n{check}            }}",
                names::variant(&oneof, &field)
            )?;
        }
        let option = oneof.options();
        let required = option.has_extension(&options.oneof)
            && option.get_extension(&options.oneof).as_message().is_some_and(|rules| flag(rules, "required"));
        if required {
            writeln!(
                body,
                "            None => at.field(\"{}\").broken(out, \"required\", \"must be set\"),",
                oneof.name()
            )?;
        } else {
            body.push_str("            None => {}\n");
        }
        body.push_str("        }\n");
    }
    Ok(format!(
        "impl Validate for {} {{\n    fn validate(&self, at: &At<'_>, out: &mut Violations) {{\n        let _ = (&at, \
         &out);\n{body}    }}\n}}\n",
        names::message(message)
    ))
}

fn field_rules(field: &FieldDescriptor, extension: &ExtensionDescriptor) -> Option<DynamicMessage> {
    let options = field.options();
    options.has_extension(extension).then(|| options.get_extension(extension).as_message().cloned()).flatten()
}

/// The check of one field of a message, which may be repeated, a map, optional or plain.
fn field_check(field: &FieldDescriptor, rules: &Option<DynamicMessage>, access: &str) -> Result<String> {
    let name = format!("\"{}\"", field.name());
    let required = rules.as_ref().is_some_and(|rules| flag(rules, "required"));
    let broken = format!("at.field({name}).broken(out, \"required\", \"must be set\")");
    if field.is_map() {
        return map_check(field, rules, access);
    }
    if field.is_list() {
        return list_check(field, rules, access);
    }
    if field.supports_presence() {
        let check = value_check(&field.kind(), rules, &name, "value")?;
        let otherwise = if required { format!(" else {{ {broken}; }}") } else { String::new() };
        return Ok(format!("        if let Some(value) = {access} {{ let _ = value;\n{check}        }}{otherwise}\n"));
    }
    let check = value_check(&field.kind(), rules, &name, "value")?;
    let ignore_zero = rules.as_ref().is_some_and(|rules| number(rules, "ignore") == Some(1.0));
    let zero = match field.kind() {
        Kind::String | Kind::Bytes => "value.is_empty()",
        Kind::Bool => "!*value",
        Kind::Double | Kind::Float => "*value == 0.0",
        _ => "*value == 0",
    };
    let check = match (ignore_zero, required) {
        (true, _) => format!("            if !({zero}) {{\n{check}            }}\n"),
        (false, true) => format!("            if {zero} {{ {broken}; }}\n{check}"),
        (false, false) => check,
    };
    Ok(format!("        {{ let value = {access}; let _ = value;\n{check}        }}\n"))
}

fn list_check(field: &FieldDescriptor, rules: &Option<DynamicMessage>, access: &str) -> Result<String> {
    known(rules.as_ref(), &["repeated"])?;
    let repeated = rules.as_ref().and_then(|rules| inner(rules, "repeated"));
    known(repeated.as_ref(), &["min_items", "max_items", "unique", "items"])?;
    let mut code = String::new();
    if let Some(rules) = &repeated {
        if let Some(least) = number(rules, "min_items") {
            writeln!(code, "        at.field(\"{}\").min_items(out, ({access}).len(), {least});", field.name())?;
        }
        if let Some(most) = number(rules, "max_items") {
            writeln!(code, "        at.field(\"{}\").max_items(out, ({access}).len(), {most});", field.name())?;
        }
        if flag(rules, "unique") {
            writeln!(code, "        at.field(\"{}\").unique(out, {access});", field.name())?;
        }
    }
    let items = repeated.as_ref().and_then(|rules| inner(rules, "items"));
    let check = value_check(&field.kind(), &items, "", "value")?;
    if !check.is_empty() {
        writeln!(
            code,
            "        for (index, value) in ({access}).iter().enumerate(){} {{ let _ = value;\n            let at = \
             &at.field(\"{}\"); let at = &at.index(index);\n{check}        }}",
            within(repeated.as_ref().and_then(|rules| number(rules, "max_items"))),
            field.name()
        )?;
    }
    Ok(code)
}

/// Beyond its bound, which is broken then, nothing is looked at item by item: the work stays bounded too.
fn within(most: Option<f64>) -> String {
    most.map_or_else(String::new, |most| format!(".take({most})"))
}

fn map_check(field: &FieldDescriptor, rules: &Option<DynamicMessage>, access: &str) -> Result<String> {
    known(rules.as_ref(), &["map"])?;
    let map = rules.as_ref().and_then(|rules| inner(rules, "map"));
    known(map.as_ref(), &["max_pairs", "keys", "values"])?;
    let mut code = String::new();
    if let Some(most) = map.as_ref().and_then(|rules| number(rules, "max_pairs")) {
        writeln!(code, "        at.field(\"{}\").max_items(out, ({access}).len(), {most});", field.name())?;
    }
    let Kind::Message(entry) = field.kind() else { return Err("a map has entries".into()) };
    let keys = map.as_ref().and_then(|rules| inner(rules, "keys"));
    let values = map.as_ref().and_then(|rules| inner(rules, "values"));
    let key = value_check(&entry.map_entry_key_field().kind(), &keys, "", "key")?;
    let value = value_check(&entry.map_entry_value_field().kind(), &values, "", "value")?;
    writeln!(
        code,
        "        for (key, value) in ({access}).iter(){} {{ let _ = (key, value);\n            let at = &at.field(\"{}\"); \
         let at = &at.key(key);\n{key}{value}        }}",
        within(map.as_ref().and_then(|rules| number(rules, "max_pairs"))),
        field.name()
    )?;
    Ok(code)
}

/// The check of one value; `name` is a string literal of the field's name, or empty where `at` stands on the value.
fn value_check(kind: &Kind, rules: &Option<DynamicMessage>, name: &str, value: &str) -> Result<String> {
    let own = match kind {
        Kind::String => "string",
        Kind::Double => "double",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Enum(_) => "enum",
        Kind::Message(message) if message.full_name() == "google.protobuf.Duration" => "duration",
        _ => "",
    };
    // Whether a field must be there is for the field to say; an item or a key has nothing of the kind.
    let field = if name.is_empty() { ["", ""] } else { ["required", "ignore"] };
    known(rules.as_ref(), &[own, field[0], field[1]])?;
    let at = if name.is_empty() { "at".to_owned() } else { format!("at.field({name})") };
    let mut code = String::new();
    let mut say = |call: String| code.push_str(&format!("            {at}.{call};\n"));
    match kind {
        Kind::String => {
            // Whatever its rules, a text holds no NUL: one of the engines cannot keep it.
            say(format!("no_nul(out, {value})"));
            let Some(rules) = rules.as_ref().and_then(|rules| inner(rules, "string")) else { return Ok(code) };
            known(Some(&rules), &["min_len", "max_len", "pattern", "uuid"])?;
            if let Some(least) = number(&rules, "min_len") {
                say(format!("min_len(out, {value}, {least})"));
            }
            if let Some(most) = number(&rules, "max_len") {
                say(format!("max_len(out, {value}, {most})"));
            }
            if let Some(pattern) = text(&rules, "pattern") {
                let holder = "{ static PATTERN: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| \
                              regex::Regex::new(";
                say(format!(
                    "pattern(out, {value}, {holder}{pattern:?}).expect(\"checked at build time\")); &PATTERN }})"
                ));
            }
            if flag(&rules, "uuid") {
                say(format!("uuid(out, {value})"));
            }
        }
        Kind::Double | Kind::Float => {
            let Some(rules) = rules.as_ref().and_then(|rules| inner(rules, "double")) else { return Ok(code) };
            known(Some(&rules), &["finite", "gte", "lte"])?;
            say(format!("double(out, *{value}, {:?}, {:?})", number(&rules, "gte"), number(&rules, "lte")));
        }
        Kind::Int32 | Kind::Int64 => {
            let name = if *kind == Kind::Int32 { "int32" } else { "int64" };
            let Some(rules) = rules.as_ref().and_then(|rules| inner(rules, name)) else { return Ok(code) };
            known(Some(&rules), &["gte", "lte"])?;
            let bound = |key| number(&rules, key).map(|bound| bound as i64);
            say(format!("integer(out, i64::from(*{value}), {:?}, {:?})", bound("gte"), bound("lte")));
        }
        Kind::Enum(of) => {
            let rules = rules.as_ref().and_then(|rules| inner(rules, "enum"));
            known(rules.as_ref(), &["defined_only", "not_in"])?;
            // An enum in a request is always one that the contract defines.
            let path = names::enumeration(of);
            say(format!("defined(out, {path}::try_from(*{value}).is_ok())"));
            if rules.as_ref().is_some_and(|rules| !list(rules, "not_in").is_empty()) {
                say(format!("not_unspecified(out, *{value})"));
            }
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => say(format!("timestamp(out, {value})")),
            "google.protobuf.Duration" => {
                let rules = rules.as_ref().and_then(|rules| inner(rules, "duration"));
                known(rules.as_ref(), &["gte", "lte"])?;
                let bound = |key| {
                    rules
                        .as_ref()
                        .and_then(|rules| inner(rules, key))
                        .and_then(|bound| number(&bound, "seconds"))
                        .map(|seconds| seconds as i64)
                };
                say(format!("duration(out, {value}, {:?}, {:?})", bound("gte"), bound("lte")));
            }
            // Which fields a mask may name is for the call to say; a text holds no NUL anywhere.
            "google.protobuf.FieldMask" => code.push_str(&format!(
                "            for path in {value}.paths.iter().take(100) {{ {at}.no_nul(out, path); }}\n"
            )),
            _ => code.push_str(&format!("            {value}.validate(&{at}, out);\n")),
        },
        Kind::Bool | Kind::Uint32 | Kind::Uint64 => {}
        other => return Err(format!("no checks are written for fields of type {other:?}").into()),
    }
    Ok(code)
}

/// Refuses a rule that no check is generated for.
fn known(rules: Option<&DynamicMessage>, names: &[&str]) -> Result<()> {
    let names: BTreeSet<_> = names.iter().copied().collect();
    match rules
        .and_then(|rules| rules.fields().find(|(field, _)| !names.contains(field.name())).map(|(field, _)| field))
    {
        Some(field) => Err(format!("no check is generated for the rule {}", field.full_name()).into()),
        None => Ok(()),
    }
}

fn inner(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    rules.has_field_by_name(name).then(|| rules.get_field_by_name(name)?.as_message().cloned()).flatten()
}
fn flag(rules: &DynamicMessage, name: &str) -> bool {
    rules.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or(false)
}
fn text(rules: &DynamicMessage, name: &str) -> Option<String> {
    rules.has_field_by_name(name).then(|| rules.get_field_by_name(name)?.as_str().map(str::to_owned)).flatten()
}
fn list(rules: &DynamicMessage, name: &str) -> Vec<Value> {
    rules.get_field_by_name(name).and_then(|value| value.as_list().map(<[Value]>::to_vec)).unwrap_or_default()
}
fn number(rules: &DynamicMessage, name: &str) -> Option<f64> {
    if !rules.has_field_by_name(name) {
        return None;
    }
    match rules.get_field_by_name(name)?.as_ref() {
        Value::I32(value) => Some(f64::from(*value)),
        Value::U32(value) => Some(f64::from(*value)),
        Value::I64(value) => Some(*value as f64),
        Value::U64(value) => Some(*value as f64),
        Value::F64(value) => Some(*value),
        Value::EnumNumber(value) => Some(f64::from(*value)),
        _ => None,
    }
}
