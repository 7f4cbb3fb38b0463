//! Names of operations: `<service>/operations/<UUID>`.

use std::fmt;

use rapport_kernel::{Fault, OperationId};

/// What lies between a service's name and an operation's id.
const COLLECTION: &str = "operations";

/// The name of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// The service that does it.
    pub service: &'a str,
    /// Which of that service's.
    pub id: OperationId,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{COLLECTION}/{}", self.service, self.id)
    }
}

impl<'a> Name<'a> {
    /// Takes a name apart.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where it is none.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        let refused = || {
            let example =
                "must be the name of an operation, as profiles/operations/01890a5d-ac96-774b-bcce-b302099a8057";
            Fault::invalid_field("name", "name.operation", example)
        };
        let (service, rest) = text.split_once('/').filter(|(service, _)| is_service(service)).ok_or_else(refused)?;
        let id = rest.strip_prefix(COLLECTION).and_then(|rest| rest.strip_prefix('/')).ok_or_else(refused)?;
        // As the suite writes UUIDs: one operation has one name.
        let id = Some(id).filter(|id| id.len() == 36).and_then(|id| id.parse().ok()).ok_or_else(refused)?;
        Ok(Self { service, id })
    }

    /// The service of a list's parent: `profiles`, or the collection `profiles/operations`.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where it is neither.
    pub fn parent(text: &'a str) -> Result<&'a str, Fault> {
        let service = text.strip_suffix(COLLECTION).and_then(|text| text.strip_suffix('/')).unwrap_or(text);
        if is_service(service) {
            return Ok(service);
        }
        let example = "must be a service, as profiles, or its operations, as profiles/operations";
        Err(Fault::invalid_field("name", "name.parent", example))
    }
}

fn is_service(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_its_text_form() {
        let name = Name { service: "profiles", id: OperationId::new() };
        assert_eq!(Name::parse(&name.to_string()).expect("its own text"), name);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let id = OperationId::new();
        let wrong = [
            String::new(),
            "profiles".to_owned(),
            "profiles/operations".to_owned(),
            "profiles/operations/".to_owned(),
            "profiles/operations/1".to_owned(),
            format!("profiles/operations/{id}/x"),
            format!("profiles/operations/{{{id}}}"),
            format!("profiles/operation/{id}"),
            format!("/operations/{id}"),
            format!("operations/{id}"),
            format!("Profiles/operations/{id}"),
            format!("profiles/operations/{}", id.uuid().simple()),
        ];
        for text in wrong {
            let fault = Name::parse(&text).expect_err(&text);
            assert_eq!(fault.details.violations.as_slice()[0].field, "name", "{text}");
        }
    }

    #[test]
    fn a_list_stands_under_a_service_or_its_collection() {
        for good in ["profiles", "profiles/operations"] {
            assert_eq!(Name::parent(good).expect(good), "profiles");
        }
        for wrong in ["", "/operations", "profiles/", "profiles/jobs", "profiles/operations/", "a b", "operations/"] {
            assert!(Name::parent(wrong).is_err(), "{wrong}");
        }
    }
}
