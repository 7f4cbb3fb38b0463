//! Etags: a resource's revision as text, by which a caller says which state its change rests on.

use rapport_kernel::{Fault, Reason};

/// The etag of a revision.
#[must_use]
pub fn of(revision: u64) -> String {
    format!("r{revision}")
}

/// Lets a change go on only where the caller has read the newest revision, or does not say which it has read.
///
/// # Errors
/// ABORTED where the etag is of another revision.
pub fn check(revision: u64, given: &str) -> Result<(), Fault> {
    if given.is_empty() || given == of(revision) {
        return Ok(());
    }
    Err(Fault::new(
        Reason::StaleEtag,
        "the etag is not the newest: read again, apply the change to what you read, retry",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_etag_or_none_is_taken() {
        assert!(check(7, &of(7)).is_ok() && check(7, "").is_ok());
        for stale in [of(6), of(8), "7".to_owned(), "r07".to_owned()] {
            assert_eq!(check(7, &stale).expect_err("stale").reason, Reason::StaleEtag);
        }
    }
}
