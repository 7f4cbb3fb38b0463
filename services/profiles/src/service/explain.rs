//! ExplainMatch: why two records, or the likeliest records of two customers, look alike or do not, field by field.

use std::collections::BTreeMap;

use rapport_data::Rx;
use rapport_kernel::{Fault, Reason, SubjectId};
use rapport_matching::record::PreparedRecord;
use rapport_matching::score::Explanation;
use rapport_platform::Call;

use super::matching::is_aside;
use super::{Profiles, attach};
use crate::domain::matching::Matcher;
use crate::domain::profile::{Record, objects_to_profiling};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Named, SourceRecord};
use crate::store::{link, profile, subject};

/// How many records of one customer are compared.
const MOST_RECORDS: usize = 100;

/// One of the two that are compared.
#[derive(Clone, Debug)]
pub enum Side {
    /// A customer: those of its records that are likeliest.
    Customer(Named),
    /// A source record.
    Record(SourceRecord),
}

/// Why two records match, or do not.
pub struct Explained {
    /// The records that were compared.
    pub subjects: [SubjectId; 2],
    /// Field by field.
    pub explanation: Explanation,
    /// From which probabilities the model links and asks, and its version.
    pub thresholds: rapport_matching::settings::Thresholds,
    /// The version of the model.
    pub version: u64,
}

impl Profiles {
    /// Explains a pair.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION (INVALID_STATE) before the first training.
    pub async fn explain(&self, call: &Call, left: Side, right: Side) -> Result<Explained, Fault> {
        let rules = self.rules(call).await?;
        let Some(matcher) = rules.matcher.clone() else {
            let fault = Fault::new(Reason::InvalidState, "no model was trained yet: TrainMatcher does that");
            return Err(fault.precondition("MODEL_ACTIVE", "matcher"));
        };
        let (ours, matching) = (&rules, &matcher);
        let read = self.read(call, |rx| async move {
            Ok((records(&rx, ours, matching, &left).await?, records(&rx, ours, matching, &right).await?))
        });
        let (left, right) = read.await?;
        let scorer = matcher.scorer();
        let mut best: Option<(f64, SubjectId, SubjectId)> = None;
        for (one, record) in &left {
            let query = scorer.query(record);
            for (other, candidate) in right.iter().filter(|(other, _)| *other != one) {
                let weight = query.weight(candidate);
                if best.is_none_or(|(held, ..)| weight > held) {
                    best = Some((weight, *one, *other));
                }
            }
        }
        let Some((_, one, other)) = best else {
            return Err(Fault::invalid_field("right", "pair.apart", "must name another than left"));
        };
        let explanation = scorer.explain(&left[&one], &right[&other]);
        let (thresholds, version) = (matcher.thresholds, matcher.version);
        Ok(Explained { subjects: [one, other], explanation, thresholds, version })
    }
}

/// The records of a side, made ready.
async fn records(
    rx: &Rx,
    rules: &Rules,
    matcher: &Matcher,
    side: &Side,
) -> Result<BTreeMap<SubjectId, PreparedRecord>, Fault> {
    let (customer, only) = match side {
        Side::Customer(named) => (attach::resolve(rx, named).await?.1, None),
        Side::Record(name) => {
            let not_found = || Fault::not_found("source_record", name.source.clone());
            let subject = subject::find(rx, name).await?.ok_or_else(not_found)?.id;
            (link::current(rx, subject).await?.ok_or_else(not_found)?.customer, Some(subject))
        }
    };
    let Some(profile::Row { held: Held::Live { records, .. }, .. }) = profile::find(rx, customer).await? else {
        return Err(Fault::not_found("customer", customer.to_string()));
    };
    let objects = objects_to_profiling(&records);
    let chosen = records.into_iter().filter(|record| only.is_none_or(|only| only == record.subject));
    let ready = |it: Record| {
        let silent = is_aside(&it.claims, objects);
        (it.subject, if silent { matcher.silent() } else { matcher.ready(&it.claims, &rules.namespaces) }.record)
    };
    Ok(chosen.take(MOST_RECORDS).map(ready).collect())
}
