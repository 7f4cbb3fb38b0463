//! Loading what derivations look at: what happened to customers, and what they scored.

use std::collections::BTreeMap;

use rapport_data::Rx;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use crate::domain::derived::Score;
use crate::domain::happened::{Ends, History, MOST, Occurrence};
use crate::domain::memory::{Memory, Weights};
use crate::domain::profile::Profile;
use crate::domain::reads::Reads;
use crate::store::{happened, memory, score};

/// How many interactions of several customers are read at once.
const TOGETHER: u64 = 20_000;

/// What happened to customers, as far as it is read from instants on: of what is only counted, or looked at from its ends,
/// the ends alone.
///
/// # Errors
/// Where the database fails; as for all that follow.
pub async fn histories(
    rx: &Rx,
    looks: &[(&Profile, Timestamp)],
    reads: &Reads,
) -> Result<BTreeMap<CustomerId, History>, Fault> {
    let only_ends: Vec<String> = match reads.timeline {
        true => Vec::new(),
        false => reads.kinds.difference(&reads.between).cloned().collect(),
    };
    let mut rest = reads.clone();
    rest.kinds.retain(|kind| !only_ends.contains(kind));
    let profiles: Vec<&Profile> = looks.iter().map(|(profile, _)| *profile).collect();
    let mut found = whole(rx, &profiles, &rest).await?;
    if only_ends.is_empty() {
        return Ok(found);
    }
    let mut ends = BTreeMap::<SubjectId, Vec<Ends>>::new();
    for (subject, some) in happened::ends(rx, &all_subjects(&profiles), &only_ends).await? {
        ends.entry(subject).or_default().push(some);
    }
    for (profile, from) in looks {
        let mut joined = BTreeMap::<String, Ends>::new();
        for some in subjects(profile).filter_map(|subject| ends.remove(&subject)).flatten() {
            let Some(kind) = some.edges.first().map(|edge| edge.event.kind.clone()) else { continue };
            joined.entry(kind).or_default().join(some);
        }
        let history = found.entry(profile.customer).or_default();
        for (kind, some) in joined {
            // What is to come is not counted yet, and of more than are read the first is another.
            if some.count > MOST || some.last_at().is_some_and(|last| last > *from) {
                let (kinds, most) = (std::slice::from_ref(&kind), u64::try_from(MOST).unwrap_or(u64::MAX));
                let all = happened::newest(rx, &subjects_vec(profile), Some(kinds), None, most).await?;
                history.add(kind, all.into_iter().map(|(_, one)| one).collect());
            } else {
                history.add_ends(kind, some);
            }
        }
    }
    Ok(found)
}

async fn whole(rx: &Rx, profiles: &[&Profile], reads: &Reads) -> Result<BTreeMap<CustomerId, History>, Fault> {
    if !reads.sees_any() {
        return Ok(BTreeMap::new());
    }
    let kinds = kinds(reads);
    let all = happened::newest(rx, &all_subjects(profiles), kinds.as_deref(), None, TOGETHER).await?;
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

fn all_subjects(profiles: &[&Profile]) -> Vec<SubjectId> {
    profiles.iter().flat_map(|profile| subjects(profile)).collect()
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
