//! Tells the current state of this service again: every declared trait, every persona, the tenant's settings, every
//! entry of the catalogue, every account, every link, every profile, every id that was merged away, every interaction,
//! every deletion of one.

use futures::future::BoxFuture;
use rapport_data::{Rebuild, Retold, Tx};
use rapport_kernel::Fault;
use uuid::Uuid;

use crate::domain::account::{Account, AccountId};
use crate::domain::catalogue::Kind;
use crate::domain::profile::fold;
use crate::domain::relink::Held;
use crate::events;
use crate::service::rules::{self, BuiltIn};
use crate::store::catalogue_entry::{self, Row};
use crate::store::{account, interaction, link, persona, profile, segment, settings, trait_definition};

/// How many aggregates a page tells of.
const PAGE: u64 = 300;

/// The state of profiles.
pub struct State {
    /// The namespaces of a tenant that changed none.
    pub built_in: BuiltIn,
}

impl Rebuild for State {
    fn page(&self, tx: Tx, after: Option<String>) -> BoxFuture<'_, Result<Retold, Fault>> {
        Box::pin(async move {
            let Some(after) = after else { return rules_of(&tx).await };
            let (kind, id) = after.split_once('/').ok_or_else(|| Fault::internal("a cursor of a rebuild"))?;
            if kind == "catalogue" {
                return catalogue(&tx, id).await;
            }
            if kind == "account" {
                return accounts(&tx, id).await;
            }
            if kind == "interaction" {
                return interactions(&tx, id).await;
            }
            if kind == "deleted" {
                return deleted(&tx, id.parse().map_err(Fault::internal)?).await;
            }
            let id: Uuid = id.parse().map_err(Fault::internal)?;
            if kind == "link" {
                let links = link::after(&tx, id, PAGE).await?;
                let next =
                    links.last().map_or(format!("profile/{}", Uuid::nil()), |link| format!("link/{}", link.subject));
                let events = links.iter().map(|link| events::subject_linked(None, link)).collect();
                return Ok(Retold { events, next: Some(next) });
            }
            let rules = rules::read(&tx, &self.built_in, None).await?;
            let rows = profile::after(&tx, id, PAGE).await?;
            let next = rows.last().map_or("interaction/".to_owned(), |(id, _)| format!("profile/{id}"));
            let event = |(id, row): (_, profile::Row)| match row.held {
                Held::Live { revision, records } => {
                    let profile = fold(id, revision, row.updated_at, &records, &rules).at(tx.now());
                    let profile = profile.with(row.derived, &rules);
                    events::profile_changed(&profile, row.updated_at)
                }
                Held::Redirect { revision, to } => events::merged_away(id, to, (revision, row.updated_at), &[]),
            };
            Ok(Retold { events: rows.into_iter().map(event).collect(), next: Some(next) })
        })
    }
}

/// A tenant's rules and segments are few: one page.
async fn rules_of(tx: &Tx) -> Result<Retold, Fault> {
    let declared = trait_definition::newest(tx).await?;
    let declared = declared.iter().map(|version| events::trait_definition_changed(tx.tenant(), version));
    let personas = persona::all(tx).await?;
    let personas = personas.iter().map(|persona| events::persona_changed(tx.tenant(), persona));
    let settings = Some(settings::find(tx).await?).filter(|settings| settings.revision > 0);
    let settings = settings.iter().map(|settings| events::tenant_settings_changed(tx.tenant(), settings));
    let segments = segment::all(tx).await?;
    let segments = segments.iter().map(|segment| {
        let moment = (segment.revision, segment.updated_at);
        events::segment_changed(tx.tenant(), segment.id, Some(segment), moment)
    });
    let events = declared.chain(personas).chain(settings).chain(segments).collect();
    Ok(Retold { events, next: Some("catalogue/".to_owned()) })
}

async fn catalogue(tx: &Tx, after: &str) -> Result<Retold, Fault> {
    let after = after.split_once('/').and_then(|(kind, name)| {
        let kind = Kind::ALL.into_iter().find(|of| of.name() == kind)?;
        Some((kind, name.to_owned()))
    });
    let rows = catalogue_entry::after(tx, after, PAGE).await?;
    let next = rows.last().map(|row| match row {
        Row::Live(entry) => format!("catalogue/{}/{}", entry.kind().name(), entry.name),
        Row::Deleted(kind, name, ..) => format!("catalogue/{}/{name}", kind.name()),
    });
    let events = rows.iter().map(|row| events::catalogue_entry_changed(tx.tenant(), row)).collect();
    Ok(Retold { events, next: Some(next.unwrap_or_else(|| format!("account/{}", Uuid::nil()))) })
}

async fn accounts(tx: &Tx, after: &str) -> Result<Retold, Fault> {
    let after: AccountId = after.parse().map_err(Fault::internal)?;
    let rows = account::page(tx, Some(after), (None, None), usize::try_from(PAGE).unwrap_or(usize::MAX)).await?;
    let next = rows.last().map_or(format!("link/{}", Uuid::nil()), |last| format!("account/{}", last.id));
    let event = |row: &Account| events::account_changed(row.id, row.revision, row.updated_at, Some(row));
    Ok(Retold { events: rows.iter().map(event).collect(), next: Some(next) })
}

async fn interactions(tx: &Tx, after: &str) -> Result<Retold, Fault> {
    let after: Option<interaction::Place> = serde_json::from_str(after).ok();
    let rows = interaction::after(tx, after, PAGE).await?;
    let place = rows.last().map(interaction::place);
    let next = place.map(|place| serde_json::to_string(&place)).transpose().map_err(Fault::internal)?;
    let next = next.map_or(format!("deleted/{}", Uuid::nil()), |next| format!("interaction/{next}"));
    let events = rows.iter().map(events::interaction_changed).collect();
    Ok(Retold { events, next: Some(next) })
}

/// Interactions that were deleted: whoever missed that forgets them.
async fn deleted(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let rows = interaction::deleted_after(tx, after, PAGE).await?;
    let next = rows.last().map(|tombstone| format!("deleted/{}", tombstone.id));
    Ok(Retold { events: rows.iter().filter_map(events::interaction_deleted).collect(), next })
}
