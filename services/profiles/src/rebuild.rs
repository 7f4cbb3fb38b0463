//! Tells the current state of this service again: every declared trait, every account, every link, every profile, every id that was
//! merged away, every interaction.

use futures::future::BoxFuture;
use rapport_data::{Rebuild, Retold, Tx};
use rapport_kernel::Fault;
use uuid::Uuid;

use crate::domain::account::{Account, AccountId};
use crate::domain::namespace::Namespaces;
use crate::domain::profile::fold;
use crate::domain::relink::Held;
use crate::events;
use crate::service::rules;
use crate::store::{account, interaction, link, profile, trait_definition};

/// How many aggregates a page tells of.
const PAGE: u64 = 300;

/// The state of profiles.
pub struct State {
    /// The namespaces of a tenant that changed none.
    pub built_in: Namespaces,
}

impl Rebuild for State {
    fn page(&self, tx: Tx, after: Option<String>) -> BoxFuture<'_, Result<Retold, Fault>> {
        Box::pin(async move {
            let Some(after) = after else { return traits(&tx).await };
            let (kind, id) = after.split_once('/').ok_or_else(|| Fault::internal("a cursor of a rebuild"))?;
            if kind == "account" {
                return accounts(&tx, id).await;
            }
            if kind == "interaction" {
                return interactions(&tx, id).await;
            }
            let id: Uuid = id.parse().map_err(Fault::internal)?;
            if kind == "link" {
                let links = link::after(&tx, id, PAGE).await?;
                let next =
                    links.last().map_or(format!("profile/{}", Uuid::nil()), |link| format!("link/{}", link.subject));
                let events = links.iter().map(|link| events::subject_linked(None, link)).collect();
                return Ok(Retold { events, next: Some(next) });
            }
            let rules = rules::read(&tx, &self.built_in).await?;
            let rows = profile::after(&tx, id, PAGE).await?;
            let next = rows.last().map_or("interaction/".to_owned(), |(id, _)| format!("profile/{id}"));
            let event = |(id, row): (_, profile::Row)| match row.held {
                Held::Live { revision, records } => {
                    events::profile_changed(&fold(id, revision, row.updated_at, &records, &rules), row.updated_at)
                }
                Held::Redirect { revision, to } => events::merged_away(id, to, revision, row.updated_at),
            };
            Ok(Retold { events: rows.into_iter().map(event).collect(), next: Some(next) })
        })
    }
}

/// A tenant's declared traits are few: one page.
async fn traits(tx: &Tx) -> Result<Retold, Fault> {
    let declared = trait_definition::all(tx).await?;
    let events = declared.iter().map(|definition| events::trait_definition_changed(tx.tenant(), definition)).collect();
    Ok(Retold { events, next: Some(format!("account/{}", Uuid::nil())) })
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
    let events = rows.iter().map(events::interaction_changed).collect();
    Ok(Retold { events, next: next.map(|next| format!("interaction/{next}")) })
}
