//! Loading what derivations look at: what happened to customers, and what they scored.

use std::collections::BTreeMap;

use rapport_data::Rx;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use crate::domain::derived::Score;
use crate::domain::happened::{History, MOST, Occurrence};
use crate::domain::memory::{Memory, Weights};
use crate::domain::profile::Profile;
use crate::domain::reads::Reads;
use crate::store::{happened, memory, score};

/// How many interactions of several customers are read at once.
const TOGETHER: u64 = 20_000;

/// What happened to customers, as far as it is read.
///
/// # Errors
/// Where the database fails; as for all that follow.
pub async fn histories(rx: &Rx, profiles: &[&Profile], reads: &Reads) -> Result<BTreeMap<CustomerId, History>, Fault> {
    if !reads.sees_any() {
        return Ok(BTreeMap::new());
    }
    let subjects: Vec<SubjectId> = profiles.iter().flat_map(|profile| subjects(profile)).collect();
    let kinds = kinds(reads);
    let all = happened::newest(rx, &subjects, kinds.as_deref(), None, TOGETHER).await?;
    let mut found = BTreeMap::new();
    if all.len() < usize::try_from(TOGETHER).unwrap_or(usize::MAX) && profiles.len() > 1 {
        let mut by_subject = BTreeMap::<SubjectId, Vec<Occurrence>>::new();
        for (subject, one) in all {
            by_subject.entry(subject).or_default().push(one);
        }
        for profile in profiles {
            let of = subjects_of(profile, &mut by_subject);
            found.insert(profile.customer, History::of(of));
        }
        return Ok(found);
    }
    for profile in profiles {
        let history = history(rx, &subjects_vec(profile), reads, None).await?;
        found.insert(profile.customer, history);
    }
    Ok(found)
}

/// What happened to subjects that are one customer: of each type the newest; as recorded by an instant, if one is given.
pub async fn history(
    rx: &Rx,
    subjects: &[SubjectId],
    reads: &Reads,
    recorded_by: Option<Timestamp>,
) -> Result<History, Fault> {
    if !reads.sees_any() {
        return Ok(History::default());
    }
    let (kinds, limit) = (kinds(reads), u64::try_from(MOST).unwrap_or(u64::MAX));
    let mut all = happened::newest(rx, subjects, kinds.as_deref(), recorded_by, limit).await?;
    if all.len() >= MOST {
        // One type may have crowded out the others: each is asked for by itself.
        let name = |(subject, one): (SubjectId, Occurrence)| {
            ((subject, one.event.source.clone(), one.external_id.clone()), (subject, one))
        };
        let mut each: BTreeMap<_, _> = all.into_iter().map(name).collect();
        for kind in &reads.kinds {
            let some = happened::newest(rx, subjects, Some(std::slice::from_ref(kind)), recorded_by, limit).await?;
            each.extend(some.into_iter().map(name));
        }
        all = each.into_values().collect();
    }
    Ok(History::of(all.into_iter().map(|(_, one)| one).collect()))
}

/// The subjects of a profile.
pub fn subjects(profile: &Profile) -> impl Iterator<Item = SubjectId> {
    profile.records.iter().map(|(subject, ..)| *subject)
}

fn subjects_vec(profile: &Profile) -> Vec<SubjectId> {
    subjects(profile).collect()
}

fn subjects_of(profile: &Profile, by_subject: &mut BTreeMap<SubjectId, Vec<Occurrence>>) -> Vec<Occurrence> {
    subjects(profile).filter_map(|subject| by_subject.remove(&subject)).flatten().collect()
}

/// The types to ask for; `None`: all.
fn kinds(reads: &Reads) -> Option<Vec<String>> {
    (!reads.timeline).then(|| reads.kinds.iter().cloned().collect())
}

/// What feedback told of customers last.
pub(crate) struct Last {
    pub(crate) scores: BTreeMap<String, Score>,
    pub(crate) memory: Memory,
}

impl Last {
    /// Of subjects, by an instant; each text by its weight.
    pub(crate) async fn of(
        rx: &Rx,
        subjects: &[SubjectId],
        until: Timestamp,
        weights: &Weights,
    ) -> Result<Self, Fault> {
        let scores = score::last(rx, subjects, until).await?;
        Ok(Self { scores, memory: Memory::of(&memory::of(rx, subjects, until).await?, weights) })
    }
}
