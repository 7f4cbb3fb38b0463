//! What the bulk calls take in: each item judged by the tenant's rules of when its batch began, and what is refused counted
//! against its source.

use std::sync::Arc;

use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_kernel::{Fault, Timestamp};
use rapport_platform::Call;
use rapport_platform::bulk::Intake;

use crate::convert::{identify, interaction};
use crate::domain::interaction::Telling;
use crate::domain::rules::Rules;
use crate::service::Profiles;
use crate::service::identify::Identification;

/// RecordInteractions.
#[derive(Clone)]
pub(super) struct Interactions(pub(super) Profiles);

impl Intake for Interactions {
    type Item = pb::RecordInteractionsRequest;
    type Sound = Telling;
    type Rules = Arc<Rules>;

    const ITEMS: usize = 1_000;

    async fn rules(&self, call: &Call) -> Result<Arc<Rules>, Fault> {
        self.0.rules(call).await
    }

    fn read(&self, call: &Call, rules: &Arc<Rules>, item: Self::Item, now: Timestamp) -> Result<Telling, Fault> {
        let source = match &item.item {
            Some(Item::Interaction(interaction)) => interaction.source.clone(),
            Some(Item::Deletion(deletion)) => deletion.source.clone(),
            None => String::new(),
        };
        interaction::item(item, rules, now).inspect_err(|fault| self.0.refused(call.tenant(), &source, fault, now))
    }

    async fn commit(&self, call: &Call, items: Vec<Telling>) -> Result<Vec<Result<(), Fault>>, Fault> {
        let outcomes = self.0.record_many(call, items).await?;
        Ok(outcomes.into_iter().map(|outcome| outcome.map(drop)).collect())
    }
}

/// ImportProfiles.
#[derive(Clone)]
pub(super) struct Identifications(pub(super) Profiles);

impl Intake for Identifications {
    type Item = pb::ImportProfilesRequest;
    type Sound = Identification;
    type Rules = Arc<Rules>;

    // Each is a unit of its own within the commit, and others wait for it.
    const ITEMS: usize = 200;

    async fn rules(&self, call: &Call) -> Result<Arc<Rules>, Fault> {
        self.0.rules(call).await
    }

    fn read(&self, call: &Call, rules: &Arc<Rules>, item: Self::Item, now: Timestamp) -> Result<Identification, Fault> {
        let source = item.profile.as_ref().map_or("", |profile| &profile.source);
        identify::item(&item, now, rules).inspect_err(|fault| self.0.refused(call.tenant(), source, fault, now))
    }

    async fn commit(&self, call: &Call, items: Vec<Identification>) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.0.identify_many(call, items).await
    }
}
