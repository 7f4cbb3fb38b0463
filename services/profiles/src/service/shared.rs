//! What else carries the identifiers of a statement: whom its record may be linked with, and what too many carry.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::Tx;
use rapport_kernel::{Fault, SubjectId};

use super::component;
use crate::domain::rules::Rules;
use crate::domain::value::Identifier;
use crate::store::identifier::Carried;
use crate::store::{identifier, quarantine};

/// What a record is told to carry.
pub(super) struct Told<'a> {
    /// The record.
    pub(super) subject: SubjectId,
    /// The identifiers of the statement that count, as they count.
    pub(super) stated: &'a [Identifier],
    /// What the record carried before.
    pub(super) carried: &'a [Carried],
    /// Those of the statement that are new, or known from earlier on.
    pub(super) news: &'a [Identifier],
}

/// What else carries it.
#[derive(Default)]
pub(super) struct Shared {
    /// Other records that carry a strong one, and by which namespaces.
    pub(super) others: BTreeMap<SubjectId, BTreeSet<String>>,
    /// Records that carried one which, by this call, is carried by too many: their links must be made anew.
    pub(super) crossing: BTreeMap<SubjectId, String>,
    /// Those that are carried by too many records.
    pub(super) quarantined: Vec<Identifier>,
    /// Whether a visitor becomes known by this call, or this record turns out to be somebody's visit.
    pub(super) visits: bool,
    /// Other records that this one looks so like, or did until now, that they are linked.
    pub(super) alike: BTreeSet<SubjectId>,
}

impl Shared {
    /// Looks for it, before the record is noted to carry what is new.
    pub(super) async fn of(tx: &Tx, rules: &Rules, told: &Told<'_>) -> Result<Self, Fault> {
        let is_strong = |it: &Identifier| rules.namespaces.strong(&it.namespace).is_some();
        let is_weak = |it: &Identifier| rules.namespaces.weak(&it.namespace).is_some();
        let was_known = told.carried.iter().any(|it| is_strong(&it.identifier));
        let is_known = was_known || told.stated.iter().any(is_strong);
        let before = told.carried.iter().map(|it| &it.identifier).filter(|it| is_weak(it) && is_known && !was_known);
        let weak: BTreeSet<&Identifier> = told.news.iter().filter(|it| is_weak(it)).chain(before).collect();
        let strong: Vec<&Identifier> = told.stated.iter().filter(|it| is_strong(it)).collect();
        let (mut shared, mut carriers) =
            (Self::default(), Self::carriers(tx, rules, strong.iter().chain(&weak)).await?);
        for identifier in strong {
            let found = carriers.remove(identifier).unwrap_or_default();
            for other in shared.besides(tx, rules, told.subject, (identifier, found)).await?.unwrap_or_default() {
                shared.others.entry(other).or_default().insert(identifier.namespace.clone());
            }
        }
        for identifier in weak {
            let found = carriers.remove(identifier).unwrap_or_default();
            let others = shared.besides(tx, rules, told.subject, (identifier, found)).await?;
            let Some(others) = others else { continue };
            let known = component::known_among(tx, rules, &others).await?;
            // Between two that are known a shared device means nothing.
            shared.visits |= if is_known { known.len() < others.len() } else { !known.is_empty() };
        }
        Ok(shared)
    }

    /// Who carries the identifiers: of each at least one more than it may have, where there are as many.
    async fn carriers<'i>(
        tx: &Tx,
        rules: &Rules,
        identifiers: impl Iterator<Item = &'i &'i Identifier>,
    ) -> Result<BTreeMap<Identifier, Vec<Carried>>, Fault> {
        let identifiers: Vec<&Identifier> = identifiers.copied().collect();
        let mut most = 0;
        for identifier in &identifiers {
            most = most.max(component::limit_of(tx, rules, identifier, 0).await?);
        }
        identifier::carriers_of(tx, identifiers.into_iter(), most + 1).await
    }

    /// The other records that carry an identifier, of those that were found to; none where they are too many for it to link.
    async fn besides(
        &mut self,
        tx: &Tx,
        rules: &Rules,
        subject: SubjectId,
        (identifier, mut carriers): (&Identifier, Vec<Carried>),
    ) -> Result<Option<Vec<SubjectId>>, Fault> {
        let mut limit = component::limit_of(tx, rules, identifier, 0).await?;
        carriers.truncate(limit + 1);
        if carriers.len() >= limit {
            let allowed = component::limit_of(tx, rules, identifier, limit + 1).await?;
            if allowed > limit {
                limit = allowed;
                carriers = identifier::carriers(tx, identifier, limit + 1).await?;
            }
        }
        if carriers.iter().any(|carrier| carrier.subject == identifier::NOBODY) {
            self.quarantined.push(identifier.clone());
            return Ok(None);
        }
        let mine = carriers.iter().any(|carrier| carrier.subject == subject);
        let others = carriers.iter().map(|carrier| carrier.subject).filter(|other| *other != subject);
        if carriers.len() + usize::from(!mine) <= limit {
            return Ok(Some(others.collect()));
        }
        self.quarantined.push(identifier.clone());
        if carriers.len() == limit && !mine {
            self.crossing.extend(others.map(|other| (other, identifier.namespace.clone())));
            quarantine::add(tx, identifier).await?;
        }
        Ok(None)
    }
}
