//! The access policy: what scope each call needs, from the option beside it in the contract.

use std::error::Error;
use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, Value};

/// The calls of `google.longrunning.Operations`, which is not ours to annotate. Its resource's name says which service
/// is meant, and so which service's scope it takes: `rapport_api::policy::BY_NAME`.
const OPERATIONS: [(&str, &str); 5] = [
    ("ListOperations", "Read"),
    ("GetOperation", "Read"),
    ("WaitOperation", "Read"),
    ("CancelOperation", "Write"),
    ("DeleteOperation", "Write"),
];

/// The table, in path order. A call without the option does not build.
pub fn generate(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let access = pool.get_extension_by_name("rapport.common.v1.access").ok_or("the access option is missing")?;
    let mut rows = Vec::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        if method.parent_service().full_name() == "google.longrunning.Operations" {
            let known = OPERATIONS.iter().find(|(name, _)| *name == method.name());
            let (_, verb) = known.ok_or_else(|| format!("{path} is new: say which scope it needs"))?;
            rows.push((path, "{service}".to_owned(), *verb, false));
            continue;
        }
        let options = method.options();
        if !options.has_extension(&access) {
            return Err(format!("{path} does not say which scope it needs").into());
        }
        let option = options.get_extension(&access);
        let option = option.as_message().ok_or("access is a message")?;
        let service = option.get_field_by_name("service");
        let service = service.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let verb = match option.get_field_by_name("verb").as_deref().and_then(Value::as_enum_number) {
            Some(1) => "Read",
            Some(2) => "Write",
            Some(3) => "Admin",
            _ => return Err(format!("{path} has no verb").into()),
        };
        if service.is_empty() {
            return Err(format!("{path} has no service in its scope").into());
        }
        let streaming = method.is_client_streaming() || method.is_server_streaming();
        rows.push((path, service, verb, streaming));
    }
    rows.sort();
    let mut code = String::from("static POLICIES: &[Policy] = &[\n");
    for (path, service, verb, streaming) in rows {
        writeln!(
            code,
            "    Policy {{ path: {path:?}, service: {service:?}, verb: Verb::{verb}, streaming: {streaming} }},"
        )?;
    }
    code.push_str("];\n");
    Ok(code)
}
