//! The filter of a list of operations: `done = true` or `done = false`, `metadata.kind = "TrainMatcher"`, or both with
//! `AND` between them. So much of Google's list filter as there is to choose by.

use rapport_data::OperationFilter;
use rapport_kernel::{Fault, Reason};

/// How long a filter may be.
const LONGEST: usize = 500;

/// Reads a filter; an empty one lets everything through.
///
/// # Errors
/// INVALID_ARGUMENT where it is not of that form.
pub fn parse(text: &str) -> Result<OperationFilter, Fault> {
    let mut filter = OperationFilter::default();
    let mut words = words(text)?.into_iter();
    let Some(mut word) = words.next() else { return Ok(filter) };
    loop {
        let (sign, value) = (words.next(), words.next());
        let (Some("="), Some(value)) = (sign.as_deref(), value) else { return Err(refused()) };
        match word.as_str() {
            "done" if filter.ended.is_none() => {
                filter.ended = Some(match value.as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(refused()),
                });
            }
            "metadata.kind" | "kind" if filter.kind.is_none() => {
                let kind = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(&value);
                filter.kind = Some(kind.to_owned()).filter(|kind| is_word(kind) && !kind.is_empty());
                if filter.kind.is_none() {
                    return Err(refused());
                }
            }
            _ => return Err(refused()),
        }
        match (words.next().as_deref(), words.next()) {
            (None, _) => return Ok(filter),
            (Some("AND"), Some(next)) => word = next,
            _ => return Err(refused()),
        }
    }
}

/// The words of a filter: names, values with their quotation marks, and `=`.
fn words(text: &str) -> Result<Vec<String>, Fault> {
    if text.len() > LONGEST {
        return Err(refused());
    }
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '=' => 1,
            '"' => rest[1..].find('"').ok_or_else(refused)? + 2,
            _ => rest.find(|at: char| at.is_whitespace() || at == '=' || at == '"').unwrap_or(rest.len()),
        };
        words.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn refused() -> Fault {
    let text = "must be done = true, done = false, metadata.kind = \"…\", or two of them with AND between";
    let mut fault = Fault::invalid_field("filter", "filter", text);
    fault.reason = Reason::InvalidCondition;
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(kind: Option<&str>, ended: Option<bool>) -> OperationFilter {
        OperationFilter { kind: kind.map(str::to_owned), ended }
    }

    #[test]
    fn a_filter_says_kind_and_end_in_any_order() {
        let kind = Some("TrainMatcher");
        for (text, expected) in [
            ("", filter(None, None)),
            ("  ", filter(None, None)),
            ("done=true", filter(None, Some(true))),
            (" done = false ", filter(None, Some(false))),
            ("metadata.kind = \"TrainMatcher\"", filter(kind, None)),
            ("kind=TrainMatcher", filter(kind, None)),
            ("metadata.kind=\"TrainMatcher\" AND done=false", filter(kind, Some(false))),
            ("done = true AND metadata.kind = TrainMatcher", filter(kind, Some(true))),
        ] {
            assert_eq!(parse(text).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let long = format!("metadata.kind = \"{}\"", "x".repeat(600));
        for text in [
            "done",
            "done =",
            "done = maybe",
            "= true",
            "done = true AND",
            "done = true OR done = false",
            "done = true AND done = true",
            "name = \"x\"",
            "metadata.kind = \"a",
            "metadata.kind = \"\"",
            "metadata.kind = \"a b\"",
            "done = true metadata.kind = \"x\"",
            "\"",
            long.as_str(),
        ] {
            assert_eq!(parse(text).expect_err(text).reason, Reason::InvalidCondition, "{text}");
        }
    }
}
