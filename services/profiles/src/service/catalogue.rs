//! Keeping the catalogue. A tenant's changes of it run one after another: an entry may name others.

use std::collections::BTreeMap;

use rapport_data::{Answer, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, Reason, Violations};
use rapport_platform::Call;

use super::{Profiles, backfill};
use crate::domain::catalogue::{Details, Entry, Kind, Settings};
use crate::domain::declared::TraitDefinition;
use crate::domain::survivorship::Survivorship;
use crate::events;
use crate::store::catalogue_entry::{self as store, Row};
use crate::store::derivation::Changed;
use crate::store::{source_trust, trait_definition};

/// How many entries of a kind a tenant has at most, but for products: each call reads them.
const MOST: u64 = 1_000;

/// A page of entries ends at a place: that of a stage, and a name.
pub type Place = (i32, String);

impl Profiles {
    /// Adds an entry.
    ///
    /// # Errors
    /// ALREADY_EXISTS where its kind has one of its name; INVALID_ARGUMENT where it names an entry that is not there;
    /// FAILED_PRECONDITION where there are too many.
    pub async fn add_entry(&self, call: &Call, receipt: Receipt<Entry>, entry: Entry) -> Result<Answer<Entry>, Fault> {
        let unit = move |tx: Tx| {
            let entry = entry.clone();
            async move {
                lock(&tx).await?;
                let before = match store::find(&tx, entry.kind(), &entry.name).await? {
                    Some(Row::Deleted(_, _, revision, _)) => revision,
                    None if !entry.is_built_in() => 0,
                    Some(Row::Live(_)) | None => {
                        let text = "the catalogue has an entry of this kind and name";
                        return Err(Fault::new(Reason::ResourceExists, text).resource("catalogue_entry", entry.name));
                    }
                };
                if entry.kind() != Kind::Product && store::count(&tx, entry.kind()).await? >= MOST {
                    let text = format!("the catalogue has {MOST} entries of this kind, which is the most it may have");
                    let fault = Fault::new(Reason::InvalidState, text).precondition("CATALOGUE_SIZE", "entries");
                    return Err(fault.with("limit", MOST));
                }
                let now = Some(tx.now());
                write(&tx, Entry { revision: before + 1, created_at: now, updated_at: now, ..entry }).await
            }
        };
        self.keep_entry(call, receipt, unit).await
    }

    /// Replaces an entry that stands, if it is at the revision expected.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED; INVALID_ARGUMENT as for [`Profiles::add_entry`].
    pub async fn change_entry(
        &self,
        call: &Call,
        receipt: Receipt<Entry>,
        (entry, expected): (Entry, Option<u64>),
    ) -> Result<Answer<Entry>, Fault> {
        let unit = move |tx: Tx| {
            let entry = entry.clone();
            async move {
                lock(&tx).await?;
                let before = standing(&tx, entry.kind(), &entry.name).await?;
                fresh(expected, before.revision, &entry.name)?;
                let created_at = before.created_at.or_else(|| Some(tx.now()));
                let (revision, updated_at) = (before.revision + 1, Some(tx.now()));
                write(&tx, Entry { revision, created_at, updated_at, ..entry }).await
            }
        };
        self.keep_entry(call, receipt, unit).await
    }

    /// Deletes an entry that stands, if it is at the revision expected.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED; FAILED_PRECONDITION where it is built in, or a touchpoint names it.
    pub async fn drop_entry(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        (kind, name, expected): (Kind, String, Option<u64>),
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let name = name.clone();
            async move {
                lock(&tx).await?;
                let entry = standing(&tx, kind, &name).await?;
                fresh(expected, entry.revision, &name)?;
                if entry.is_built_in() {
                    let text = "the channel is built in: every tenant has it";
                    return Err(Fault::new(Reason::InvalidState, text).precondition("BUILT_IN", name));
                }
                if matches!(kind, Kind::Channel | Kind::Stage) {
                    unnamed(&tx, kind, &name).await?;
                }
                let revision = entry.revision + 1;
                store::delete(&tx, kind, &name, revision).await?;
                let row = Row::Deleted(kind, name.clone(), revision, tx.now());
                tx.publish(events::catalogue_entry_changed(tx.tenant(), &row)).await?;
                if kind == Kind::Source { trust(&tx, &name, revision, None).await } else { Ok(()) }
            }
        };
        self.keep_entry(call, receipt, unit).await
    }

    /// An entry that stands.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn entry(&self, call: &Call, kind: Kind, name: &str) -> Result<Entry, Fault> {
        self.read(call, |rx| async move { standing(&rx, kind, name).await }).await
    }

    /// A page of the entries of a kind after a place.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn entries(
        &self,
        call: &Call,
        kind: Kind,
        (after, size): (Option<Place>, usize),
    ) -> Result<keyset::Page<Entry, Place>, Fault> {
        let read = self.read(call, |rx| async move {
            if kind == Kind::Product {
                let name = after.as_ref().map(|(_, name)| name.as_str());
                return store::page(&rx, kind, name, keyset::limit(size)).await;
            }
            // They are few, and some are written nowhere.
            let built_in = Entry::built_in(kind).map(|entry| (entry.place(), entry));
            let mut all: BTreeMap<Place, Entry> = built_in.collect();
            all.extend(store::all(&rx, kind).await?.into_iter().map(|entry| (entry.place(), entry)));
            Ok(all.into_iter().filter(|(place, _)| Some(place) > after.as_ref()).map(|(_, entry)| entry).collect())
        });
        Ok(keyset::page(read.await?, size, weight, Entry::place))
    }

    /// The settings.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn catalogue_settings(&self, call: &Call) -> Result<Settings, Fault> {
        self.read(call, |rx| async move { store::settings(&rx).await }).await
    }

    /// Replaces the settings, if they are at the revision expected.
    ///
    /// # Errors
    /// ABORTED.
    pub async fn change_catalogue_settings(
        &self,
        call: &Call,
        receipt: Receipt<Settings>,
        (settings, expected): (Settings, Option<u64>),
    ) -> Result<Answer<Settings>, Fault> {
        let unit = move |tx: Tx| async move {
            lock(&tx).await?;
            let before = store::settings(&tx).await?.revision;
            fresh(expected, before, "settings")?;
            let settings = Settings { revision: before + 1, ..settings };
            store::put_settings(&tx, &settings).await?;
            Ok(settings)
        };
        self.keep_entry(call, receipt, unit).await
    }

    /// Does a unit that changes the catalogue: this instance's next call sees it.
    async fn keep_entry<T, F, Fut>(&self, call: &Call, receipt: Receipt<T>, unit: F) -> Result<Answer<T>, Fault>
    where
        T: Send + Sync + 'static,
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.refold(call.tenant());
        Ok(answer)
    }
}

/// How far a source is trusted may decide which of several values survives.
async fn trust(tx: &Tx, name: &str, revision: u64, trust: Option<u16>) -> Result<(), Fault> {
    source_trust::set(tx, name, revision, trust).await?;
    let counts = |definition: &TraitDefinition| definition.survivorship == Survivorship::MostTrusted;
    backfill::hold(tx).await?;
    if trait_definition::all(tx).await?.iter().any(counts) {
        backfill::changed_else(tx, Changed::Trust).await?;
    }
    Ok(())
}

async fn lock(tx: &Tx) -> Result<(), Fault> {
    tx.lock(&["catalogue".to_owned()]).await
}

/// The entry of a name, built in or written.
async fn standing(rx: &Rx, kind: Kind, name: &str) -> Result<Entry, Fault> {
    match store::find(rx, kind, name).await? {
        Some(Row::Live(entry)) => Some(entry),
        Some(Row::Deleted(..)) => None,
        None => Entry::built_in(kind).find(|entry| entry.name == name),
    }
    .ok_or_else(|| Fault::not_found("catalogue_entry", name))
}

fn fresh(expected: Option<u64>, revision: u64, name: &str) -> Result<(), Fault> {
    if expected.is_none_or(|expected| expected == revision) {
        return Ok(());
    }
    let text = "the etag is not the newest: read the entry again, look whether the change still fits, retry";
    Err(Fault::new(Reason::StaleEtag, text).resource("catalogue_entry", name))
}

/// Writes an entry whose references hold, and tells of it.
async fn write(tx: &Tx, entry: Entry) -> Result<Entry, Fault> {
    if let Details::Touchpoint { channel, stage } = &entry.body.details {
        let mut violations = Violations::new();
        for (kind, name, field) in [(Kind::Channel, channel, "channel"), (Kind::Stage, stage, "stage")] {
            if !name.is_empty() && !stands(tx, kind, name).await? {
                let field = format!("entry.touchpoint.{field}");
                violations.add(field, "catalogue.known", format!("must be a {} of the catalogue", kind.name()));
            }
        }
        violations.check()?;
    }
    store::put(tx, &entry).await?;
    let row = Row::Live(entry.clone());
    tx.publish(events::catalogue_entry_changed(tx.tenant(), &row)).await?;
    if let Details::Source { trust, .. } = entry.body.details {
        self::trust(tx, &entry.name, entry.revision, Some(trust)).await?;
    }
    Ok(entry)
}

async fn stands(rx: &Rx, kind: Kind, name: &str) -> Result<bool, Fault> {
    match standing(rx, kind, name).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.reason == Reason::ResourceNotFound => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Refuses where a touchpoint names a channel or a stage.
async fn unnamed(rx: &Rx, kind: Kind, name: &str) -> Result<(), Fault> {
    let names = |entry: &Entry| match &entry.body.details {
        Details::Touchpoint { channel, stage } => name == if kind == Kind::Channel { channel } else { stage },
        _ => false,
    };
    match store::all(rx, Kind::Touchpoint).await?.into_iter().find(names) {
        None => Ok(()),
        Some(touchpoint) => {
            let text = "a touchpoint names it: change or delete that first";
            Err(Fault::new(Reason::InvalidState, text).precondition("NAMED_BY_TOUCHPOINT", touchpoint.name))
        }
    }
}

/// About how many bytes an entry takes in an answer.
fn weight(entry: &Entry) -> usize {
    let attributes = match &entry.body.details {
        Details::EventType(schema) => {
            schema.attributes.iter().map(|(name, attribute)| name.len() + attribute.description.len() + 24).sum()
        }
        _ => 160,
    };
    100 + entry.name.len() + entry.body.display_name.len() + entry.body.description.len() + attributes
}
